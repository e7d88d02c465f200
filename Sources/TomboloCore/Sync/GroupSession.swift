/// The state of a session for one group that both sides may have. It coordinates its parts, each of which owns its
/// state:
/// - ``FrontierExchange`` finds the differences between the two sides,
/// - ``Outbox`` sends events, ``Inbox`` receives them,
/// - ``SecretExchange`` shares secrets, ``ContentExchange`` gets missing contents back,
/// - ``RootExchange`` compares roots once both sides are done.
struct GroupSession: Sendable {
    /// The group, which is also this side's number of it on the wire.
    let replica: ReplicaIndex
    var policy: SendPolicy
    /// Whether its tag was shown.
    private(set) var isIntroduced = false
    /// The peer's number of the group, once it has shown the group's tag.
    private(set) var theirNumber: UInt64?
    var logs = LogTables()
    var frontiers = FrontierExchange()
    var outbox = Outbox()
    var inbox = Inbox()
    var secrets = SecretExchange()
    var contents = ContentExchange()
    var roots = RootExchange()
    /// The cost of finding the differences.
    var report = ReconciliationReport()
    /// When the group session settles again without any input, in milliseconds since 1970.
    private var nextSettling: UInt64?

    init(_ replica: ReplicaIndex, _ visibility: VisibilityLevel) {
        self.replica = replica
        policy = SendPolicy(visibility)
    }

    var isMatched: Bool { theirNumber != nil }
    var number: Int { replica.value }

    /// Whether the peer has answered for the secrets and contents that it was asked for.
    @inline(__always) var awaitsNothing: Bool { !secrets.isAwaiting && !contents.isAwaiting }

    /// Whether nothing is being sent or received.
    @inline(__always) var isIdle: Bool { outbox.isIdle && inbox.isIdle }

    /// When the group session advances without any input, in milliseconds since 1970; nil for never.
    var nextWake: UInt64? { earliest(nextSettling, secrets.nextRequest) }

    mutating func wake(at time: UInt64) { nextSettling = min(nextSettling ?? time, time) }
    mutating func forgetWake() { nextSettling = nil }

    // MARK: Introductions

    mutating func introduce(
        over link: PeerLink, _ replica: inout Replica, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) -> GroupSync {
        isIntroduced = true
        var sync = GroupSync(number: number)
        sync.tag = link.tag(keyedBy: replica.record.discovery, ofDialler: link.isDialler, using: batch.cryptography)
        let root = replica.root(using: batch.cryptography)
        sync.root = ShownRoot(root, on: link, using: batch.cryptography)
        let agreements = try batch.store.agreements(with: link.peer, inGroup: replica.record.reference)
        // If nothing has changed on this side since the last agreement, one token suffices, and it stands in the root.
        sync.isAgreed = agreements.first?.token == root.prefix64
        sync.since = sync.isAgreed ? [] : agreements.map(\.token)
        let logs = replica.frontier.logs.count
        if logs >= Limits.codedLogs { sync.logs = UInt64(logs) }
        frontiers.noteIntroduction(
            naming: sync.isAgreed ? Array(agreements.prefix(1)) : agreements, logs: sync.logs)
        roots.noteSent(root, changes: replica.frontier.changes)
        sync.onlyTakes = !policy.sends
        sync.horizon = replica.kept.horizon == 0 ? nil : replica.kept.horizon
        contents.noteHorizonSent(replica.kept.horizon)
        return sync
    }

    /// Notes the peer's introduction of the group.
    mutating func match(_ sync: GroupSync, root: ShownRoot) {
        theirNumber = sync.number
        roots.noteIntroduction(root)
        frontiers.noteIntroduction(ofPeer: (sync.isAgreed ? [root.token] : []) + sync.since, logs: sync.logs)
        contents.noteIntroduction(horizon: sync.horizon ?? 0)
        policy.isPeerSilent = sync.onlyTakes
    }

    // MARK: The end of a batch

    /// Advances the group session at the end of a batch: answers, sends what may be sent, and settles.
    mutating func advance(
        over session: SessionContext, _ replica: inout Replica,
        in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        // At the end of the batch, whatever else has come in the same one.
        if frontiers.open() { try begin(over: session, &replica, in: &batch) }
        if frontiers.mustSend { try sendFrontier(over: session, &replica, in: &batch) }
        if let frontier = frontiers.takeUnplanned() {
            try outbox.plan(for: frontier, replica, in: batch.store)
        }
        contents.sendHorizon(replica.kept.horizon, number: number, over: session.link, in: &batch)
        if inbox.mustAcknowledge {
            inbox.acknowledge(replica.frontier, number: number, &logs.outgoing, over: session.link, in: &batch)
        }
        try sendWindows(over: session, &replica, in: &batch)
        requestSecrets(over: session, &replica, in: &batch)
        try answerSecretRequests(over: session, &replica, in: &batch)
        try settle(over: session, &replica, in: &batch)
    }

    /// Begins with a comparison of roots. Where they differ, a way to find the difference is chosen.
    private mutating func begin(
        over session: SessionContext, _ replica: inout Replica, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        if frontiers.phase == .introduced,
            roots.peerShows(replica.root(using: batch.cryptography), on: session.link, using: batch.cryptography)
        {
            frontiers.noteSame()
            outbox.notePeerHoldsAll(of: replica.frontier)
            requestSecrets(over: session, &replica, in: &batch)
            try requestDropped(over: session, &replica, in: &batch)
            if awaitsNothing { try agree(over: session, &replica, in: &batch) }
            return
        }
        frontiers.noteDifferent(isDialler: session.link.isDialler)
        guard frontiers.usesCodedFrontier else { return }
        report.strategy = .codedFrontier
        try frontiers.beginCoded(&replica, number: number, over: session.link, &report, in: &batch)
    }

    /// Sends windows as long as there is something to send and the peer keeps up.
    private mutating func sendWindows(
        over session: SessionContext, _ replica: inout Replica,
        in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        guard policy.sends else { return outbox.clear() }
        let limit = min(Limits.inFlight, session.windowLimit, session.link.windowLimit ?? .max)
        while outbox.hasPlan, let window = try outbox.nextWindow(limit: limit, replica.frontier, in: batch.store) {
            try shareSecrets(of: window, over: session, &replica, in: &batch)
            outbox.send(window, of: replica, number: number, &logs.outgoing, over: session.link, in: &batch)
        }
    }

    // MARK: Changes of the replica

    /// Whether events that are newly held are sent to the peer, or announced.
    var isOpen: Bool { isMatched && frontiers.isOpen }

    /// Notes events that are newly held.
    ///
    /// - Parameter isSource: whether they came from the peer, which receives an acknowledgement.
    mutating func note(stored events: [(log: Int, event: Event)], isSource: Bool, _ frontier: Frontier) {
        guard isOpen else { return }
        if isSource {
            outbox.noteReceived(events)
            inbox.noteChanged(events.lazy.map(\.log))
        } else {
            let announced = outbox.enqueue(events, frontier)
            if !announced.isEmpty { inbox.announce(announced) }
        }
    }

    /// Notes that floors have risen: agreements no longer hold, and the peer is informed.
    mutating func note(raisedFloors changed: Set<Int>) {
        frontiers.forgetBase()
        guard isMatched else { return }
        inbox.announce(changed)
    }
}
