/// A key from which the keys of all leaves of a tree follow, except those of punctured leaves.
///
/// The tree is that of Goldreich, Goldwasser and Micali (1986), its puncturing that of Boneh and Waters (2013). The key
/// is kept as the topmost nodes above no punctured leaf: first the root, then one node for each step on the way to a
/// punctured leaf.
package struct PuncturableKey: Hashable, Sendable {
    package struct Node: Hashable, Sendable {
        package let path: TreePath
        package let key: Bytes32
    }

    /// The nodes from left to right. None lies below another one.
    package private(set) var nodes: [Node]

    package init(root: Bytes32) { nodes = [Node(path: TreePath(), key: root)] }

    /// The root of the tree; nil once a leaf is punctured.
    package var root: Bytes32? { nodes.first.flatMap { $0.path.count == 0 ? $0.key : nil } }

    /// The node from which a leaf's key follows; nil if the leaf was punctured.
    package func node(above path: TreePath) -> Node? { index(above: path).map { nodes[$0] } }

    private func index(above path: TreePath) -> Int? {
        let next = nodes.partitionPoint { $0.path > path }
        guard next > 0, nodes[next - 1].path.begins(path) else { return nil }
        return next - 1
    }

    /// Punctures a leaf: its key, and the keys of all below it, follow from this key no more.
    package mutating func puncture(_ path: TreePath, using cryptography: some Cryptography) {
        guard let index = index(above: path) else { return }
        var key = nodes[index].key
        var left: [Node] = []
        var right: [Node] = []
        for step in nodes[index].path.count..<path.count {
            let bit = path[step]
            var sibling = path.prefix(step)
            sibling.append(!bit)
            let node = Node(path: sibling, key: Self.child(of: key, !bit, using: cryptography))
            if bit { left.append(node) } else { right.append(node) }
            key = Self.child(of: key, bit, using: cryptography)
        }
        nodes.replaceSubrange(index...index, with: left + right.reversed())
    }

    /// The key of a child: SHA-256("tombolo-node-1" ‖ node ‖ u8 side) (protocol 2.8-3).
    package static func child(of node: Bytes32, _ bit: Bool, using cryptography: some Cryptography) -> Bytes32 {
        withUnsafeTemporaryAllocation(byteCount: childPrefix.count + 33, alignment: 8) { buffer in
            buffer.copyBytes(from: childPrefix)
            node.withBytes { bytes in
                UnsafeMutableRawBufferPointer(rebasing: buffer[childPrefix.count...]).copyBytes(from: bytes)
            }
            buffer[buffer.count - 1] = bit ? 1 : 0
            return cryptography.sha256(UnsafeRawBufferPointer(buffer))
        }
    }

    private static let childPrefix = Array("tombolo-node-1".utf8)
}

// The stored form, which is also the form of the parts that are sent.
extension PuncturableKey {
    /// The path and the key of each node.
    package var encoded: [UInt8] { Self.encode(nodes[...]) }

    /// Whether encoded nodes are the root alone.
    static func isRoot(_ nodes: Bytes) -> Bool { nodes.count == 33 && nodes.first == 0 }

    static func encode(_ nodes: ArraySlice<Node>) -> [UInt8] {
        var buffer: [UInt8] = []
        for node in nodes {
            node.path.append(to: &buffer)
            node.key.append(to: &buffer)
        }
        return buffer
    }

    package init(decoding bytes: Bytes) throws(WireError) {
        nodes = []
        try append(decoding: bytes)
    }

    /// Appends the next part, whose nodes must lie to the right of the present ones.
    ///
    /// - Throws: `WireError` if the part is malformed or out of order, or exceeds ``Limits/keyNodes``.
    package mutating func append(decoding bytes: Bytes) throws(WireError) {
        var reader = WireReader(bytes)
        while !reader.isAtEnd {
            let path = try TreePath(reading: &reader)
            if let last = nodes.last?.path, last >= path || last.begins(path) {
                throw .invalid("the order of nodes", offset: reader.offset)
            }
            guard nodes.count < Limits.keyNodes else { throw .tooLarge("a key", limit: Limits.keyNodes) }
            nodes.append(Node(path: path, key: try reader.bytes32()))
        }
        guard !nodes.isEmpty else { throw .invalid("a key without nodes", offset: 0) }
    }
}
