import Testing
import TomboloCore
import TomboloCrypto

@Suite("Puncturable keys")
struct PuncturableKeyTests {
    private let cryptography = SwiftCryptography()
    private let root = Bytes32.zero

    private func log(_ number: UInt8) -> LogID { LogID(cryptography.sha256([number])) }

    /// The key of a leaf by definition: derived step by step from the root, without a cache.
    private func leaf(_ log: LogID, _ sequence: UInt64) -> Bytes32 {
        var key = root
        func step(_ bit: Bool) { key = PuncturableKey.child(of: key, bit, using: cryptography) }
        step(false)
        for byte in log.bytes.prefix(8) { for bit in 0..<8 { step(byte >> UInt8(7 - bit) & 1 == 1) } }
        let digits = String(sequence, radix: 2)
        for _ in digits.dropFirst() { step(false) }
        for digit in digits { step(digit == "1") }
        return key
    }

    private func path(_ log: LogID, _ sequence: UInt64) -> TreePath {
        ContentKeys.path(toLog: log, number: sequence, isEphemeral: false)
    }

    @Test("the place of a content in the tree has the bits that the protocol states")
    func places() {
        var generator: any RandomNumberGenerator & Sendable = SeededGenerator(seed: 40)
        for shift in 0..<53 as Range<UInt64> {
            let log = LogID(.random(using: &generator))
            let number = max(1, generator.next() >> (11 + shift))
            let isEphemeral = generator.next() & 1 == 1
            var path = TreePath()
            path.append(isEphemeral)
            for bit in 0..<64 { path.append(log.value.prefix64 >> UInt64(63 - bit) & 1 == 1) }
            let bits = 64 - number.leadingZeroBitCount
            for _ in 1..<bits { path.append(false) }
            for bit in 0..<bits { path.append(number >> UInt64(bits - 1 - bit) & 1 == 1) }
            #expect(ContentKeys.path(toLog: log, number: number, isEphemeral: isEphemeral) == path, "\(number)")
        }
    }

