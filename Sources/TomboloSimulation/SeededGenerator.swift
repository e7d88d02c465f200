/// The generator SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014). The same seed
/// gives the same numbers.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    /// A seed for another generator, which depends on this generator's state and a number alone.
    package func seed(of number: UInt64) -> UInt64 {
        var generator = SeededGenerator(seed: state ^ (number &+ 1) &* 0xd134_2543_de82_ef95)
        return generator.next()
    }

    /// Draws whether something with this chance occurs. A chance of 0 draws nothing.
    package mutating func chance(_ share: Double) -> Bool {
        share > 0 && uniform() < share
    }

    /// A random number from 0 up to, but not including, 1.
    private mutating func uniform() -> Double { Double(next() >> 11) / 9_007_199_254_740_992 }

    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }

    /// A random number of the range.
    package mutating func any(_ range: ClosedRange<UInt64>) -> UInt64 { .random(in: range, using: &self) }

    /// The time in milliseconds until something occurs that has an average `rate` a minute; nil for never.
    ///
    /// The time is exponentially distributed. It uses comparisons alone (von Neumann 1951), so that every platform
    /// gives the same time.
    package mutating func wait(_ rate: Double) -> UInt64? {
        guard rate > 0 else { return nil }
        var whole = 0.0
        while true {
            let first = uniform()
            var (last, length) = (first, 1)
            while true {
                let next = uniform()
                guard next < last else { break }
                last = next
                length += 1
            }
            if length % 2 == 1 { return UInt64((whole + first) * 60_000 / rate) + 1 }
            whole += 1
        }
    }
}
