import Testing
import TomboloCrypto

@testable import TomboloCore

@Suite("A fetch of a file")
struct FileFetchTests {
    private func fetch(_ size: UInt64, held: RangeSet<Int> = RangeSet()) throws -> FileFetch {
        let id = try #require(FileID(size: size, root: SwiftCryptography().sha256([1])))
        return FileFetch(FileRecord(id: id, want: .asked, held: held))
    }

    /// Random positions, in ranges.
    private func random(below count: Int, _ generator: inout SeededGenerator) -> RangeSet<Int> {
        var positions = RangeSet<Int>()
        for _ in 0..<Int.random(in: 0...6, using: &generator) {
            let start = Int.random(in: 0..<count, using: &generator)
            positions.insert(contentsOf: start..<min(count, start + Int.random(in: 1...700, using: &generator)))
        }
        if Bool.random(using: &generator) { positions.insert(contentsOf: 0..<3) }
        return positions
    }

    /// The highest missing node above a position, or the position itself.
    private func first(_ position: Int, _ shape: FileShape, held: RangeSet<Int>) -> Int {
        var (position, first) = (position, position)
        while let parent = shape.parent(of: position)?.position {
            if !held.contains(parent) { first = parent }
            position = parent
        }
        return first
    }

    @Test("choosing agrees with a simple model, and ends with the whole file", arguments: 1...5 as ClosedRange<UInt64>)
    func model(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        // A root, two nodes and some more than 2,048 leaves.
        var fetch = try fetch(65_520 * 2_100)
        let count = fetch.shape.count
        #expect(count == 2_103)
        for round in 0..<40 {
            fetch.cursor = Int.random(in: fetch.shape.leaves, using: &generator)
            let theirs = round < 36 ? random(below: count, &generator) : RangeSet(0..<count)
            let open = theirs.subtracting(fetch.held).subtracting(fetch.asked)
            let missing = theirs.subtracting(fetch.held)
            let helps = missing.ranges.joined().contains {
                theirs.contains(first($0, fetch.shape, held: fetch.held))
            }
            #expect(fetch.isHelped(by: theirs) == helps)
            let steps = Set(open.ranges.joined().map { first($0, fetch.shape, held: fetch.held) })
            let allowed = steps.filter { open.contains($0) }
            let limit = Int.random(in: 1...500, using: &generator)
            let chosen = fetch.choose(from: theirs, limit: limit)
            #expect(Set(chosen).isSubset(of: allowed) && Set(chosen).count == chosen.count)
            #expect(chosen.count == min(limit, allowed.count))
            #expect(chosen.allSatisfy { fetch.asked.contains($0) })
            // Most of them arrive.
            var arrived = RangeSet<Int>()
            for position in chosen where Int.random(in: 0..<8, using: &generator) > 0 { arrived.insert(position) }
            fetch.receive(arrived)
            for position in chosen where !arrived.contains(position) { fetch.asked.remove(position) }
            if round == 20, let lost = fetch.held.ranges.last?.lowerBound { fetch.lose(lost) }
        }
        var rounds = 0
        while !fetch.isComplete, rounds < 10 {
            rounds += 1
            let chosen = fetch.choose(from: RangeSet(0..<count), limit: count)
            fetch.receive(RangeSet(chosen.map { $0..<$0 + 1 }))
        }
        #expect(fetch.isComplete && fetch.fresh.positions == count)
        #expect(!fetch.isHelped(by: RangeSet(0..<count)))
    }

    @Test("leaves are chosen from the cursor on, and then from the first")
    func cursor() throws {
        var fetch = try fetch(65_520 * 10, held: RangeSet(0..<1))
        fetch.cursor = 5
        let all = RangeSet(0..<11)
        #expect(fetch.choose(from: all, limit: 3) == [5, 6, 7])
        #expect(fetch.choose(from: all, limit: 20) == [8, 9, 10, 1, 2, 3, 4])
        #expect(fetch.choose(from: all, limit: 20) == [])
        // A chunk that was requested helps all the same.
        #expect(fetch.isHelped(by: all))
    }

    @Test("leaves without the node above them are of no use")
    func withoutNode() throws {
        var fetch = try fetch(65_520 * 10)
        #expect(!fetch.isHelped(by: RangeSet(1..<11)))
        #expect(fetch.choose(from: RangeSet(1..<11), limit: 5) == [])
        #expect(fetch.isHelped(by: RangeSet(0..<3)))
        #expect(fetch.choose(from: RangeSet(0..<3), limit: 5) == [0])
    }

    @Test("a lost chunk is chosen again, and nothing below it before")
    func lose() throws {
        var fetch = try fetch(65_520 * 10, held: RangeSet(0..<11))
        #expect(fetch.isComplete)
        fetch.lose(7)
        #expect(!fetch.isComplete && fetch.choose(from: RangeSet(0..<11), limit: 5) == [7])
        fetch.asked.remove(7)
        fetch.lose(0)
        #expect(fetch.choose(from: RangeSet(0..<11), limit: 5) == [0])
    }

    @Test("a lost node's hashes verify nothing more")
    func hashes() throws {
        let file = try MadeFile(bytes: 200_000, seed: 2)
        let store = MemoryStore()
        file.write(file.all, into: store)
        var fetch = FileFetch(FileRecord(id: file.id, want: .asked, held: file.all))
        let leaf = try #require(file.chunks[2])
        #expect(try fetch.hash(of: 0, in: store) == file.id.root)
        #expect(try fetch.hash(of: 2, in: store) == SwiftCryptography().sha256(leaf))
        fetch.lose(0)
        #expect(try fetch.hash(of: 2, in: store) == nil)
    }
}
