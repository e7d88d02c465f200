import TomboloCore

/// A stand-in for cryptography that is fast and deterministic, and protects nothing.
///
/// Anyone that knows a public key can sign for it, and any reader can open a seal. It is for runs with so many
/// verifications that the real cryptography would take most of the time. ``Scenario/cryptography`` and every report
/// state which is used.
struct StandInCryptography: Cryptography {
    struct SigningKey: Sendable {
        let publicKey: Bytes32
    }

    func sha256(_ bytes: UnsafeRawBufferPointer) -> Bytes32 { hash(bytes, 0) }
    func hmac(key: Bytes32, _ bytes: UnsafeRawBufferPointer) -> Bytes32 { hash(bytes, key.prefix64) }
    func signingKey(seed: Bytes32) -> SigningKey {
        SigningKey(publicKey: seed.bytes.withUnsafeBytes { hash($0, 1) })
    }
    func publicKey(of key: SigningKey) -> Bytes32 { key.publicKey }

    func sign(_ bytes: UnsafeRawBufferPointer, with key: SigningKey) -> [UInt8] {
        let half = hash(bytes, key.publicKey.prefix64).bytes
        return half + half
    }

    func isValid(_ signature: Bytes, over bytes: UnsafeRawBufferPointer, by key: Bytes32) -> Bool {
        guard signature.count == 64 else { return false }
        let half = hash(bytes, key.prefix64).bytes
        return signature.prefix(32).elementsEqual(half) && signature.suffix(32).elementsEqual(half)
    }

    func seal(_ text: Bytes, key: Bytes32, nonce: Bytes) -> [UInt8] {
        Array(text) + hash(text, key, Array(nonce)).bytes.prefix(16)
    }

    func open(_ sealed: Bytes, key: Bytes32, nonce: Bytes) -> [UInt8]? {
        guard sealed.count >= 16 else { return nil }
        let text = sealed.dropLast(16)
        return hash(text, key, Array(nonce)).bytes.prefix(16).elementsEqual(sealed.suffix(16)) ? Array(text) : nil
    }

    func sharingKey(seed: Bytes32) -> Bytes32 { seed.bytes.withUnsafeBytes { hash($0, 2) } }

    func seal(_ text: [UInt8], to key: Bytes32, info: [UInt8]) -> [UInt8]? {
        hash(text[...], key, info).bytes + text + [UInt8](repeating: 0, count: 16)
    }

    func open(_ share: Bytes, seed: Bytes32, info: [UInt8]) -> [UInt8]? {
        guard share.count >= 48 else { return nil }
        let text = share.dropFirst(32).dropLast(16)
        let proof = hash(text, sharingKey(seed: seed), info).bytes
        return proof.elementsEqual(share.prefix(32)) ? Array(text) : nil
    }

    private func hash(_ text: Bytes, _ key: Bytes32, _ more: [UInt8]) -> Bytes32 {
        hmac(key: key, more + [UInt8(truncatingIfNeeded: more.count)] + text)
    }

    /// A hash with two accumulators of 64 bits. Each 16 bytes are folded in by products of 128 bits. The end spreads
    /// the accumulators over 32 bytes.
    private func hash(_ bytes: UnsafeRawBufferPointer, _ seed: UInt64) -> Bytes32 {
        var one = seed ^ 0x9e37_79b9_7f4a_7c15 ^ UInt64(bytes.count)
        var other = seed &+ 0xd1b5_4a32_d192_ed03
        func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
            let product = a.multipliedFullWidth(by: b)
            return product.high ^ product.low
        }
        func take(_ first: UInt64, _ second: UInt64) {
            let mixed = fold(first ^ one ^ 0xa076_1d64_78bd_642f, second ^ other ^ 0xe703_7ed1_a0b4_28db)
            (one, other) = (mixed &+ first, fold(one ^ 0x8ebc_6af0_9c88_c6e3, mixed ^ second) ^ other &* 5)
        }
        var offset = 0
        while offset + 16 <= bytes.count {
            take(
                UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)),
                UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self)))
            offset += 16
        }
        var rest: (UInt64, UInt64) = (0, 0)
        for index in offset..<bytes.count {
            let byte = UInt64(bytes[index]) << UInt64(8 * (index % 8))
            if index - offset < 8 { rest.0 |= byte } else { rest.1 |= byte }
        }
        take(rest.0, rest.1)
        take(one, ~other)
        var generator = SeededGenerator(seed: one ^ other)
        let words = (generator.next(), generator.next() ^ one, generator.next() ^ other, generator.next())
        return withUnsafeBytes(
            of: (words.0.littleEndian, words.1.littleEndian, words.2.littleEndian, words.3.littleEndian)
        ) { Bytes32(loading: $0) }
    }
}
