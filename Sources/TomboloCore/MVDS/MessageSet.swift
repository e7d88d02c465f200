internal import SetReconciliation

/// An index of the ids of a group's messages, so that a reconciliation finds differences without reading all of them.
///
/// It consists of a digest, some coded symbols, and a tree in pages of the store (protocol 5.6-1, 5.6-8).
struct MessageSet: Sendable {
    let group: Int64
    private(set) var digest = SetDigest()
    private(set) var sketch: RatelessSketch<UInt64>
    /// The tree's first page; nil while the tree is empty.
    private var root: Int?
    private var pageCount = 0

    /// The number of coded symbols that are kept. They find up to about 150 differences.
    private static let warmCells = 256

    /// Loads the index of a group. If none is stored, it makes one of all messages.
    init(of record: GroupRecord, in store: any EventStore, using cryptography: some Cryptography) throws(StoreError) {
        group = record.reference
        sketch = RatelessSketch(
            count: Self.warmCells,
            key: cryptography.sipHashKey(from: record.id.value, Array("tombolo-set-1".utf8)))
        if let kept = try store.value(forKey: Self.key(ofGroup: record.reference)) {
            try restore(kept[...])
            return
        }
        var last: Int64 = 0
        while true {
            let messages = try store.messageTimes(inGroup: group, after: last, limit: 4_096)
            guard let end = messages.last else { return }
            try insert(messages, in: store, using: cryptography)
            last = end.ordinal
        }
    }

    private static func key(ofGroup group: Int64) -> String { "messages \(group)" }

    /// The number of messages.
    var count: Int { sketch.size }

    /// The root of the set: SHA-256 over the digest's state. Two devices with equal roots have the same messages.
    func root(using cryptography: some Cryptography) -> Bytes32 {
        Bytes32(digest.digest { cryptography.sha256($0).bytes }) ?? .zero
    }

    /// Adds messages that the set lacks.
    mutating func insert(
        _ messages: [MessageTime], in store: any EventStore, using cryptography: some Cryptography
    ) throws(StoreError) {
        guard !messages.isEmpty else { return }
        let pages = StoredPages(group: group, count: pageCount, store: store)
        do throws(ReconciliationError) {
            var tree = try openTree(in: pages)
            for message in messages {
                guard let id = ItemID(message.id.bytes) else { continue }
                // Times before 1970 count as 0, so that the order is the same on all devices.
                try tree.insert(RangeItem(timestamp: UInt64(max(0, message.timestamp)), id: id))
                sketch.insert(id.short)
                digest.insert(id) { cryptography.sha256($0).bytes }
            }
            root = tree.root
            pageCount = pages.count
        } catch {
            throw pages.failure ?? Self.broken(error)
        }
        try pages.flush()
        try store.setValue(storedForm, forKey: Self.key(ofGroup: group))
    }

    private func openTree(in pages: StoredPages) throws(ReconciliationError) -> RangeTree<StoredPages> {
        guard let root else { return try RangeTree(in: pages) }
        return try RangeTree(opening: pages, root: root)
    }

    static func broken(_ error: ReconciliationError) -> StoreError {
        StoreError(
            .corrupt, "the index of a group's messages is damaged (\(error)): restore the store, or sync to a new one")
    }

    /// The set's elements, for use within one transaction.
    func messages(in store: any EventStore) throws(StoreError) -> StoredMessages {
        let pages = StoredPages(group: group, count: pageCount, store: store)
        do throws(ReconciliationError) {
            return StoredMessages(tree: try openTree(in: pages), pages: pages)
        } catch {
            throw pages.failure ?? Self.broken(error)
        }
    }

    // MARK: The stored form

    private var storedForm: [UInt8] {
        var bytes = digest.bytes
        bytes.append(varint: root ?? 0)
        bytes.append(varint: pageCount)
        for cell in sketch.cells {
            bytes.append(fixed64: cell.sum)
            bytes.append(fixed64: cell.checksum)
            bytes.append(fixed64: UInt64(bitPattern: cell.count))
        }
        return bytes
    }

