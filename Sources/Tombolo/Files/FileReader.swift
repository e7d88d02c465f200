public import Foundation
import TomboloCore
import TomboloCrypto
import TomboloSQLite

/// A reader of a file to which an entry refers. It reads any range as soon as that is on this device.
///
/// Missing pieces are fetched while a call waits for them, from all connected peers that have them, beginning where the
/// reader is. Each piece is verified before it is stored, and again when it is read. A damaged piece is fetched again.
public struct FileReader: Sendable {
    /// The file.
    public let file: FileReference
    private let node: Node

    init(_ file: FileReference, _ node: Node) {
        self.file = file
        self.node = node
    }

    /// The status of the file on this device.
    ///
    /// - Throws: ``TomboloError`` of the store.
    public var status: FileStatus { get async throws { try node.readStatus(of: file.id) } }

    /// The status of the file on this device, now and after each change, until the task is cancelled. A slow reader
    /// gets only the latest.
    ///
    /// The sequence throws ``TomboloError`` `readOnly`, or of the store.
    public func statuses() -> some AsyncSequence<FileStatus, TomboloError> & Sendable {
        let (node, id) = (node, file.id)
        return PullSequence<FileStatus, TomboloError>(
            signals: { try node.runtime.watchers.changes(of: .file(id)) }, readsFirst: (), skipping: { $0 == $1 },
            read: { _ in try node.readStatus(of: id) })
    }

    /// Fetches the file from connected peers and from those that connect later, also after a restart. Returns at once.
    ///
    /// - Throws: ``TomboloError`` `unknownFile` if no entry on this device refers to it, `fileQuotaExceeded` if it
    ///   would exceed the quota.
    public func download() async throws {
        try await convertingErrors { try await node.adoptChunks(of: file.id) }
        _ = try await node.runtime.request { .wantFile($0, file.id) }
    }

    /// Fetches the whole file. Returns when all of it is on this device.
    ///
    /// - Throws: ``TomboloError`` as ``download()``, and `fileUnavailable` if it is no longer fetched.
    public func fetch() async throws {
        try await download()
        for try await status in statuses() {
            if status.isComplete { return }
            guard status.isWanted else { throw file.isNotFetched }
        }
        try Task.checkCancellation()
        throw file.isCutOff
    }

    /// The bytes of a range, clamped to the file. Waits for those that are not on this device yet.
    ///
    /// - Throws: ``TomboloError`` as ``fetch()``; `CancellationError`.
    public func read(_ range: Range<UInt64>) async throws -> Data {
        let range = range.clamped(to: 0..<file.size)
        // The sender states the size, and may lie.
        var data = Data(capacity: min(range.count, 16 << 20))
        guard !range.isEmpty else { return data }
        let shape = FileShape(size: file.size)
        var pieces = FilePieces(of: file, node, shape)
        for leaf in shape.leaf(ofByte: range.lowerBound)...shape.leaf(ofByte: range.upperBound - 1) {
            let text = try await pieces.text(of: leaf)
            let part = shape.bytesOfFile(inLeaf: leaf)
            let wanted = range.clamped(to: part)
            data += text.dropFirst(Int(wanted.lowerBound - part.lowerBound)).prefix(wanted.count)
        }
        return data
    }

    /// Saves the file. It appears at its place once it is complete.
    ///
    /// - Throws: ``TomboloError`` `fileUnusable` if the place is taken, or cannot be written; as ``fetch()``.
    public func save(to url: URL, reportingTo progress: TransferProgress? = nil) async throws {
        defer { progress?.finish() }
        let draft = try DraftFile(for: url)
        let shape = FileShape(size: file.size)
        var pieces = FilePieces(of: file, node, shape)
        for leaf in shape.leaves {
            try draft.write(try await pieces.text(of: leaf))
            progress?.note(done: shape.bytesOfFile(inLeaf: leaf).upperBound, of: file.size)
        }
        try draft.keep()
    }
}

/// Access to the pieces of a file in any order. It waits for missing ones.
private struct FilePieces {
    private let file: FileReference
    private let node: Node
    private let shape: FileShape
    private let sealing: FileSealing
    /// The pieces that were held at the last check.
    private var held = RangeSet<Int>()

    init(of file: FileReference, _ node: Node, _ shape: FileShape) {
        self.file = file
        self.node = node
        self.shape = shape
        sealing = FileSealing(key: file.key)
    }

    /// - Throws: ``TomboloError``; `CancellationError`.
    mutating func text(of leaf: Int) async throws -> Data {
        do {
            return try await next(leaf)
        } catch let error as CancellationError {
            throw error
        } catch {
            throw TomboloError(error)
        }
    }

    private mutating func next(_ leaf: Int) async throws -> Data {
        try Task.checkCancellation()
        if !held.contains(leaf) { try await waitFor(leaf) }
        while true {
            if var room = try node.storage.chunks.read(leaf, of: file.id, behind: FileSealing.nonceBytes),
                let text = sealing.open(&room, at: leaf)
            {
                return text
            }
            // The piece is damaged on disk, or the key belongs to another file.
            guard !node.isReadOnly else {
                throw TomboloError(.fileUnavailable, "a piece of file \(file.id) is damaged on this device")
            }
            _ = try await node.runtime.request { .checkChunk($0, file.id, leaf) }
            guard try !look(for: leaf) else {
                throw TomboloError(
                    .fileUnavailable, "file \(file.id) does not decrypt with the key in its reference")
            }
            try await waitFor(leaf)
        }
    }

    /// Tells whether a piece and the hashes that verify it are held.
    private mutating func look(for leaf: Int) throws -> Bool {
        held = try node.read { try $0.file(file.id) }?.held ?? RangeSet()
        var position = leaf
        while held.contains(position) {
            guard let parent = shape.parent(of: position)?.position else { return true }
            position = parent
        }
        return false
    }

    private mutating func waitFor(_ leaf: Int) async throws {
        if try look(for: leaf) { return }
        guard !node.isReadOnly else {
            throw TomboloError(
                .readOnly, "not all of file \(file.id) is on this device, and a read-only node cannot fetch the rest")
        }
        let signals = try node.runtime.watchers.changes(of: .file(file.id))
        try await node.adoptChunks(of: file.id)
        _ = try await node.runtime.request {
            .wantFile($0, file.id, from: shape.bytesOfFile(inLeaf: leaf).lowerBound)
        }
        if try look(for: leaf) { return }
        for await _ in signals {
            if try look(for: leaf) { return }
            guard try node.readStatus(of: file.id).isWanted else { throw file.isNotFetched }
        }
        try Task.checkCancellation()
        throw file.isCutOff
    }
}

extension Node {
    /// Adopts the chunks of a file that are on disk and unknown to the store, which was put back or rebuilt.
    fileprivate func adoptChunks(of file: FileID) async throws {
        guard try read({ try $0.file(file) })?.held.isEmpty != false, storage.chunks.contains(file)
        else { return }
        let held = try FileVerification(file, storage.chunks).run()
        guard !held.isEmpty else { return }
        _ = try await runtime.request { .addFile($0, file, held: held) }
    }
}

extension FileReference {
    fileprivate var isCutOff: TomboloError {
        TomboloError(.fileUnavailable, "the node was closed before all of the file had arrived")
    }

    fileprivate var isNotFetched: TomboloError {
        TomboloError(
            .fileUnavailable,
            "file \(id) is no longer fetched, since it was redacted or removed from this device, or the disk is full")
    }
}
