/// A digest of a set that is kept up to date while the set changes, in any order of changes. Nobody can find two sets
/// with the same digest.
///
/// The digest is LtHash16 with 1,024 numbers (Lewi, Kim, Maykov, Weis, "Securing Update Propagation with Homomorphic
/// Hashing", 2019). An id adds 1,024 numbers of 16 bits: the SHA-256 of (u64 i, little endian ‖ id) for i from 0 to 63.
/// A change costs 64 hashes; the state takes 2,048 bytes.
public struct SetDigest: Hashable, Sendable {
    private var numbers: [UInt16]

    public init() { numbers = Array(repeating: 0, count: 1_024) }

    /// Creates a digest from the ``bytes`` of another; nil unless there are ``byteCount`` bytes.
    public init?(bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        numbers = (0..<1_024).map { UInt16(bytes[2 * $0]) | UInt16(bytes[2 * $0 + 1]) << 8 }
    }

    public static let byteCount = 2_048

    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.byteCount)
        for number in numbers {
            bytes.append(UInt8(truncatingIfNeeded: number))
            bytes.append(UInt8(truncatingIfNeeded: number >> 8))
        }
        return bytes
    }

    /// Adds an id. The set must not contain it yet.
    public mutating func insert(_ id: ItemID, sha256: ([UInt8]) -> [UInt8]) { change(id, sha256) { $0 &+ $1 } }
    /// Removes an id. The set must contain it.
    public mutating func remove(_ id: ItemID, sha256: ([UInt8]) -> [UInt8]) { change(id, sha256) { $0 &- $1 } }

    private mutating func change(
        _ id: ItemID, _ sha256: ([UInt8]) -> [UInt8], _ combine: (UInt16, UInt16) -> UInt16
    ) {
        var input = [UInt8](repeating: 0, count: 8) + id.bytes
        for block in 0..<64 {
            input[0] = UInt8(block)
            let hash = sha256(input)
            for word in 0..<16 {
                let number = UInt16(hash[2 * word]) | UInt16(hash[2 * word + 1]) << 8
                numbers[16 * block + word] = combine(numbers[16 * block + word], number)
            }
        }
    }

    /// The SHA-256 of the state; 32 zero bytes for the empty set.
    public func digest(sha256: ([UInt8]) -> [UInt8]) -> [UInt8] {
        numbers.allSatisfy { $0 == 0 } ? [UInt8](repeating: 0, count: 32) : sha256(bytes)
    }
}