    private mutating func restore(_ bytes: Bytes) throws(StoreError) {
        var reader = WireReader(bytes)
        do throws(WireError) {
            guard let digest = SetDigest(bytes: Array(try reader.take(SetDigest.byteCount))) else {
                throw .invalid("a digest", offset: 0)
            }
            self.digest = digest
            root = Int(clamping: try reader.varint())
            pageCount = Int(clamping: try reader.varint())
            var cells: [CodedSymbol<UInt64>] = []
            while !reader.isAtEnd {
                cells.append(
                    CodedSymbol(
                        sum: try reader.fixed64(), checksum: try reader.fixed64(),
                        count: Int64(bitPattern: try reader.fixed64())))
            }
            guard !cells.isEmpty else { throw .truncated(offset: reader.offset) }
            sketch = RatelessSketch(cells: cells, key: sketch.key)
        } catch {
            throw StoreError(.corrupt, "the stored set of a group's messages is damaged (\(error))")
        }
    }
}

/// The ids of a group's messages in order, read from a store.
struct StoredMessages: RangeStorage {
    fileprivate let tree: RangeTree<StoredPages>
    fileprivate let pages: StoredPages

    /// The store's error, if that is the reason why a reconciliation failed.
    var failure: StoreError? { pages.failure }

    var count: Int { tree.count }
    subscript(index: Int) -> RangeItem { get throws(ReconciliationError) { try tree[index] } }

    func firstIndex(notBelow bound: RangeBound, from start: Int) throws(ReconciliationError) -> Int {
        try tree.firstIndex(notBelow: bound, from: start)
    }

    func sum(of range: Range<Int>) throws(ReconciliationError) -> Sum256 { try tree.sum(of: range) }

    func ids(withPrefixes prefixes: Set<UInt64>) throws(ReconciliationError) -> [ItemID] {
        try pages.ids(withPrefixes: prefixes)
    }
}

/// The pages of the tree over a group's messages within one transaction. They are read once, and written at its end.
final class StoredPages: RangePages {
    private let group: Int64
    private(set) var count: Int
    private let store: any EventStore
    private var cached: [Int: RangePage] = [:]
    private var changed: Set<Int> = []
    private(set) var failure: StoreError?

    init(group: Int64, count: Int, store: any EventStore) {
        (self.group, self.count, self.store) = (group, count, store)
    }

    private func asking<Result>(_ body: () throws(StoreError) -> Result) throws(ReconciliationError) -> Result {
        do throws(StoreError) { return try body() } catch {
            failure = error
            throw .storage("\(error)")
        }
    }

    func page(_ number: Int) throws(ReconciliationError) -> RangePage {
        if let page = cached[number] { return page }
        let bytes = try asking { () throws(StoreError) in try store.page(number, inGroup: group) }
        guard let bytes else { throw .storage("page \(number) is missing") }
        let page = try RangePage(bytes: bytes)
        cached[number] = page
        return page
    }

    func update<Result>(
        _ number: Int, _ change: (inout RangePage) throws(ReconciliationError) -> Result
    ) throws(ReconciliationError) -> Result {
        var page = try page(number)
        cached[number] = nil
        changed.insert(number)
        defer { cached[number] = page }
        return try change(&page)
    }

    func allocate() throws(ReconciliationError) -> Int {
        defer { count += 1 }
        cached[count] = .leaf([])
        changed.insert(count)
        return count
    }

    /// Does nothing: messages are never removed.
    func free(_ number: Int) throws(ReconciliationError) {}

    func ids(withPrefixes prefixes: Set<UInt64>) throws(ReconciliationError) -> [ItemID] {
        try asking { () throws(StoreError) in
            try store.messageIDs(withPrefixes: prefixes.sorted(), inGroup: group)
        }.compactMap { ItemID($0.bytes) }
    }

    func flush() throws(StoreError) {
        try store.put(
            changed.sorted().compactMap { number in cached[number].map { (number, $0.bytes) } }, inGroup: group)
        changed = []
    }
}