    @Test(
        "a punctured leaf has no key, and every other leaf has the key by definition",
        arguments: [UInt64(31), 32, 33])
    func model(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var secret = PuncturableKey(root: root)
        var gone: Set<[UInt64]> = []
        for _ in 0..<60 {
            let (log, sequence) = (
                UInt64.random(in: 0..<3, using: &generator), UInt64.random(in: 1..<40, using: &generator)
            )
            secret.puncture(path(self.log(UInt8(log)), sequence), using: cryptography)
            gone.insert([log, sequence])
            #expect(secret.root == nil)
            secret = try PuncturableKey(decoding: secret.encoded[...])
            var keys = ContentKeys(RekeySecret(.unproven, values: root, contents: [secret]))
            for _ in 0..<40 {
                let (log, sequence) = (
                    UInt64.random(in: 0..<4, using: &generator), UInt64.random(in: 1..<45, using: &generator)
                )
                let key = keys.key(ofLog: self.log(UInt8(log)), sequence: sequence, using: cryptography)
                let expected = gone.contains([log, sequence]) ? nil : leaf(self.log(UInt8(log)), sequence)
                #expect(key == expected, "seed \(seed), log \(log), sequence \(sequence)")
            }
        }
        // The order of punctures, and repeated ones, make no difference.
        var other = PuncturableKey(root: root)
        for pair in gone.sorted(by: { $0[1] < $1[1] }) + gone {
            other.puncture(path(log(UInt8(pair[0])), pair[1]), using: cryptography)
        }
        #expect(other == secret, "seed \(seed)")
        // No remaining node lies above a punctured leaf.
        for pair in gone { #expect(secret.node(above: path(log(UInt8(pair[0])), pair[1])) == nil) }
    }

    @Test("the highest numbers have keys of their own")
    func bounds() {
        var keys = ContentKeys(RekeySecret(root: root, using: cryptography))
        let highest = Limits.integer - 1
        let all = [1, 2, highest - 1, highest].map { keys.key(ofLog: log(1), sequence: $0, using: cryptography) }
        #expect(Set(all).count == 4 && !all.contains(nil))
        #expect(all[3] == leaf(log(1), highest))
        #expect(keys.key(ofEphemeralFrom: log(1), at: Int64(highest), using: cryptography) != all[3])
        #expect(keys.key(ofEphemeralFrom: log(1), at: 0, using: cryptography) == nil)
    }

    @Test("a key that is sent in parts is rebuilt, and refused in another order")
    func parts() throws {
        var secret = PuncturableKey(root: root)
        for number in 0..<40 { secret.puncture(path(log(UInt8(number)), 7), using: cryptography) }
        let whole = RekeySecret(root: root, using: cryptography)
        let left = RekeySecret(.proven, values: whole.values, contents: [secret])
        let parts = try SecretShare.parts(of: left, withContents: true).map { try SecretShare(decoding: $0.encoded) }
        #expect(parts.count > 1 && parts.map(\.isLast) == parts.indices.map { $0 == parts.count - 1 })
        #expect(parts.map(\.values) == parts.indices.map { $0 == 0 ? whole.values : nil })
        var again = try PuncturableKey(decoding: parts[0].nodes)
        for part in parts.dropFirst() { try again.append(decoding: part.nodes) }
        #expect(again == secret)
        #expect(throws: WireError.self) { try again.append(decoding: parts[0].nodes) }
        // A whole key needs only its root. A device that may read values alone receives no node.
        let (all, values) = (
            SecretShare.parts(of: whole, withContents: true), SecretShare.parts(of: whole, withContents: false)
        )
        #expect(all.map(\.encoded) == [[1] + PuncturableKey(root: root).encoded])
        #expect(values.map(\.encoded) == [[3] + whole.values.bytes])
        for bytes in [[], [4], [2, 1], [0xff]] as [[UInt8]] {
            #expect(throws: WireError.self) { try SecretShare(decoding: bytes) }
        }
        let several = RekeySecret(.unproven, values: root, contents: [secret, PuncturableKey(root: root)])
        for secret in [whole, left, several, RekeySecret(.values, values: root)] {
            #expect(try RekeySecret(decoding: secret.encoded).encoded == secret.encoded)
        }
        for bytes in [[], [2], [3] + root.bytes, [2] + root.bytes + [0], [1] + root.bytes] as [[UInt8]] {
            #expect(throws: WireError.self) { try RekeySecret(decoding: bytes) }
        }
        #expect(throws: WireError.self) { try PuncturableKey(decoding: []) }
        // A node below another node, and a path with more bits than steps, are refused.
        #expect(throws: WireError.self) {
            try PuncturableKey(decoding: (PuncturableKey(root: root).encoded + secret.encoded)[...])
        }
        #expect(throws: WireError.self) { try PuncturableKey(decoding: ([1, 0x40] + root.bytes)[...]) }
        #expect(throws: WireError.self) { try PuncturableKey(decoding: [193] + [UInt8](repeating: 0, count: 57)) }
    }

    @Test("sealed text opens under its key, nonce and info, and under nothing else")
    func sealing() throws {
        let (text, nonce) = (Array("the tide is out".utf8), [UInt8](1...12))
        let sealed = cryptography.seal(text[...], key: root, nonce: nonce[...])
        #expect(sealed.count == text.count + 16)
        #expect(cryptography.open(sealed[...], key: root, nonce: nonce[...]) == text)
        #expect(cryptography.open(sealed[...], key: leaf(log(1), 1), nonce: nonce[...]) == nil)
        #expect(cryptography.open(sealed[...], key: root, nonce: nonce.reversed()[...]) == nil)
        for index in sealed.indices {
            var changed = sealed
            changed[index] ^= 1
            #expect(cryptography.open(changed[...], key: root, nonce: nonce[...]) == nil)
            #expect(cryptography.open(sealed.prefix(index), key: root, nonce: nonce[...]) == nil)
        }
        let (seed, other) = (leaf(log(2), 1), leaf(log(2), 2))
        let share = try #require(cryptography.seal(text, to: cryptography.sharingKey(seed: seed), info: [1]))
        #expect(cryptography.open(share[...], seed: seed, info: [1]) == text)
        #expect(cryptography.open(share[...], seed: other, info: [1]) == nil)
        #expect(cryptography.open(share[...], seed: seed, info: [2]) == nil)
        #expect(cryptography.open(share.dropLast(), seed: seed, info: [1]) == nil)
        #expect(cryptography.open([], seed: seed, info: [1]) == nil)
    }
}
