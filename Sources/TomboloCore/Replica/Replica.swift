/// One group on this device: its logs, heads, state, keys, and what is kept of its contents. It knows no session.
///
/// - Events enter by ``append(_:_:content:expiry:files:in:)`` and ``ingest(_:from:horizon:certificates:in:)``, state
///   actions by ``apply(_:_:in:)``.
/// - The engine calls ``advance(_:in:)`` for each phase at the end of a batch, and again at ``nextWake``.
/// - ``takeChanges()`` gives what sessions and files must know. The engine passes it on after each call.
///
/// Everything else of the group is in the store.
struct Replica: Sendable {
    var record: GroupRecord
    var frontier: Frontier
    /// Delivered events that no delivered event names, with their ordinals.
    var heads: [EventID: (place: EventReference, ordinal: Int64)] = [:]
    /// The state of the group: its members' rights and its settings.
    var state: StateGraph
    var recent: RecentEvents
    var hashing: EventHashing
    /// Events that wait for ancestors, over all logs.
    var waiting: Int
    /// Waiting events without their content. Some of them may not need it any more.
    var contentless: [EventID: EventReference] = [:]
    /// Counts the events that ever entered ``contentless`` since the engine was opened.
    var contentlessNoted = 0
    /// The contents that this device keeps.
    var kept = KeptContents()
    /// The session over which dropped contents are being brought back, and until when; nil if none is.
    var restoration: (session: SessionID, deadline: UInt64)?
    /// The contacts that the group is hidden from.
    var visibility = GroupVisibility()
    /// The Lamport time up to which the sender of the current events does not keep all contents.
    var acceptedHorizon: UInt64 = 0
    /// The earliest expiry of a stored content, in milliseconds since 1970.
    var nextExpiry: UInt64?
    var checkpoints = CheckpointWork()
    /// The secrets that contents are encrypted under; nil in groups with contents in clear.
    var secrets: GroupSecrets?
    /// When this device writes a receipt for what it has erased, unless it writes another event before.
    var receiptDue: UInt64?
    /// The time of the last ephemeral event of each log. One that is not later is a replay.
    var ephemeralTimes: [LogID: Int64] = [:]
    /// The changes of state that the batch has made and that events are not yet settled by.
    var unsettled = UnsettledState()
    /// The wanted parts of the logs of the conversation by which events were settled last.
    var parts: [Int: WantedPart] = [:]
    var keptPaths = KeptPaths()
    /// The changes of rights by which events were settled last.
    var settledChanges = 0
    var unproven = UnprovenLogs()
    /// Logs whose state the batch has changed and not yet stored.
    var changedLogs: Set<Int> = []
    private var changes: [ReplicaChange] = []

    var id: GroupID { record.id }
    var isPublic: Bool { state.policy == .public }

    /// Opens a group: reads the states of its logs, its heads and its state events.
    ///
    /// - Parameters:
    ///   - member: the member whose device this is.
    ///   - recentEvents: how many events' places are remembered.
    /// - Throws: `StoreError` `corrupt` if the store holds what the engine would never have stored.
    init(
        opening record: GroupRecord, for member: MemberKey, recentEvents: Int, in store: any EventStore
    ) throws(StoreError) {
        let logs = try store.logs(inGroup: record.reference)
        let heads = try store.heads(inGroup: record.reference)
        self.record = record
        frontier = Frontier(logs)
        state = try StateGraph(of: record, logs: logs, in: store)
        for (index, log) in logs.enumerated() {
            guard let certificate = log.certificate, !certificate.isStateLog else { continue }
            parts[index] = state.wantedPart(ofLog: log.id, by: certificate.author)
        }
        unproven = UnprovenLogs(among: logs, state)
        settledChanges = state.changes
        _ = state.takeChangedMembers()
        recent = RecentEvents(capacity: recentEvents)
        hashing = EventHashing(group: record.id)
        waiting = logs.reduce(0) { $0 + $1.waiting }
        nextExpiry = try store.nextExpiry(inGroup: record.reference)
        kept = try KeptContents(decoding: store.value(forKey: KeptContents.key(of: record.id)))
        visibility = try GroupVisibility(decoding: store.value(forKey: GroupVisibility.key(of: record.id)))
        kept.due = kept.retention == .everything ? nil : 0
        if waiting > 0 {
            for event in try store.contentless(inGroup: record.reference) where event.header.isErasable {
                contentless[event.id] = event.reference
            }
            contentlessNoted = contentless.count
        }
        if state.policy.isSealed {
            secrets = try GroupSecrets(opening: record, state: state, frontier: frontier, for: member, in: store)
        }
        checkpoints.isOpen = !state.checkpointNodes.isEmpty
        checkpoints.due = checkpoints.isOpen ? 0 : nil
        for head in heads { self.heads[head.id] = (head.reference, head.ordinal) }
    }

