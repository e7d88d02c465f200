import TomboloCore
@testable import TomboloSimulation

/// A file of random bytes with all its chunks.
struct FrozenFile: Sendable {
    let id: FileID
    let chunks: [Int: [UInt8]]
    var all: RangeSet<Int> { RangeSet([0..<FileShape(size: id.size).count]) }

    init?(bytes size: Int, seed: UInt64) {
        let cryptography = StandInCryptography()
        var generator = SeededGenerator(seed: seed)
        let shape = FileShape(size: UInt64(size))
        var tree = FileTreeBuilder(shape, using: cryptography)
        var chunks: [Int: [UInt8]] = [:]
        for leaf in shape.leaves {
            let words = (0..<(shape.bytes(at: leaf) + 7) / 8).map { _ in generator.next().littleEndian }
            let bytes = words.withUnsafeBytes { Array($0.prefix(shape.bytes(at: leaf))) }
            chunks[leaf] = bytes
            for node in tree.append(cryptography.sha256(bytes)) { chunks[node.position] = node.bytes }
        }
        guard let root = tree.root, let id = FileID(size: UInt64(size), root: root) else { return nil }
        self.id = id
        self.chunks = chunks
    }

    /// Puts chunks into a store, as an application does before it tells the engine.
    func write(_ positions: RangeSet<Int>, into store: MemoryStore) {
        for position in positions.ranges.joined() {
            store.setChunk(chunks[position]?[...] ?? [], at: position, of: id)
        }
    }

    /// The files of every transcript: empty, of one chunk, of a few, of many.
    static let all: [FrozenFile] = [0, 900, 70_000, 140_000, 200_001, 400_000, 650_000, 1_300_000].enumerated()
        .compactMap { FrozenFile(bytes: $0.element, seed: UInt64($0.offset) + 1) }
}
