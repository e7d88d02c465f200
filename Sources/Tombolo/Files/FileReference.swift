public import Foundation
import Synchronization
public import TomboloCore

/// A reference to a file: its id in the group, and the key that encrypts its chunks.
///
/// An application puts it into a content, and names the file to ``SyncGroup/send(_:files:expiring:)``. A file is kept
/// as long as an entry refers to it. Every holder of the reference can read the file, so it belongs inside contents
/// only.
public struct FileReference: Codable, Hashable, Sendable {
    /// The file's id: its size, and the root of its hashes.
    public let id: FileID
    /// The key of 32 bytes.
    let key: Bytes32

    /// The size in bytes.
    public var size: UInt64 { id.size }

    init(id: FileID, key: Bytes32) {
        self.id = id
        self.key = key
    }

    private enum CodingKeys: CodingKey { case id, key }

    /// Decodes a reference from a content.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        id = try container.decode(FileID.self, forKey: .id)
        guard let key = Bytes32(try container.decode(Data.self, forKey: .key)) else {
            throw DecodingError.dataCorruptedError(
                forKey: .key, in: container, debugDescription: "a file's key has 32 bytes")
        }
        self.key = key
    }

    /// Encodes the id and the key.
    public func encode(to encoder: any Encoder) throws {
        Self.collected?.withLock { _ = $0.insert(id) }
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(Data(key.bytes), forKey: .key)
    }
}

extension FileReference {
    @TaskLocal private static var collected: CollectedFiles?

    /// Runs a body, and returns its result with the files of all references that it encodes.
    static func collecting<Result>(_ body: () throws -> Result) rethrows -> (Result, Set<FileID>) {
        let files = CollectedFiles()
        let result = try $collected.withValue(files, operation: body)
        return (result, files.withLock { $0 })
    }
}

private final class CollectedFiles: Sendable {
    private let ids = Mutex<Set<FileID>>([])
    func withLock<Result: Sendable>(_ body: (inout sending Set<FileID>) -> sending Result) -> Result {
        ids.withLock(body)
    }
}

extension FileReference: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The id. The key must not appear in logs.
    public var description: String { id.description }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: ["id": id]) }
}

/// A file with its name: the content that ``SyncGroup/send(file:named:saying:expiring:reportingTo:)`` sends.
public struct SharedFile: EventContent, Codable, Hashable {
    /// The type `file`.
    public static let type = "file"
    /// Version 1: JSON.
    public static let version = 1
    /// The name that it had on its sender's device, without folders.
    public var name: String
    /// The file.
    public var file: FileReference
    /// A comment on it; nil if there is none.
    public var text: String?

    /// A content that refers to a file.
    public init(name: String, file: FileReference, text: String? = nil) {
        self.name = name
        self.file = file
        self.text = text
    }

    /// The content as JSON.
    public func encodeContent() throws -> Data { try JSONEncoder().encode(self) }

    /// - Throws: an error if the bytes are no such content.
    public init(decodingContent data: Data, version: Int) throws {
        self = try JSONDecoder().decode(Self.self, from: data)
        // A name must not lead out of the folder in which the file is saved.
        let last = name.unicodeScalars.split(whereSeparator: { "/\\\0".unicodeScalars.contains($0) }).last ?? []
        // The file must not be hidden.
        name = String(String.UnicodeScalarView(last.drop { $0 == "." }))
        if name.isEmpty { name = "file" }
    }
}

/// The status of a file on this device.
public struct FileStatus: Hashable, Sendable {
    /// The size in bytes.
    public let size: UInt64
    /// The bytes of the file on this device. All of them can be held before the last of the hashes that verify them.
    public let bytesHeld: UInt64
    /// Tells whether the whole file can be read.
    public let isComplete: Bool
    /// Tells whether the rest is fetched from peers.
    public let isWanted: Bool

    init(_ id: FileID, _ record: FileRecord?) {
        size = id.size
        bytesHeld = record?.bytesHeld ?? 0
        isComplete = record?.isComplete ?? false
        isWanted = record.map { $0.want != .none } ?? false && !isComplete
    }
}

/// The progress of a long operation. A caller passes it to a function, and follows it.
public final class TransferProgress: Sendable {
    /// A point of the progress.
    public struct Step: Hashable, Sendable {
        /// The number of bytes, or of events of a bundle.
        public var done: UInt64 = 0
        /// The number at the end; 0 until it is known.
        public var total: UInt64 = 0
    }

    private let latest = LatestValue(Step())

    /// Creates a progress that has not begun.
    public init() {}

    /// The latest step.
    public var current: Step { latest.current }
    /// The latest step, then the latest after each further step, until the work ends.
    public func steps() -> some AsyncSequence<Step, Never> & Sendable { latest.values() }

    func note(done: UInt64, of total: UInt64) { latest.update { $0 = Step(done: done, total: total) } }
    func finish() { latest.finish() }
}
