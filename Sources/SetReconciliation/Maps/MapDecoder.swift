/// Finds out in which values two maps differ, from the cells of one and the other map itself.
///
/// A peer that lies can make it give up, never go on for ever. That the difference is the whole one must be confirmed by a
/// comparison of digests.
public struct MapDecoder: Sendable {
    /// A key whose value differs; 0 stands for no value.
    public struct Difference: Hashable, Sendable {
        public var key: UInt64
        public var theirs: UInt64
        public var ours: UInt64

        public init(key: UInt64, theirs: UInt64, ours: UInt64) {
            (self.key, self.theirs, self.ours) = (key, theirs, ours)
        }
    }

    private let hashKey: SipHashKey
    private let ours: [UInt64: UInt64]
    private var cells: [CodedEntries] = []
    private var differsAtFirst: [Bool] = []
    /// Numbers of what was found, by the next cell that each is in.
    private var queue = CellQueue<UInt64>()
    private var parts: [CodedEntries] = []
    private var foundKeys: Set<UInt64> = []
    private var candidates: [Int] = []

    /// Everything that was found so far.
    public private(set) var differences: [Difference] = []

    public init(_ ours: [UInt64: UInt64], hashKey: SipHashKey) {
        self.ours = ours
        self.hashKey = hashKey
    }

    /// How many cells were taken.
    public var cellCount: Int { cells.count }

    /// Whether every cell is explained: the first one has every entry.
    public var isComplete: Bool { cells.first?.isZero ?? false }

    /// Takes the next cell of both sides.
    ///
    /// - Throws: ``ReconciliationError/inconsistent`` if the cells cannot be those of two maps.
    public mutating func append(_ theirs: CodedEntries, _ ours: CodedEntries) throws(ReconciliationError) {
        guard !isComplete else { return }
        let index = cells.count
        var cell = theirs
        cell.subtract(ours)
        differsAtFirst.append(!cell.isZero)
        let parts = parts
        // Numbers are kept one higher, since no symbol may be zero.
        queue.forEach(inCell: index) { number, _ in cell.subtract(parts[Int(number) - 1]) }
        cells.append(cell)
        if !cell.isZero { candidates.append(index) }
        try peel()
    }

    private mutating func peel() throws(ReconciliationError) {
        while let index = candidates.popLast() {
            guard let found = difference(inCell: index) else { continue }
            guard differences.count < cells.count, foundKeys.insert(found.key).inserted else { throw .inconsistent }
            let part = cells[index]
            differences.append(found)
            parts.append(part)
            var indices = CellIndices(key: found.key, hashKey: hashKey)
            while indices.next < cells.count {
                cells[indices.next].subtract(part)
                if !cells[indices.next].isZero { candidates.append(indices.next) }
                indices.advance()
            }
            queue.insert(UInt64(parts.count), hash: 0, indices)
        }
    }

    /// The one difference in a cell, if there is one alone.
    private func difference(inCell index: Int) -> Difference? {
        let cell = cells[index]
        guard cell.sum != 0, cell.moment != 0 else { return nil }
        let key = PrimeField.multiply(cell.moment, PrimeField.inverse(cell.sum))
        let own = ours[key] ?? 0
        let theirs = PrimeField.add(own, cell.sum)
        var expected = theirs == 0 ? CodedEntries() : CodedEntries(of: theirs, forKey: key, hashKey: hashKey)
        if own != 0 { expected.subtract(CodedEntries(of: own, forKey: key, hashKey: hashKey)) }
        guard expected == cell else { return nil }
        var indices = CellIndices(key: key, hashKey: hashKey)
        while indices.next < index { indices.advance() }
        guard indices.next == index else { return nil }
        return Difference(key: key, theirs: theirs, ours: own)
    }

    /// An estimate of how many values differ, of use while ``isComplete`` is false.
    public var estimatedDifference: Int {
        max(differences.count, MapHint.estimate(differsAtFirst.enumerated().map { ($0.offset, $0.element) }))
    }

    /// Cells that are likely to be enough, where so many values differ.
    public static func cells(for difference: Int) -> Int {
        let count = Double(difference)
        return Int(1.36 * count + 2.5 * count.squareRoot()) + 5
    }
}
