/// A key from which the keys of all leaves of a tree follow, until some are taken out of it: their keys cannot be had from it any more, all
/// others can (the tree of Goldreich, Goldwasser and Micali, 1986; puncturing it: Boneh and Waters, 2013).
///
/// It is kept as the topmost nodes that have nothing punctured below them: one at first, then one for each step on the way to what was
/// punctured.
package struct PuncturableKey: Hashable, Sendable {
    package struct Node: Hashable, Sendable {
        package let path: TreePath
        package let key: Bytes32
    }

    /// From left to right; none lies below another one.
    package private(set) var nodes: [Node]

    package init(root: Bytes32) { nodes = [Node(path: TreePath(), key: root)] }

    /// The key of the whole tree; nil once something is punctured.
    package var root: Bytes32? { nodes.first.flatMap { $0.path.count == 0 ? $0.key : nil } }

    /// The node that a leaf follows from; nil if the leaf was punctured.
    package func node(above path: TreePath) -> Node? { index(above: path).map { nodes[$0] } }

    private func index(above path: TreePath) -> Int? {
        let next = nodes.partitionPoint { $0.path > path }
        guard next > 0, nodes[next - 1].path.begins(path) else { return nil }
        return next - 1
    }

    /// Takes a leaf out, and whatever lies below it.
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

    /// SHA-256("tombolo-node-1" ‖ node ‖ u8 side).
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

// How it is kept, and handed over in parts.
extension PuncturableKey {
    /// For each node its path and its key.
    package var encoded: [UInt8] { Self.encode(nodes[...]) }

    /// Whether encoded nodes are the one of the whole tree.
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

    /// Takes the next part: nodes to the right of those that are here.
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
