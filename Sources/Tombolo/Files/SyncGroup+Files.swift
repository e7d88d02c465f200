public import Foundation
public import TomboloCore
import TomboloSQLite

// Files: pieces of any size, sealed, fetched from whoever has them.
extension SyncGroup {
    /// Sends a file: puts a sealed copy of it into this device's store, and says so in the group. Returns once both are on disk.
    ///
    /// - Parameters:
    ///   - url: a file of the file system, of at most 8 TiB.
    ///   - name: what others see; its own name, if none is given.
    ///   - text: what is said of it.
    ///   - duration: after which it goes away everywhere.
    ///   - progress: told how much has been copied.
    /// - Throws: ``TomboloError`` if it cannot be read; `EngineError` `fileQuota` if files would take more than the device gives them.
    @discardableResult
    public func send(
        file url: URL, named name: String? = nil, saying text: String? = nil, expiring duration: Duration? = nil,
        reportingTo progress: TransferProgress? = nil
    ) async throws -> EventID {
        let file = try await add(file: url, reportingTo: progress)
        let content = SharedFile(name: name ?? url.lastPathComponent, file: file, text: text)
        return try await send(content, files: [file], expiring: duration)
    }

    /// Puts a sealed copy of a file into this device's store, to be referred to by what is said next: it is kept only as long as something
    /// does. The same file added twice is two files.
    ///
    /// - Throws: what ``send(file:named:saying:expiring:reportingTo:)`` throws.
    public func add(file url: URL, reportingTo progress: TransferProgress? = nil) async throws -> FileReference {
        defer { progress?.finish() }
        guard dialect == .native else { throw EngineError.notNative(id) }
        let replica = try node.replica
        let bytes = (try? url.resourceValues(forKeys: [.fileSizeKey]).fileSize) ?? 0
        let limits = try node.fileLimits
        guard try node.fileBytes + UInt64(clamping: bytes) <= limits.quota else {
            throw EngineError.fileQuota(quota: limits.quota)
        }
        let file = try await FileImport(source: url, chunks: node.storage.chunks, progress: progress).run()
        do {
            let all = RangeSet([0..<FileShape(size: file.size).count])
            _ = try await replica.request { .addFile($0, file.id, held: all) }
        } catch {
            node.storage.chunks.remove(file.id)
            throw error
        }
        return file
    }

    /// A file that was said in the group.
    public func reader(of file: FileReference) -> FileReader { FileReader(file, node) }

    /// What was said in the group that refers to files, in the order of arrival.
    public func entriesWithFiles() throws -> [Entry] {
        try node.storage.read { reader in try entries(try reader.eventsWithFiles(of: record), reader) }
    }
}

extension Node {
    /// What this device gives to files.
    public var fileLimits: FileLimits {
        get throws { try storage.read { FileLimits(decoding: try $0.value(forKey: FileLimits.key)) } }
    }

    /// Sets what this device gives to files. What is there already stays.
    public func setFileLimits(_ limits: FileLimits) async throws {
        _ = try await replica.request { .setFileLimits($0, limits) }
    }

    /// What files that are here or asked for count for towards the quota: bytes, in blocks of 4,096 and one more for each file.
    public var fileBytes: UInt64 { get throws { try storage.read { try $0.fileBytes() } } }

    /// How much of a file is here.
    public func status(of file: FileID) throws -> FileStatus {
        FileStatus(file, try storage.read { try $0.file(file) })
    }

    /// Forgets a file's bytes on this device. What was said of it stays, and it can be fetched again.
    public func drop(_ file: FileID) async throws {
        _ = try await replica.request { .dropFile($0, file) }
    }
}
