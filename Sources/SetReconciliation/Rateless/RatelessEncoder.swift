/// Creates the cells of a set one after the other, without end.
///
/// Each element waits for the next cell that it belongs to, so the cost of a cell is proportional to its elements. If
/// the number of cells is known beforehand, or many peers ask, ``RatelessSketch`` is 16 to 45 times cheaper.
public struct RatelessEncoder<Symbol: ReconcilableSymbol>: Sendable {
    @usableFromInline var waiting: CellQueue<Symbol>
    @usableFromInline var made = 0

    /// The number of cells that have been created.
    public var count: Int { made }

    /// - Parameters:
    ///   - symbols: the elements of the set, each once.
    ///   - key: the key, as for ``RatelessSketch``.
    @inlinable public init(_ symbols: some Sequence<Symbol>, key: SipHashKey) {
        waiting = CellQueue(symbols.map { ($0, $0.hash(key: key)) })
    }

    @inlinable public mutating func next() -> CodedSymbol<Symbol> {
        var cell = CodedSymbol<Symbol>()
        waiting.forEach(inCell: made) { cell.add($0, hash: $1, count: 1) }
        made += 1
        return cell
    }
}

/// A binary heap of symbols, ordered by the next cell that each belongs to.
@usableFromInline struct CellQueue<Symbol: ReconcilableSymbol>: Sendable {
    @usableFromInline struct Entry: Sendable {
        @usableFromInline var symbol: Symbol
        @usableFromInline var hash: UInt64
        @usableFromInline var indices: CellIndices

        @inlinable init(symbol: Symbol, hash: UInt64, indices: CellIndices) {
            self.symbol = symbol
            self.hash = hash
            self.indices = indices
        }
    }

    @usableFromInline var heap: [Entry]

    /// Creates a queue. All symbols begin at cell 0, so any order is a heap.
    @inlinable init(_ symbols: [(symbol: Symbol, hash: UInt64)] = []) {
        heap = symbols.map { Entry(symbol: $0.symbol, hash: $0.hash, indices: CellIndices(hash: $0.hash)) }
    }

    /// Adds a symbol. The cells before `indices` must have been processed.
    @inlinable mutating func insert(_ symbol: Symbol, hash: UInt64, _ indices: CellIndices) {
        heap.append(Entry(symbol: symbol, hash: hash, indices: indices))
        var child = heap.count - 1
        while child > 0, heap[child].indices.next < heap[(child - 1) / 2].indices.next {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    /// Calls `body` for every symbol in a cell and moves each symbol to its next cell.
    @inlinable mutating func forEach(inCell index: Int, _ body: (Symbol, UInt64) -> Void) {
        while let first = heap.first, first.indices.next == index {
            body(first.symbol, first.hash)
            heap[0].indices.advance()
            siftDown()
        }
    }

    @inlinable mutating func siftDown() {
        let entry = heap[0]
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, heap[child + 1].indices.next < heap[child].indices.next { child += 1 }
            guard heap[child].indices.next < entry.indices.next else { break }
            heap[parent] = heap[child]
            parent = child
        }
        heap[parent] = entry
    }
}
