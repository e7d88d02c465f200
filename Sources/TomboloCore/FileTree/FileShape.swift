/// The positions of a file's chunks in its hash tree (protocol 2.9-3).
///
/// The leaves are the encrypted pieces of the file. Every other node lists the hashes of its children. *Positions*
/// count the nodes from the root, level by level: the root is 0, and the leaves come last. All of them follow from the
/// file's size.
package struct FileShape: Sendable {
    package let size: UInt64
    /// The bytes of the file in one full leaf.
    private let leafBytes: Int
    /// The children of one full node.
    let branches: Int
    /// The position at which each level begins, from the root down, and then the number of all chunks.
    private let starts: [Int]

    /// - Parameters:
    ///   - size: the file's size in bytes.
    ///   - leafBytes, branches: other values than the protocol's, for tests.
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

    /// The number of levels. The leaves are level 0.
    var levels: Int { starts.count - 1 }

    /// The positions of a level.
    func positions(ofLevel level: Int) -> Range<Int> { starts[levels - 1 - level]..<starts[levels - level] }

    /// The bytes that encryption adds to a piece.
    package static let sealBytes = 16

    /// The number of chunks.
    package var count: Int { starts[starts.count - 1] }
    /// Whether these are the positions of all chunks.
    package func isAll(_ positions: RangeSet<Int>) -> Bool { positions.ranges.first == 0..<count }
    package var firstLeaf: Int { starts[starts.count - 2] }
    package var leaves: Range<Int> { firstLeaf..<count }

    /// The node that lists the hash of a chunk, and the chunk's place in that list; nil for the root.
    package func parent(of position: Int) -> (position: Int, slot: Int)? {
        guard position > 0, position < count, let level = starts.lastIndex(where: { $0 <= position }) else {
            return nil
        }
        let index = position - starts[level]
        return (starts[level - 1] + index / branches, index % branches)
    }

    /// The hash at a place of a node's list.
    package static func hash(in slot: Int, of node: [UInt8]) -> Bytes32? {
        Bytes32(node[(32 * slot)..<(32 * slot + 32)])
    }

    /// The leaves below a node. A leaf is below itself.
    package func leaves(below position: Int) -> Range<Int> {
        guard let level = starts.dropLast().lastIndex(where: { $0 <= position }) else { return 0..<0 }
        var (low, high) = (position - starts[level], position - starts[level] + 1)
        for _ in level..<starts.count - 2 { (low, high) = (low * branches, high * branches) }
        return min(firstLeaf + low, count)..<min(firstLeaf + high, count)
    }

    /// The number of bytes of a chunk, including what encryption adds to a leaf.
    package func bytes(at position: Int) -> Int {
        guard position < firstLeaf else { return bytesOfFile(inLeaf: position).count + Self.sealBytes }
        guard let level = starts.lastIndex(where: { $0 <= position }) else { return 0 }
        let (index, below) = (position - starts[level], starts[level + 2] - starts[level + 1])
        return 32 * min(branches, below - index * branches)
    }

    /// The part of the file that a leaf contains.
    package func bytesOfFile(inLeaf position: Int) -> Range<UInt64> {
        let start = UInt64(position - firstLeaf) * UInt64(leafBytes)
        return start..<min(size, start + UInt64(leafBytes))
    }

    /// The leaf that contains a byte of the file. Beyond the file's end it is the last leaf.
    package func leaf(ofByte offset: UInt64) -> Int {
        min(count - 1, firstLeaf + Int(min(offset, size) / UInt64(leafBytes)))
    }
}
