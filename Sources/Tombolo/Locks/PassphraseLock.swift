import Crypto
import CryptoExtras
import Foundation
public import TomboloCore

/// A lock by a passphrase. ChaCha20-Poly1305 encrypts the store's key under a key that scrypt (RFC 7914) derives.
///
/// scrypt takes 32 MiB and about a third of a second, with the parameters of OWASP's sheet on the storage of passwords
/// (N = 2¹⁵, r = 8, p = 3). Each guess of an attacker costs as much. The passphrase is used in its composed form
/// (Unicode NFC), so that it is the same on every keyboard.
public struct PassphraseLock: StoreLock {
    private let passphrase: [UInt8]

    /// - Returns: nil if the passphrase is empty.
    public init?(_ passphrase: String) {
        self.passphrase = Array(passphrase.precomposedStringWithCanonicalMapping.utf8)
        if self.passphrase.isEmpty { return nil }
    }

    /// The cost of scrypt. It is stored with the encrypted key, so that a later version can raise it.
    private struct Cost {
        var logRounds: UInt8 = 15
        var blockSize: UInt8 = 8
        var parallelism: UInt8 = 3

        /// Tells whether the cost is at most 256 MiB and ten times the usual one. An attacker that changes the file
        /// must not exhaust this device's memory or time.
        var isBearable: Bool {
            guard (1...20).contains(logRounds), (1...16).contains(blockSize), (1...16).contains(parallelism) else {
                return false
            }
            let memory = Int(blockSize) << (7 + Int(logRounds))
            return memory <= 256 << 20 && memory * Int(parallelism) <= 960 << 20
        }
    }

    private static let version: UInt8 = 1
    private static let saltLength = 16
    /// The length of version, cost and salt.
    private static let prefixLength = 4 + saltLength
    /// The length of nonce, key and tag.
    private static let sealedLength = 12 + 32 + 16

    public func close(over key: Bytes32) throws(StoreError) -> [UInt8] {
        let cost = Cost()
        var generator: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()
        let salt = [UInt8].random(Self.saltLength, using: &generator)
        let prefix = [Self.version, cost.logRounds, cost.blockSize, cost.parallelism] + salt
        let derived = try derivedKey(cost, salt: salt[...])
        do {
            return prefix + (try ChaChaPoly.seal(key.bytes, using: derived, authenticating: prefix)).combined
        } catch {
            throw StoreError(.unavailable, "the passphrase cannot be used: \(error)")
        }
    }

    public func open(_ kept: [UInt8]) throws(StoreError) -> Bytes32 {
        guard kept.count == Self.prefixLength + Self.sealedLength, kept[0] == Self.version else {
            throw StoreError(.locked, "the store's keys are locked by another lock than a passphrase")
        }
        let cost = Cost(logRounds: kept[1], blockSize: kept[2], parallelism: kept[3])
        guard cost.isBearable else { throw StoreError(.corrupt, "the store's record of its lock is damaged") }
        let prefix = kept.prefix(Self.prefixLength)
        let derived = try derivedKey(cost, salt: prefix.suffix(Self.saltLength))
        let box = try? ChaChaPoly.SealedBox(combined: kept.dropFirst(Self.prefixLength))
        guard
            let key = box.flatMap({ try? ChaChaPoly.open($0, using: derived, authenticating: prefix) }).flatMap({
                Bytes32($0)
            })
        else { throw StoreError(.locked, "that is not the passphrase") }
        return key
    }

    private func derivedKey(_ cost: Cost, salt: ArraySlice<UInt8>) throws(StoreError) -> SymmetricKey {
        do {
            return try KDF.Scrypt.deriveKey(
                from: passphrase, salt: salt, outputByteCount: 32, rounds: 1 << Int(cost.logRounds),
                blockSize: Int(cost.blockSize), parallelism: Int(cost.parallelism))
        } catch {
            throw StoreError(.unavailable, "the passphrase cannot be used: \(error)")
        }
    }
}
