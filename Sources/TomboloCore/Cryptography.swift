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
