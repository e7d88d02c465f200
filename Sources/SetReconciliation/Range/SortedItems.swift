/// An ordered set to be reconciled by ranges. If the set is in a database, any access can throw
/// ``ReconciliationError/storage(_:)``.
public protocol RangeStorage {
    var count: Int { get throws(ReconciliationError) }
    subscript(index: Int) -> RangeItem { get throws(ReconciliationError) }
    /// The first index from `start` on whose item is not below `bound`; `count` if there is none.
    func firstIndex(notBelow bound: RangeBound, from start: Int) throws(ReconciliationError) -> Int
    /// The sum of the ids of a range.
    func sum(of range: Range<Int>) throws(ReconciliationError) -> Sum256
    /// The ids whose first five bytes, read most significant first, are among `prefixes`. A storage without an index
    /// reads all ids.
    func ids(withPrefixes prefixes: Set<UInt64>) throws(ReconciliationError) -> [ItemID]
}

extension RangeStorage {
    public func ids(withPrefixes prefixes: Set<UInt64>) throws(ReconciliationError) -> [ItemID] {
        var found: [ItemID] = []
        try forEachID { if prefixes.contains($0.prefix) { found.append($0) } }
        return found
    }

    func forEachID(_ body: (ItemID) -> Void) throws(ReconciliationError) {
        for index in 0..<(try count) { body(try self[index].id) }
    }
}

/// A sorted array with running sums, so that the fingerprint of any range has the same cost. It takes 72 bytes an item,
/// 76 with an index of ids.
public struct SortedItems: RangeStorage, Sendable {
    private let items: [RangeItem]
    /// The sum of the ids before each index.
    private let sums: [Sum256]
    /// The positions of the items in the order of their ids.
    private let byID: [UInt32]?

    /// Sorts the items and drops duplicates.
    ///
    /// - Parameters:
    ///   - items: the items, in any order.
    ///   - indexesIDs: true to index ids, so that a lookup by prefix does not read all items. The index holds at most
    ///     2³² items.
    public init(_ items: some Sequence<RangeItem>, indexesIDs: Bool = false) {
        var unique: [RangeItem] = []
        for item in items.sorted() where unique.last != item { unique.append(item) }
        var sums = [Sum256()]
        sums.reserveCapacity(unique.count + 1)
        for item in unique { sums.append(sums[sums.count - 1] + item.id.littleEndian) }
        self.items = unique
        self.sums = sums
        byID = indexesIDs ? unique.indices.map { UInt32($0) }.sorted { unique[Int($0)].id < unique[Int($1)].id } : nil
    }

    public func ids(withPrefixes prefixes: Set<UInt64>) throws(ReconciliationError) -> [ItemID] {
        guard let byID else { return items.lazy.map(\.id).filter { prefixes.contains($0.prefix) } }
        var found: [ItemID] = []
        for prefix in prefixes {
            var (low, high) = (0, byID.count)
            while low < high {
                let middle = low + (high - low) / 2
                if items[Int(byID[middle])].id.prefix < prefix { low = middle + 1 } else { high = middle }
            }
            while low < byID.count, items[Int(byID[low])].id.prefix == prefix {
                found.append(items[Int(byID[low])].id)
                low += 1
            }
        }
        return found
    }

    public var count: Int { items.count }
    public subscript(index: Int) -> RangeItem { items[index] }

    public func firstIndex(notBelow bound: RangeBound, from start: Int) -> Int {
        var (low, high) = (start, items.count)
        while low < high {
            let middle = low + (high - low) / 2
            if bound.isAbove(items[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    public func sum(of range: Range<Int>) -> Sum256 { sums[range.upperBound] - sums[range.lowerBound] }
}

/// An end of a range, not included: a time, and as many bytes of an id as distinguish neighbours.
public struct RangeBound: Hashable, Sendable {
    /// The time; the highest value stands for infinity.
    public let timestamp: UInt64
    /// The first bytes of an id, at most 32.
    public let prefix: [UInt8]

    public static let infinity = RangeBound(timestamp: .max, prefix: [])

    public init(timestamp: UInt64, prefix: [UInt8]) {
        self.timestamp = timestamp
        self.prefix = prefix
    }

    init(_ item: RangeItem) { self.init(timestamp: item.timestamp, prefix: item.id.bytes) }

    /// Creates the shortest bound above `previous` and not above `next`.
    init(between previous: RangeItem, and next: RangeItem) {
        guard previous.timestamp == next.timestamp else {
            self.init(timestamp: next.timestamp, prefix: [])
            return
        }
        let (a, b) = (previous.id.bytes, next.id.bytes)
        let shared = zip(a, b).prefix { $0 == $1 }.count
        self.init(timestamp: next.timestamp, prefix: Array(b.prefix(shared + 1)))
    }

    /// Tells whether the item comes before this bound. A prefix is compared as if zeros followed it.
    func isAbove(_ item: RangeItem) -> Bool {
        if item.timestamp != timestamp { return item.timestamp < timestamp }
        guard !prefix.isEmpty else { return false }
        let bytes = item.id.bytes
        for index in 0..<32 {
            let own = index < prefix.count ? prefix[index] : 0
            if bytes[index] != own { return bytes[index] < own }
        }
        return false
    }
}
