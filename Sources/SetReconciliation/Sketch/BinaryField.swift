/// The field GF(2⁶⁴): polynomials over GF(2) modulo x⁶⁴ + x⁴ + x³ + x + 1, the field of libminisketch for 64 bits.
@usableFromInline enum BinaryField {
    /// Masks that select every fifth bit, beginning at bits 0 to 4.
    ///
    /// In a product of two such parts, at most 13 bits add up in one place. 13 < 2⁵, so ordinary multiplication carries
    /// nothing into a neighbour's bit (the method of BearSSL's ghash_ctmul, with wider gaps).
    private static let masks: (UInt64, UInt64, UInt64, UInt64, UInt64) = (
        0x1084_2108_4210_8421, 0x2108_4210_8421_0842, 0x4210_8421_0842_1084, 0x8421_0842_1084_2108,
        0x0842_1084_2108_4210
    )
    /// The same masks for the high half of a product, whose bit 64 is bit 4 of a group of five.
    private static let highMasks: (UInt64, UInt64, UInt64, UInt64, UInt64) = (
        0x2108_4210_8421_0842, 0x4210_8421_0842_1084, 0x8421_0842_1084_2108, 0x0842_1084_2108_4210,
        0x1084_2108_4210_8421
    )

    static func multiply(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let (m, h) = (masks, highMasks)
        let (a0, a1, a2, a3, a4) = (a & m.0, a & m.1, a & m.2, a & m.3, a & m.4)
        let (b0, b1, b2, b3, b4) = (b & m.0, b & m.1, b & m.2, b & m.3, b & m.4)
        func product(
            _ p: (UInt64, UInt64), _ q: (UInt64, UInt64), _ r: (UInt64, UInt64), _ s: (UInt64, UInt64),
            _ t: (UInt64, UInt64)
        ) -> (high: UInt64, low: UInt64) {
            let (p, q, r) = (
                p.0.multipliedFullWidth(by: p.1), q.0.multipliedFullWidth(by: q.1), r.0.multipliedFullWidth(by: r.1)
            )
            let (s, t) = (s.0.multipliedFullWidth(by: s.1), t.0.multipliedFullWidth(by: t.1))
            return (p.high ^ q.high ^ r.high ^ s.high ^ t.high, p.low ^ q.low ^ r.low ^ s.low ^ t.low)
        }
        let c0 = product((a0, b0), (a1, b4), (a2, b3), (a3, b2), (a4, b1))
        let c1 = product((a0, b1), (a1, b0), (a2, b4), (a3, b3), (a4, b2))
        let c2 = product((a0, b2), (a1, b1), (a2, b0), (a3, b4), (a4, b3))
        let c3 = product((a0, b3), (a1, b2), (a2, b1), (a3, b0), (a4, b4))
        let c4 = product((a0, b4), (a1, b3), (a2, b2), (a3, b1), (a4, b0))
        let low = c0.low & m.0 | c1.low & m.1 | c2.low & m.2 | c3.low & m.3 | c4.low & m.4
        let high = c0.high & h.0 | c1.high & h.1 | c2.high & h.2 | c3.high & h.3 | c4.high & h.4
        return reduce(high, low)
    }

    /// The square of `a`. Squaring moves bit i to bit 2i.
    static func square(_ a: UInt64) -> UInt64 { reduce(spread(a >> 32), spread(a & 0xffff_ffff)) }

    private static func spread(_ half: UInt64) -> UInt64 {
        var x = half
        x = (x | x << 16) & 0x0000_ffff_0000_ffff
        x = (x | x << 8) & 0x00ff_00ff_00ff_00ff
        x = (x | x << 4) & 0x0f0f_0f0f_0f0f_0f0f
        x = (x | x << 2) & 0x3333_3333_3333_3333
        return (x | x << 1) & 0x5555_5555_5555_5555
    }

    private static func reduce(_ high: UInt64, _ low: UInt64) -> UInt64 {
        let folded = high ^ high >> 63 ^ high >> 61 ^ high >> 60
        return low ^ folded ^ folded << 1 ^ folded << 3 ^ folded << 4
    }

    /// The inverse of `a`, computed as `a` to the power of 2⁶⁴ − 2; 0 for 0.
    static func inverse(_ a: UInt64) -> UInt64 {
        // 2⁶⁴ − 2 = 2·(2⁶³ − 1). Powers of the form 2^n − 1 are doubled in length, then joined.
        var (power, result) = (a, a)  // a^(2¹ − 1)
        var length = 1
        for bit in (0..<5).reversed() {
            // The exponent goes from 2^length − 1 to 2^(2·length) − 1. Where 63 has a one bit, the length grows by one
            // more.
            power = result
            for _ in 0..<length { power = square(power) }
            result = multiply(power, result)
            length *= 2
            if 63 >> bit & 1 == 1 {
                result = multiply(square(result), a)
                length += 1
            }
        }
        return square(result)
    }
}
