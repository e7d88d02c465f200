public import Foundation
public import TomboloCore
import TomboloSQLite

// Files of any size, in encrypted pieces, fetched from all peers that have them.
extension SyncGroup {
    /// Sends a file: adds an encrypted copy of it to this device's store, and an entry that refers to it to the group.
    /// Returns once both are on disk.
    ///
    /// - Parameters:
    ///   - url: a file of the file system, of at most 8 TiB.
    ///   - name: the name that members see; nil for the file's own.
    ///   - text: a comment on it.
    ///   - duration: the time after which it expires everywhere.
    ///   - progress: counts the copied bytes.
    /// - Throws: ``TomboloError`` `fileUnusable` if it cannot be read; `fileQuotaExceeded` if it would exceed the
    ///   quota; as ``send(_:files:expiring:)``.
    @discardableResult
    public func send(
        file url: URL, named name: String? = nil, saying text: String? = nil, expiring duration: Duration? = nil,
        reportingTo progress: TransferProgress? = nil
    ) async throws -> EventID {
        let file = try await add(file: url, reportingTo: progress)
        let content = SharedFile(name: name ?? url.lastPathComponent, file: file, text: text)
        return try await send(content, files: [file], expiring: duration)
    }

    /// Adds an encrypted copy of a file to this device's store, for a content that refers to it
    /// (``send(_:files:expiring:)``). It is kept as long as an entry refers to it. The same file added twice is two
    /// files.
    ///
    /// - Throws: ``TomboloError`` as ``send(file:named:saying:expiring:reportingTo:)``.
    public func add(file url: URL, reportingTo progress: TransferProgress? = nil) async throws -> FileReference {
        defer { progress?.finish() }
        guard dialect == .native else { throw TomboloError(EngineError.notNative(id)) }
        let runtime = try node.runtime
        let bytes = (try? url.resourceValues(forKeys: [.fileSizeKey]).fileSize) ?? 0
        let limits = try await node.fileLimits
        guard try await node.fileBytes + UInt64(clamping: bytes) <= limits.quota else {
            throw TomboloError(EngineError.fileQuota(quota: limits.quota))
        }
        let file = try await convertingErrors {
            try await FileImport(source: url, chunks: node.storage.chunks, progress: progress).run()
        }
        do {
            let all = RangeSet([0..<FileShape(size: file.size).count])
            _ = try await runtime.request { .addFile($0, file.id, held: all) }
        } catch {
            node.storage.chunks.remove(file.id)
            throw error
        }
        return file
    }

    /// A reader of a file to which an entry of the group refers.
    public func reader(of file: FileReference) -> FileReader { FileReader(file, node) }

    /// The entries that refer to files, in the order of arrival.
    ///
    /// - Throws: ``TomboloError`` of the store.
    public func entriesWithFiles() async throws -> [Entry] {
        try node.read { reader in try entries(try reader.eventsWithFiles(of: record), reader) }
    }
}

extension Node {
    /// The limits of this device for files.
    ///
    /// - Throws: ``TomboloError`` of the store.
    public var fileLimits: FileLimits {
        get async throws { try read { FileLimits(decoding: try $0.value(forKey: FileLimits.key)) } }
    }

    /// Sets the limits of this device for files. Files that are on the device already stay.
    ///
    /// - Throws: ``TomboloError`` of the store.
    public func setFileLimits(_ limits: FileLimits) async throws {
        _ = try await runtime.request { .setFileLimits($0, limits) }
    }

    /// The bytes of the quota that files on this device, and files being fetched, use. They count in blocks of 4,096,
    /// with one block more for each file.
    ///
    /// - Throws: ``TomboloError`` of the store.
    public var fileBytes: UInt64 { get async throws { try read { try $0.fileBytes() } } }

    /// The status of a file on this device.
    ///
    /// - Throws: ``TomboloError`` of the store.
    public func status(of file: FileID) async throws -> FileStatus { try readStatus(of: file) }

    func readStatus(of file: FileID) throws -> FileStatus { FileStatus(file, try read { try $0.file(file) }) }

    /// Removes a file's bytes from this device. Entries that refer to it stay, and it can be fetched again.
    ///
    /// - Throws: ``TomboloError`` of the store.
    public func removeLocalCopy(of file: FileID) async throws {
        _ = try await runtime.request { .dropFile($0, file) }
    }
}
