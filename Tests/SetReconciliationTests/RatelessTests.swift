import SetReconciliation
import Testing

@Suite("Reconciliation by rateless coded symbols")
struct RatelessTests {
    typealias Generator = RangeTests.Generator

    /// Creates two sets with `common` elements in common, and further elements on one side only.
    private func sets(
        common: Int, remote: Int, local: Int, _ generator: inout Generator
    ) -> (remote: Set<UInt64>, local: Set<UInt64>) {
        func fresh(_ count: Int, _ generator: inout Generator) -> [UInt64] { (0..<count).map { _ in generator.next() } }
        let shared = fresh(common, &generator)
        return (Set(shared + fresh(remote, &generator)), Set(shared + fresh(local, &generator)))
    }

    @Test("SipHash-2-4 agrees with its authors' test vector for eight bytes")
    func sipHash() {
        // Key 00…0f, message 00…07 (Aumasson, Bernstein, vectors_sip64[8]).
        let key = SipHashKey(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908)
        #expect((0x0706_0504_0302_0100 as UInt64).hash(key: key) == 0x93f5_f579_9a93_2462)
    }

    @Test("decoding finds the plain difference, with few symbols", arguments: 0..<40 as Range<UInt64>)
    func model(seed: UInt64) throws {
        var generator = Generator(state: seed)
        let sizes = [0, 1, 2, 10, 100, 1_000]
        let (remote, local) = sets(
            common: [0, 1, 5_000][Int(seed % 3)], remote: sizes.randomElement(using: &generator) ?? 0,
            local: sizes.randomElement(using: &generator) ?? 0, &generator)
        let key = SipHashKey(generator.next(), generator.next())
        var theirs = RatelessEncoder(remote, key: key)
        var ours = RatelessEncoder(local, key: key)
        var decoder = RatelessDecoder<UInt64>(key: key)
        let difference = remote.symmetricDifference(local).count
        while !decoder.isComplete {
            try decoder.append(theirs.next(), ours.next())
            try #require(decoder.cellCount <= 3 * difference + 50, "seed \(seed)")
        }
        #expect(Set(decoder.remote) == remote.subtracting(local), "seed \(seed)")
        #expect(Set(decoder.local) == local.subtracting(remote), "seed \(seed)")
        #expect(decoder.remote.count + decoder.local.count == difference, "seed \(seed)")
    }

    @Test("a sketch that is kept up to date has the cells of a newly encoded set")
    func kept() {
        var generator = Generator(state: 7)
        let key = SipHashKey(generator.next(), generator.next())
        let (one, other) = sets(common: 500, remote: 90, local: 40, &generator)
        var sketch = RatelessSketch(of: one, count: 300, key: key)
        for symbol in one.subtracting(other) { sketch.remove(symbol) }
        for symbol in other.subtracting(one) { sketch.insert(symbol) }
        var encoder = RatelessEncoder(other, key: key)
        #expect(sketch.cells == (0..<300).map { _ in encoder.next() })
        #expect(sketch.size == other.count)
    }

    @Test("for 1,000 differences and more, at most 1.4 symbols a difference", arguments: [1_000, 5_000])
    func density(difference: Int) throws {
        var generator = Generator(state: UInt64(difference))
        var total = 0
        for _ in 0..<5 {
            let key = SipHashKey(generator.next(), generator.next())
            let (remote, local) = sets(common: 0, remote: difference / 2, local: difference / 2, &generator)
            let theirs = RatelessSketch(of: remote, count: 2 * difference, key: key).cells
            let ours = RatelessSketch(of: local, count: 2 * difference, key: key).cells
            var decoder = RatelessDecoder<UInt64>(key: key)
            for (one, other) in zip(theirs, ours) where !decoder.isComplete { try decoder.append(one, other) }
            #expect(decoder.isComplete)
            total += decoder.cellCount
        }
        #expect(Double(total) / Double(5 * difference) <= 1.4)
    }

