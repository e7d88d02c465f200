/// A part of a secret, as one device sends it to another (protocol 5.7-4).
package struct SecretShare {
    /// Whether no further part of the same tree follows.
    package let isLast: Bool
    /// The values key; nil in further parts, and where it follows from the nodes.
    package let values: Bytes32?
    /// Nodes of the tree of content keys; empty if the receiver may read values alone.
    package let nodes: Bytes

    /// Whether this can be both the first and the last part of a tree.
    var isOnlyPart: Bool { isLast && (values != nil || PuncturableKey.isRoot(nodes)) }

    /// The info under which shares of a secret are encrypted (protocol 5.7-4).
    package static func info(_ rekey: EventID, in group: GroupID) -> [UInt8] {
        Array("tombolo-share-1".utf8) + group.bytes + rekey.bytes
    }

    private init(isLast: Bool, values: Bytes32?, nodes: Bytes) {
        (self.isLast, self.values, self.nodes) = (isLast, values, nodes)
    }

    /// All parts of a secret, tree by tree. Each tree ends with a last part.
    ///
    /// - Parameter withContents: whether the receiver may read contents, and not values alone (protocol 5.7-10).
    package static func parts(of secret: RekeySecret, withContents: Bool) -> [SecretShare] {
        guard withContents, !secret.contents.isEmpty else {
            return [SecretShare(isLast: true, values: secret.values, nodes: [])]
        }
        return secret.contents.flatMap { tree in
            stride(from: 0, to: tree.nodes.count, by: Limits.shareNodes).map { first in
                let end = min(first + Limits.shareNodes, tree.nodes.count)
                return SecretShare(
                    isLast: end == tree.nodes.count, values: first == 0 && tree.root == nil ? secret.values : nil,
                    nodes: PuncturableKey.encode(tree.nodes[first..<end])[...])
            }
        }
    }

    /// The text of the share: u8 flags ‖ values key (32) ‖ nodes. Bit 0: the last part of a tree. Bit 1: the values key
    /// follows.
    package var encoded: [UInt8] { [(isLast ? 1 : 0) | (values == nil ? 0 : 2)] + (values?.bytes ?? []) + nodes }

    package init(decoding bytes: [UInt8]) throws(WireError) {
        var reader = WireReader(bytes[...])
        let flags = try reader.byte()
        guard flags <= 3 else { throw .invalid("a share", offset: 0) }
        let values = flags & 2 == 0 ? nil : try reader.bytes32()
        self.init(isLast: flags & 1 == 1, values: values, nodes: reader.rest())
    }
}
