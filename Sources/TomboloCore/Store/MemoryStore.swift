/// A store in memory, for the simulator and for tests. Nothing of it outlives the process.
public final class MemoryStore: EventStore {
    private struct Group {
        var record: GroupRecord
        var heads: Set<Int64> = []
        var logOfID: [LogID: Int64] = [:]
        var waiters: [EventID: [Int64]] = [:]
        /// The change log: the ordinals of its entries.
        var changes: [Int32] = []
        /// The kinds of the change log's entries, by their places, where an entry is not `delivered`.
        var otherChanges: [Int: ChangeKind] = [:]
        /// The expiries of contents, ascending.
        var expiries: [Expiry] = []
        var secrets: [EventID: [UInt8]] = [:]

        mutating func note(_ change: ChangeKind, _ ordinal: Int64) {
            if change != .delivered { otherChanges[changes.count] = change }
            changes.append(Int32(ordinal))
        }

        mutating func note(_ expiry: Expiry) {
            let place = expiries.partitionPoint { $0 >= expiry }
            if place == expiries.count || expiries[place] != expiry { expiries.insert(expiry, at: place) }
        }
    }

    private struct Expiry: Comparable {
        let time: UInt64
        let ordinal: Int64
        static func < (lhs: Expiry, rhs: Expiry) -> Bool { (lhs.time, lhs.ordinal) < (rhs.time, rhs.ordinal) }
    }

    private struct Log {
        let group: Int64
        var state: LogState
        var events = OrdinalsBySequence()
    }

    private var values: [String: [UInt8]] = [:]
    private var groupTable: [Group] = []
    private var logTable: [Log] = []
    private var eventTable = EventTable()
    /// The ordinals of forgotten events. Only the change log still has them.
    private var forgotten: Set<Int64> = []
    private var peerTable = PeerTable()
    var mvds = MemoryRecords()
    var files = MemoryFiles()
    private var invitations: [[UInt8]: InvitationRecord] = [:]
    private let pool: EventPool?

    /// Opens an empty store.
    ///
    /// - Parameter pool: the pool where stores of one process keep common events and states once.
    public init(sharing pool: EventPool? = nil) { self.pool = pool }

    /// Copies the present state of another store.
    public init(copying other: MemoryStore) {
        values = other.values
        groupTable = other.groupTable
        logTable = other.logTable
        eventTable = other.eventTable
        forgotten = other.forgotten
        peerTable = other.peerTable
        mvds = other.mvds
        files = other.files
        invitations = other.invitations
        pool = other.pool
    }

    public func value(forKey key: String) -> [UInt8]? { values[key] }
    public func setValue(_ value: [UInt8]?, forKey key: String) { values[key] = value }

    public func groups() -> [GroupRecord] { groupTable.map(\.record) }

    public func put(_ group: inout GroupRecord) {
        if let index = groupTable.firstIndex(where: { $0.record.id == group.id }) {
            group.reference = Int64(index + 1)
            groupTable[index].record = group
        } else {
            group.reference = Int64(groupTable.count + 1)
            groupTable.append(Group(record: group))
        }
    }

    public func logs(inGroup group: Int64) -> [LogState] {
        groupTable[Int(group) - 1].logOfID.values.sorted().map { logTable[Int($0) - 1].state }
    }

    public func put(_ logs: inout [LogState], inGroup group: Int64) {
        for index in logs.indices {
            let id = logs[index].id
            if let pool { logs[index] = pool.shared(logs[index]) }
            if let known = groupTable[Int(group) - 1].logOfID[id] {
                logs[index].reference = known
                logTable[Int(known) - 1].state = logs[index]
            } else {
                logs[index].reference = Int64(logTable.count + 1)
                groupTable[Int(group) - 1].logOfID[id] = logs[index].reference
                logTable.append(Log(group: group, state: logs[index]))
            }
        }
    }

