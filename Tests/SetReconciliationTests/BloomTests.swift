import SetReconciliation
import Testing

@Suite("Reconciliation by Bloom filters in one datagram")
struct BloomTests {
    typealias Generator = RangeTests.Generator

    private func items(_ count: Int, _ generator: inout Generator) throws -> [RangeItem] {
        try (0..<count).map { number in
            RangeItem(
                timestamp: UInt64(number / 2),
                id: try #require(ItemID((0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) })))
        }
    }

    @Test(
        "repeated questions find everything, and each question fits into a datagram",
        arguments: [BloomQuery.Choice.modulo, .pivot], [0, 500, 5_000])
    func everything(choice: BloomQuery.Choice, common: Int) throws {
        var generator = Generator(state: 3)
        let all = try items(common + 60, &generator)
        // For `modulo` the missing items are anywhere, for `pivot` they are recent.
        let missing = Set(choice == .modulo ? Array(all.shuffled(using: &generator).prefix(60)) : Array(all.suffix(60)))
        let theirs = SortedItems(all)
        var ours = Set(all).subtracting(missing)
        var rounds = 0
        while ours.count < all.count {
            rounds += 1
            try #require(rounds < 400, "\(all.count - ours.count) are missing still")
            let query = try BloomQuery(over: SortedItems(ours), choice, using: &generator)
            #expect(query.bytes.count <= 1_270)
            let received = try BloomQuery(bytes: query.bytes)
            #expect(received == query)
            for index in try received.missing(in: theirs, limit: 20) {
                #expect(missing.contains(theirs[index]), "what is held is never sent again")
                ours.insert(theirs[index])
            }
        }
    }

    @Test("about one element in a hundred is a false positive, and another salt gives other ones")
    func error() throws {
        var generator = Generator(state: 4)
        let all = try items(1_000, &generator)
        let strangers = try items(20_000, &generator)
        var mistaken: [Set<ItemID>] = []
        for salt in 0..<2 as Range<UInt64> {
            var filter = BloomFilter(bytes: 1_200, hashes: 7, salt: salt)
            for item in all { filter.insert(item.id) }
            #expect(all.allSatisfy { filter.mayContain($0.id) })
            mistaken.append(Set(strangers.map(\.id).filter { filter.mayContain($0) }))
            #expect((100...320).contains(mistaken[Int(salt)].count))
        }
        #expect(mistaken[0].intersection(mistaken[1]).count < 20)
    }

    @Test("damaged queries are refused or answered", arguments: 0..<4 as Range<UInt64>)
    func hostile(seed: UInt64) throws {
        var generator = Generator(state: seed)
        let storage = SortedItems(try items(3_000, &generator))
        let sound = try BloomQuery(over: storage, .modulo, using: &generator).bytes
        for _ in 0..<300 {
            var bytes = sound
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                bytes[Int.random(in: 0..<min(40, bytes.count), using: &generator)] = UInt8.random(
                    in: 0...255, using: &generator)
            }
            if Bool.random(using: &generator) { bytes.removeLast(Int.random(in: 0...bytes.count, using: &generator)) }
            guard let query = try? BloomQuery(bytes: bytes) else { continue }
            #expect(try query.missing(in: storage, limit: 10).count <= 10)
        }
    }
}
