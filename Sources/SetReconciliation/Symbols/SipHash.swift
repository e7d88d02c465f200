/// A key of SipHash-2-4 (Aumasson, Bernstein, "SipHash: a fast short-input PRF", INDOCRYPT 2012), here over whole
/// 64-bit words.
///
/// Without the key, an attacker can neither predict a hash nor make two symbols collide.
public struct SipHashKey: Hashable, Sendable {
    @usableFromInline let k0: UInt64
    @usableFromInline let k1: UInt64

    /// - Parameters:
    ///   - k0: the key's first eight bytes, little endian.
    ///   - k1: the key's last eight bytes, little endian.
    public init(_ k0: UInt64, _ k1: UInt64) {
        self.k0 = k0
        self.k1 = k1
    }
}

/// The state of an unfinished hash.
@usableFromInline struct SipHasher {
    @usableFromInline var v0, v1, v2, v3: UInt64
    @usableFromInline var words: UInt64 = 0

    @inlinable init(_ key: SipHashKey) {
        v0 = key.k0 ^ 0x736f_6d65_7073_6575
        v1 = key.k1 ^ 0x646f_7261_6e64_6f6d
        v2 = key.k0 ^ 0x6c79_6765_6e65_7261
        v3 = key.k1 ^ 0x7465_6462_7974_6573
    }

    @inlinable @inline(__always) mutating func round() {
        v0 &+= v1
        v1 = (v1 << 13 | v1 >> 51) ^ v0
        v0 = v0 << 32 | v0 >> 32
        v2 &+= v3
        v3 = (v3 << 16 | v3 >> 48) ^ v2
        v0 &+= v3
        v3 = (v3 << 21 | v3 >> 43) ^ v0
        v2 &+= v1
        v1 = (v1 << 17 | v1 >> 47) ^ v2
        v2 = v2 << 32 | v2 >> 32
    }

    /// Adds eight bytes of the message, little endian.
    @inlinable mutating func combine(_ word: UInt64) {
        v3 ^= word
        round()
        round()
        v0 ^= word
        words += 1
    }

    @inlinable mutating func finish() -> UInt64 {
        combine((words &* 8) << 56)
        v2 ^= 0xff
        round()
        round()
        round()
        round()
        return v0 ^ v1 ^ v2 ^ v3
    }
}
