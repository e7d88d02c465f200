public import Foundation
public import TomboloCore

extension SQLiteStorage {
    private static let parts = ["", "-wal", "-shm"]

    /// Whether there is a store in a directory.
    public static func exists(in directory: URL) -> Bool {
        FileManager.default.fileExists(atPath: directory.appendingPathComponent(fileName).path)
    }

    /// Gives the database of a directory another name, beside which a new one can be made.
    ///
    /// - Returns: the file, of a name that no other has.
    /// - Throws: `StoreError` `unavailable` if there is none or it cannot be renamed, `busy` if another process uses it.
    public static func setAside(in directory: URL) throws(StoreError) -> URL {
        let name = directory.appendingPathComponent(fileName).path
        guard exists(in: directory) else {
            throw StoreError(.unavailable, "there is no store in \(directory.path)")
        }
        closeFile(try lock(directory))
        var number = 1
        while FileManager.default.fileExists(atPath: "\(name).damaged-\(number)") { number += 1 }
        let aside = "\(name).damaged-\(number)"
        try rename(from: name, to: aside)
        return URL(fileURLWithPath: aside)
    }

    /// Undoes ``setAside(in:)``, and removes what was made in its place.
    public static func putBack(_ aside: URL, in directory: URL) throws(StoreError) {
        let name = directory.appendingPathComponent(fileName).path
        for part in parts { try? FileManager.default.removeItem(atPath: name + part) }
        try rename(from: aside.path, to: name)
    }

    private static func rename(from: String, to: String) throws(StoreError) {
        do {
            for part in parts where FileManager.default.fileExists(atPath: from + part) {
                try FileManager.default.moveItem(atPath: from + part, toPath: to + part)
            }
        } catch {
            throw StoreError(.unavailable, "\(from) cannot be renamed: \(error)")
        }
    }
}
