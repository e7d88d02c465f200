import SetReconciliation
import Testing

@Suite("Reconciliation by ranges")
struct RangeTests {
    struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var z = state
            z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
            z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
            return z ^ (z >> 31)
        }
    }

    private func item(_ timestamp: UInt64, _ generator: inout Generator) throws -> RangeItem {
        let bytes = (0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }
        return RangeItem(timestamp: timestamp, id: try #require(ItemID(bytes)))
    }

    @Test("reconciliation finds the plain difference of the sets", arguments: 0..<40 as Range<UInt64>)
    func model(seed: UInt64) throws {
        var generator = Generator(state: seed)
        let sizes = [0, 1, 31, 32, 33, 500, 2_000]
        let span: UInt64 = [1, 3, 1_000, 1 << 40][Int(seed % 4)]
        var (a, b): (Set<RangeItem>, Set<RangeItem>) = ([], [])
        for _ in 0..<(sizes.randomElement(using: &generator) ?? 0) {
            let item = try item(generator.next() % span, &generator)
            a.insert(item)
            b.insert(item)
        }
        for _ in 0..<(sizes.randomElement(using: &generator) ?? 0) {
            a.insert(try item(generator.next() % span, &generator))
        }
        for _ in 0..<(sizes.randomElement(using: &generator) ?? 0) {
            b.insert(try item(generator.next() % span, &generator))
        }
        let limit = [0, 4_096, 10_000][Int(seed % 3)]
        var one = RangeReconciler(SortedItems(a), frameLimit: limit, sha256: sha256)
        var other = RangeReconciler(SortedItems(b), frameLimit: limit, sha256: sha256)
        var (have, need): ([ItemID], [ItemID]) = ([], [])
        var message: [UInt8]? = try one.initiate()
        var rounds = 0
        while let query = message {
            rounds += 1
            try #require(rounds < 500, "seed \(seed) does not end")
            let reply = try #require(try other.reconcile(query).reply)
            #expect(limit == 0 || reply.count <= limit, "seed \(seed)")
            let step = try one.reconcile(reply)
            have += step.have
            need += step.need
            message = step.reply
        }
        #expect(Set(have) == Set(a.subtracting(b).map(\.id)), "seed \(seed)")
        #expect(Set(need) == Set(b.subtracting(a).map(\.id)), "seed \(seed)")
    }

    @Test("damaged messages are refused or answered without a crash", arguments: 0..<8 as Range<UInt64>)
    func mutations(seed: UInt64) throws {
        var generator = Generator(state: 1_000 + seed)
        let items = try (0..<300).map { try item($0, &generator) }
        var one = RangeReconciler(SortedItems(items.dropFirst(7)), frameLimit: 4_096, sha256: sha256)
        var other = RangeReconciler(SortedItems(items.dropLast(9)), frameLimit: 4_096, sha256: sha256)
        let query = try one.initiate()
        let reply = try #require(try other.reconcile(query).reply)
        for _ in 0..<400 {
            var damaged = Bool.random(using: &generator) ? query : reply
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let place = Int.random(in: 0..<damaged.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: damaged[place] = UInt8.random(in: 0...255, using: &generator)
                case 1: damaged.removeSubrange(place...)
                default: damaged.insert(UInt8.random(in: 0...255, using: &generator), at: place)
                }
                if damaged.isEmpty { damaged = [0x61] }
            }
            for isInitiator in [true, false] {
                do throws(ReconciliationError) {
                    let step = isInitiator ? try one.reconcile(damaged) : try other.reconcile(damaged)
                    #expect(step.reply?.count ?? 0 <= 4_096)
                } catch {
                    #expect(!error.description.isEmpty)
                }
            }
        }
    }

    @Test("a responder answers another version with its own, and an initiator throws")
    func versions() throws {
        var one = RangeReconciler(SortedItems([]), sha256: sha256)
        #expect(try one.reconcile([0x62, 1, 2, 3]).reply == [0x61])
        _ = try one.initiate()
        #expect(throws: ReconciliationError.unsupportedVersion(0x62)) { try one.reconcile([0x62]) }
        #expect(throws: ReconciliationError.self) { try one.reconcile([]) }
    }
}
