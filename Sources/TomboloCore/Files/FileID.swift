/// Names a file by what it is: how many bytes it has, and the root of the Merkle tree over its sealed chunks (protocol §2.9).
public struct FileID: Hashable, Comparable, Sendable {
    /// Bytes of the file, before it is sealed; at most ``Limits/file``.
    public let size: UInt64
    /// SHA-256 of the tree's top node.
    public let root: Bytes32

    /// Nil above ``Limits/file`` bytes.
    public init?(size: UInt64, root: Bytes32) {
        guard size <= Limits.file else { return nil }
        self.size = size
        self.root = root
    }

    /// The id that exactly 40 bytes make: root ‖ size (u64).
    public init?(_ bytes: Bytes) {
        var reader = WireReader(bytes)
        guard bytes.count == Self.encodedBytes, let root = try? reader.bytes32(), let size = try? reader.fixed64()
        else {
            return nil
        }
        self.init(size: size, root: root)
    }

    public static let encodedBytes = 40

    /// Root ‖ size (u64), 40 bytes.
    public var bytes: [UInt8] {
        var buffer: [UInt8] = []
        buffer.reserveCapacity(Self.encodedBytes)
        root.append(to: &buffer)
        buffer.append(fixed64: size)
        return buffer
    }

    /// As byte strings.
    public static func < (lhs: FileID, rhs: FileID) -> Bool {
        (lhs.root, lhs.size.byteSwapped) < (rhs.root, rhs.size.byteSwapped)
    }

    /// What a file counts for towards a quota: bytes in blocks of 4,096, and one more for its being there.
    package var charge: UInt64 { (size + 8_191) / 4_096 * 4_096 }
}

extension FileID: CustomStringConvertible, Codable {
    /// The root's 64 hexadecimal digits, a hyphen, and the size.
    public var description: String { "\(root)-\(size)" }

    /// Parses what ``description`` says.
    public init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let root = Bytes32(hex: parts[0]), let size = UInt64(parts[1]) else { return nil }
        self.init(size: size, root: root)
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let id = FileID(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not the name of a file")
        }
        self = id
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

// The files that an event refers to stand in its header: who keeps or passes on what it cannot read knows them, and so does who
// has erased what the event says.
extension EventHeader {
    static let filesExtension: UInt64 = 3

    /// The files that the event refers to: 1 to 16, ascending; else it refers to none.
    public var files: [FileID] {
        guard kind == .message, !extensions.isEmpty, let value = extensionValue(Self.filesExtension),
            value.count.isMultiple(of: FileID.encodedBytes), value.count <= Limits.filesPerEvent * FileID.encodedBytes
        else { return [] }
        let files = stride(from: value.startIndex, to: value.endIndex, by: FileID.encodedBytes).compactMap {
            FileID(value[$0..<$0 + FileID.encodedBytes])
        }
        let isAscending = zip(files, files.dropFirst()).allSatisfy { $0 < $1 }
        return isAscending && files.count * FileID.encodedBytes == value.count ? files : []
    }

    static func filesExtension(_ files: [FileID]) -> [UInt8] {
        files.isEmpty ? [] : encodeExtension(filesExtension, Set(files).sorted().flatMap(\.bytes))
    }
}

extension Event {
    /// The files that it refers to as long as its content has not gone.
    package var filesReferredTo: [FileID] { content == nil && header.isErasable ? [] : header.files }
}
