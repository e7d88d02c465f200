#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
import Crypto
public import TomboloCore

/// The real cryptography, from swift-crypto: SHA-256, HMAC, Ed25519, ChaCha20-Poly1305 and HPKE.
public struct SwiftCryptography: Cryptography {
    public init() {}

    public func sha256(_ bytes: UnsafeRawBufferPointer) -> Bytes32 {
        var hash = SHA256()
        hash.update(bufferPointer: bytes)
        return hash.finalize().withUnsafeBytes { Bytes32(loading: $0) }
    }

    public func hmac(key: Bytes32, _ bytes: UnsafeRawBufferPointer) -> Bytes32 {
        var code = HMAC<SHA256>(key: SymmetricKey(data: key.bytes))
        code.update(data: bytes)
        return code.finalize().withUnsafeBytes { Bytes32(loading: $0) }
    }

    /// An Ed25519 key of swift-crypto.
    public struct SigningKey: Sendable {
        let key: Curve25519.Signing.PrivateKey
    }

    public func signingKey(seed: Bytes32) -> SigningKey {
        do {
            return SigningKey(key: try Curve25519.Signing.PrivateKey(rawRepresentation: seed.bytes))
        } catch {
            preconditionFailure("any 32 bytes are an Ed25519 seed, but: \(error)")
        }
    }

    public func publicKey(of key: SigningKey) -> Bytes32 {
        key.key.publicKey.rawRepresentation.withUnsafeBytes { Bytes32(loading: $0) }
    }

    public func sign(_ bytes: UnsafeRawBufferPointer, with key: SigningKey) -> [UInt8] {
        do {
            return Array(try key.key.signature(for: bytes))
        } catch {
            preconditionFailure("signing fails only without entropy: \(error)")
        }
    }

    public func isValid(_ signature: Bytes, over bytes: UnsafeRawBufferPointer, by key: Bytes32) -> Bool {
        guard signature.count == 64, let r = Bytes32(signature.prefix(32)), Ed25519Point.isAcceptable(key),
            Ed25519Point.isAcceptable(r),
            let publicKey = try? Curve25519.Signing.PublicKey(rawRepresentation: key.bytes)
        else { return false }
        return publicKey.isValidSignature(signature, for: bytes)
    }

    public func seal(_ text: Bytes, key: Bytes32, nonce: Bytes) -> [UInt8] {
        do {
            let box = try ChaChaPoly.seal(text, using: SymmetricKey(key), nonce: ChaChaPoly.Nonce(data: nonce))
            return Array(box.ciphertext) + Array(box.tag)
        } catch {
            preconditionFailure("sealing cannot fail with a key of 32 bytes and a nonce of 12: \(error)")
        }
    }

    public func open(_ sealed: Bytes, key: Bytes32, nonce: Bytes) -> [UInt8]? {
        guard sealed.count >= 16, let nonce = try? ChaChaPoly.Nonce(data: nonce),
            let box = try? ChaChaPoly.SealedBox(nonce: nonce, ciphertext: sealed.dropLast(16), tag: sealed.suffix(16)),
            let text = try? ChaChaPoly.open(box, using: SymmetricKey(key))
        else { return nil }
        return Array(text)
    }

    private func sharingKey(ofSeed seed: Bytes32) -> Curve25519.KeyAgreement.PrivateKey {
        do {
            return try Curve25519.KeyAgreement.PrivateKey(rawRepresentation: seed.bytes)
        } catch {
            preconditionFailure("any 32 bytes are an X25519 key, but: \(error)")
        }
    }

    public func sharingKey(seed: Bytes32) -> Bytes32 {
        sharingKey(ofSeed: seed).publicKey.rawRepresentation.withUnsafeBytes { Bytes32(loading: $0) }
    }

    public func seal(_ text: [UInt8], to key: Bytes32, info: [UInt8]) -> [UInt8]? {
        // A device that states a key of small order makes its share readable to everyone. It could as well publish the
        // share, so such keys need no check here.
        guard let recipient = try? Curve25519.KeyAgreement.PublicKey(rawRepresentation: key.bytes),
            var sender = try? HPKE.Sender(
                recipientKey: recipient, ciphersuite: .Curve25519_SHA256_ChachaPoly, info: Data(info)),
            let sealed = try? sender.seal(text)
        else { return nil }
        return Array(sender.encapsulatedKey) + Array(sealed)
    }

    public func open(_ share: Bytes, seed: Bytes32, info: [UInt8]) -> [UInt8]? {
        guard share.count >= 48,
            var recipient = try? HPKE.Recipient(
                privateKey: sharingKey(ofSeed: seed), ciphersuite: .Curve25519_SHA256_ChachaPoly, info: Data(info),
                encapsulatedKey: Data(share.prefix(32))),
            let text = try? recipient.open(share.dropFirst(32))
        else { return nil }
        return Array(text)
    }
}

extension SymmetricKey {
    fileprivate init(_ key: Bytes32) { self = key.withBytes { SymmetricKey(data: $0) } }
}

/// The part of the acceptance rule (protocol §2.3) in which libraries differ: the accepted encodings of points.
enum Ed25519Point {
    /// Tells whether the encoding is canonical (RFC 8032 §5.1.3) and not of one of the eight points of small order.
    static func isAcceptable(_ encoded: Bytes32) -> Bool {
        var y = encoded.bytes
        y[31] &= 0x7f
        guard isBelowPrime(y) else { return false }
        return !smallOrder.contains(y)
    }

    /// Tells whether y < 2^255 − 19, with y in little endian.
    private static func isBelowPrime(_ y: [UInt8]) -> Bool {
        guard y[31] == 0x7f, y[1..<31].allSatisfy({ $0 == 0xff }) else { return true }
        return y[0] < 0xed
    }

    /// The y coordinates of the points whose order divides 8: 0, 1, −1 and the two of order 8.
    private static let smallOrder: [[UInt8]] = [
        [UInt8](repeating: 0, count: 32),
        [1] + [UInt8](repeating: 0, count: 31),
        [0xec] + [UInt8](repeating: 0xff, count: 30) + [0x7f],
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
            0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
            0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ],
    ]
}
