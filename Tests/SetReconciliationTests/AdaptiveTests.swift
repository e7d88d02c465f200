import SetReconciliation
import TestSupport
import Testing

@Suite("Adaptive reconciliation")
struct AdaptiveTests {
    typealias Generator = RangeTests.Generator
    private let key = SipHashKey(11, 12)

    private func item(_ time: UInt64, _ generator: inout Generator) throws -> RangeItem {
        RangeItem(
            timestamp: time,
            id: try #require(ItemID((0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) })))
    }

    private struct Outcome {
        var have: Set<ItemID> = []
        var need: Set<ItemID> = []
        var bytes = 0
        var roundTrips = 0
        var usedRanges = false
    }

    private func run(
        _ one: consuming some Reconciler, _ other: consuming some Reconciler, change: ([UInt8]) -> [UInt8] = { $0 }
    ) throws -> Outcome {
        var (outcome, one, other) = (Outcome(), one, other)
        var message: [UInt8]? = try one.initiate()
        while let query = message {
            try #require(outcome.roundTrips < 200, "it does not end")
            guard let reply = try other.reconcile(query).reply else { break }
            outcome.roundTrips += 1
            outcome.bytes += query.count + reply.count
            outcome.usedRanges = outcome.usedRanges || query.first == 4 || reply.first == 7
            let step = try one.reconcile(change(reply))
            outcome.have.formUnion(step.have)
            outcome.need.formUnion(step.need)
            message = step.reply
        }
        return outcome
    }

    private func reconciler(
        _ items: some Sequence<RangeItem>, mostCells: Int = 4_096, isKnownToDiffer: Bool = false
    ) -> AdaptiveReconciler<SortedItems> {
        AdaptiveReconciler(
            SortedItems(items, indexesIDs: isKnownToDiffer), key: key,
            options: AdaptiveOptions(isKnownToDiffer: isKnownToDiffer, mostCells: mostCells), sha256: sha256)
    }

    @Test("reconciliation finds the plain difference", arguments: Tier.seeds(30, long: 300))
    func model(seed: UInt64) throws {
        var generator = Generator(state: seed)
        let sizes = [0, 1, 5, 40, 300, 3_000]
        let common = try (0..<[0, 20, 2_000][Int(seed % 3)]).map { try item(UInt64($0), &generator) }
        let a = try (0..<(sizes.randomElement(using: &generator) ?? 0)).map { _ in try item(7, &generator) }
        let b = try (0..<(sizes.randomElement(using: &generator) ?? 0)).map { _ in try item(90, &generator) }
        for isKnownToDiffer in [false, true] {
            let outcome = try run(
                reconciler(common + a, isKnownToDiffer: isKnownToDiffer), reconciler(common + b))
            #expect(outcome.have == Set(a.map(\.id)) && outcome.need == Set(b.map(\.id)), "seed \(seed)")
        }
    }

    @Test(
        "each placement uses the cheaper method: ranges for many differences close together, cells for scattered ones"
    )
    func placement() throws {
        var generator = Generator(state: 4)
        let common = try (0..<20_000 as Range<UInt64>).map { try item($0, &generator) }
        let recent = try (0..<3_000 as Range<UInt64>).map { try item(20_000 + $0, &generator) }
        let spread = try (0..<3_000 as Range<UInt64>).map { try item(6 * $0, &generator) }
        let close = try run(reconciler(common + recent, mostCells: 65_536, isKnownToDiffer: true), reconciler(common))
        #expect(close.usedRanges && close.have.count == 3_000 && close.bytes < 34 * 3_000)
        let scattered = try run(
            reconciler(common, mostCells: 65_536, isKnownToDiffer: true),
            reconciler(common + spread, mostCells: 65_536))
        #expect(!scattered.usedRanges && scattered.need.count == 3_000 && scattered.bytes < 66 * 3_000)
    }

    @Test("ids with the same first eight bytes cancel out in cells and are found by ranges")
    func alike() throws {
        var generator = Generator(state: 5)
        let common = try (0..<300 as Range<UInt64>).map { try item($0, &generator) }
        let one = try item(7, &generator)
        let other = RangeItem(
            timestamp: 7, id: try #require(ItemID(one.id.bytes[..<8] + [UInt8](repeating: 1, count: 24))))
        let outcome = try run(reconciler(common + [one, other], isKnownToDiffer: true), reconciler(common))
        #expect(outcome.have == [one.id, other.id] && outcome.usedRanges)
        #expect(outcome.bytes < 30_000)
    }

    @Test("equal sets cost a summary, few differences one packet, a one-sided difference one round trip and the ids")
    func costs() throws {
        var generator = Generator(state: 1)
        let common = try (0..<5_000 as Range<UInt64>).map { try item($0, &generator) }
        let equal = try run(reconciler(common), reconciler(common))
        #expect(equal.bytes <= 40 && equal.roundTrips == 1)
        let few = try (0..<8).map { _ in try item(3, &generator) }
        let behind = try run(reconciler(common + few), reconciler(common))
        #expect(behind.have.count == 8 && behind.bytes <= 36 + 52 * 14 + 60 && behind.roundTrips == 1)
        let many = try (0..<2_000).map { _ in try item(3, &generator) }
        let ahead = try run(reconciler(common), reconciler(common + many))
        #expect(ahead.need.count == 2_000 && ahead.roundTrips == 2 && !ahead.usedRanges)
        #expect(ahead.bytes <= 2_000 * (40 + 21))
    }

    @Test("differences beyond the bound on cells are found by ranges")
    func tooMany() throws {
        var generator = Generator(state: 2)
        let a = try (0..<3_000).map { _ in try item(7, &generator) }
        let b = try (0..<3_000).map { _ in try item(8, &generator) }
        let outcome = try run(reconciler(a, mostCells: 512), reconciler(b, mostCells: 512))
        #expect(outcome.usedRanges)
        #expect(outcome.have == Set(a.map(\.id)) && outcome.need == Set(b.map(\.id)))
    }

    @Test("a sketch that is kept up to date under the same key is used")
    func warm() throws {
        var generator = Generator(state: 3)
        let common = try (0..<500 as Range<UInt64>).map { try item($0, &generator) }
        let extra = try item(9, &generator)
        var sketch = RatelessSketch<UInt64>(count: 64, key: key)
        for item in common { sketch.insert(item.id.short) }
        let outcome = try run(
            reconciler(common + [extra]),
            AdaptiveReconciler(SortedItems(common), sketch: sketch, key: key, sha256: sha256))
        #expect(outcome.have == [extra.id] && outcome.need.isEmpty)
    }

    @Test("repeated queries and duplicate answers change nothing", arguments: Tier.seeds(12, long: 120))
    func repeated(seed: UInt64) throws {
        var generator = Generator(state: 700 + seed)
        let common = try (0..<600 as Range<UInt64>).map { try item($0, &generator) }
        let a = try (0..<Int(seed) * 9).map { _ in try item(7, &generator) }
        let b = try (0..<150 - Int(seed) * 9).map { try item(600 + UInt64($0), &generator) }
        func check(_ one: consuming some Reconciler, _ other: consuming some Reconciler) throws {
            var (one, other) = (one, other)
            var (have, need): (Set<ItemID>, Set<ItemID>) = ([], [])
            var message: [UInt8]? = try one.initiate()
            while let query = message {
                // The first answer is lost, so the query is sent again.
                let first = try other.reconcile(query).reply
                guard let reply = try other.reconcile(query).reply else { break }
                #expect(reply == first, "seed \(seed)")
                let step = try one.reconcile(reply)
                have.formUnion(step.have)
                need.formUnion(step.need)
                // The answer arrives once more. It must be refused or yield nothing new.
                if let again = try? one.reconcile(reply) {
                    #expect(Set(again.have).isSubset(of: a.map(\.id)) && Set(again.need).isSubset(of: b.map(\.id)))
                }
                message = step.reply
            }
            #expect(have == Set(a.map(\.id)) && need == Set(b.map(\.id)), "seed \(seed)")
        }
        try check(reconciler(common + a, isKnownToDiffer: true), reconciler(common + b))
        try check(
            RangeReconciler(SortedItems(common + a), sha256: sha256),
            RangeReconciler(SortedItems(common + b), sha256: sha256))
    }

    @Test("false cells lead to ranges or an error, never to a wrong difference", arguments: Tier.seeds(40, long: 400))
    func lies(seed: UInt64) throws {
        var generator = Generator(state: 100 + seed)
        let common = try (0..<400 as Range<UInt64>).map { try item($0, &generator) }
        let (a, b) = (
            try (0..<9).map { _ in try item(7, &generator) }, try (0..<12).map { _ in try item(8, &generator) }
        )
        do throws(any Error) {
            let outcome = try run(reconciler(common + a), reconciler(common + b)) { reply in
                guard let kind = reply.first, kind != 4, reply.count > 40 else { return reply }
                var reply = reply
                // The summary stays intact. It states the other side's set, and a lie about it cannot be detected.
                let place = Int.random(in: (kind == 2 ? 36 : 1)..<reply.count, using: &generator)
                reply[place] ^= UInt8.random(in: 1...255, using: &generator)
                return reply
            }
            #expect(outcome.have == Set(a.map(\.id)) && outcome.need == Set(b.map(\.id)), "seed \(seed)")
        } catch {
            #expect(error is ReconciliationError)
        }
    }

    @Test("arbitrary messages are refused or answered in both roles", arguments: 0..<10 as Range<UInt64>)
    func hostile(seed: UInt64) throws {
        var generator = Generator(state: 900 + seed)
        let items = try (0..<200 as Range<UInt64>).map { try item($0, &generator) }
        for _ in 0..<300 {
            let message = (0..<Int.random(in: 0...90, using: &generator)).map { position in
                position == 0
                    ? UInt8.random(in: 0...8, using: &generator) : UInt8.random(in: 0...255, using: &generator)
            }
            var (one, other) = (reconciler(items, isKnownToDiffer: true), reconciler(items))
            _ = try one.initiate()
            _ = try? one.reconcile(message)
            _ = try? other.reconcile(message)
        }
    }
}
