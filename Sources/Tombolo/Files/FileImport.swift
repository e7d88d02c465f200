import Foundation
import Synchronization
import TomboloCore
import TomboloCrypto
import TomboloSQLite

/// The import of a file into a store. It encrypts and stores piece by piece, so memory does not grow with the file.
struct FileImport {
    let source: URL
    let chunks: ChunkFiles
    let progress: TransferProgress?

    /// Imports the file on a thread of its own, since that takes long and waits for the disk.
    ///
    /// - Throws: ``TomboloError`` if the file cannot be read, or changes meanwhile; `StoreError` if the disk is full;
    ///   `CancellationError`.
    func run() async throws -> FileReference {
        let cancellation = Cancellation()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                Thread.detachNewThread { continuation.resume(with: Result { try run(until: cancellation) }) }
            }
        } onCancel: {
            cancellation.isRequested.store(true, ordering: .relaxed)
        }
    }

    private func run(until cancellation: Cancellation) throws -> FileReference {
        let target = source.resolvingSymlinksInPath()
        guard try readable({ try target.resourceValues(forKeys: [.isRegularFileKey]) }).isRegularFile == true else {
            throw TomboloError(
                .fileUnusable, "\(source.path) is not a file", recovery: "pack a folder into an archive first")
        }
        let handle = try readable { try FileHandle(forReadingFrom: target) }
        defer { try? handle.close() }
        let stamp = FileStamp(of: handle)
        let size = try handle.seekToEnd()
        guard size <= Limits.file else {
            throw TomboloError(.fileUnusable, "\(source.path) has more than \(Limits.file) bytes", recovery: "split it")
        }
        try handle.seek(toOffset: 0)
        let cryptography = SwiftCryptography()
        var generator: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()
        let key = Bytes32.random(using: &generator)
        let shape = FileShape(size: size)
        var tree = FileTreeBuilder(shape, using: cryptography)
        let sealing = FileSealing(key: key)
        let draft = try chunks.draft()
        for leaf in shape.leaves {
            guard !cancellation.isRequested.load(ordering: .relaxed) else { throw CancellationError() }
            let part = shape.bytesOfFile(inLeaf: leaf)
            let sealed = sealing.seal(try read(part.count, from: handle), at: leaf)
            try draft.write(sealed, at: leaf)
            let hash = sealed.withUnsafeBytes { cryptography.sha256($0) }
            for node in tree.append(hash) { try draft.write(node.bytes, at: node.position) }
            progress?.note(done: part.upperBound, of: size)
        }
        // A writer may have changed parts that were read already: they and the later ones never were one file.
        guard try handle.seekToEnd() == size, FileStamp(of: handle) == stamp, let root = tree.root,
            let id = FileID(size: size, root: root)
        else {
            throw hasChanged
        }
        try draft.keep(as: id)
        return FileReference(id: id, key: key)
    }

    private func read(_ count: Int, from handle: FileHandle) throws -> Data {
        var text = try handle.read(upToCount: count) ?? Data()
        while text.count < count {
            guard let more = try handle.read(upToCount: count - text.count), !more.isEmpty else { throw hasChanged }
            text += more
        }
        return text
    }

    private func readable<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch {
            throw TomboloError(
                .fileUnusable, "\(source.path) cannot be read (\(error.localizedDescription))",
                recovery: "check that it exists and is yours", underlying: error)
        }
    }

    private var hasChanged: TomboloError {
        TomboloError(.fileUnusable, "\(source.path) changed while it was read", recovery: "send it again")
    }
}

private final class Cancellation: Sendable {
    let isRequested = Atomic(false)
}
