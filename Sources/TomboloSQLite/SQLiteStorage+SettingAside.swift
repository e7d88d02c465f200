public import Foundation
public import TomboloCore

extension SQLiteStorage {
    private static let parts = ["", "-wal", "-shm"]

    /// Tells whether a directory contains a store.
    public static func exists(in directory: URL) -> Bool {
        FileManager.default.fileExists(atPath: directory.appendingPathComponent(fileName).path)
    }

    /// Renames the database in a directory, so that a new one can be created there.
    ///
    /// - Returns: the renamed file, with a name that no other file has.
    /// - Throws: `StoreError` `unavailable` if there is no database or it cannot be renamed; `busy` if another process
    ///   uses it.
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

    /// Undoes ``setAside(in:)``. A database that was created in its place is removed.
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
