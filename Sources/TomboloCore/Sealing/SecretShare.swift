/// A part of a secret, as it is handed to a device (protocol §2.8).
package struct SecretShare {
    /// Whether no other part of the same tree follows.
    package let isLast: Bool
    /// The values key; nil in further parts, and where it follows from the nodes.
    package let values: Bytes32?
    /// Nodes of the tree of contents' keys; empty if only values are for the device.
    package let nodes: Bytes

    /// Whether it can be the first part of a tree and the last one.
    var isOnlyPart: Bool { isLast && (values != nil || PuncturableKey.isRoot(nodes)) }

    /// What shares of a secret are sealed for.
    package static func info(_ rekey: EventID, in group: GroupID) -> [UInt8] {
        Array("tombolo-share-1".utf8) + group.bytes + rekey.bytes
    }

    private init(isLast: Bool, values: Bytes32?, nodes: Bytes) {
        (self.isLast, self.values, self.nodes) = (isLast, values, nodes)
    }

    /// All parts of a secret, or of what a device may have of it that is to read values alone. Of several trees, each ends with a last part.
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

    /// u8 bit 0: it is the last part; bit 1: the values key follows ‖ the values key (32) ‖ nodes.
    package var encoded: [UInt8] { [(isLast ? 1 : 0) | (values == nil ? 0 : 2)] + (values?.bytes ?? []) + nodes }

    package init(decoding bytes: [UInt8]) throws(WireError) {
        var reader = WireReader(bytes[...])
        let flags = try reader.byte()
        guard flags <= 3 else { throw .invalid("a share", offset: 0) }
        let values = flags & 2 == 0 ? nil : try reader.bytes32()
        self.init(isLast: flags & 1 == 1, values: values, nodes: reader.rest())
    }
}
