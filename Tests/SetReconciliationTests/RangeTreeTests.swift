import SetReconciliation
import Testing

@Suite("A tree that stays ordered")
struct RangeTreeTests {
    typealias Generator = RangeTests.Generator

    private func item(_ time: UInt64, _ generator: inout Generator) throws -> RangeItem {
        RangeItem(
            timestamp: time,
            id: try #require(ItemID((0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) })))
    }

    /// Compares all results of a tree with those of a sorted array of the same items.
    private func compare(_ tree: RangeTree<some RangePages>, _ items: Set<RangeItem>, _ generator: inout Generator)
        throws
    {
        let model = SortedItems(items)
        #expect(tree.count == model.count)
        for index in 0..<model.count where index.isMultiple(of: 7) { #expect(try tree[index] == model[index]) }
        for _ in 0..<50 {
            let (a, b) = (
                Int.random(in: 0...model.count, using: &generator), Int.random(in: 0...model.count, using: &generator)
            )
            let range = min(a, b)..<max(a, b)
            #expect(try tree.sum(of: range) == model.sum(of: range))
            let bound = RangeBound(
                timestamp: UInt64.random(in: 0...120, using: &generator),
                prefix: Bool.random(using: &generator) ? [] : [UInt8.random(in: 0...255, using: &generator)])
            #expect(
                try tree.firstIndex(notBelow: bound, from: range.lowerBound)
                    == model.firstIndex(notBelow: bound, from: range.lowerBound))
        }
        #expect(try tree.firstIndex(notBelow: .infinity, from: 0) == model.count)
    }

    @Test("a tree equals a sorted array after any insertions and removals", arguments: 0..<12 as Range<UInt64>)
    func model(seed: UInt64) throws {
        var generator = Generator(state: seed)
        var tree = try RangeTree()
        var items: Set<RangeItem> = []
        for round in 0..<6 {
            for _ in 0..<Int.random(in: 0...1_500, using: &generator) {
                // The items come in order, at random, or with many equal times.
                let time: UInt64 =
                    switch seed % 3 {
                    case 0: UInt64(items.count / 10)
                    case 1: UInt64.random(in: 0...100, using: &generator)
                    default: 50
                    }
                let item = try item(time, &generator)
                #expect(try tree.insert(item))
                items.insert(item)
            }
            if let some = items.first { #expect(try !tree.insert(some), "it is there already") }
            let victims = items.shuffled(using: &generator).prefix(round == 5 ? items.count : items.count / 3)
            for victim in victims {
                #expect(try tree.remove(victim))
                items.remove(victim)
            }
            if let some = victims.first { #expect(try !tree.remove(some), "it is gone already") }
            try compare(tree, items, &generator)
        }
        #expect(tree.count == 0)
    }

    @Test("a tree opens from its root number and the bytes of its pages")
    func reopened() throws {
        var generator = Generator(state: 77)
        var tree = try RangeTree(in: StoredPages())
        var items: Set<RangeItem> = []
        for number in 0..<3_000 as Range<UInt64> {
            let item = try item(number % 100, &generator)
            items.insert(item)
            try tree.insert(item)
        }
        let again = try RangeTree(opening: tree.pages, root: tree.root)
        try compare(again, items, &generator)
        #expect(throws: ReconciliationError.self) { try RangePage(bytes: [2]) }
        #expect(throws: ReconciliationError.self) { try RangePage(bytes: [0, 1, 2]) }
    }

    @Test("two trees reconcile like two sorted arrays")
    func reconcile() throws {
        var generator = Generator(state: 5)
        let common = try (0..<4_000 as Range<UInt64>).map { try item($0, &generator) }
        let (a, b) = (
            try (0..<40).map { _ in try item(7, &generator) }, try (0..<30).map { _ in try item(90, &generator) }
        )
        var one = RangeReconciler(try RangeTree(common + a), sha256: sha256)
        var other = RangeReconciler(try RangeTree((common + b).shuffled(using: &generator)), sha256: sha256)
        var (have, need): (Set<ItemID>, Set<ItemID>) = ([], [])
        var message: [UInt8]? = try one.initiate()
        while let query = message, let reply = try other.reconcile(query).reply {
            let step = try one.reconcile(reply)
            have.formUnion(step.have)
            need.formUnion(step.need)
            message = step.reply
        }
        #expect(have == Set(a.map(\.id)) && need == Set(b.map(\.id)))
    }
}

/// Pages as a database stores them: bytes by number.
private struct StoredPages: RangePages {
    private var table: [Int: [UInt8]] = [:]
    private var last = 0

    func page(_ number: Int) throws(ReconciliationError) -> RangePage {
        guard let bytes = table[number] else { throw .storage("there is no page \(number)") }
        return try RangePage(bytes: bytes)
    }

    mutating func update<Result>(
        _ number: Int, _ change: (inout RangePage) throws(ReconciliationError) -> Result
    ) throws(ReconciliationError) -> Result {
        var page = try page(number)
        defer { table[number] = page.bytes }
        return try change(&page)
    }

    mutating func allocate() -> Int {
        last += 1
        table[last] = RangePage.leaf([]).bytes
        return last
    }

    mutating func free(_ number: Int) { table[number] = nil }
}