    public func insert(_ events: [StoredEvent], inGroup group: Int64) -> Int64 {
        let first = eventTable.last + 1
        for stored in events {
            let (event, ordinal) = (pool?.shared(stored.event) ?? stored.event, eventTable.last + 1)
            eventTable.append(event, ofLog: stored.log, stored.status)
            files.refer(to: event.filesReferredTo, from: ordinal, inGroup: group)
            logTable[Int(stored.log) - 1].events.insert(ordinal, at: event.sequence)
            if stored.status == .delivered {
                groupTable[Int(group) - 1].note(event.content == nil ? .erased : .delivered, ordinal)
            }
            if let time = event.expiryToCome {
                groupTable[Int(group) - 1].note(Expiry(time: time, ordinal: ordinal))
            }
        }
        return first
    }

    public func secrets(inGroup group: Int64) -> [(rekey: EventID, extent: SecretExtent)] {
        groupTable[Int(group) - 1].secrets.sorted { $0.key < $1.key }.compactMap { rekey, secret in
            secret.first.flatMap { SecretExtent(rawValue: $0) }.map { (rekey, $0) }
        }
    }
    public func secret(of rekey: EventID, inGroup group: Int64) -> [UInt8]? {
        groupTable[Int(group) - 1].secrets[rekey]
    }
    public func setSecret(_ secret: [UInt8], of rekey: EventID, inGroup group: Int64) {
        groupTable[Int(group) - 1].secrets[rekey] = secret
    }

    public func lastOrdinal() -> Int64 { eventTable.last }

    public func places(of keys: [EventKey]) -> [EventPlace?] {
        keys.map { key in
            let ordinals = logTable[Int(key.log) - 1].events[key.sequence]
            guard let ordinal = ordinals.first(where: { eventTable[$0].event.id == key.id }) else {
                return nil
            }
            let stored = eventTable[ordinal]
            return EventPlace(ordinal: ordinal, lamport: stored.event.lamport, status: stored.status)
        }
    }

    public func events(
        ofLog log: Int64, in sequences: ClosedRange<UInt64>, limit: Int, bytes: Int
    ) -> [StoredEvent] {
        var left = bytes
        return events(ofLog: log, in: sequences, limit: limit).prefix { stored in
            defer { left -= stored.event.content?.count ?? 0 }
            return left > 0
        }
    }

    private func events(ofLog log: Int64, in sequences: ClosedRange<UInt64>, limit: Int) -> [StoredEvent] {
        var result: [StoredEvent] = []
        let table = logTable[Int(log) - 1].events
        var from = sequences.lowerBound
        while result.count < limit, let sequence = table.next(from: from), sequence <= sequences.upperBound {
            let found = table[sequence].map { eventTable[$0] }
            result += found.count < 2 ? found : found.sorted { $0.event.id < $1.event.id }
            from = sequence + 1
        }
        return Array(result.prefix(limit))
    }

    public func events(ordinals: [Int64]) -> [StoredEvent] {
        ordinals.compactMap {
            eventTable.contains($0) && !forgotten.contains($0) ? eventTable[$0] : nil
        }
    }

    public func headers(ofLog log: Int64, in sequences: ClosedRange<UInt64>, limit: Int) -> [StoredHeader] {
        events(ofLog: log, in: sequences, limit: limit).map { $0.event.stored($0.ordinal) }
    }

    public func headers(ordinals: [Int64]) -> [StoredHeader] {
        events(ordinals: ordinals).map { $0.event.stored($0.ordinal) }
    }

    public func changes(after ordinal: Int64, inGroup group: Int64) -> [LogChange] {
        var changes: [Int64: LogChange] = [:]
        for stored in eventTable.after(ordinal) where isOf(group, stored) {
            guard forgotten.isEmpty || !forgotten.contains(stored.ordinal) else { continue }
            let sequence = stored.event.sequence
            let known = changes[stored.log] ?? LogChange(log: stored.log, first: sequence, last: sequence)
            changes[stored.log] = LogChange(
                log: stored.log, first: min(known.first, sequence), last: max(known.last, sequence))
        }
        return changes.values.sorted { $0.log < $1.log }
    }

    public func setStatus(
        _ status: EventStatus, ordinals: [Int64], noting change: ChangeKind?, inGroup group: Int64
    ) {
        for ordinal in ordinals { eventTable.setStatus(status, of: ordinal) }
        guard let change else { return }
        for ordinal in ordinals { groupTable[Int(group) - 1].note(change, ordinal) }
    }

