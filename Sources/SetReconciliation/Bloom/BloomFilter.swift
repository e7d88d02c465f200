/// A Bloom filter (Bloom, "Space/Time Trade-offs in Hash Coding with Allowable Errors", 1970).
///
/// Each filter has a salt of its own, so that a false positive of one round does not recur in the next.
public struct BloomFilter: Hashable, Sendable {
    public let salt: UInt64
    /// The number of bits that an element sets.
    public let hashes: Int
    private var words: [UInt64]
    private let bitCount: UInt64

    /// - Parameters:
    ///   - bytes: the size of the filter: a multiple of 8, from 8 to 65,536.
    ///   - hashes: 1 to 32. 7 give an error rate of 1 % with 9.6 bits an element.
    ///   - salt: a value that selects the hash functions. Another salt gives other false positives.
    public init(bytes: Int, hashes: Int, salt: UInt64) {
        precondition((8...65_536).contains(bytes) && bytes.isMultiple(of: 8), "a filter of \(bytes) bytes")
        precondition((1...32).contains(hashes), "\(hashes) hashes")
        words = Array(repeating: 0, count: bytes / 8)
        bitCount = UInt64(8 * bytes)
        self.hashes = hashes
        self.salt = salt
    }

    /// Creates a filter from its bits; nil if `bytes` or `hashes` break a bound of ``init(bytes:hashes:salt:)``.
    public init?(bits bytes: some Collection<UInt8>, hashes: Int, salt: UInt64) {
        guard (8...65_536).contains(bytes.count), bytes.count.isMultiple(of: 8), (1...32).contains(hashes) else {
            return nil
        }
        self.init(bytes: bytes.count, hashes: hashes, salt: salt)
        for (index, byte) in bytes.enumerated() { words[index / 8] |= UInt64(byte) << UInt64(8 * (index % 8)) }
    }

    public var bits: [UInt8] {
        var bytes: [UInt8] = []
        for word in words { bytes.append(littleEndian: word) }
        return bytes
    }

    /// Calls `body` for each bit of an id. All bits are derived from two hashes (Kirsch, Mitzenmacher, "Less Hashing,
    /// Same Performance", 2006).
    private func places(of id: ItemID, _ body: (_ word: Int, _ bit: UInt64) -> Bool) {
        let first = id.hash(key: SipHashKey(salt, 0))
        let second = id.hash(key: SipHashKey(salt, 1)) | 1
        for index in 0..<UInt64(hashes) {
            let bit = (first &+ index &* second) % bitCount
            guard body(Int(bit / 64), 1 << (bit % 64)) else { return }
        }
    }

    public mutating func insert(_ id: ItemID) {
        var words = words
        self.words = []
        places(of: id) { word, bit in
            words[word] |= bit
            return true
        }
        self.words = words
    }

    /// Tells whether the id may have been inserted. False is certain; true may be a false positive.
    public func mayContain(_ id: ItemID) -> Bool {
        var isThere = true
        places(of: id) { word, bit in
            isThere = words[word] & bit != 0
            return isThere
        }
        return isThere
    }
}
