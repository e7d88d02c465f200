/// A polynomial over GF(2⁶⁴), with the constant first and without leading zeros.
struct FieldPolynomial: Hashable {
    private(set) var coefficients: [UInt64]

    init(_ coefficients: [UInt64]) {
        self.coefficients = coefficients
        trim()
    }

    /// The degree; −1 for the zero polynomial.
    var degree: Int { coefficients.count - 1 }

    private mutating func trim() {
        while coefficients.last == 0 { coefficients.removeLast() }
    }

    /// The polynomial whose roots are the inverses of this one's.
    var reversed: FieldPolynomial { FieldPolynomial(coefficients.reversed()) }

    /// The shortest linear recurrence of a sequence (Massey, "Shift-register synthesis and BCH decoding", 1969).
    ///
    /// For the power sums of some elements, it is the polynomial whose roots are the inverses of the elements. The
    /// result is nil if the degree does not match the recurrence.
    static func locator(of syndromes: [UInt64]) -> FieldPolynomial? {
        var (current, previous): ([UInt64], [UInt64]) = ([1], [1])
        var (length, gap, lastDiscrepancy) = (0, 1, 1 as UInt64)
        for position in syndromes.indices {
            var discrepancy = syndromes[position]
            for index in 1..<max(1, min(current.count, position + 1)) {
                discrepancy ^= BinaryField.multiply(current[index], syndromes[position - index])
            }
            guard discrepancy != 0 else {
                gap += 1
                continue
            }
            let factor = BinaryField.multiply(discrepancy, BinaryField.inverse(lastDiscrepancy))
            let before = current
            let needed = previous.count + gap
            if needed > current.count { current += repeatElement(0, count: needed - current.count) }
            for index in previous.indices {
                current[index + gap] ^= BinaryField.multiply(factor, previous[index])
            }
            if 2 * length <= position {
                (length, previous, lastDiscrepancy, gap) = (position + 1 - length, before, discrepancy, 1)
            } else {
                gap += 1
            }
        }
        let polynomial = FieldPolynomial(current)
        return polynomial.degree == length ? polynomial : nil
    }

    /// All roots, if there are as many distinct ones as the degree and none is zero; otherwise nil.
    ///
    /// The polynomial is split by traces (Berlekamp, "Factoring polynomials over large finite fields", 1970).
    func distinctRoots() -> [UInt64]? {
        guard degree >= 1, coefficients[0] != 0 else { return nil }
        let monic = self.monic
        // All roots are in the field and distinct if and only if the polynomial divides x^(2⁶⁴) − x.
        var power = FieldPolynomial([0, 1]).remainder(by: monic)
        for _ in 0..<64 { power = power.squared.remainder(by: monic) }
        guard power == FieldPolynomial([0, 1]).remainder(by: monic) else { return nil }
        var roots: [UInt64] = []
        monic.split(trying: 1, into: &roots)
        return roots.count == degree ? roots : nil
    }

    /// - Parameter basis: the first bit whose trace is tried. Two distinct roots differ in the trace of some basis
    ///   element.
    private func split(trying basis: Int, into roots: inout [UInt64]) {
        if degree == 1 { return roots.append(coefficients[0]) }
        for bit in basis...64 {
            let factor: UInt64 = 1 << UInt64(bit - 1)
            var term = FieldPolynomial([0, factor]).remainder(by: self)
            var trace = term
            for _ in 0..<63 {
                term = term.squared.remainder(by: self)
                trace = trace.plus(term)
            }
            let part = trace.greatestCommonDivisor(with: self)
            guard part.degree > 0, part.degree < degree else { continue }
            part.split(trying: bit + 1, into: &roots)
            quotient(by: part).split(trying: bit + 1, into: &roots)
            return
        }
    }

    private var monic: FieldPolynomial {
        guard let lead = coefficients.last, lead != 1 else { return self }
        let inverse = BinaryField.inverse(lead)
        return FieldPolynomial(coefficients.map { BinaryField.multiply($0, inverse) })
    }

    private var squared: FieldPolynomial {
        var result = [UInt64](repeating: 0, count: max(0, 2 * coefficients.count - 1))
        for (index, coefficient) in coefficients.enumerated() { result[2 * index] = BinaryField.square(coefficient) }
        return FieldPolynomial(result)
    }

    private func plus(_ other: FieldPolynomial) -> FieldPolynomial {
        var (long, short) = (coefficients, other.coefficients)
        if long.count < short.count { swap(&long, &short) }
        for index in short.indices { long[index] ^= short[index] }
        return FieldPolynomial(long)
    }

    /// - Parameter divisor: a monic polynomial.
    private func remainder(by divisor: FieldPolynomial) -> FieldPolynomial {
        var rest = coefficients
        divisor.reduce(&rest) { _, _ in }
        return FieldPolynomial(rest)
    }

    /// - Parameter divisor: a monic polynomial.
    private func quotient(by divisor: FieldPolynomial) -> FieldPolynomial {
        var rest = coefficients
        var result = [UInt64](repeating: 0, count: max(0, degree - divisor.degree + 1))
        divisor.reduce(&rest) { result[$0] = $1 }
        return FieldPolynomial(result)
    }

    /// Subtracts multiples of this monic polynomial until the degree of the rest is lower.
    private func reduce(_ rest: inout [UInt64], _ note: (_ power: Int, _ factor: UInt64) -> Void) {
        while rest.count > degree {
            let factor = rest.removeLast()
            guard factor != 0 else { continue }
            let power = rest.count - degree
            note(power, factor)
            for index in 0..<degree where coefficients[index] != 0 {
                rest[power + index] ^= BinaryField.multiply(factor, coefficients[index])
            }
        }
    }

    private func greatestCommonDivisor(with other: FieldPolynomial) -> FieldPolynomial {
        var (a, b) = (other, self)
        while b.degree >= 0 {
            b = b.monic
            (a, b) = (b, a.remainder(by: b))
        }
        return a
    }
}
