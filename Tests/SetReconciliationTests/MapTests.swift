import SetReconciliation
import Testing

@Suite("Reconciliation of maps by coded symbols")
struct MapTests {
    typealias Generator = RangeTests.Generator
    private let hashKey = SipHashKey(5, 6)

    private func number(_ generator: inout Generator) -> UInt64 { .random(in: 1..<MapSketch.bound, using: &generator) }

    /// Creates two maps with `common` equal entries, and their differences.
    private func maps(
        common: Int, changed: Int, theirsAlone: Int, oursAlone: Int, _ generator: inout Generator
    ) -> (theirs: [UInt64: UInt64], ours: [UInt64: UInt64], differences: Set<MapDecoder.Difference>) {
        var (theirs, ours): ([UInt64: UInt64], [UInt64: UInt64]) = ([:], [:])
        var differences: Set<MapDecoder.Difference> = []
        for index in 0..<common + changed + theirsAlone + oursAlone {
            let (key, one, other) = (number(&generator), number(&generator), number(&generator))
            if index < common {
                (theirs[key], ours[key]) = (one, one)
                continue
            }
            if index < common + changed + theirsAlone { theirs[key] = one }
            if index < common + changed || index >= common + changed + theirsAlone { ours[key] = other }
            differences.insert(.init(key: key, theirs: theirs[key] ?? 0, ours: ours[key] ?? 0))
        }
        return (theirs, ours, differences)
    }

    private func decode(
        _ theirs: [UInt64: UInt64], _ ours: [UInt64: UInt64], limit: Int
    ) throws -> MapDecoder {
        let cells = (
            MapSketch(of: theirs, count: limit, hashKey: hashKey).cells,
            MapSketch(of: ours, count: limit, hashKey: hashKey).cells
        )
        var decoder = MapDecoder(ours, hashKey: hashKey)
        for (one, other) in zip(cells.0, cells.1) where !decoder.isComplete { try decoder.append(one, other) }
        return decoder
    }

    @Test("reconciliation finds the plain difference of the maps", arguments: 0..<40 as Range<UInt64>)
    func model(seed: UInt64) throws {
        var generator = Generator(state: seed)
        let sizes = [0, 1, 3, 30, 400]
        func size() -> Int { sizes.randomElement(using: &generator) ?? 0 }
        let (theirs, ours, differences) = maps(
            common: [0, 10, 3_000][Int(seed % 3)], changed: size(), theirsAlone: size(), oursAlone: size(), &generator)
        let decoder = try decode(theirs, ours, limit: 4 * differences.count + 60)
        #expect(decoder.isComplete && Set(decoder.differences) == differences, "seed \(seed)")
    }

    @Test("a changed value costs about 1.4 cells: for 1,000 of 10,000 at most 1.5")
    func overhead() throws {
        var generator = Generator(state: 1)
        let (theirs, ours, _) = maps(common: 9_000, changed: 1_000, theirsAlone: 0, oursAlone: 0, &generator)
        let decoder = try decode(theirs, ours, limit: 3_000)
        #expect(decoder.isComplete && decoder.cellCount <= 1_500)
    }

    @Test("a hint of some bytes gives an estimate of the difference", arguments: [1, 10, 100, 1_000, 10_000])
    func hint(difference: Int) throws {
        var generator = Generator(state: UInt64(difference))
        let (theirs, ours, _) = maps(
            common: 12_000 - difference, changed: difference, theirsAlone: 0, oursAlone: 0, &generator)
        let one = MapSketch(of: theirs, count: 32_768, hashKey: hashKey)
        let other = MapSketch(of: ours, count: 32_768, hashKey: hashKey)
        #expect(one.hint().count <= 128)
        let estimate = try other.estimatedDifference(fromHint: one.hint())
        #expect(estimate >= difference / 3 && estimate <= 3 * difference + 2, "\(estimate)")
        #expect(try other.estimatedDifference(fromHint: other.hint()) == 0)
    }

    @Test("a removed entry leaves no trace, and cells survive encoding")
    func cells() throws {
        var generator = Generator(state: 2)
        let (map, _, _) = maps(common: 50, changed: 0, theirsAlone: 0, oursAlone: 0, &generator)
        var sketch = MapSketch(of: map, count: 40, hashKey: hashKey)
        let before = sketch.cells
        sketch.insert(7, forKey: 8)
        #expect(sketch.cells != before)
        sketch.remove(7, forKey: 8)
        #expect(sketch.cells == before)
        var bytes: [UInt8] = []
        before[3].append(to: &bytes)
        #expect(bytes.count == CodedEntries.byteCount)
        #expect(try CodedEntries(bytes[...]) == before[3])
        #expect(throws: ReconciliationError.self) { try CodedEntries(bytes[..<19]) }
        #expect(throws: ReconciliationError.self) { try CodedEntries([UInt8](repeating: 0xff, count: 20)[...]) }
    }

    @Test(
        "false cells lead to an error or no result, never to a wrong difference", arguments: 0..<30 as Range<UInt64>)
    func hostile(seed: UInt64) throws {
        var generator = Generator(state: 300 + seed)
        let (theirs, ours, differences) = maps(
            common: 200, changed: 12, theirsAlone: 3, oursAlone: 4, &generator)
        var cells = MapSketch(of: theirs, count: 200, hashKey: hashKey).cells
        let own = MapSketch(of: ours, count: 200, hashKey: hashKey).cells
        for _ in 0..<3 {
            let place = Int.random(in: 0..<60, using: &generator)
            cells[place] = CodedEntries(
                sum: number(&generator), moment: number(&generator),
                checksum: .random(in: 0 ... .max, using: &generator))
        }
        var decoder = MapDecoder(ours, hashKey: hashKey)
        do throws(ReconciliationError) {
            for (one, other) in zip(cells, own) { try decoder.append(one, other) }
        } catch {
            #expect(error == .inconsistent)
        }
        if decoder.isComplete { #expect(Set(decoder.differences) == differences, "seed \(seed)") }
        #expect(decoder.differences.count <= 200)
    }
}
