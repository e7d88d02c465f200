/// The cryptography that the engine is generic over.
///
/// Devices use the real one. A simulation may use a stand-in, since 10^8 verifications would take all its time, and
/// says so in its report.
public protocol Cryptography: Sendable {
    /// A secret key, loaded and ready to sign.
    associatedtype SigningKey: Sendable

    /// Hashes with SHA-256 (FIPS 180-4).
    func sha256(_ bytes: UnsafeRawBufferPointer) -> Bytes32
    /// Authenticates with HMAC-SHA-256 (RFC 2104).
    func hmac(key: Bytes32, _ bytes: UnsafeRawBufferPointer) -> Bytes32
    /// The Ed25519 key (RFC 8032) that a 32-byte seed makes.
    func signingKey(seed: Bytes32) -> SigningKey
    func publicKey(of key: SigningKey) -> Bytes32
    /// Signs with Ed25519; 64 bytes. Two signatures over the same bytes may differ.
    func sign(_ bytes: UnsafeRawBufferPointer, with key: SigningKey) -> [UInt8]
    /// Whether the signature is valid by the acceptance rule of protocol 2.3-2.
    func isValid(_ signature: Bytes, over bytes: UnsafeRawBufferPointer, by key: Bytes32) -> Bool

    /// Encrypts with ChaCha20-Poly1305 (RFC 8439): the ciphertext and 16 bytes more.
    ///
    /// A key and a nonce of 12 bytes encrypt one text and never another one.
    func seal(_ text: Bytes, key: Bytes32, nonce: Bytes) -> [UInt8]
    /// Decrypts; nil if the text was encrypted under another key or nonce, or was changed.
    func open(_ sealed: Bytes, key: Bytes32, nonce: Bytes) -> [UInt8]?
    /// The X25519 public key (RFC 7748) that a 32-byte seed makes.
    func sharingKey(seed: Bytes32) -> Bytes32
    /// Encrypts with HPKE in base mode (RFC 9180: X25519, HKDF-SHA256, ChaCha20-Poly1305).
    ///
    /// - Returns: encapsulated key ‖ ciphertext, 48 bytes more than the text, different each time; nil if the key is
    ///   invalid.
    func seal(_ text: [UInt8], to key: Bytes32, info: [UInt8]) -> [UInt8]?
    /// Decrypts with HPKE; nil unless the text was encrypted to the key that the seed makes, under this info.
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
