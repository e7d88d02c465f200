/// Where the chunks of a file stand: the nodes of a tree of which the leaves are pieces of the file, sealed, and each other node is
/// the list of the hashes of its children (protocol §2.9).
///
/// *Positions* count the nodes from the top, level by level: 0 is the root, the leaves come last. All follow from the file's size.
package struct FileShape: Sendable {
    package let size: UInt64
    /// Bytes of the file in one leaf, and children of one node.
    private let leafBytes: Int
    let branches: Int
    /// The position at which each level begins, from the top, and at last how many there are.
    private let starts: [Int]

    /// - Parameters:
    ///   - size: of the file, in bytes.
    ///   - leafBytes, branches: other than the protocol's, for tests.
    package init(size: UInt64, leafBytes: Int = Limits.chunk - sealBytes, branches: Int = Limits.chunk / 32) {
        self.size = size
        self.leafBytes = leafBytes
        self.branches = branches
        var counts = [max(1, Int((size + UInt64(leafBytes) - 1) / UInt64(leafBytes)))]
        while let last = counts.last, last > 1 { counts.append((last + branches - 1) / branches) }
        var starts = [0]
        for count in counts.reversed() { starts.append(starts[starts.count - 1] + count) }
        self.starts = starts
    }

    /// How many levels there are, the leaves being level 0.
    var levels: Int { starts.count - 1 }

    /// The positions of a level.
    func positions(ofLevel level: Int) -> Range<Int> { starts[levels - 1 - level]..<starts[levels - level] }

    /// Bytes that sealing adds to a leaf.
    package static let sealBytes = 16

    /// How many chunks there are.
    package var count: Int { starts[starts.count - 1] }
    /// Whether these are the positions of all of them.
    package func isAll(_ positions: RangeSet<Int>) -> Bool { positions.ranges.first == 0..<count }
    package var firstLeaf: Int { starts[starts.count - 2] }
    package var leaves: Range<Int> { firstLeaf..<count }

    /// The node whose list has the hash of a chunk, and the place in it; nil for the root.
    package func parent(of position: Int) -> (position: Int, slot: Int)? {
        guard position > 0, position < count, let level = starts.lastIndex(where: { $0 <= position }) else {
            return nil
        }
        let index = position - starts[level]
        return (starts[level - 1] + index / branches, index % branches)
    }

    /// The hash in a slot of a node's list.
    package static func hash(in slot: Int, of node: [UInt8]) -> Bytes32? {
        Bytes32(node[(32 * slot)..<(32 * slot + 32)])
    }

    /// The leaves below a node; a leaf itself.
    package func leaves(below position: Int) -> Range<Int> {
        guard let level = starts.dropLast().lastIndex(where: { $0 <= position }) else { return 0..<0 }
        var (low, high) = (position - starts[level], position - starts[level] + 1)
        for _ in level..<starts.count - 2 { (low, high) = (low * branches, high * branches) }
        return min(firstLeaf + low, count)..<min(firstLeaf + high, count)
    }

    /// Bytes of a chunk, a leaf's with what sealing adds.
    package func bytes(at position: Int) -> Int {
        guard position < firstLeaf else { return bytesOfFile(inLeaf: position).count + Self.sealBytes }
        guard let level = starts.lastIndex(where: { $0 <= position }) else { return 0 }
        let (index, below) = (position - starts[level], starts[level + 2] - starts[level + 1])
        return 32 * min(branches, below - index * branches)
    }

    /// The part of the file that a leaf has.
    package func bytesOfFile(inLeaf position: Int) -> Range<UInt64> {
        let start = UInt64(position - firstLeaf) * UInt64(leafBytes)
        return start..<min(size, start + UInt64(leafBytes))
    }

    /// The leaf in which a byte of the file is.
    package func leaf(ofByte offset: UInt64) -> Int {
        min(count - 1, firstLeaf + Int(min(offset, size) / UInt64(leafBytes)))
    }
}
