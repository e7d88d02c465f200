import Foundation

/// A file that is written beside the place where it is to be, which it takes once all of it is on disk. Given up, it leaves nothing behind.
final class DraftFile {
    private let url: URL
    private let draft: URL
    private let handle: FileHandle

    /// - Parameter isPrivate: nobody but the owner is to read it.
    /// - Throws: ``TomboloError`` if there is something at the place already, or nothing can be written there.
    init(for url: URL, isPrivate: Bool = false) throws {
        try Self.checkPlace(url)
        self.url = url
        draft = url.appendingPathExtension("part-\(UUID().uuidString.prefix(8))")
        let attributes: [FileAttributeKey: Any]? = isPrivate ? [.posixPermissions: 0o600] : nil
        guard FileManager.default.createFile(atPath: draft.path, contents: nil, attributes: attributes),
            let handle = FileHandle(forWritingAtPath: draft.path)
        else {
            throw TomboloError(
                .fileUnusable, "\(url.path) cannot be written", recovery: "check that its folder exists and is yours")
        }
        self.handle = handle
    }

    /// - Throws: ``TomboloError`` if there is something at the place already.
    static func checkPlace(_ url: URL) throws {
        guard !FileManager.default.fileExists(atPath: url.path) else {
            throw TomboloError(
                .fileUnusable, "\(url.path) exists already", recovery: "choose another place, or move it away")
        }
    }

    deinit {
        try? handle.close()
        try? FileManager.default.removeItem(at: draft)
    }

    /// - Throws: ``TomboloError`` if the disk is full.
    func write(_ data: Data) throws {
        do {
            try handle.write(contentsOf: data)
        } catch {
            throw unwritable(error)
        }
    }

    /// Syncs it to disk and puts it in its place.
    ///
    /// - Throws: ``TomboloError`` if the disk is full.
    func keep() throws {
        do {
            try handle.synchronize()
            try FileManager.default.moveItem(at: draft, to: url)
            // Else the name may be lost in a power cut, or with a stick that is pulled out.
            if let folder = try? FileHandle(forReadingFrom: url.deletingLastPathComponent()) {
                try? folder.synchronize()
                try? folder.close()
            }
        } catch {
            throw unwritable(error)
        }
    }

    private func unwritable(_ error: any Error) -> TomboloError {
        TomboloError(
            .fileUnusable, "\(url.path) cannot be written (\(error.localizedDescription))",
            recovery: "make room, or choose another place", underlying: error)
    }
}
