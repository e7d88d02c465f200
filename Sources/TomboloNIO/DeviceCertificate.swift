import Crypto
import Foundation
import NIOSSL
import SwiftASN1
import TomboloCore
import X509

/// The self-signed certificate of a device. Peers check its key and nothing else (protocol §4).
struct DeviceCertificate: Sendable {
    let device: DeviceKey
    let der: [UInt8]
    let certificate: NIOSSLCertificate
    let key: NIOSSLPrivateKey

    /// Creates a certificate with a fresh random serial number, over the key that the seed determines.
    init(deviceSeed: Bytes32) throws {
        let key = try Curve25519.Signing.PrivateKey(rawRepresentation: deviceSeed.bytes)
        let name = try DistinguishedName { CommonName("tombolo") }
        let serial = (0..<16).map { _ in UInt8.random(in: 0...255) }
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(bytes: serial),
            publicKey: Certificate.PublicKey(key.publicKey),
            // The times are fixed, since a device with a wrong clock must be able to connect.
            notValidBefore: Date(timeIntervalSince1970: 1_577_836_800),
            notValidAfter: Date(timeIntervalSince1970: 4_102_444_800),
            issuer: name, subject: name, signatureAlgorithm: .ed25519, extensions: Certificate.Extensions {},
            issuerPrivateKey: Certificate.PrivateKey(key))
        var serializer = DER.Serializer()
        try serializer.serialize(certificate)
        der = serializer.serializedBytes
        self.certificate = try NIOSSLCertificate(bytes: der, format: .der)
        // The prefix of an Ed25519 key in PKCS #8 (RFC 8410 §7).
        let prefix: [UInt8] = [
            0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
        ]
        self.key = try NIOSSLPrivateKey(bytes: prefix + deviceSeed.bytes, format: .der)
        guard let device = DeviceKey(key.publicKey.rawRepresentation) else {
            preconditionFailure("an Ed25519 public key has 32 bytes")
        }
        self.device = device
    }

    func configuration(isServer: Bool) -> TLSConfiguration {
        var configuration =
            isServer
            ? TLSConfiguration.makeServerConfiguration(
                certificateChain: [.certificate(certificate)], privateKey: .privateKey(key))
            : TLSConfiguration.makeClientConfiguration()
        configuration.certificateChain = [.certificate(certificate)]
        configuration.privateKey = .privateKey(key)
        configuration.minimumTLSVersion = .tlsv13
        configuration.certificateVerification = .noHostnameVerification
        configuration.trustRoots = .certificates([])
        configuration.signingSignatureAlgorithms = [.ed25519]
        configuration.verifySignatureAlgorithms = [.ed25519]
        configuration.applicationProtocols = ["tombolo/1"]
        return configuration
    }

    /// The Ed25519 key of a peer's certificate; nil if the certificate has another kind of key.
    static func deviceKey(of certificate: NIOSSLCertificate) -> DeviceKey? {
        guard let spki = try? certificate.extractPublicKey().toSPKIBytes(), spki.count == 44,
            spki.prefix(12) == [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00]
        else { return nil }
        return DeviceKey(spki.suffix(32))
    }

    static func binding(dialler: [UInt8], listener: [UInt8]) -> Bytes32 {
        var hash = SHA256()
        hash.update(data: Array("tombolo-binding-1".utf8))
        hash.update(data: Array(SHA256.hash(data: dialler)))
        hash.update(data: Array(SHA256.hash(data: listener)))
        return Bytes32(Array(hash.finalize())) ?? .zero
    }
}
