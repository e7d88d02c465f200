/// How much of a rekey event's secret a store has; the first byte of what it keeps.
public enum SecretExtent: UInt8, Hashable, Sendable {
    /// The values key, and keys of contents of which nothing shows that they are the event's: they were punctured elsewhere. They open what they
    /// open, here and where they are handed on, and nothing is sealed under them.
    case unproven = 0
    /// All of it was here once, and was what the event commits to.
    case proven = 1
    /// The values key alone.
    case values = 2
}

/// The secret of a rekey event as a store keeps it, or what is left of it (protocol §2.8).
package struct RekeySecret: Sendable {
    package var extent: SecretExtent
    /// What the values of keys are sealed under. The event commits to it: there is no wrong one.
    package let values: Bytes32
    /// The tree of keys that contents are sealed under; none if only values can be read here. Where it is not proven there may be several: what was
    /// punctured in one may be there in another one, and one that somebody has made up is not to take the place of what opens what is here.
    package var contents: [PuncturableKey]

    /// A whole one.
    package init(root: Bytes32, using cryptography: some Cryptography) {
        self.init(.proven, values: Self.values(of: root, using: cryptography), contents: [PuncturableKey(root: root)])
    }

    package init(_ extent: SecretExtent, values: Bytes32, contents: [PuncturableKey] = []) {
        (self.extent, self.values, self.contents) = (extent, values, contents)
    }

    /// SHA-256("tombolo-values-1" ‖ secret).
    static func values(of root: Bytes32, using cryptography: some Cryptography) -> Bytes32 {
        cryptography.sha256(Array("tombolo-values-1".utf8) + root.bytes)
    }

    /// SHA-256("tombolo-rekey-1" ‖ values key), which the rekey event says.
    package func commitment(using cryptography: some Cryptography) -> Bytes32 {
        cryptography.sha256(Array("tombolo-rekey-1".utf8) + values.bytes)
    }

    /// Nodes of all trees.
    var nodes: Int { contents.reduce(0) { $0 + $1.nodes.count } }

    /// The same with another tree, in place of the oldest where they would be too much.
    func adding(_ tree: PuncturableKey) -> RekeySecret {
        var secret = self
        secret.contents.append(tree)
        while secret.contents.count > 1, secret.contents.count > Limits.secretTrees || secret.nodes > Limits.keyNodes {
            secret.contents.removeFirst()
        }
        return secret
    }

    /// u8 extent ‖ values key (32) ‖ for each tree varint length ‖ nodes.
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
