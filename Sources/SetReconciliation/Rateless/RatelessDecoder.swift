/// Finds the difference of two sets from the cells of both.
///
///     var decoder = RatelessDecoder<UInt64>(key: key)
///     for index in 0... where !decoder.isComplete { try decoder.append(theirs[index], ours[index]) }
///     // decoder.remote: theirs alone, decoder.local: ours alone
///
/// A lying peer can make the decoder give up, but it cannot make it run forever. It cannot insert an element whose
/// keyed checksum it cannot compute. Compare digests to confirm that the difference is complete.
public struct RatelessDecoder<Symbol: ReconcilableSymbol>: Sendable {
    @usableFromInline let key: SipHashKey
    /// The mask of the checksum bits that were sent.
    @usableFromInline let mask: UInt64
    /// The remainder of each cell after all found elements are removed.
    @usableFromInline var cells: [CodedSymbol<Symbol>] = []
    @usableFromInline var remoteQueue = CellQueue<Symbol>()
    @usableFromInline var localQueue = CellQueue<Symbol>()
    @usableFromInline var found: Set<Symbol> = []
    @usableFromInline var foundRemote: [Symbol] = []
    @usableFromInline var foundLocal: [Symbol] = []
    /// The indices of cells that may contain a single element.
    @usableFromInline var candidates: [Int] = []

    /// - Parameters:
    ///   - key: the key of both sides' cells.
    ///   - checksumBytes: the number of checksum bytes that were sent, 4 or 8.
    @inlinable public init(key: SipHashKey, checksumBytes: Int = 8) {
        self.key = key
        mask = checksumBytes == 8 ? .max : 1 << UInt64(8 * checksumBytes) - 1
    }

    /// The elements that only the other side has.
    public var remote: [Symbol] { foundRemote }
    /// The elements that only this side has.
    public var local: [Symbol] { foundLocal }

    /// The number of cells that have been received.
    public var cellCount: Int { cells.count }

    /// Tells whether all cells are explained. The first cell suffices, because it contains every element of the
    /// difference.
    @inlinable public var isComplete: Bool { cells.first?.isZero ?? false }

    /// Adds the next cell of both sides.
    ///
    /// - Throws: ``ReconciliationError/inconsistent`` if the cells cannot be those of two sets.
    @inlinable public mutating func append(
        _ theirs: CodedSymbol<Symbol>, _ ours: CodedSymbol<Symbol>
    ) throws(ReconciliationError) {
        guard !isComplete else { return }
        let index = cells.count
        var cell = theirs - ours
        remoteQueue.forEach(inCell: index) { cell.add($0, hash: $1, count: -1) }
        localQueue.forEach(inCell: index) { cell.add($0, hash: $1, count: 1) }
        cell.checksum &= mask
        cells.append(cell)
        if cell.count == 1 || cell.count == -1 { candidates.append(index) }
        try peel()
    }

    @inlinable mutating func peel() throws(ReconciliationError) {
        while let index = candidates.popLast() {
            let cell = cells[index]
            guard cell.count == 1 || cell.count == -1 else { continue }
            let hash = cell.sum.hash(key: key)
            guard hash & mask == cell.checksum else { continue }
            // Each cell explains at most one element, and each element occurs once. A peer that breaks this invents
            // cells.
            guard found.count < cells.count, cell.sum != .zero, found.insert(cell.sum).inserted else {
                throw .inconsistent
            }
            if cell.count == 1 { foundRemote.append(cell.sum) } else { foundLocal.append(cell.sum) }
            var indices = CellIndices(hash: hash)
            while indices.next < cells.count {
                cells[indices.next].add(cell.sum, hash: hash & mask, count: -cell.count)
                let left = cells[indices.next].count
                if left == 1 || left == -1 { candidates.append(indices.next) }
                indices.advance()
            }
            if cell.count == 1 {
                remoteQueue.insert(cell.sum, hash: hash, indices)
            } else {
                localQueue.insert(cell.sum, hash: hash, indices)
            }
        }
    }

    /// An estimate of the number of differing elements, useful while ``isComplete`` is false and at least about 64
    /// cells are known.
    ///
    /// The variance of a cell's remaining count is proportional to the number of remaining elements, however they
    /// divide between the sides. With 64 cells, the 5th to 95th percentiles of the estimate are 0.67 to 1.41 times the
    /// truth.
    public var estimatedDifference: Int {
        guard cells.count > 1 else { return cells.isEmpty || isComplete ? 0 : 1 }
        return found.count + differenceEstimate(of: cells.map(\.count))
    }
}

/// Estimates the number of elements in which two sets differ from the differences of their cells' counts.
func differenceEstimate(of counts: [Int64]) -> Int {
    guard let first = counts.first, counts.count > 1 else { return 0 }
    var (squares, weights) = (0.0, 0.0)
    // Cell 0 gives the difference of the sizes exactly. Its expected share of a cell is not part of the variance.
    for index in 1..<counts.count {
        let ratio = (Double(index) + 0.5) / (Double(index) + 1.5)
        let density = 1 - ratio * ratio
        let deviation = Double(counts[index]) - Double(first) * density
        let variance = density * (1 - density)
        guard variance > 0 else { continue }
        squares += deviation * deviation
        weights += variance
    }
    // Counts that a peer invents could exceed any bound.
    return Int(min(squares / weights, 1_099_511_627_776).rounded())
}
