/// The protocol engine of one device: no sockets, no clocks, no threads, no files.
///
/// Whoever runs it hands it everything that happened since the last time, the time, and a transaction of its store; it
/// answers with what to do once that transaction has committed. The same inputs give the same effects.
///
/// - Important: After a commit that failed, or an error thrown by `process`, the engine MUST be discarded and opened
///   again: its memory may be ahead of its store.
public struct Engine<Crypto: Cryptography>: ~Copyable, Sendable {
    var generator: any RandomNumberGenerator & Sendable
    let incarnation: [UInt8]
    var groups: [GroupReplica] = []
    /// Keys of this device's own logs, as they come to be used.
    var ownKeys: [GroupID: Crypto.SigningKey] = [:]
    /// This device's logs of state events, and their keys.
    var ownStateLogs: [GroupID: OwnLog<Crypto>] = [:]
    /// Groups of the mvds dialect.
    var mvdsGroups: [MVDSReplica] = []
    let recordMode: RecordMode
    let recentEvents: Int
    /// In ascending order of their ids.
    var sessions: [Session] = []
    /// Files that are wanted and not complete.
    var fetches: [FileID: FileFetch] = [:]
    /// How often one more was begun, or may be had in one more group.
    var fetchesChanged = 0
    var fileLimits: FileLimits
    /// The sum of what files count for towards the quota, without those that are fetched by themselves and of which nothing is here.
    var fileBytes: UInt64
    /// Where those that wait to be fetched by themselves are gone on with; whether any may wait.
    var fetchCursor: FileID?
    var mayRefillFetches = true
    /// Whether a device of this member's was removed somewhere and may have written elsewhere.
    var maySpreadRemovals = false
    /// Whether how far a group is shared with somebody has changed, and how much there was by which it may when that was looked at.
    var mustReviewVisibility = false
    var reviewedCount = 0
    /// Whether something has happened in this batch that may concern every session; how often anything had changed in the groups'
    /// frontiers when sessions were last brought forward.
    var concernsAll = false
    /// Whether sessions rest that a batch does not concern. It must show in nothing but the time that it takes.
    package var letsSessionsRest = true
    var changesSeen: UInt64 = 0
    var effects: [EngineEffect] = []
    /// Milliseconds since 1970, as last told.
    var now: UInt64 = 0
    // Last, since their sizes depend on the cryptography: where everything else stands does not.
    let cryptography: Crypto
    var identity: Identity<Crypto>

    /// Opens the engine on what a store holds, making the device's identity on first use.
    ///
    /// Reads groups, the states of their logs and their heads: nothing that grows with the number of events.
    ///
    /// - Parameters:
    ///   - store: a transaction of the store, which commits after this.
    ///   - cryptography: the real one, or a simulation's stand-in.
    ///   - generator: where all of the engine's randomness comes from.
    ///   - beginsIncarnation: whether received data may have been lost since the last time (law 1).
    ///   - beginsLogs: whether the store is an old copy of what it was: what the device wrote since is not here, so that going on in
    ///     its logs would number events again. It writes to new ones from now on.
    ///   - recordMode: how messages of the mvds dialect are brought to peers.
    ///   - recentEvents: of how many events of a group, to twice as many, the places are remembered, at some 90 bytes each, so that
    ///     the store is not asked for them. It shows in nothing else; who runs thousands of engines wants few.
    public init(
        opening store: any EventStore, cryptography: Crypto, generator: any RandomNumberGenerator & Sendable,
        beginsIncarnation: Bool, beginsLogs: Bool = false, recordMode: RecordMode = .byCost,
        recentEvents: Int = Limits.recentEvents
    ) throws(StoreError) {
        // Everything that can fail comes before the first stored property is set.
        var generator = generator
        let identity = try Identity(in: store, cryptography: cryptography, generator: &generator)
        let kept = try store.value(forKey: IdentityKeys.incarnation)
        let incarnation: [UInt8]
        if let kept, !beginsIncarnation {
            incarnation = kept
        } else {
            incarnation = .random(16, using: &generator)
            try store.setValue(incarnation, forKey: IdentityKeys.incarnation)
            // What peers were found to hold was compared with what this device may have lost.
            for peer in try store.peers() { try store.forgetPeer(peer.device) }
        }
        var groups: [GroupReplica] = []
        var mvdsGroups: [MVDSReplica] = []
        for var record in try store.groups() {
            if beginsLogs, record.ownLog != nil {
                record.leaveOwnLog()
                try store.put(&record)
            }
            switch record.dialect {
            case .native:
                guard GroupStatement.groupID(of: record.statement, using: cryptography) == record.id else {
                    throw StoreError(.corrupt, "the statement of group \(record.id) is another group's")
                }
                groups.append(try Self.open(record, for: identity.member, store, recentEvents: recentEvents))
            case .mvds: mvdsGroups.append(try Self.openMVDS(record, store, now: 0, cryptography))
            }
        }
        let fetches = try Self.openFetches(in: store, &generator)
        let fileBytes = try store.fileBytes()
        let fileLimits = FileLimits(decoding: try store.value(forKey: FileLimits.key))
        self.cryptography = cryptography
        self.generator = generator
        self.identity = identity
        self.incarnation = incarnation
        self.fetches = fetches
        self.fileLimits = fileLimits
        self.fileBytes = fileBytes
        self.groups = groups
        self.mvdsGroups = mvdsGroups
        self.recordMode = recordMode
        self.recentEvents = recentEvents
        noteRemovalsMaySpread()
    }

