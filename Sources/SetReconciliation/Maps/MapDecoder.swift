/// Finds the values in which two maps differ, from the cells of the other map and from this side's map.
///
/// A lying peer can make the decoder give up, but it cannot make it run forever. Compare digests to confirm that the
/// difference is complete.
public struct MapDecoder: Sendable {
    /// A key whose value differs. The value 0 means that the map has no entry for the key.
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
    /// The numbers of the found differences, ordered by the next cell that each belongs to.
    private var queue = CellQueue<UInt64>()
    private var parts: [CodedEntries] = []
    private var foundKeys: Set<UInt64> = []
    private var candidates: [Int] = []

    /// All differences that have been found so far.
    public private(set) var differences: [Difference] = []

    public init(_ ours: [UInt64: UInt64], hashKey: SipHashKey) {
        self.ours = ours
        self.hashKey = hashKey
    }

    /// The number of cells that have been received.
    public var cellCount: Int { cells.count }

    /// Tells whether all cells are explained. The first cell suffices, because it contains every entry.
    public var isComplete: Bool { cells.first?.isZero ?? false }

    /// Adds the next cell of both sides.
    ///
    /// - Throws: ``ReconciliationError/inconsistent`` if the cells cannot be those of two maps.
    public mutating func append(_ theirs: CodedEntries, _ ours: CodedEntries) throws(ReconciliationError) {
        guard !isComplete else { return }
        let index = cells.count
        var cell = theirs
        cell.subtract(ours)
        differsAtFirst.append(!cell.isZero)
        let parts = parts
        // Each number is stored plus one, since no symbol may be zero.
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

    /// The difference in a cell, if the cell contains exactly one.
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

    /// An estimate of the number of differing values, useful while ``isComplete`` is false.
    public var estimatedDifference: Int {
        max(differences.count, MapHint.estimate(differsAtFirst.enumerated().map { ($0.offset, $0.element) }))
    }

    /// A number of cells that probably suffices for this many differing values.
    public static func cells(for difference: Int) -> Int {
        let count = Double(difference)
        return Int(1.36 * count + 2.5 * count.squareRoot()) + 5
    }
}