    public func erase(_ events: [StoredHeader], forGood isForGood: Bool, inGroup group: Int64) {
        for event in events {
            let stored = eventTable[event.ordinal]
            if stored.event.content != nil, stored.status == .delivered || stored.status == .withdrawn {
                groupTable[Int(group) - 1].note(.erased, event.ordinal)
            }
            files.endReferences(to: stored.event.filesReferredTo, from: event.ordinal)
            eventTable.replace(event.ordinal, by: stored.event.erased)
            if isForGood, let time = stored.event.expiryToCome {
                let expiry = Expiry(time: time, ordinal: event.ordinal)
                let place = groupTable[Int(group) - 1].expiries.partitionPoint { $0 >= expiry }
                if place < groupTable[Int(group) - 1].expiries.count,
                    groupTable[Int(group) - 1].expiries[place] == expiry
                {
                    groupTable[Int(group) - 1].expiries.remove(at: place)
                }
            }
        }
    }

    public func setContent(_ content: Bytes, salt: Bytes, ofEvent ordinal: Int64) {
        let stored = eventTable[ordinal]
        eventTable.replace(ordinal, by: stored.event.with(content, salt: salt))
        let group = logTable[Int(stored.log) - 1].group
        files.refer(to: stored.event.header.files, from: ordinal, inGroup: group)
        if let time = stored.event.expiryToCome {
            groupTable[Int(group) - 1].note(Expiry(time: time, ordinal: ordinal))
        }
    }

    private func isOf(_ group: Int64, _ stored: StoredEvent) -> Bool { logTable[Int(stored.log) - 1].group == group }

    public func contentSizes(inGroup group: Int64, after ordinal: Int64, limit: Int) -> [ContentSize] {
        return eventTable.after(ordinal).filter {
            self.isOf(group, $0) && $0.status == .delivered && $0.event.salt?.isEmpty == false
                && $0.event.content?.isEmpty == false && !self.forgotten.contains($0.ordinal)
        }.prefix(limit).map { ContentSize(ordinal: $0.ordinal, log: $0.log, bytes: $0.event.content?.count ?? 0) }
    }

    public func withoutContent(
        inGroup group: Int64, lamports: ClosedRange<UInt64>, after ordinal: Int64, limit: Int
    ) -> [Int64] {
        return eventTable.after(ordinal).filter {
            self.isOf(group, $0) && $0.event.content == nil && lamports.contains($0.event.lamport)
                && !self.forgotten.contains($0.ordinal)
        }.prefix(limit).map(\.ordinal)
    }

    public func expired(by time: UInt64, inGroup group: Int64, limit: Int) -> [Int64] {
        groupTable[Int(group) - 1].expiries.prefix(limit).prefix { $0.time <= time }.map(\.ordinal)
    }

    public func nextExpiry(inGroup group: Int64) -> UInt64? { groupTable[Int(group) - 1].expiries.first?.time }

    public func contentless(inGroup group: Int64) -> [StoredHeader] {
        headers(ordinals: Set(groupTable[Int(group) - 1].waiters.values.joined()).sorted()).filter { !$0.hasContent }
    }

    /// Forgets events. The change log keeps its entries, since tests look at the store through it.
    public func forget(_ beginnings: [LogBeginning], inGroup group: Int64) {
        var removed: Set<Int64> = []
        for beginning in beginnings {
            removed.formUnion(logTable[Int(beginning.log) - 1].events.remove(through: beginning.sequence))
        }
        forgotten.formUnion(removed)
        groupTable[Int(group) - 1].expiries.removeAll { removed.contains($0.ordinal) }
        groupTable[Int(group) - 1].heads.subtract(removed)
        groupTable[Int(group) - 1].waiters = groupTable[Int(group) - 1].waiters.compactMapValues { waiters in
            let left = waiters.filter { !removed.contains($0) }
            return left.isEmpty ? nil : left
        }
    }

    public func takeUndelivered(inGroup group: Int64) -> [(ordinal: Int64, status: EventStatus)] {
        groupTable[Int(group) - 1].waiters = [:]
        return eventTable.after(0).filter {
            ($0.status == .waiting || $0.status == .invalid) && self.isOf(group, $0)
                && !self.forgotten.contains($0.ordinal)
        }.map { ($0.ordinal, $0.status) }
    }

