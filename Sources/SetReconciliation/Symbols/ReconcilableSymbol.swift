/// A value of a fixed size from which coded symbols are made, such as a short id or a whole id. Two values combine by
/// exclusive or.
public protocol ReconcilableSymbol: Hashable, Sendable {
    /// The symbol that changes nothing when it is added. It cannot be an element of a set.
    static var zero: Self { get }
    /// The number of bytes of the encoding.
    static var byteCount: Int { get }
    /// Adds a symbol by exclusive or: adding it twice changes nothing.
    static func ^= (lhs: inout Self, rhs: Self)
    /// The SipHash-2-4 of the symbol's bytes.
    func hash(key: SipHashKey) -> UInt64
    func append(to bytes: inout [UInt8])
    /// Creates a symbol from exactly ``byteCount`` bytes.
    init(bytes: ArraySlice<UInt8>)
}

/// A short id: the first eight bytes of an id, or a keyed hash of it.
extension UInt64: ReconcilableSymbol {
    public static var zero: UInt64 { 0 }
    public static var byteCount: Int { 8 }

    @inlinable public func hash(key: SipHashKey) -> UInt64 {
        var hasher = SipHasher(key)
        hasher.combine(self)
        return hasher.finish()
    }

    public func append(to bytes: inout [UInt8]) { bytes.append(littleEndian: self) }

    public init(bytes: ArraySlice<UInt8>) {
        self = bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}

extension ItemID: ReconcilableSymbol {
    public static let zero = ItemID(words: (0, 0, 0, 0))
    public static var byteCount: Int { 32 }

    @inlinable public static func ^= (lhs: inout ItemID, rhs: ItemID) {
        lhs.words.0 ^= rhs.words.0
        lhs.words.1 ^= rhs.words.1
        lhs.words.2 ^= rhs.words.2
        lhs.words.3 ^= rhs.words.3
    }

    @inlinable public func hash(key: SipHashKey) -> UInt64 {
        var hasher = SipHasher(key)
        hasher.combine(words.0.byteSwapped)
        hasher.combine(words.1.byteSwapped)
        hasher.combine(words.2.byteSwapped)
        hasher.combine(words.3.byteSwapped)
        return hasher.finish()
    }

    public func append(to bytes: inout [UInt8]) {
        for word in [words.0, words.1, words.2, words.3] { bytes.append(littleEndian: word.byteSwapped) }
    }

    public init(bytes: ArraySlice<UInt8>) { self = ItemID(bytes) ?? .zero }
}

extension [UInt8] {
    mutating func append(littleEndian word: UInt64) {
        Swift.withUnsafeBytes(of: word.littleEndian) { append(contentsOf: $0) }
    }
}
