import TomboloCore
import TomboloCrypto
import TomboloSQLite

/// A verification of the chunks of a file on disk.
struct FileVerification {
    private let file: FileID
    private let shape: FileShape
    private let chunks: ChunkFiles
    private let cryptography = SwiftCryptography()

    init(_ file: FileID, _ chunks: ChunkFiles) {
        self.file = file
        self.chunks = chunks
        shape = FileShape(size: file.size)
    }

    /// The positions of the chunks that verify together with all chunks above them.
    func run() throws -> RangeSet<Int> {
        var held = RangeSet<Int>()
        // Consecutive chunks usually have the same node above them.
        var above: (position: Int, hashes: [UInt8])?
        for position in 0..<shape.count {
            try Task.checkCancellation()
            var expected = file.root
            if let (parent, slot) = shape.parent(of: position) {
                guard held.contains(parent) else { continue }
                if above?.position != parent { above = try chunks.read(parent, of: file).map { (parent, $0) } }
                guard let hash = above.flatMap({ FileShape.hash(in: slot, of: $0.hashes) }) else { continue }
                expected = hash
            }
            guard let bytes = try chunks.read(position, of: file), cryptography.sha256(bytes) == expected else {
                continue
            }
            held.insert(contentsOf: position..<position + 1)
        }
        return held
    }
}