    static func open(
        _ record: GroupRecord, for member: MemberKey, _ store: any EventStore, recentEvents: Int
    ) throws(StoreError) -> GroupReplica {
        let logs = try store.logs(inGroup: record.reference)
        let heads = try store.heads(inGroup: record.reference)
        var replica = GroupReplica(
            record: record, frontier: Frontier(logs), heads: [:],
            state: try StateGraph(of: record, logs: logs, in: store),
            recent: RecentEvents(capacity: recentEvents), hashing: EventHashing(group: record.id),
            waiting: logs.reduce(0) { $0 + $1.waiting })
        replica.nextExpiry = try store.nextExpiry(inGroup: record.reference)
        replica.kept = try KeptContents(decoding: store.value(forKey: KeptContents.key(of: record.id)))
        replica.visibility = try GroupVisibility(decoding: store.value(forKey: GroupVisibility.key(of: record.id)))
        replica.kept.due = replica.kept.retention == .everything ? nil : 0
        if replica.waiting > 0 {
            for event in try store.contentless(inGroup: record.reference) where event.header.isErasable {
                replica.contentless[event.id] = event.reference
            }
            replica.contentlessNoted = replica.contentless.count
        }
        replica.sealing = try openSealing(of: replica, for: member, store)
        replica.checkpoints.isOpen = !replica.state.checkpointNodes.isEmpty
        replica.checkpoints.due = replica.checkpoints.isOpen ? 0 : nil
        for head in heads {
            replica.heads[head.id] = (head.reference, head.ordinal)
        }
        return replica
    }

    public var device: DeviceKey { identity.device }
    public var member: MemberKey { identity.member }

    /// Takes everything that happened, in this order.
    ///
    /// - Parameters:
    ///   - inputs: all that has happened since the last time.
    ///   - now: milliseconds since 1970. A clock that goes backwards delays what waits for time, and nothing else.
    ///   - store: the transaction that carries it all.
    /// - Returns: what to do after the commit.
    public mutating func process(
        _ inputs: [EngineInput], now: UInt64, in store: any EventStore
    ) throws(StoreError) -> [EngineEffect] {
        self.now = now
        if maySpreadRemovals { try spreadRemovals(store) }
        for input in inputs { try take(input, store) }
        closeStrangers()
        try reviewVisibility(store)
        try eraseExpired(store)
        try keepWithinRetention(store)
        try passCheckpoints(store)
        try tendCheckpoints(store)
        try writeReceipts(store)
        try saySharingKeys(store)
        try releaseKeyless(store)
        for index in groups.indices { try saveLogs(index, store) }
        try deliverOverdue(store)
        try refillFetches(store)
        try advanceSessions(store)
        for index in groups.indices where groups[index].kept.isChanged { try saveKept(index, store) }
        for index in sessions.indices.reversed() where sessions[index].isClosed { sessions.remove(at: index) }
        defer { effects = [] }
        return effects
    }

    /// Whether what a batch brings must be synced to disk before its effects are carried out (law 1).
    ///
    /// What is written here, so that no power cut makes this device number two events alike; messages of the mvds dialect, whose
    /// sender forgets them once they are acknowledged and learns of no new incarnation; and joining, on both sides, since an
    /// invitation is used once. Other events that a power cut takes are asked for again under a new incarnation.
    public func mustBeSynced(_ inputs: [EngineInput]) -> Bool {
        // Some events are written without being asked for.
        let mayWrite = groups.contains {
            $0.receiptDue != nil || !$0.checkpoints.ready.isEmpty || $0.checkpoints.saysAgain
        }
        if mayWrite || mayHaveToSayKey
            || maySpreadRemovals
        {
            return true
        }
        return inputs.contains { input in
            switch input {
            case .append, .setRole, .setState, .setRetention, .setVisibility, .proposeCheckpoint, .redact, .broadcast,
                .ingest,
                .createGroup,
                .createMVDSGroup, .share, .invite, .revoke, .linkDevice, .removeDevice, .post, .openGroup, .openBundle,
                .takeSecrets, .addPeer, .addFile, .wantFile, .dropFile, .checkChunk, .setFileLimits:
                return true
            case .payloadReceived(let id, _):
                // A link may have opened in the same batch.
                guard let index = sessionIndex(id) else { return true }
                if let invitation = sessions[index].link.invitation, groupIndex(invitation.group) == nil { return true }
                if sessions[index].trust == .stranger { return true }
                return mvdsGroups.contains { $0.peers.contains(sessions[index].link.peer) }
            case .linkOpened, .linkClosed, .timePassed, .sealSecrets: return false
            }
        }
    }

