public import Foundation
import TomboloCore
import TomboloCrypto
import TomboloSQLite

/// Reads a file that was said in a group: any range of it, as soon as that is here.
///
/// What is missing is fetched while somebody waits for it, from all connected peers that have it, and nearest to where is read first. Each
/// piece is verified before it is kept, and again, by its seal, when it is read: one that has rotted on this device is fetched anew.
public struct FileReader: Sendable {
    public let file: FileReference
    private let node: Node

    init(_ file: FileReference, _ node: Node) {
        self.file = file
        self.node = node
    }

    /// How much of the file is here.
    public var status: FileStatus { get throws { try node.status(of: file.id) } }

    /// How much is here, then how much whenever it has changed, until the task is cancelled.
    public func statuses() async throws -> AsyncThrowingStream<FileStatus, any Error> {
        let notices = try await node.replica.notices(of: .file(file.id))
        let first = try status
        return AsyncThrowingStream { continuation in
            let task = Task {
                continuation.yield(first)
                do {
                    for await _ in notices { continuation.yield(try status) }
                    continuation.finish()
                } catch {
                    continuation.finish(throwing: error)
                }
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    /// Has the file fetched from peers, now and whenever one is met, also after a restart. Returns at once.
    ///
    /// - Throws: `EngineError` `unknownFile` if nothing that was said here refers to it (any more), `fileQuota` if there is no room for it.
    public func want() async throws {
        try await node.adoptChunks(of: file.id)
        _ = try await node.replica.request { .wantFile($0, file.id) }
    }

    /// Fetches the whole file: returns when all of it is here.
    public func fetch() async throws {
        try await want()
        for try await status in try await statuses() {
            if status.isComplete { return }
            guard status.isWanted else { throw file.isNotFetched }
        }
        try Task.checkCancellation()
        throw file.isCutOff
    }

    /// The bytes of a range, as far as the file has them; waits for those that are not here yet.
    ///
    /// - Throws: what ``want()`` throws; `CancellationError` if the task is cancelled.
    public func read(_ range: Range<UInt64>) async throws -> Data {
        let range = range.clamped(to: 0..<file.size)
        // The size is what whoever sent it says.
        var data = Data(capacity: min(range.count, 16 << 20))
        guard !range.isEmpty else { return data }
        let shape = FileShape(size: file.size)
        var pieces = FilePieces(of: file, node, shape)
        for leaf in shape.leaf(ofByte: range.lowerBound)...shape.leaf(ofByte: range.upperBound - 1) {
            let text = try await pieces.next(leaf)
            let part = shape.bytesOfFile(inLeaf: leaf)
            let wanted = range.clamped(to: part)
            data += text.dropFirst(Int(wanted.lowerBound - part.lowerBound)).prefix(wanted.count)
        }
        return data
    }

    /// Writes the file to a place of the file system, piece by piece as they come; there is nothing at that place before all of it is.
    ///
    /// - Throws: ``TomboloError`` if something is there already, or it cannot be written; what ``want()`` throws.
    public func save(to url: URL, reportingTo progress: TransferProgress? = nil) async throws {
        defer { progress?.finish() }
        let draft = try DraftFile(for: url)
        let shape = FileShape(size: file.size)
        var pieces = FilePieces(of: file, node, shape)
        for leaf in shape.leaves {
            try draft.write(try await pieces.next(leaf))
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
    /// What was here when it was looked up last.
    private var held = RangeSet<Int>()

    init(of file: FileReference, _ node: Node, _ shape: FileShape) {
        self.file = file
        self.node = node
        self.shape = shape
        sealing = FileSealing(key: file.key)
    }

    mutating func next(_ leaf: Int) async throws -> Data {
        try Task.checkCancellation()
        if !held.contains(leaf) { try await waitFor(leaf) }
        while true {
            if var room = try node.storage.chunks.read(leaf, of: file.id, behind: FileSealing.nonceBytes),
                let text = sealing.open(&room, at: leaf)
            {
                return text
            }
            // It has rotted, or the key is another one's.
            guard !node.isReadOnly else { throw TomboloError("a piece of file \(file.id) is damaged on this device") }
            _ = try await node.replica.request { .checkChunk($0, file.id, leaf) }
            guard try !look(for: leaf) else {
                throw TomboloError("file \(file.id) is not sealed under the key that the reference has")
            }
            try await waitFor(leaf)
        }
    }

    /// Whether a piece is here, and what verifies it.
    private mutating func look(for leaf: Int) throws -> Bool {
        held = try node.storage.read { try $0.file(file.id) }?.held ?? RangeSet()
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
                "not all of file \(file.id) is on this device, and a node that only reads fetches nothing")
        }
        let notices = try await node.replica.notices(of: .file(file.id))
        try await node.adoptChunks(of: file.id)
        _ = try await node.replica.request {
            .wantFile($0, file.id, from: shape.bytesOfFile(inLeaf: leaf).lowerBound)
        }
        if try look(for: leaf) { return }
        for await _ in notices {
            if try look(for: leaf) { return }
            guard try node.status(of: file.id).isWanted else { throw file.isNotFetched }
        }
        try Task.checkCancellation()
        throw file.isCutOff
    }
}

extension Node {
    /// Takes over the chunks of a file that are on disk although the store does not know of them: it was put back, or made anew.
    fileprivate func adoptChunks(of file: FileID) async throws {
        guard try storage.read({ try $0.file(file) })?.held.isEmpty != false, storage.chunks.contains(file)
        else { return }
        let held = try FileVerification(file, storage.chunks).run()
        guard !held.isEmpty else { return }
        _ = try await replica.request { .addFile($0, file, held: held) }
    }
}

extension FileReference {
    fileprivate var isCutOff: TomboloError {
        TomboloError("the node was closed before all of the file was here")
    }

    fileprivate var isNotFetched: TomboloError {
        TomboloError("file \(id) is not fetched any more: it was taken back or dropped, or the disk is full")
    }
}
