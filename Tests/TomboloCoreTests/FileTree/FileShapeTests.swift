import Testing
import TomboloCore
import TomboloCrypto

@Suite("The shape of a file's tree") struct FileShapeTests {
    /// Every chunk but the root has its hash in the chunk, and at the place, that the shape states. This holds for
    /// every size.
    @Test(arguments: [2, 3, 5]) func everyChunkIsInTheListOfTheOneAboveIt(branches: Int) throws {
        for size in UInt64(0)...200 {
            let shape = FileShape(size: size, leafBytes: 3, branches: branches)
            let cryptography = SwiftCryptography()
            var tree = FileTreeBuilder(shape, using: cryptography)
            var chunks: [Int: [UInt8]] = [:]
            for leaf in shape.leaves {
                #expect(tree.root == nil)
                let part = shape.bytesOfFile(inLeaf: leaf)
                chunks[leaf] = Array(part.map { UInt8($0) }) + [UInt8](repeating: 0, count: FileShape.sealBytes)
                for node in tree.append(cryptography.sha256(chunks[leaf] ?? [])) {
                    #expect(chunks.updateValue(node.bytes, forKey: node.position) == nil)
                }
            }
            #expect(chunks.keys.sorted() == Array(0..<shape.count))
            for position in 0..<shape.count {
                let chunk = try #require(chunks[position])
                #expect(chunk.count == shape.bytes(at: position), "size \(size), position \(position)")
                let hash = cryptography.sha256(chunk)
                guard let (parent, slot) = shape.parent(of: position) else {
                    #expect(position == 0 && hash == tree.root)
                    continue
                }
                #expect(Array(try #require(chunks[parent])[(32 * slot)..<(32 * slot + 32)]) == hash.bytes)
                #expect(shape.leaves(below: parent).contains(shape.leaves(below: position).lowerBound))
            }
            #expect(shape.leaves.reduce(0) { $0 + shape.bytesOfFile(inLeaf: $1).count } == Int(size))
            for offset in 0..<size { #expect(shape.bytesOfFile(inLeaf: shape.leaf(ofByte: offset)).contains(offset)) }
        }
    }

    @Test func theLeavesBelowANodeAreThoseThatLeadToIt() {
        let shape = FileShape(size: 100, leafBytes: 3, branches: 3)
        for position in 0..<shape.count {
            let below = shape.leaves.filter { leaf in
                var node = leaf
                while node > position, let parent = shape.parent(of: node)?.position { node = parent }
                return node == position
            }
            #expect(Array(shape.leaves(below: position)) == below)
        }
    }

    @Test func aFileOfTheLargestSizeHasAShape() throws {
        let shape = FileShape(size: Limits.file)
        let last = shape.count - 1
        #expect(shape.bytesOfFile(inLeaf: last).upperBound == Limits.file)
        #expect(shape.bytes(at: 0) <= Limits.chunk)
        #expect(FileID(size: Limits.file, root: .zero) != nil)
        #expect(FileID(size: Limits.file + 1, root: .zero) == nil)
    }

    @Test func namesCanBeWrittenAndRead() throws {
        let id = try #require(FileID(size: 1_234_567, root: SwiftCryptography().sha256([1])))
        #expect(FileID(id.description) == id)
        #expect(FileID(id.bytes[...]) == id)
        for text in [
            "", "-", "12-34", id.description + "0000000000000", id.description.dropLast(8) + "x", "a" + id.description,
        ] {
            #expect(FileID(String(text)) == nil, "\(text)")
        }
        #expect(FileID(id.bytes.dropLast()) == nil)
    }

    @Test(arguments: [0, 1, 700]) func aChunkIsEncodedAsAnythingElseIs(number: Int) throws {
        let id = try #require(FileID(size: 300_000_000, root: SwiftCryptography().sha256([7])))
        for (position, bytes) in [
            (0, [UInt8](repeating: 3, count: 90)), (4_000, [UInt8](repeating: 9, count: Limits.chunk)),
        ] {
            var sync = GroupSync(number: number)
            sync.files = [FileMessage.chunk(id, position, bytes[...]).encoded[...]]
            var payload = Payload()
            payload.groups = [sync]
            let encoded = Payload.encodedChunk(bytes, at: position, of: id, number: number)
            #expect(encoded == payload.encoded)
            #expect(encoded.count <= Limits.frame)
        }
    }

    /// Messages about files survive coding. Other bytes are refused or decoded without any further effect.
    @Test(arguments: [UInt64(1), 2, 3]) func messagesSurviveTheWireAndNoiseIsHarmless(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let id = try #require(FileID(size: 300_000_000, root: SwiftCryptography().sha256([7])))
        let count = FileShape(size: id.size).count
        var ranges = RangeSet<Int>()
        for _ in 0..<20 {
            let start = Int.random(in: 0..<count - 10, using: &generator)
            ranges.insert(contentsOf: start..<start + Int.random(in: 1...10, using: &generator))
        }
        let messages: [FileMessage] = [
            .want(id), .have(id, ranges), .have(id, RangeSet()), .request(id, ranges),
            .chunk(id, count - 1, [1, 2, 3]),
            .decline(id, 5), .doubt(id, 0), .enough(id, isFinal: true), .enough(id, isFinal: false),
        ]
        for message in messages {
            let bytes = message.encoded
            #expect(try FileMessage(decoding: bytes[...]) == message)
            for _ in 0..<2_000 {
                var noise = bytes
                for _ in 0..<Int.random(in: 1...4, using: &generator) {
                    noise[Int.random(in: noise.indices, using: &generator)] = UInt8.random(
                        in: 0...255, using: &generator)
                }
                if Bool.random(using: &generator) {
                    noise.removeLast(Int.random(in: 0..<noise.count, using: &generator))
                }
                guard let read = try? FileMessage(decoding: noise[...]) else { continue }
                #expect(try FileMessage(decoding: read.encoded[...]) == read)
            }
        }
        #expect(throws: WireError.self) { try FileMessage(decoding: FileMessage.decline(id, count).encoded[...]) }
        #expect(throws: WireError.self) { try FileMessage(decoding: (FileMessage.want(id).encoded + [0])[...]) }
    }
}
