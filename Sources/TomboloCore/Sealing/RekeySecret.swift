/// The extent to which a store has a rekey event's secret. It is the first byte of the stored form.
public enum SecretExtent: UInt8, Hashable, Sendable {
    /// The store has the values key, and a punctured tree of another device, which nothing proves to be the rekey
    /// event's.
    ///
    /// The device decrypts with it and shares it, and encrypts nothing under it (protocol 5.7-16).
    case unproven = 0
    /// The store once had the whole secret, which matched the rekey event's commitment.
    case proven = 1
    /// The store has the values key alone.
    case values = 2
}

/// The secret of a rekey event as a store keeps it, or the part of it that is left (protocol 2.8).
package struct RekeySecret: Sendable {
    package var extent: SecretExtent
    /// The key under which values of settings are encrypted. The rekey event commits to it, so it cannot be wrong.
    package let values: Bytes32
    /// The trees of keys of contents; none if this device can decrypt values alone.
    ///
    /// An unproven secret may have several trees: a key that is punctured in one may be in another. So an invented tree
    /// does not replace one that decrypts.
    package var contents: [PuncturableKey]

    /// A whole secret.
    package init(root: Bytes32, using cryptography: some Cryptography) {
        self.init(.proven, values: Self.values(of: root, using: cryptography), contents: [PuncturableKey(root: root)])
    }

    package init(_ extent: SecretExtent, values: Bytes32, contents: [PuncturableKey] = []) {
        (self.extent, self.values, self.contents) = (extent, values, contents)
    }

    /// The values key: SHA-256("tombolo-values-1" ‖ secret) (protocol 2.8-7).
    static func values(of root: Bytes32, using cryptography: some Cryptography) -> Bytes32 {
        cryptography.sha256(Array("tombolo-values-1".utf8) + root.bytes)
    }

    /// The commitment in the rekey event: SHA-256("tombolo-rekey-1" ‖ values key) (protocol 2.6-11).
    package func commitment(using cryptography: some Cryptography) -> Bytes32 {
        cryptography.sha256(Array("tombolo-rekey-1".utf8) + values.bytes)
    }

    /// The number of nodes of all trees.
    var nodes: Int { contents.reduce(0) { $0 + $1.nodes.count } }

    /// The same secret with a further tree. The oldest trees are left out where they would exceed a bound
    /// (protocol 5.7-17).
    func adding(_ tree: PuncturableKey) -> RekeySecret {
        var secret = self
        secret.contents.append(tree)
        while secret.contents.count > 1, secret.contents.count > Limits.secretTrees || secret.nodes > Limits.keyNodes {
            secret.contents.removeFirst()
        }
        return secret
    }

    /// The stored form: u8 extent ‖ values key (32) ‖ for each tree varint length ‖ nodes.
    package var encoded: [UInt8] {
        var bytes = [extent.rawValue] + values.bytes
        for tree in contents.map(\.encoded) {
            bytes.append(varint: tree.count)
            bytes += tree
        }
        return bytes
    }

    package init(decoding bytes: [UInt8]) throws(WireError) {
        var reader = WireReader(bytes[...])
        guard let extent = SecretExtent(rawValue: try reader.byte()) else { throw .invalid("a secret", offset: 0) }
        let values = try reader.bytes32()
        var contents: [PuncturableKey] = []
        while !reader.isAtEnd {
            let length = try reader.varint(atMost: Limits.keyNodes * 64, "a tree of keys")
            contents.append(try PuncturableKey(decoding: try reader.take(length)))
        }
        guard extent == .unproven ? !contents.isEmpty : contents.count == (extent == .proven ? 1 : 0) else {
            throw .invalid("the number of trees", offset: 33)
        }
        self.init(extent, values: values, contents: contents)
    }
}