    /// The root that all devices show that know the same of the group.
    mutating func root(using cryptography: some Cryptography) -> Bytes32 { frontier.root(using: cryptography) }

    func index(of event: Event) -> Int? { frontier.index(of: event.log) }

    // MARK: Phases

    /// The steps at the end of a batch, in this order. The engine takes each for all groups before the next one.
    enum Phase: CaseIterable {
        /// Erases contents that have expired, before anything is sent.
        case eraseExpired
        /// Drops contents that this device keeps no longer.
        case dropSurplus
        /// Passes checkpoints that an earlier batch found to be met: this batch is synced to disk.
        case passCheckpoints
        /// Forgets what every member has passed, and looks which checkpoints this device's member can pass.
        case tendCheckpoints
        /// Writes receipts that are due.
        case writeReceipts
        /// States the key that secrets for this device are sealed to.
        case stateSharingKey
        /// Delivers events that waited for keys that have been punctured.
        case releaseKeyless
        /// Stores the states of logs that the steps before have changed.
        case saveLogs
    }

    mutating func advance(_ phase: Phase, in batch: inout Batch<some Cryptography>) throws(StoreError) {
        switch phase {
        case .eraseExpired: try eraseExpired(in: &batch)
        case .dropSurplus: try dropSurplus(in: &batch)
        case .passCheckpoints: try passCheckpoints(in: &batch)
        case .tendCheckpoints: try tendCheckpoints(in: &batch)
        case .writeReceipts: try writeReceipt(in: &batch)
        case .stateSharingKey: try stateSharingKey(in: &batch)
        case .releaseKeyless: try releaseKeyless(in: &batch)
        case .saveLogs: try saveLogs(in: batch.store)
        }
    }

    /// When `advance` has something to do again, in milliseconds since 1970; nil for never.
    func nextWake(now: UInt64) -> UInt64? {
        let due = earliest(earliest(nextExpiry, receiptDue), earliest(kept.due, checkpoints.due))
        return checkpoints.ready.isEmpty ? due : earliest(due, now)
    }

    /// Whether `advance` may write an event that nobody has asked for: then the batch must be synced to disk.
    var mayWriteUnasked: Bool { receiptDue != nil || !checkpoints.ready.isEmpty || checkpoints.saysAgain }

    private mutating func saveLogs(in store: any EventStore) throws(StoreError) {
        guard !changedLogs.isEmpty else { return }
        let changed = changedLogs.sorted()
        changedLogs.removeAll(keepingCapacity: true)
        var states = changed.map { frontier[$0] }
        try store.put(&states, inGroup: record.reference)
        for (log, state) in zip(changed, states) { frontier.share(state, at: log) }
    }

    // MARK: Changes

    mutating func note(_ change: ReplicaChange) { changes.append(change) }

    var hasChanges: Bool { !changes.isEmpty }

    /// The changes since the last call that sessions or files must know, in order.
    mutating func takeChanges() -> [ReplicaChange] {
        defer { changes = [] }
        return changes
    }
}

/// A change of a replica that sessions or files must know.
enum ReplicaChange: Sendable {
    /// Events are newly held. They go to all sessions but the one that they came from.
    case stored([(log: Int, event: Event)], from: SessionID?)
    /// An ephemeral event is passed on to all sessions but the one that it came from.
    case ephemeral(Message, from: SessionID?)
    /// Events were delivered that refer to files; each file as often as an event names it.
    case referred([FileID])
    /// Contents were erased or dropped, with the references to these files.
    case erased(Set<EventID>, files: [FileID])
    /// The floors of these logs have risen.
    case raisedFloors(Set<Int>)
    /// Something else has changed that may concern every session.
    case concernsAllSessions
    /// This device has received a removal of one of the member's devices, and may have to post it in other groups.
    case removalsMaySpread
}
