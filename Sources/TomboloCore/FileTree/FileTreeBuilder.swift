/// Builds the nodes above a file's leaves, leaf by leaf.
package struct FileTreeBuilder<Crypto: Cryptography> {
    private let shape: FileShape
    private let cryptography: Crypto
    /// For each level, from the leaves up: the hashes that no node lists yet, and the number of chunks so far.
    private var levels: [(hashes: [UInt8], made: Int)]
    /// The root's hash; nil before the last leaf.
    package private(set) var root: Bytes32?

    package init(_ shape: FileShape, using cryptography: Crypto) {
        self.shape = shape
        self.cryptography = cryptography
        levels = Array(repeating: ([], 0), count: shape.levels)
    }

    /// Adds the hash of the next leaf.
    ///
    /// - Returns: the nodes that this leaf completes.
    package mutating func append(_ leaf: Bytes32) -> [(position: Int, bytes: [UInt8])] {
        var nodes: [(position: Int, bytes: [UInt8])] = []
        var hash = leaf
        for level in levels.indices {
            levels[level].made += 1
            guard level + 1 < levels.count else {
                root = hash
                break
            }
            hash.append(to: &levels[level].hashes)
            let isComplete = levels[level].made == shape.positions(ofLevel: level).count
            guard isComplete || levels[level].hashes.count == 32 * shape.branches else { break }
            let bytes = levels[level].hashes
            levels[level].hashes = []
            nodes.append((shape.positions(ofLevel: level + 1).lowerBound + levels[level + 1].made, bytes))
            hash = cryptography.sha256(bytes)
        }
        return nodes
    }
}
