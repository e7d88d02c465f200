/// A root as one side of a link shows it to the other, in 16 bytes (protocol 5-13).
///
/// Eight bytes are the root's own. The other eight are valid on this link alone, so that no attacker can prepare two
/// states that pass for the same.
package struct ShownRoot: Hashable, Sendable {
    static let length = 16
    /// The root's first eight bytes, which are the token of an agreement on it (protocol 5-16).
    let token: UInt64
    private let proof: UInt64

    /// Shows a root.
    ///
    /// - Parameter binding: the channel binding of the link.
    init(_ root: Bytes32, binding: Bytes32, using cryptography: some Cryptography) {
        token = root.prefix64
        proof = cryptography.hmac(key: binding, root.bytes).prefix64
    }

    /// Decodes a shown root; nil unless there are exactly 16 bytes.
    package init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == Self.length else { return nil }
        let words = bytes.withContiguousStorageIfAvailable { Self.words(UnsafeRawBufferPointer($0)) }
        (token, proof) = words ?? Array(bytes).withUnsafeBytes { Self.words($0) }
    }

    private static func words(_ bytes: UnsafeRawBufferPointer) -> (UInt64, UInt64) {
        (
            UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
            UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        )
    }

    var bytes: [UInt8] {
        var words = (token.bigEndian, proof.bigEndian)
        return withUnsafeBytes(of: &words) { Array($0) }
    }

    /// Whether this shows the given root.
    func shows(_ root: Bytes32, binding: Bytes32, using cryptography: some Cryptography) -> Bool {
        token == root.prefix64 && self == ShownRoot(root, binding: binding, using: cryptography)
    }
}
