/// Syncs groups of the mvds dialect: their messages, and the records outstanding towards each peer (protocol 1-9 to
/// 1-29).
///
/// Between two Tombolo devices the sets of messages are reconciled first, and digests are compared when nothing is
/// outstanding (protocol 5.6). The engine opens and closes sessions, passes on payloads, and calls ``advance(_:in:)``
/// at the end of each batch.
struct MVDSSync: Sendable {
    var groups: [MVDSGroup] = []
    /// The state of each open session, in ascending order of their ids.
    var sessions = SessionTable<MVDSSession>()
    /// The way in which messages are first sent to a peer.
    let mode: RecordMode

    init(mode: RecordMode) { self.mode = mode }

    func index(of id: GroupID) -> Int? { groups.firstIndex { $0.id == id } }

    func index(ofReference reference: Int64) -> Int? { groups.firstIndex { $0.record.reference == reference } }

    /// Whether any group is shared with a peer.
    func isShared(with peer: DeviceKey) -> Bool { groups.contains { $0.peers.contains(peer) } }

    var isEmpty: Bool { groups.isEmpty }

    /// When a message stops waiting for its parents, in milliseconds since 1970; nil if none waits.
    var nextWake: UInt64? { groups.compactMap { $0.waiting.map(\.deadline).min() }.min() }

    // MARK: Groups

    /// Adds a group that the store holds.
    mutating func open(
        _ record: GroupRecord, in store: any EventStore, now: UInt64, using cryptography: some Cryptography
    ) throws(StoreError) {
        var group = MVDSGroup(
            record: record, peers: try store.peers(sharing: record.reference),
            heads: try store.messageHeads(inGroup: record.reference, limit: Limits.references),
            set: try MessageSet(of: record, in: store, using: cryptography))
        for stored in try store.waitingMessages(inGroup: record.reference) {
            let missing = try Self.missingParents(of: stored.message, in: store)
            group.waiting.append(.init(id: stored.id, ordinal: stored.ordinal, missing: missing, deadline: now))
        }
        groups.append(group)
    }

    /// Makes a group, with an id of its own if none is given.
    mutating func create(
        _ request: RequestID, _ id: GroupID, name: String, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        var record = GroupRecord(id: id, dialect: .mvds, statement: [], discovery: .zero, name: name)
        try batch.store.put(&record)
        try open(record, in: batch.store, now: batch.now, using: batch.cryptography)
        batch.effects.append(.created(request, id))
    }

    /// Shares a group with a peer. It stays shared.
    mutating func share(
        _ request: RequestID, group index: Int, with peer: DeviceKey, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        try batch.store.share(groups[index].record.reference, with: peer)
        groups[index].peers = try batch.store.peers(sharing: groups[index].record.reference)
        batch.effects.append(.created(request, groups[index].id))
    }

    /// Shares no group with a peer any more. The engine closes the sessions with it, and the store forgets its records.
    mutating func remove(_ peer: DeviceKey) {
        for index in groups.indices { groups[index].peers.removeAll { $0 == peer } }
    }

    // MARK: Sessions

    /// Opens a session. All records towards the peer are due, as if they had never been sent.
    mutating func open(_ link: PeerLink, in batch: inout Batch<some Cryptography>) throws(StoreError) {
        sessions.insert(MVDSSession(link), for: link.session)
        if isShared(with: link.peer) { try batch.store.restartRecords(with: link.peer, at: batch.now) }
    }

    /// Notes that both sides of a native session have sent `hello`, so that records may be sent.
    mutating func noteReady(_ session: SessionID) {
        if let index = sessions.index(of: session) { sessions.values[index].isReady = true }
    }

    /// Sends nothing more over a session.
    mutating func close(_ session: SessionID) {
        if let index = sessions.index(of: session) { sessions.values[index].isClosed = true }
    }

    mutating func remove(_ session: SessionID) { sessions.remove(session) }

    /// When a session has something to do again, in milliseconds since 1970; nil for never.
    func nextWake(of session: SessionID) -> UInt64? {
        guard let index = sessions.index(of: session) else { return nil }
        var next = sessions.values[index].records.nextWake
        for group in sessions.values[index].groups.indices {
            next = earliest(next, sessions.values[index].groups[group].nextWake)
        }
        return next
    }

    /// The groups that a peer has shown in a session.
    func commonGroups(of session: SessionID) -> [GroupID] {
        guard let index = sessions.index(of: session) else { return [] }
        return sessions.values[index].groups.filter { $0.theirNumber != nil }.map { groups[$0.group].id }
    }

    /// Advances a session at the end of a batch: reconciles, sends records, compares digests.
    ///
    /// - Parameter unmatched: groups that the peer has shown and that no group here has matched; those matched now are
    ///   removed.
    mutating func advance(
        _ session: SessionID, unmatched: inout [GroupSync], in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        guard let index = sessions.index(of: session) else { return }
        try beginReconciliations(index, unmatched: &unmatched, in: &batch)
        try sendRecords(index, in: &batch)
        try settle(index, in: &batch)
    }
}
