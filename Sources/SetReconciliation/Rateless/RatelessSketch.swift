/// The first cells of a set, kept up to date while the set changes. The cost of serving a peer is that of the sent
/// cells, not of the set.
///
/// An insertion costs one step for each cell that the element belongs to. That number grows with the logarithm of
/// `count`: about 13 for 1,024 cells. The cells can be sent in pieces of any length, repeatedly, to any number of peers
/// that know the key.
public struct RatelessSketch<Symbol: ReconcilableSymbol>: Sendable {
    public let key: SipHashKey
    @usableFromInline var storage: [CodedSymbol<Symbol>]

    /// - Parameters:
    ///   - count: the number of cells, at least 1.
    ///   - key: the key of the hashes. Keep it secret from anyone that can choose elements of the set, or an attacker
    ///     can hide elements (riblt issue 3).
    @inlinable public init(count: Int, key: SipHashKey) {
        precondition(count >= 1, "a sketch has at least one cell, not \(count)")
        self.key = key
        storage = Array(repeating: CodedSymbol(), count: count)
    }

    @inlinable public init(of symbols: some Sequence<Symbol>, count: Int, key: SipHashKey) {
        self.init(count: count, key: key)
        for symbol in symbols { insert(symbol) }
    }

    /// Creates a sketch from stored cells, at least one.
    public init(cells: [CodedSymbol<Symbol>], key: SipHashKey) {
        precondition(!cells.isEmpty, "a sketch has at least one cell")
        self.key = key
        storage = cells
    }

    /// Adds an element. The set must not contain it yet.
    @inlinable public mutating func insert(_ symbol: Symbol) { change(symbol, by: 1) }

    /// Removes an element. The set must contain it.
    @inlinable public mutating func remove(_ symbol: Symbol) { change(symbol, by: -1) }

    @inlinable mutating func change(_ symbol: Symbol, by count: Int64) {
        precondition(symbol != .zero, "the zero symbol cannot be an element")
        let hash = symbol.hash(key: key)
        var indices = CellIndices(hash: hash)
        while indices.next < storage.count {
            storage[indices.next].add(symbol, hash: hash, count: count)
            indices.advance()
        }
    }

    public var cells: [CodedSymbol<Symbol>] { storage }

    /// The number of elements in the set.
    public var size: Int { Int(storage[0].count) }
}
