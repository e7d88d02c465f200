import SetReconciliation
import Testing

@Suite("Reconciliation by exact sketches")
struct SketchTests {
    typealias Generator = RangeTests.Generator

    @Test("a sketch of eight bytes a difference finds exactly the difference", arguments: [1, 2, 3, 7, 16, 40])
    func exact(difference: Int) throws {
        var generator = Generator(state: UInt64(difference))
        for round in 0..<5 {
            let common = (0..<50).map { _ in generator.next() }
            let all = (0..<difference).map { _ in generator.next() }
            var (one, other) = (ExactSketch(capacity: difference), ExactSketch(capacity: difference))
            for symbol in common {
                one.toggle(symbol)
                other.toggle(symbol)
            }
            for (index, symbol) in all.enumerated() {
                if index.isMultiple(of: 2) || round == 0 { one.toggle(symbol) } else { other.toggle(symbol) }
            }
            let bytes = other.bytes
            #expect(bytes.count == 8 * difference)
            var sum = try #require(ExactSketch(bytes: bytes, limit: difference))
            sum.merge(one)
            #expect(Set(try #require(sum.decoded())) == Set(all), "\(difference), round \(round)")
        }
    }

    @Test("a sketch also finds fewer differences than its capacity, and none as an empty list")
    func fewer() throws {
        var sketch = ExactSketch(capacity: 12)
        #expect(sketch.decoded() == [])
        var generator = Generator(state: 5)
        var symbols: Set<UInt64> = []
        for _ in 0..<12 {
            let symbol = generator.next()
            symbols.insert(symbol)
            sketch.toggle(symbol)
            #expect(Set(sketch.decoded() ?? []) == symbols)
        }
        for symbol in symbols { sketch.toggle(symbol) }
        #expect(sketch.decoded() == [])
    }

    @Test("too many differences are nearly always detected")
    func tooMany() {
        var generator = Generator(state: 9)
        var wrong = 0
        for _ in 0..<60 {
            var sketch = ExactSketch(capacity: 8)
            for _ in 0..<Int.random(in: 9...30, using: &generator) { sketch.toggle(generator.next()) }
            if sketch.decoded() != nil { wrong += 1 }
        }
        #expect(wrong == 0)  // the chance is 1/8! each
    }

    @Test("arbitrary bytes decode to elements or to nil", arguments: 0..<30 as Range<UInt64>)
    func hostile(seed: UInt64) {
        var generator = Generator(state: seed)
        let bytes = (0..<Int.random(in: 0...80, using: &generator)).map { _ in
            // Many zeros make degenerate polynomials.
            Int.random(in: 0..<3, using: &generator) == 0 ? UInt8.random(in: 0...255, using: &generator) : 0
        }
        guard let sketch = ExactSketch(bytes: bytes, limit: 10) else {
            #expect(!bytes.count.isMultiple(of: 8) || bytes.isEmpty)
            return
        }
        #expect(sketch.decoded()?.count ?? 0 <= sketch.capacity)
        #expect(ExactSketch(bytes: bytes, limit: bytes.count / 8 - 1) == nil || bytes.count / 8 <= 1)
    }

    @Test("the layout is that of libminisketch: little endian odd power sums over its field of 64 bits")
    func layout() {
        // The sums of a single element are its odd powers. For 2 = x these are x, x³ and x⁵.
        var sketch = ExactSketch(capacity: 3)
        sketch.toggle(2)
        #expect(sketch.bytes == [2, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0, 0, 0, 0, 0, 0])
        // x⁶³ squared is x¹²⁶ = x⁶²·x⁶⁴ = x⁶²·(x⁴ + x³ + x + 1), which is reduced again.
        sketch = ExactSketch(capacity: 2)
        sketch.toggle(1 << 63)
        #expect(Array(sketch.bytes.prefix(8)) == [0, 0, 0, 0, 0, 0, 0, 128])
        var twice = sketch
        twice.toggle(1 << 63)
        #expect(twice.bytes.allSatisfy { $0 == 0 })
    }
}
