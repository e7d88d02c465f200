public import Foundation
public import TomboloCore

/// A file as one says it: its name in the group, and the key that its chunks are sealed under.
///
/// An application puts it into what it says, and names the file to `send(_:files:expiring:)`: a file is kept as long as something that
/// was said refers to it. Who reads the reference reads the file, so it belongs inside contents and nowhere else.
public struct FileReference: Codable, Hashable, Sendable {
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

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        id = try container.decode(FileID.self, forKey: .id)
        guard let key = Bytes32(try container.decode(Data.self, forKey: .key)) else {
            throw DecodingError.dataCorruptedError(
                forKey: .key, in: container, debugDescription: "a file's key has 32 bytes")
        }
        self.key = key
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(Data(key.bytes), forKey: .key)
    }
}

extension FileReference: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The id; the key is for nobody's log.
    public var description: String { id.description }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: ["id": id]) }
}

/// A file that somebody sends, with its name: what `send(file:)` says.
public struct SharedFile: EventContent, Codable, Hashable {
    public static let type = "file"
    public static let version = 1
    /// The name that it had where it comes from, without folders.
    public var name: String
    public var file: FileReference
    /// What is said of it.
    public var text: String?

    public init(name: String, file: FileReference, text: String? = nil) {
        self.name = name
        self.file = file
        self.text = text
    }

    public func encodeContent() throws -> Data { try JSONEncoder().encode(self) }

    /// - Throws: if the bytes are none.
    public init(decodingContent data: Data, version: Int) throws {
        self = try JSONDecoder().decode(Self.self, from: data)
        // A name is not a way out of the folder that it is saved in.
        let last = name.unicodeScalars.split(whereSeparator: { "/\\\0".unicodeScalars.contains($0) }).last ?? []
        // Nor hidden, where it is.
        name = String(String.UnicodeScalarView(last.drop { $0 == "." }))
        if name.isEmpty { name = "file" }
    }
}

/// How much of a file is here.
public struct FileStatus: Hashable, Sendable {
    /// Bytes.
    public let size: UInt64
    /// Bytes of it that are here; all of them may be before the last of the hashes that verify others is.
    public let bytesHeld: UInt64
    public let isComplete: Bool
    /// Whether the rest is fetched from peers that have it.
    public let isWanted: Bool

    init(_ id: FileID, _ record: FileRecord?) {
        size = id.size
        bytesHeld = record?.bytesHeld ?? 0
        isComplete = record?.isComplete ?? false
        isWanted = record.map { $0.want != .none } ?? false && !isComplete
    }
}

/// How far something has got that takes a while: handed to who does it, followed by who waits.
public final class TransferProgress: Sendable {
    public struct Step: Hashable, Sendable {
        /// Bytes, or events of a bundle.
        public var done: UInt64 = 0
        public var total: UInt64 = 0
    }

    private let latest = LatestValue(Step())

    public init() {}

    public var current: Step { latest.current }
    /// The latest step, then the latest whenever there is another one, to the end.
    public func steps() -> AsyncStream<Step> { latest.values() }

    func note(done: UInt64, of total: UInt64) { latest.update { $0 = Step(done: done, total: total) } }
    func finish() { latest.finish() }
}
