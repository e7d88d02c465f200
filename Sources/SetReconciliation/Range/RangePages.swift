/// A node of a ``RangeTree``.
public enum RangePage: Hashable, Sendable {
    /// A leaf of at most ``capacity`` items, ascending.
    case leaf([RangeItem])
    /// An inner node of at most ``capacity`` children, ascending.
    case inner([Child])

    public struct Child: Hashable, Sendable {
        public var page: Int
        /// A lower bound of the child's items. It is above every item of the children before it.
        public var first: RangeItem
        /// The number of items in the child's whole subtree.
        public var count: Int
        public var sum: Sum256

        public init(page: Int, first: RangeItem, count: Int, sum: Sum256) {
            self.page = page
            self.first = first
            self.count = count
            self.sum = sum
        }
    }

    /// The most items or children of a page. A page that exceeds it is split.
    public static let capacity = 64
}

/// The storage of a ``RangeTree``'s nodes, for example memory or a database table.
public protocol RangePages {
    /// The page with a number that ``allocate()`` has returned.
    func page(_ number: Int) throws(ReconciliationError) -> RangePage
    /// Changes a page in place.
    mutating func update<Result>(
        _ number: Int, _ change: (inout RangePage) throws(ReconciliationError) -> Result
    ) throws(ReconciliationError) -> Result
    /// Creates an empty leaf and returns its number.
    mutating func allocate() throws(ReconciliationError) -> Int
    mutating func free(_ number: Int) throws(ReconciliationError)
}

/// Pages in memory, at about 60 bytes an item.
public struct MemoryPages: RangePages, Sendable {
    private var pages: [RangePage] = []
    private var unused: [Int] = []

    public init() {}

    public func page(_ number: Int) -> RangePage { pages[number] }

    public mutating func update<Result>(
        _ number: Int, _ change: (inout RangePage) throws(ReconciliationError) -> Result
    ) throws(ReconciliationError) -> Result { try change(&pages[number]) }

    public mutating func allocate() -> Int {
        if let number = unused.popLast() { return number }
        pages.append(.leaf([]))
        return pages.count - 1
    }

    public mutating func free(_ number: Int) {
        pages[number] = .leaf([])
        unused.append(number)
    }
}

// The encoding of a page for a database.
extension RangePage {
    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        switch self {
        case .leaf(let items):
            bytes.append(0)
            for item in items { item.append(to: &bytes) }
        case .inner(let children):
            bytes.append(1)
            for child in children {
                child.first.append(to: &bytes)
                bytes.append(littleEndian: UInt64(child.page))
                bytes.append(littleEndian: UInt64(child.count))
                bytes += child.sum.bytes
            }
        }
        return bytes
    }

    /// - Throws: ``ReconciliationError/malformed(offset:)``.
    public init(bytes: [UInt8]) throws(ReconciliationError) {
        guard let kind = bytes.first, kind <= 1 else { throw .malformed(offset: 0) }
        let size = kind == 0 ? RangeItem.byteCount : RangeItem.byteCount + 48
        guard (bytes.count - 1).isMultiple(of: size), (bytes.count - 1) / size <= Self.capacity else {
            throw .malformed(offset: 1)
        }
        let starts = stride(from: 1, to: bytes.count, by: size)
        if kind == 0 {
            self = .leaf(starts.map { RangeItem(bytes: bytes[$0..<$0 + size]) })
            return
        }
        self = .inner(
            starts.map { start in
                let rest = start + RangeItem.byteCount
                return Child(
                    page: Int(truncatingIfNeeded: UInt64(bytes: bytes[rest..<rest + 8])),
                    first: RangeItem(bytes: bytes[start..<rest]),
                    count: Int(truncatingIfNeeded: UInt64(bytes: bytes[rest + 8..<rest + 16])),
                    sum: Sum256(bytes: bytes[rest + 16..<rest + 48]))
            })
    }
}

extension RangeItem {
    static let byteCount = 40

    func append(to bytes: inout [UInt8]) {
        bytes.append(littleEndian: timestamp)
        bytes += id.bytes
    }

    init(bytes: ArraySlice<UInt8>) {
        self.init(timestamp: UInt64(bytes: bytes.prefix(8)), id: ItemID(bytes: bytes.dropFirst(8)))
    }
}