    @Test("whole ids, four checksum bytes and relative counts survive encoding")
    func wire() throws {
        var generator = Generator(state: 3)
        func id() throws -> ItemID {
            try #require(ItemID((0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }))
        }
        let shared = try (0..<2_000).map { _ in try id() }
        let (theirs, ours) = (try (0..<30).map { _ in try id() }, try (0..<20).map { _ in try id() })
        let key = SipHashKey(1, 2)
        let sketch = RatelessSketch(of: shared + theirs, count: 128, key: key)
        let coding = RatelessCoding(size: sketch.size, checksumBytes: 4)
        var bytes: [UInt8] = []
        for (index, cell) in sketch.cells.enumerated() { coding.write(cell, index: index, into: &bytes) }
        #expect(bytes.count <= 128 * 38)
        let own = RatelessSketch(of: shared + ours, count: 128, key: key).cells
        var decoder = RatelessDecoder<ItemID>(key: key, checksumBytes: 4)
        var offset = 0
        for (index, cell) in own.enumerated() {
            let read: CodedSymbol<ItemID> = try coding.read(bytes, at: &offset, index: index)
            #expect(read.sum == sketch.cells[index].sum && read.count == sketch.cells[index].count)
            try decoder.append(read, cell)
        }
        #expect(offset == bytes.count && decoder.isComplete)
        #expect(Set(decoder.remote) == Set(theirs) && Set(decoder.local) == Set(ours))
    }

    @Test("invented counts give an estimate, not a crash")
    func madeUpCounts() throws {
        var decoder = RatelessDecoder<UInt64>(key: SipHashKey(1, 2))
        for count in [Int64.max, .min, 0, .max, .min] {
            try decoder.append(CodedSymbol(sum: 5, checksum: 6, count: count), CodedSymbol())
        }
        #expect(decoder.estimatedDifference > 0)
    }

    @Test("64 cells that do not decode give an estimate of the difference", arguments: [500, 20_000])
    func estimate(difference: Int) throws {
        var generator = Generator(state: 11)
        var good = 0
        for round in 0..<40 {
            let key = SipHashKey(generator.next(), generator.next())
            let share = difference * (round % 5) / 4
            let (remote, local) = sets(common: 100, remote: share, local: difference - share, &generator)
            let theirs = RatelessSketch(of: remote, count: 64, key: key).cells
            let ours = RatelessSketch(of: local, count: 64, key: key).cells
            var decoder = RatelessDecoder<UInt64>(key: key)
            for (one, other) in zip(theirs, ours) { try decoder.append(one, other) }
            let ratio = Double(decoder.estimatedDifference) / Double(difference)
            if (0.6...1.6).contains(ratio) { good += 1 }
        }
        #expect(good >= 34)
    }

    @Test("invented cells end the decoding without a crash", arguments: 0..<20 as Range<UInt64>)
    func hostile(seed: UInt64) throws {
        var generator = Generator(state: 500 + seed)
        let key = SipHashKey(generator.next(), generator.next())
        let (remote, local) = sets(common: 10, remote: 40, local: 40, &generator)
        var theirs = RatelessSketch(of: remote, count: 400, key: key).cells
        let ours = RatelessSketch(of: local, count: 400, key: key).cells
        for _ in 0..<Int.random(in: 1...20, using: &generator) {
            let place = Int.random(in: 0..<400, using: &generator)
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: theirs[place].count = Int64(truncatingIfNeeded: generator.next())
            case 1: theirs[place].sum = generator.next()
            case 2: theirs[place] = theirs[Int.random(in: 0..<400, using: &generator)]
            default:
                // An attacker that knows the key puts an element into a cell to which it does not belong.
                let symbol = generator.next()
                theirs[place] = CodedSymbol(sum: symbol, checksum: symbol.hash(key: key), count: 1)
            }
        }
        var decoder = RatelessDecoder<UInt64>(key: key)
        do throws(ReconciliationError) {
            for (one, other) in zip(theirs, ours) { try decoder.append(one, other) }
        } catch {
            #expect(error == .inconsistent)
        }
        #expect(decoder.remote.count + decoder.local.count <= decoder.cellCount)
        let coding = RatelessCoding(size: 10)
        for _ in 0..<200 {
            let bytes = (0..<Int.random(in: 0..<60, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            var offset = 0
            let _: CodedSymbol<UInt64>? = try? coding.read(bytes, at: &offset, index: 3)
            #expect(offset <= bytes.count)
        }
    }
}
