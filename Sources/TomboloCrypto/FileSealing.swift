#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif
import Crypto
public import TomboloCore

/// The sealing of the leaves of a file's tree (protocol §2.9).
///
/// It uses ChaCha20-Poly1305 (RFC 8439) under the file's own key, which seals nothing else. The nonce is the leaf's
/// position (u64) ‖ 4 zero bytes.
public struct FileSealing: Sendable {
    private let key: SymmetricKey

    /// - Parameter key: 32 random bytes that seal a single file.
    public init(key: Bytes32) { self.key = key.withBytes { SymmetricKey(data: $0) } }

    /// The number of bytes to reserve in front of a sealed leaf. The nonce is written there, so that the leaf is opened
    /// in place.
    public static let nonceBytes = 12

    private static func writeNonce(of position: Int, to bytes: UnsafeMutableRawBufferPointer) {
        bytes.storeBytes(of: UInt64(position).littleEndian, as: UInt64.self)
        bytes.storeBytes(of: 0, toByteOffset: 8, as: UInt32.self)
    }

    /// The sealed leaf, which is 16 bytes longer than the text.
    public func seal(_ text: Data, at position: Int) -> Data {
        var nonce = Data(count: Self.nonceBytes)
        nonce.withUnsafeMutableBytes { Self.writeNonce(of: position, to: $0) }
        do {
            let box = try ChaChaPoly.seal(text, using: key, nonce: ChaChaPoly.Nonce(data: nonce))
            return box.combined.dropFirst(Self.nonceBytes)
        } catch {
            preconditionFailure("sealing cannot fail with a key of 32 bytes and a nonce of 12: \(error)")
        }
    }

    /// The text; nil if the leaf was changed, or not sealed with this key at this position.
    ///
    /// - Parameters:
    ///   - room: ``nonceBytes`` bytes that are overwritten, and behind them the sealed leaf.
    ///   - position: the position of the chunk in its file.
    public func open(_ room: inout Data, at position: Int) -> Data? {
        guard room.count >= Self.nonceBytes + FileShape.sealBytes else { return nil }
        room.withUnsafeMutableBytes { Self.writeNonce(of: position, to: $0) }
        guard let box = try? ChaChaPoly.SealedBox(combined: room) else { return nil }
        return try? ChaChaPoly.open(box, using: key)
    }
}
