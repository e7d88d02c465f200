import Foundation

/// A file that is written beside its final place, and moved there once all of it is on disk. A draft that is not kept
/// is removed.
final class DraftFile {
    private let url: URL
    private let draft: URL
    private let handle: FileHandle

    /// - Parameter isPrivate: true if only the owner may read the file.
    /// - Throws: ``TomboloError`` if the file exists already or cannot be written.
    init(for url: URL, isPrivate: Bool = false) throws {
        try Self.checkPlace(url)
        self.url = url
        // Not the name with a suffix: a name may be as long as the file system allows.
        draft = url.deletingLastPathComponent().appendingPathComponent(".\(UUID().uuidString).part")
        let attributes: [FileAttributeKey: Any]? = isPrivate ? [.posixPermissions: 0o600] : nil
        guard FileManager.default.createFile(atPath: draft.path, contents: nil, attributes: attributes),
            let handle = FileHandle(forWritingAtPath: draft.path)
        else {
            throw TomboloError(
                .fileUnusable, "\(url.path) cannot be written", recovery: "check that its folder exists and is yours")
        }
        self.handle = handle
    }

    /// - Throws: ``TomboloError`` if the file exists already.
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

    /// Syncs the file to disk and moves it to its final place.
    ///
    /// - Throws: ``TomboloError`` if the disk is full.
    func keep() throws {
        do {
            try handle.synchronize()
            try FileManager.default.moveItem(at: draft, to: url)
            // Otherwise a power cut, or an early removal of a stick, may lose the name.
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
