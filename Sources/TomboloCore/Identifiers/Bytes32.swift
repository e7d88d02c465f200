/// Thirty-two bytes: a SHA-256 digest or an Ed25519 public key.
///
/// The bytes are kept as four big-endian words. So a comparison of words is one of byte strings, and hashing needs two
/// words.
public struct Bytes32: Hashable, Comparable, Sendable {
    @usableFromInline let word0, word1, word2, word3: UInt64

    @usableFromInline init(words word0: UInt64, _ word1: UInt64, _ word2: UInt64, _ word3: UInt64) {
        self.word0 = word0
        self.word1 = word1
        self.word2 = word2
        self.word3 = word3
    }

    /// Thirty-two zero bytes.
    public static let zero = Bytes32(words: 0, 0, 0, 0)

    /// The bytes of `bytes`, or nil if there are not exactly 32.
    public init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == 32 else { return nil }
        let loaded: Bytes32? = bytes.withContiguousStorageIfAvailable { Bytes32(loading: UnsafeRawBufferPointer($0)) }
        self = loaded ?? Array(bytes).withUnsafeBytes { Bytes32(loading: $0) }
    }

    /// Loads 32 bytes from the beginning of `buffer`, which must be at least that long.
    package init(loading buffer: UnsafeRawBufferPointer) {
        precondition(buffer.count >= 32, "Bytes32 needs 32 bytes, got \(buffer.count)")
        func word(_ offset: Int) -> UInt64 {
            UInt64(bigEndian: buffer.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        }
        self.init(words: word(0), word(8), word(16), word(24))
    }

    /// The bytes as an array.
    public var bytes: [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(32)
        append(to: &result)
        return result
    }

    /// Lends the 32 bytes.
    package func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var words = (word0.bigEndian, word1.bigEndian, word2.bigEndian, word3.bigEndian)
        return try withUnsafeBytes(of: &words) { (bytes) throws(Failure) in try body(bytes) }
    }

    /// Appends the 32 bytes to `buffer`.
    package func append(to buffer: inout [UInt8]) {
        var words = (word0.bigEndian, word1.bigEndian, word2.bigEndian, word3.bigEndian)
        withUnsafeBytes(of: &words) { buffer.append(contentsOf: $0) }
    }

    /// The first eight bytes as an integer whose order is the order of the bytes.
    package var prefix64: UInt64 { word0 }

    public static func < (lhs: Bytes32, rhs: Bytes32) -> Bool {
        if lhs.word0 != rhs.word0 { return lhs.word0 < rhs.word0 }
        if lhs.word1 != rhs.word1 { return lhs.word1 < rhs.word1 }
        if lhs.word2 != rhs.word2 { return lhs.word2 < rhs.word2 }
        return lhs.word3 < rhs.word3
    }

    // Ids are digests, so two words are as random as four. An author can choose ids that collide in 64 bits, at a cost
    // of 2^32 hashes a pair. Swift's hasher, which each process seeds anew, keeps such pairs from forming long chains
    // elsewhere.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(word0)
        hasher.combine(word3)
    }
}

extension Bytes32: CustomStringConvertible {
    /// 64 lower case hexadecimal digits.
    public var description: String { hexadecimal(bytes) }

    /// Parses 64 hexadecimal digits.
    public init?(hex: some StringProtocol) {
        guard let bytes = bytesFromHexadecimal(hex), let value = Bytes32(bytes) else { return nil }
        self = value
    }
}

/// The bytes in lower case hexadecimal digits, two a byte.
package func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var characters: [UInt8] = []
    for byte in bytes {
        characters.append(digits[Int(byte >> 4)])
        characters.append(digits[Int(byte & 15)])
    }
    return String(decoding: characters, as: UTF8.self)
}

/// The bytes that an even number of hexadecimal digits stands for; nil for anything else.
package func bytesFromHexadecimal(_ text: some StringProtocol) -> [UInt8]? {
    let characters = Array(text.utf8)
    guard characters.count.isMultiple(of: 2) else { return nil }
    var result: [UInt8] = []
    result.reserveCapacity(characters.count / 2)
    for index in stride(from: 0, to: characters.count, by: 2) {
        guard let high = Character(UnicodeScalar(characters[index])).hexDigitValue,
            let low = Character(UnicodeScalar(characters[index + 1])).hexDigitValue
        else { return nil }
        result.append(UInt8(high << 4 | low))
    }
    return result
}
