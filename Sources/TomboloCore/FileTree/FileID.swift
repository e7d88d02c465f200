/// The name of a file: its size, and the root of the hash tree over its encrypted pieces (protocol 2.9-5).
public struct FileID: Hashable, Comparable, Sendable {
    /// The number of bytes of the file before encryption; at most ``Limits/file``.
    public let size: UInt64
    /// SHA-256 of the chunk at position 0.
    public let root: Bytes32

    /// Names a file; nil above ``Limits/file`` bytes.
    public init?(size: UInt64, root: Bytes32) {
        guard size <= Limits.file else { return nil }
        self.size = size
        self.root = root
    }

    /// Decodes an id: root ‖ size (u64). Nil unless there are exactly 40 bytes and the size is at most ``Limits/file``.
    public init?(_ bytes: Bytes) {
        var reader = WireReader(bytes)
        guard bytes.count == Self.encodedBytes, let root = try? reader.bytes32(), let size = try? reader.fixed64()
        else {
            return nil
        }
        self.init(size: size, root: root)
    }

    public static let encodedBytes = 40

    /// The encoded id: root ‖ size (u64), 40 bytes.
    public var bytes: [UInt8] {
        var buffer: [UInt8] = []
        buffer.reserveCapacity(Self.encodedBytes)
        root.append(to: &buffer)
        buffer.append(fixed64: size)
        return buffer
    }

    /// Orders ids as byte strings.
    public static func < (lhs: FileID, rhs: FileID) -> Bool {
        (lhs.root, lhs.size.byteSwapped) < (rhs.root, rhs.size.byteSwapped)
    }

    /// The bytes that the file counts for towards a quota: its size in whole blocks of 4,096, and one block more.
    package var charge: UInt64 { (size + 8_191) / 4_096 * 4_096 }
}

extension FileID: CustomStringConvertible, Codable {
    /// The root's 64 hexadecimal digits, a hyphen, and the size in decimal digits (protocol 2.9-6).
    public var description: String { "\(root)-\(size)" }

    /// Parses a ``description``; nil if the text is none.
    public init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let root = Bytes32(hex: parts[0]), let size = UInt64(parts[1]) else { return nil }
        self.init(size: size, root: root)
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let id = FileID(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not the id of a file")
        }
        self = id
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
