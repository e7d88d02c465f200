/// The first cells of a set, kept up to date while the set changes: serving a peer costs the cells that are sent, not the set.
///
/// Adding costs one step for each cell that the element is in, about 2·√… of them: with 1,024 cells some 13. A sketch of
/// `count` cells can be sent in pieces of any length, again and again, to any number of peers that know its key.
public struct RatelessSketch<Symbol: ReconcilableSymbol>: Sendable {
    public let key: SipHashKey
    @usableFromInline var storage: [CodedSymbol<Symbol>]

    /// - Parameters:
    ///   - count: how many cells are kept, at least 1.
    ///   - key: secret from whoever could choose elements of the set, or it could hide some (riblt issue 3).
    @inlinable public init(count: Int, key: SipHashKey) {
        precondition(count >= 1, "a sketch has at least one cell, not \(count)")
        self.key = key
        storage = Array(repeating: CodedSymbol(), count: count)
    }

    @inlinable public init(of symbols: some Sequence<Symbol>, count: Int, key: SipHashKey) {
        self.init(count: count, key: key)
        for symbol in symbols { insert(symbol) }
    }

    /// A sketch that was kept elsewhere: its cells, at least one.
    public init(cells: [CodedSymbol<Symbol>], key: SipHashKey) {
        precondition(!cells.isEmpty, "a sketch has at least one cell")
        self.key = key
        storage = cells
    }

    /// Adds an element that is not there yet: a set has each of its elements once.
    @inlinable public mutating func insert(_ symbol: Symbol) { change(symbol, by: 1) }

    /// Takes away an element that is there.
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

    /// How many elements the set has.
    public var size: Int { Int(storage[0].count) }
}