    private mutating func take(_ input: EngineInput, _ store: any EventStore) throws(StoreError) {
        if !input.isOfOneSession { concernsAll = true }
        switch input {
        case .linkOpened(let link): try open(link, store)
        case .payloadReceived(let session, let bytes): try receive(bytes, from: session, store)
        case .linkClosed(let session): try linkClosed(session, store)
        case .append(let request, let group, let kind, let content, let expiry, let files):
            try append(request, group, kind, content, expiry, files, store)
        case .broadcast(let request, let group, let content): try broadcast(request, group, content, store)
        case .ingest(let request, let group, let messages, let horizon, let certificates):
            try ingest(request, group, messages, horizon, certificates, store)
        case .createGroup(let request, let name, let policy): try createGroup(request, name: name, policy, store)
        case .setRole(let request, let group, let member, let role):
            try setRole(request, group, of: member, to: role, store)
        case .setRetention(let request, let group, let retention):
            try setRetention(request, group, retention, store)
        case .setVisibility(let request, let group, let contact, let visibility):
            try setVisibility(request, group, contact, visibility, store)
        case .proposeCheckpoint(let request, let group): try proposeCheckpoint(request, group, store)
        case .setState(let request, let group, let key, let value):
            try setState(request, group, key: key, value: value, store)
        case .redact(let request, let group, let event, let reason):
            try redact(request, group, event, reason: reason, store)
        case .createMVDSGroup(let request, let id, let name):
            try createMVDSGroup(request, id, name: name, store)
        case .share(let request, let group, let peer): try share(request, group, with: peer, store)
        case .invite(let request, let group, let addresses, let expiry, let role, let uses):
            try invite(request, group, addresses: addresses, expiry: expiry, role, uses: uses, store)
        case .revoke(let request, let group, let invitation): try revoke(request, group, invitation, store)
        case .linkDevice(let request, let addresses, let expiry):
            try linkDevice(request, addresses: addresses, expiry: expiry, store)
        case .removeDevice(let request, let device): try removeDevice(request, device, store)
        case .post(let request, let removal, let group): try post(request, removal, in: group, store)
        case .openGroup(let request, let record):
            try add(record, store)
            effects.append(.done(request))
        case .openBundle(let request, let group): try openBundle(request, group, store)
        case .sealSecrets(let request, let group, let opening):
            try sealSecrets(request, group, to: opening, store)
        case .takeSecrets(let request, let group, let secrets): try takeSecrets(request, group, secrets, store)
        case .addPeer(let device, let dialect, let addresses):
            try addPeer(device, dialect: dialect, addresses: addresses, store)
        case .addFile(let request, let file, let held): try addFile(request, file, held, store)
        case .wantFile(let request, let file, let offset): try wantFile(request, file, from: offset, store)
        case .checkChunk(let request, let file, let position):
            _ = try check(position, of: file, store)
            effects.append(.done(request))
        case .dropFile(let request, let file): try dropFile(request, file, store)
        case .setFileLimits(let request, let limits): try setFileLimits(request, limits, store)
        case .timePassed: break
        }
    }

    /// When to call `process` again although nothing happens, in milliseconds since 1970; nil for never.
    public var nextWake: UInt64? {
        var next: UInt64?
        func note(_ time: UInt64?) { if let time, next.map({ time < $0 }) ?? true { next = time } }
        for session in sessions.indices { note(sessions[session].nextWake) }
        for group in groups.indices {
            note(groups[group].nextExpiry)
            note(groups[group].receiptDue)
            note(groups[group].kept.due)
            note(groups[group].checkpoints.due)
            if !groups[group].checkpoints.ready.isEmpty { note(now) }
        }
        if maySpreadRemovals || concernsAll { note(now) }
        for group in mvdsGroups.indices { note(mvdsGroups[group].waiting.map(\.deadline).min()) }
        return next
    }

    func groupIndex(_ id: GroupID) -> Int? { groups.firstIndex { $0.id == id } }

    private mutating func saveLogs(_ index: Int, _ store: any EventStore) throws(StoreError) {
        guard !groups[index].changedLogs.isEmpty else { return }
        let changed = groups[index].changedLogs.sorted()
        groups[index].changedLogs.removeAll(keepingCapacity: true)
        var states = changed.map { groups[index].frontier[$0] }
        try store.put(&states, inGroup: groups[index].record.reference)
        for (log, state) in zip(changed, states) { groups[index].frontier.share(state, at: log) }
    }
}

extension Event {
    /// How another event names this one.
    public var reference: EventReference {
        EventReference(id: id, log: header.log, sequence: header.sequence, lamport: header.lamport)
    }
}
