public import Foundation
import Synchronization
public import TomboloCore

/// A file that contents refer to: its name in the group, and the key that its chunks are sealed under.
///
/// An application puts it into a content, and names the file to ``SyncGroup/send(_:files:expiring:)``. A file is kept as long
/// as an entry refers to it. Everybody who has the reference can read the file, so it belongs inside contents only.
public struct FileReference: Codable, Hashable, Sendable {
    /// The file's name: its size, and the root of its hashes.
    public let id: FileID
    /// 32 bytes.
    let key: Bytes32

    /// Bytes.
    public var size: UInt64 { id.size }

    init(id: FileID, key: Bytes32) {
        self.id = id
        self.key = key
    }

    private enum CodingKeys: CodingKey { case id, key }

    /// A reference as it stands in a content.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        id = try container.decode(FileID.self, forKey: .id)
        guard let key = Bytes32(try container.decode(Data.self, forKey: .key)) else {
            throw DecodingError.dataCorruptedError(
                forKey: .key, in: container, debugDescription: "a file's key has 32 bytes")
        }
        self.key = key
    }

    /// Encodes id and key.
    public func encode(to encoder: any Encoder) throws {
        Self.collected?.withLock { _ = $0.insert(id) }
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(Data(key.bytes), forKey: .key)
    }
}

extension FileReference {
    @TaskLocal private static var collected: CollectedFiles?

    /// Runs a body, and collects the files of all references that it encodes.
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
    /// The id; the key is for nobody's log.
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

    /// - Throws: if the bytes are none.
    public init(decodingContent data: Data, version: Int) throws {
        self = try JSONDecoder().decode(Self.self, from: data)
        // A name must not lead out of the folder that the file is saved in.
        let last = name.unicodeScalars.split(whereSeparator: { "/\\\0".unicodeScalars.contains($0) }).last ?? []
        // Nor hidden, where it is.
        name = String(String.UnicodeScalarView(last.drop { $0 == "." }))
        if name.isEmpty { name = "file" }
    }
}

/// How much of a file is on this device.
public struct FileStatus: Hashable, Sendable {
    /// Bytes.
    public let size: UInt64
    /// Bytes of it that are on this device. All can be there before the last of the hashes that verify them.
    public let bytesHeld: UInt64
    /// Whether the whole file can be read.
    public let isComplete: Bool
    /// Whether the rest is fetched from peers.
    public let isWanted: Bool

    init(_ id: FileID, _ record: FileRecord?) {
        size = id.size
        bytesHeld = record?.bytesHeld ?? 0
        isComplete = record?.isComplete ?? false
        isWanted = record.map { $0.want != .none } ?? false && !isComplete
    }
}

/// The progress of something that takes a while. A caller hands it to a function, and follows it.
public final class TransferProgress: Sendable {
    /// A point of the progress.
    public struct Step: Hashable, Sendable {
        /// Bytes, or events of a bundle.
        public var done: UInt64 = 0
        /// The number at the end; 0 until it is known.
        public var total: UInt64 = 0
    }

    private let latest = LatestValue(Step())

    /// A progress that has not begun.
    public init() {}

    /// The latest step.
    public var current: Step { latest.current }
    /// The latest step, then the latest whenever there is another one, until the work ends.
    public func steps() -> some AsyncSequence<Step, Never> & Sendable { latest.values() }

    func note(done: UInt64, of total: UInt64) { latest.update { $0 = Step(done: done, total: total) } }
    func finish() { latest.finish() }
}
