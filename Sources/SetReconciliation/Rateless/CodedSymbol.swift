/// A cell of a rateless invertible Bloom lookup table (Yang, Gilad, Alizadeh, "Practical Rateless Set Reconciliation",
/// SIGCOMM 2024, §4).
public struct CodedSymbol<Symbol: ReconcilableSymbol>: Hashable, Sendable {
    /// The exclusive or of the symbols that were added.
    public var sum: Symbol
    /// The exclusive or of their keyed hashes.
    public var checksum: UInt64
    /// The number of symbols that were added, minus those that were removed.
    public var count: Int64

    @inlinable public init(sum: Symbol = .zero, checksum: UInt64 = 0, count: Int64 = 0) {
        self.sum = sum
        self.checksum = checksum
        self.count = count
    }

    @inlinable mutating func add(_ symbol: Symbol, hash: UInt64, count change: Int64) {
        sum ^= symbol
        checksum ^= hash
        count &+= change
    }

    @inlinable static func - (lhs: Self, rhs: Self) -> Self {
        var result = lhs
        result.sum ^= rhs.sum
        result.checksum ^= rhs.checksum
        result.count &-= rhs.count
        return result
    }

    @inlinable var isZero: Bool { count == 0 && checksum == 0 && sum == .zero }
}

/// The cell after cell i is i + ⌈(i + 1.5)·(2³² / √(r + 1) − 1)⌉, with r a pseudorandom number of 64 bits. This is §4.2
/// of the paper, in the form of its authors' implementation. It uses only + − × ÷, a square root and rounding, so that
/// every platform gives the same cells.
/// paper, in the form of its authors' implementation). It uses only + − × ÷, a square root and rounding, so that every
/// platform gives the same cells.
@usableFromInline struct CellIndices: Sendable {
    @usableFromInline var next = 0
    @usableFromInline var state: UInt64

    @inlinable init(hash: UInt64) { state = hash }

    /// Moves to the cell after `next`. There are no cells beyond 2⁵².
    @inlinable mutating func advance() {
        state &*= 0xda94_2042_e4dd_58b5
        let current = Double(next)
        let step = (current + 1.5) * (4_294_967_296 / (Double(state) + 1).squareRoot() - 1)
        let target = current + step
        guard target < 4_503_599_627_370_496 else {
            next = .max
            return
        }
        // ⌈step⌉, without a call to libm.
        let whole = Int(step)
        next += Double(whole) < step ? whole + 1 : whole
    }
}

/// The expected number of symbols, of `size` in the set, that belong to a cell. A symbol belongs to cell i ≥ 1 with
/// probability 1 − ((i + ½) / (i + 1.5))², and always to cell 0.
@inlinable func expectedCount(of size: Int, inCell index: Int) -> Int64 {
    guard index > 0 else { return Int64(size) }
    let ratio = (Double(index) + 0.5) / (Double(index) + 1.5)
    return Int64((Double(size) * (1 - ratio * ratio)).rounded())
}
