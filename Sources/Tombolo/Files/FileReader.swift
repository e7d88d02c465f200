public import Foundation
import TomboloCore
import TomboloCrypto
import TomboloSQLite

/// Reads a file that an entry refers to: any range of it, as soon as that is on this device.
///
/// Missing pieces are fetched while somebody waits for them, from all connected peers that have them, beginning where the
/// reader is. Each piece is verified before it is stored, and again when it is read: a damaged one is fetched anew.
public struct FileReader: Sendable {
    /// The file that it reads.
    public let file: FileReference
    private let node: Node

    init(_ file: FileReference, _ node: Node) {
        self.file = file
        self.node = node
    }

    /// How much of the file is on this device.
    ///
    /// - Throws: ``TomboloError`` of the store.
    public var status: FileStatus { get async throws { try node.readStatus(of: file.id) } }

    /// How much of the file is on this device, now and whenever it has changed, until the task is cancelled. A slow reader
    /// gets the latest alone.
    ///
    /// The sequence throws ``TomboloError`` `readOnly`, or of the store.
    public func statuses() -> some AsyncSequence<FileStatus, TomboloError> & Sendable {
        let (node, id) = (node, file.id)
        return PullSequence<FileStatus, TomboloError>(
            signals: { try node.runtime.watchers.changes(of: .file(id)) }, readsFirst: (), skipping: { $0 == $1 },
            read: { _ in try node.readStatus(of: id) })
    }

    /// Fetches the file from peers, now and whenever one is met, also after a restart. Returns at once.
    ///
    /// - Throws: ``TomboloError`` `unknownFile` if no entry on this device refers to it, `fileQuotaExceeded` if there is no
    ///   room for it.
    public func download() async throws {
        try await convertingErrors { try await node.adoptChunks(of: file.id) }
        _ = try await node.runtime.request { .wantFile($0, file.id) }
    }

    /// Fetches the whole file: returns when all of it is on this device.
    ///
    /// - Throws: ``TomboloError`` as ``download()``, and `fileUnavailable` if it is not fetched any more.
    public func fetch() async throws {
        try await download()
        for try await status in statuses() {
            if status.isComplete { return }
            guard status.isWanted else { throw file.isNotFetched }
        }
        try Task.checkCancellation()
        throw file.isCutOff
    }

    /// The bytes of a range, clamped to the file; waits for those that are not here yet.
    ///
    /// - Throws: ``TomboloError`` as ``fetch()``; `CancellationError`.
    public func read(_ range: Range<UInt64>) async throws -> Data {
        let range = range.clamped(to: 0..<file.size)
        // Its sender states the size, and may lie.
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

    /// Writes the file to a place of the file system. Nothing is at that place before the whole file is.
    ///
    /// - Throws: ``TomboloError`` `fileUnusable` if something is there already, or it cannot be written; as ``fetch()``.
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

/// The pieces of a file, in any order, waited for where they are not here.
private struct FilePieces {
    private let file: FileReference
    private let node: Node
    private let shape: FileShape
    private let sealing: FileSealing
    /// The pieces that were here at the last look.
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
            // It has rotted, or the key is another one's.
            guard !node.isReadOnly else {
                throw TomboloError(.fileUnavailable, "a piece of file \(file.id) is damaged on this device")
            }
            _ = try await node.runtime.request { .checkChunk($0, file.id, leaf) }
            guard try !look(for: leaf) else {
                throw TomboloError(
                    .fileUnavailable, "file \(file.id) is not sealed under the key that the reference has")
            }
            try await waitFor(leaf)
        }
    }

    /// Whether a piece is here, and what verifies it.
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
                .readOnly, "not all of file \(file.id) is on this device, and a node that only reads fetches nothing")
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
    /// Takes over the chunks of a file that are on disk although the store does not know of them: it was put back, or made anew.
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
        TomboloError(.fileUnavailable, "the node was closed before all of the file was here")
    }

    fileprivate var isNotFetched: TomboloError {
        TomboloError(
            .fileUnavailable,
            "file \(id) is not fetched any more, since it was redacted or removed here, or the disk is full")
    }
}