    public func forgetAgreements(inGroup group: Int64) {
        peerTable.forgetAgreements(inGroup: group)
    }

    public func addWaiting(_ waiting: [(missing: EventID, waiter: Int64)], inGroup group: Int64) {
        for (missing, waiter) in waiting { groupTable[Int(group) - 1].waiters[missing, default: []].append(waiter) }
    }

    public func takeWaiting(for ids: [EventID], inGroup group: Int64) -> [Int64] {
        ids.flatMap { groupTable[Int(group) - 1].waiters.removeValue(forKey: $0) ?? [] }
    }

    public func heads(inGroup group: Int64) -> [StoredHeader] {
        headers(ordinals: groupTable[Int(group) - 1].heads.sorted())
    }

    public func changeHeads(adding: [Int64], removing: [Int64], inGroup group: Int64) {
        groupTable[Int(group) - 1].heads.subtract(removing)
        groupTable[Int(group) - 1].heads.formUnion(adding)
    }

    public func peers() -> [PeerRecord] { peerTable.records }
    public func peer(_ device: DeviceKey) -> PeerRecord? { peerTable[device] }
    public func put(_ peer: PeerRecord) {
        peerTable.put(pool?.shared(peer) ?? PeerTable.Shared(peer))
    }

    public func removePeer(_ peer: DeviceKey) {
        peerTable.remove(peer)
        for group in mvds.sharing.keys { mvds.sharing[group]?.remove(peer) }
        mvds.records[peer] = nil
    }

    public func agreements(with peer: DeviceKey, inGroup group: Int64) -> [Agreement] {
        peerTable.agreements(with: peer, inGroup: group)
    }

    public func putAgreement(_ agreement: Agreement, with peer: DeviceKey, inGroup group: Int64) {
        peerTable.put(agreement, with: peer, inGroup: group)
    }

    public func forgetPeer(_ peer: DeviceKey) { peerTable.forgetAgreements(with: peer) }

    /// Does nothing: acknowledgements serve only programs that read a store, and would take most of the memory.
    public func acknowledge(_ logs: [(log: Int64, sequence: UInt64)], by peer: DeviceKey) {}

    public func invitation(id: [UInt8]) -> InvitationRecord? { invitations[id] }
    public func put(_ invitation: InvitationRecord) { invitations[invitation.id] = invitation }
    public func removeInvitation(id: [UInt8]) { invitations[id] = nil }

    /// Whether the store has the group.
    public func holdsGroup(_ id: GroupID) -> Bool { groupTable.contains { $0.record.id == id } }

    /// An event as it is stored; nil if it is not held.
    public func stored(_ event: Event, in id: GroupID) -> StoredEvent? {
        let log = groupTable.first { $0.record.id == id }?.logOfID[event.header.log]
        guard let log else { return nil }
        let ordinals = logTable[Int(log) - 1].events[event.sequence]
        return ordinals.lazy.map { self.eventTable[$0] }.first { $0.event.id == event.id }
    }

    /// The floor of a log.
    public func floor(ofLog log: LogID, in id: GroupID) -> UInt64 {
        let reference = groupTable.first { $0.record.id == id }?.logOfID[log]
        return reference.map { logTable[Int($0) - 1].state.floor } ?? 0
    }

    /// The status of an event; nil if it is not held.
    public func status(of event: Event, in id: GroupID) -> EventStatus? { stored(event, in: id)?.status }

    /// The delivered events of a group, in the order of delivery, without the first `count`.
    public func delivered(in id: GroupID, after count: Int = 0) -> [StoredEvent] {
        let all = changes(in: id, after: count)
        return all.filter { $0.kind == .delivered }.map(\.event)
    }

    /// The change log of a group, without the first `count` changes.
    public func changes(in id: GroupID, after count: Int = 0) -> [(kind: ChangeKind, event: StoredEvent)] {
        guard let group = groupTable.first(where: { $0.record.id == id }) else { return [] }
        return group.changes.indices.dropFirst(count).map {
            (group.otherChanges[$0] ?? .delivered, eventTable[Int64(group.changes[$0])])
        }
    }
}
