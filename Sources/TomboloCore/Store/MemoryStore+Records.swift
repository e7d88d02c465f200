/// The tables of a ``MemoryStore`` for groups of the mvds dialect.
struct MemoryRecords {
    var sharing: [Int64: Set<DeviceKey>] = [:]
    var messages: [StoredMessage] = []
    var ordinals: [EventID: Int64] = [:]
    var heads: [Int64: [EventID]] = [:]
    /// The ordinals of delivered messages by group.
    var changes: [Int64: [Int64]] = [:]
    var records: [DeviceKey: [EventID: SyncRecord]] = [:]
    var pages: [Int64: [Int: [UInt8]]] = [:]
}

extension MemoryStore {
    public func peers(sharing group: Int64) -> [DeviceKey] { (mvds.sharing[group] ?? []).sorted() }
    public func share(_ group: Int64, with peer: DeviceKey) { mvds.sharing[group, default: []].insert(peer) }

    public func insert(_ messages: [StoredMessage]) -> Int64 {
        let first = Int64(mvds.messages.count + 1)
        for var stored in messages {
            stored.ordinal = Int64(mvds.messages.count + 1)
            mvds.messages.append(stored)
            mvds.ordinals[stored.id] = stored.ordinal
            if stored.status == .delivered { mvds.changes[stored.group, default: []].append(stored.ordinal) }
        }
        return first
    }

    public func messages(ids: [EventID]) -> [StoredMessage?] {
        ids.map { id in mvds.ordinals[id].map { mvds.messages[Int($0) - 1] } }
    }

    public func places(ofMessages ids: [EventID]) -> [MessagePlace?] {
        messages(ids: ids).map { $0.map { MessagePlace(group: $0.group, status: $0.status) } }
    }

    public func waitingMessages(inGroup group: Int64) -> [StoredMessage] {
        mvds.messages.filter { $0.group == group && $0.status == .waiting }
    }

    public func deliverMessages(ordinals: [Int64], inGroup group: Int64) {
        for ordinal in ordinals { mvds.messages[Int(ordinal) - 1].status = .delivered }
        mvds.changes[group, default: []] += ordinals
    }

    public func messageHeads(inGroup group: Int64, limit: Int) -> [EventID] {
        Array((mvds.heads[group] ?? []).suffix(limit))
    }

    public func setMessageHeads(_ heads: [EventID], inGroup group: Int64) { mvds.heads[group] = heads }

    public func records(of ids: [EventID], with peer: DeviceKey) -> [SyncRecord] {
        ids.compactMap { mvds.records[peer]?[$0] }
    }

    public func records(
        with peer: DeviceKey, dueAt time: UInt64, kinds: [SyncRecord.Kind], limit: Int
    ) -> [SyncRecord] {
        let due = (mvds.records[peer] ?? [:]).values.filter { $0.nextSend <= time && kinds.contains($0.kind) }
        return Array(due.sorted { ($0.nextSend, $0.id) < ($1.nextSend, $1.id) }.prefix(limit))
    }

    public func nextRecord(with peer: DeviceKey) -> UInt64? { mvds.records[peer]?.values.map(\.nextSend).min() }

    public func requestCount(with peer: DeviceKey) -> Int {
        (mvds.records[peer] ?? [:]).values.count { $0.kind == .request }
    }

    public func put(_ records: [SyncRecord]) {
        for record in records { mvds.records[record.peer, default: [:]][record.id] = record }
    }

    public func removeRecords(of ids: [EventID], with peer: DeviceKey) {
        for id in ids { mvds.records[peer]?[id] = nil }
    }

    public func removeRequests(of ids: [EventID]) {
        for peer in mvds.records.keys {
            for id in ids where mvds.records[peer]?[id]?.kind == .request { mvds.records[peer]?[id] = nil }
        }
    }

    public func restartRecords(with peer: DeviceKey, at time: UInt64) {
        for id in (mvds.records[peer] ?? [:]).keys {
            mvds.records[peer]?[id]?.nextSend = time
            mvds.records[peer]?[id]?.sendCount = 0
        }
    }

    public func replaceRecords(
        with peer: DeviceKey, inGroup group: Int64, upTo ordinal: Int64, by records: [SyncRecord]
    ) {
        for record in (mvds.records[peer] ?? [:]).values where record.kind != .request {
            guard let message = mvds.ordinals[record.id], message <= ordinal,
                mvds.messages[Int(message) - 1].group == group
            else { continue }
            mvds.records[peer]?[record.id] = nil
        }
        put(records)
    }

    public func lastMessage() -> Int64 { Int64(mvds.messages.count) }

    public func messageTimes(inGroup group: Int64, after ordinal: Int64, limit: Int) -> [MessageTime] {
        let later = mvds.messages.dropFirst(Int(ordinal)).lazy.filter { $0.group == group }
        return later.prefix(limit).map {
            MessageTime(ordinal: $0.ordinal, id: $0.id, timestamp: $0.message.timestamp)
        }
    }

    public func messageIDs(withPrefixes prefixes: [UInt64], inGroup group: Int64) -> [EventID] {
        let prefixes = Set(prefixes)
        return mvds.messages.filter { $0.group == group && prefixes.contains($0.id.value.prefix64 >> 24) }.map(\.id)
    }

    public func page(_ number: Int, inGroup group: Int64) -> [UInt8]? { mvds.pages[group]?[number] }

    public func put(_ pages: [(number: Int, bytes: [UInt8])], inGroup group: Int64) {
        for page in pages { mvds.pages[group, default: [:]][page.number] = page.bytes }
    }

    /// The delivered messages of a group of the mvds dialect, in the order of delivery.
    public func deliveredMessages(in id: GroupID) -> [StoredMessage] {
        guard let group = groups().first(where: { $0.id == id }) else { return [] }
        return (mvds.changes[group.reference] ?? []).map { mvds.messages[Int($0) - 1] }
    }
}
