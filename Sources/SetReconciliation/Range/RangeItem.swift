/// An element of a set that is reconciled by ranges, ordered by time and then by its 32 bytes.
public struct RangeItem: Hashable, Comparable, Sendable {
    /// The time in any unit that both sides share. The highest value is reserved.
    public let timestamp: UInt64
    public let id: ItemID

    public init(timestamp: UInt64, id: ItemID) {
        self.timestamp = timestamp
        self.id = id
    }

    public static func < (lhs: Self, rhs: Self) -> Bool {
        lhs.timestamp != rhs.timestamp ? lhs.timestamp < rhs.timestamp : lhs.id < rhs.id
    }
}

/// An id of 32 bytes that names an element, ordered as bytes.
public struct ItemID: Hashable, Comparable, Sendable {
    /// The id as big-endian words, so that their order is that of the bytes.
    @usableFromInline var words: (UInt64, UInt64, UInt64, UInt64)

    @usableFromInline init(words: (UInt64, UInt64, UInt64, UInt64)) { self.words = words }

    /// Creates an id from exactly 32 bytes; nil for another count.
    public init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == 32 else { return nil }
        let loaded = bytes.withContiguousStorageIfAvailable { ItemID(loading: UnsafeRawBufferPointer($0)) }
        self = loaded ?? Array(bytes).withUnsafeBytes { ItemID(loading: $0) }
    }

    /// Loads 32 bytes from the beginning of `buffer`, which must be at least that long.
    private init(loading buffer: UnsafeRawBufferPointer) {
        func word(_ offset: Int) -> UInt64 {
            UInt64(bigEndian: buffer.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        }
        words = (word(0), word(8), word(16), word(24))
    }

    public var bytes: [UInt8] {
        var words = (
            self.words.0.bigEndian, self.words.1.bigEndian, self.words.2.bigEndian, self.words.3.bigEndian
        )
        return withUnsafeBytes(of: &words) { Array($0) }
    }

    /// The symbol that represents the id in coded symbols: its first eight bytes, most significant first. An id that
    /// begins with eight zeros gets 1, since no symbol may be 0.
    @inlinable public var short: UInt64 { max(1, words.0) }

    /// The first five bytes of the id, most significant first: enough to ask a peer for it.
    @inlinable public var prefix: UInt64 { words.0 >> 24 }
    static let prefixBytes = 5
    static func prefix(ofShort short: UInt64) -> UInt64 { short >> 24 }

    /// The id as an integer of 256 bits, least significant byte first.
    var littleEndian: Sum256 {
        Sum256(words: (words.0.byteSwapped, words.1.byteSwapped, words.2.byteSwapped, words.3.byteSwapped))
    }

    @inlinable public static func == (lhs: Self, rhs: Self) -> Bool { lhs.words == rhs.words }
    @inlinable public static func < (lhs: Self, rhs: Self) -> Bool { lhs.words < rhs.words }
    @inlinable public func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.3)
    }
}

/// A sum of ids modulo 2^256.
public struct Sum256: Hashable, Sendable {
    /// The words, the least significant first.
    private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    public init() {}

    fileprivate init(words: (UInt64, UInt64, UInt64, UInt64)) { self.words = words }

    public static func + (lhs: Sum256, rhs: Sum256) -> Sum256 {
        var carry: UInt64 = 0
        func add(_ a: UInt64, _ b: UInt64) -> UInt64 {
            let (partial, first) = a.addingReportingOverflow(b)
            let (sum, second) = partial.addingReportingOverflow(carry)
            carry = first || second ? 1 : 0
            return sum
        }
        return Sum256(
            words: (
                add(lhs.words.0, rhs.words.0), add(lhs.words.1, rhs.words.1), add(lhs.words.2, rhs.words.2),
                add(lhs.words.3, rhs.words.3)
            ))
    }

    public static func - (lhs: Sum256, rhs: Sum256) -> Sum256 {
        var borrow: UInt64 = 0
        func subtract(_ a: UInt64, _ b: UInt64) -> UInt64 {
            let (partial, first) = a.subtractingReportingOverflow(b)
            let (difference, second) = partial.subtractingReportingOverflow(borrow)
            borrow = first || second ? 1 : 0
            return difference
        }
        return Sum256(
            words: (
                subtract(lhs.words.0, rhs.words.0), subtract(lhs.words.1, rhs.words.1),
                subtract(lhs.words.2, rhs.words.2), subtract(lhs.words.3, rhs.words.3)
            ))
    }

    /// Creates a sum from 32 bytes, the least significant first.
    init(bytes: ArraySlice<UInt8>) {
        let start = bytes.startIndex
        func word(_ index: Int) -> UInt64 { UInt64(bytes: bytes[start + 8 * index..<start + 8 * index + 8]) }
        words = (word(0), word(1), word(2), word(3))
    }

    /// The 32 bytes of the sum, the least significant first.
    var bytes: [UInt8] {
        var words = (
            self.words.0.littleEndian, self.words.1.littleEndian, self.words.2.littleEndian,
            self.words.3.littleEndian
        )
        return withUnsafeBytes(of: &words) { Array($0) }
    }

    public static func == (lhs: Self, rhs: Self) -> Bool { lhs.words == rhs.words }
    public func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.3)
    }
}
