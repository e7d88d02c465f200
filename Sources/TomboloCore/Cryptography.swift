/// The cryptography that the engine is generic over: the real one on devices, a stand-in where a simulation of
/// 10^8 verifications would be nothing else (it says so in its report).
public protocol Cryptography: Sendable {
    /// A secret key, loaded and ready to sign.
    associatedtype SigningKey: Sendable

    /// SHA-256 (FIPS 180-4).
    func sha256(_ bytes: UnsafeRawBufferPointer) -> Bytes32
    /// HMAC-SHA-256 (RFC 2104).
    func hmac(key: Bytes32, _ bytes: UnsafeRawBufferPointer) -> Bytes32
    /// The Ed25519 key (RFC 8032) that a 32-byte seed makes.
    func signingKey(seed: Bytes32) -> SigningKey
    func publicKey(of key: SigningKey) -> Bytes32
    /// 64 bytes. Signing the same bytes twice may give two signatures.
    func sign(_ bytes: UnsafeRawBufferPointer, with key: SigningKey) -> [UInt8]
    /// Whether `signature` stands, by the acceptance rule of protocol §2.3.
    func isValid(_ signature: Bytes, over bytes: UnsafeRawBufferPointer, by key: Bytes32) -> Bool

    /// ChaCha20-Poly1305 (RFC 8439): the ciphertext and 16 bytes more. A key and a nonce of 12 bytes seal one text and never another one.
    func seal(_ text: Bytes, key: Bytes32, nonce: Bytes) -> [UInt8]
    /// The text; nil if it was not sealed with this key and nonce, or was changed.
    func open(_ sealed: Bytes, key: Bytes32, nonce: Bytes) -> [UInt8]?
    /// The X25519 public key (RFC 7748) that a 32-byte seed makes.
    func sharingKey(seed: Bytes32) -> Bytes32
    /// HPKE, base mode (RFC 9180: X25519, HKDF-SHA256, ChaCha20-Poly1305): encapsulated key ‖ ciphertext, 48 bytes more than the text. Sealing twice
    /// gives two results. Nil if the key is none.
    func seal(_ text: [UInt8], to key: Bytes32, info: [UInt8]) -> [UInt8]?
    /// The text; nil if it was not sealed to the key that the seed makes, under this info.
    func open(_ share: Bytes, seed: Bytes32, info: [UInt8]) -> [UInt8]?
}

extension Cryptography {
    package func sha256(_ bytes: [UInt8]) -> Bytes32 { bytes.withUnsafeBytes { sha256($0) } }
    package func hmac(key: Bytes32, _ bytes: [UInt8]) -> Bytes32 { bytes.withUnsafeBytes { hmac(key: key, $0) } }
    package func sign(_ bytes: [UInt8], with key: SigningKey) -> [UInt8] {
        bytes.withUnsafeBytes { sign($0, with: key) }
    }
    package func isValid(_ signature: Bytes, over bytes: [UInt8], by key: Bytes32) -> Bool {
        bytes.withUnsafeBytes { isValid(signature, over: $0, by: key) }
    }
}
