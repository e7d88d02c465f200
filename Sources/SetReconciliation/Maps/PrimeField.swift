/// Arithmetic modulo the prime 2⁶¹ − 1, where multiplication is cheap and every element but 0 has an inverse.
@usableFromInline enum PrimeField {
    @usableFromInline static let order: UInt64 = (1 << 61) - 1

    /// Maps any 64 bits to an element other than 0.
    @inlinable static func nonzero(_ bits: UInt64) -> UInt64 {
        let value = reduced(bits)
        return value == 0 ? 1 : value
    }

    @inlinable static func reduced(_ bits: UInt64) -> UInt64 {
        let folded = (bits & order) + (bits >> 61)
        return folded >= order ? folded - order : folded
    }

    @inlinable static func add(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let sum = a + b
        return sum >= order ? sum - order : sum
    }

    @inlinable static func subtract(_ a: UInt64, _ b: UInt64) -> UInt64 { a >= b ? a - b : a + order - b }

    @inlinable static func multiply(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return add(product.low & order, product.high << 3 | product.low >> 61)
    }

    /// The inverse of `a`, computed as `a` to the power of order − 2 = 2⁶¹ − 3; 0 for 0.
    @inlinable static func inverse(_ a: UInt64) -> UInt64 {
        // In binary, 2⁶¹ − 3 has 59 ones, a zero and a one.
        var result = a
        for _ in 0..<58 { result = multiply(multiply(result, result), a) }
        result = multiply(result, result)
        return multiply(multiply(result, result), a)
    }
}
