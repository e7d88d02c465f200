/// A root as one side of a link shows it to the other: 16 bytes, of which eight stand for the root wherever it is met, and eight
/// are good on this link alone, so that nobody can prepare two states that pass for the same (protocol §5).
package struct ShownRoot: Hashable, Sendable {
    static let length = 16
    /// The first eight bytes of the root: the token of an agreement on it.
    let token: UInt64
    private let proof: UInt64

    init(_ root: Bytes32, on link: Link, using cryptography: some Cryptography) {
        token = root.prefix64
        proof = cryptography.hmac(key: link.binding, root.bytes).prefix64
    }

    /// The root as it was read; nil if there are not exactly 16 bytes.
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

    /// Whether it stands for this root.
    func shows(_ root: Bytes32, on link: Link, using cryptography: some Cryptography) -> Bool {
        token == root.prefix64 && self == ShownRoot(root, on: link, using: cryptography)
    }
}
