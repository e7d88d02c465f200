/// The protocol engine of one device: no sockets, no clocks, no threads, no files.
///
/// The caller hands it everything that happened since the last time, the time, and a transaction of its store. The
/// engine answers with what to do once that transaction has committed. The same inputs give the same effects.
///
/// The engine routes inputs to its machines, and takes them through the phases of a batch. It passes on the changes of
/// one machine that others must know. The machines are a `Replica` for each group, a `Session` for each link,
/// `FileSync` and `MVDSSync`.
///
/// - Important: After a commit that failed, or an error thrown by `process`, the engine MUST be discarded and opened
///   again: its memory may be ahead of its store.
public struct Engine<Crypto: Cryptography>: ~Copyable, Sendable {
    /// Native groups, in the order in which they came.
    var replicas: [Replica] = []
    /// Open sessions, in ascending order of their ids.
    var sessions: [Session] = []
    var files: FileSync
    var mvds: MVDSSync
    var visibility = VisibilityReview()
    var resting = Resting()
    /// Whether a removal of one of the member's devices may have to be posted in further groups.
    var mayPostRemovals = false
    /// 128 random bits that change when received data may have been lost (law 1).
    let incarnation: [UInt8]
    /// The number of events of a group with remembered places.
    private let recentEvents: Int
    private var generator: any RandomNumberGenerator & Sendable
    private var now: UInt64 = 0
    // Last, since their sizes depend on the cryptography: the offsets of the fields above do not.
    private let cryptography: Crypto
    private var identity: Identity<Crypto>

    /// Opens the engine on what a store holds, and makes the device's identity on first use.
    ///
    /// It reads groups, the states of their logs, their heads and their state events: nothing that grows with the
    /// number of other events.
    ///
    /// - Parameters:
    ///   - store: a transaction of the store, which commits after this.
    ///   - cryptography: the real one, or a simulation's stand-in.
    ///   - generator: the source of all of the engine's randomness.
    ///   - beginsIncarnation: whether received data may have been lost since the last time (law 1).
    ///   - beginsLogs: whether the store is an old copy of what it was. It lacks the device's later events, and
    ///     another event in its logs would fork them. So the device writes to new logs from now on.
    ///   - recordMode: how messages of the mvds dialect are brought to peers.
    ///   - recentEvents: the number of a group's events with remembered places, at some 90 bytes each. At times there
    ///     are twice as many. They save reads from the store, and change nothing else. A caller that runs thousands of
    ///     engines wants few.
    /// - Throws: `StoreError`, `corrupt` if the store holds what an engine would never have stored.
    public init(
        opening store: any EventStore, cryptography: Crypto, generator: any RandomNumberGenerator & Sendable,
        beginsIncarnation: Bool, beginsLogs: Bool = false, recordMode: RecordMode = .byCost,
        recentEvents: Int = Limits.recentEvents
    ) throws(StoreError) {
        // Everything that can fail comes before the first stored property is set.
        var generator = generator
        var identity = try Identity(in: store, cryptography: cryptography, generator: &generator)
        let kept = try store.value(forKey: IdentityKeys.incarnation)
        let incarnation: [UInt8]
        if let kept, !beginsIncarnation {
            incarnation = kept
        } else {
            incarnation = .random(16, using: &generator)
            try store.setValue(incarnation, forKey: IdentityKeys.incarnation)
            // Agreements with peers were made about what this device may have lost.
            for peer in try store.peers() { try store.forgetPeer(peer.device) }
        }
        var replicas: [Replica] = []
        var mvds = MVDSSync(mode: recordMode)
        for var record in try store.groups() {
            if beginsLogs, record.ownLog != nil {
                record.leaveOwnLog()
                try store.put(&record)
            }
            switch record.dialect {
            case .native:
                guard GroupStatement.groupID(of: record.statement, using: cryptography) == record.id else {
                    throw StoreError(.corrupt, "the statement stored for group \(record.id) is that of another group")
                }
                let replica = try Replica(
                    opening: record, for: identity.member, recentEvents: recentEvents, in: store)
                for removal in replica.state.deviceRemovals(of: identity.member) { identity.note(removal) }
                replicas.append(replica)
            case .mvds: try mvds.open(record, in: store, now: 0, using: cryptography)
            }
        }
        let files = try FileSync(opening: store, generator: &generator)
        self.cryptography = cryptography
        self.generator = generator
        self.identity = identity
        self.incarnation = incarnation
        self.replicas = replicas
        self.files = files
        self.mvds = mvds
        self.recentEvents = recentEvents
        mayPostRemovals = !identity.removals.isEmpty
    }

    /// This device's key.
    public var device: DeviceKey { identity.device }
    /// The key of the member whose device this is.
    public var member: MemberKey { identity.member }
    /// The group of this member's devices, which no other member is in; nil while there was no need for one.
    public var ownGroup: GroupID? { identity.ownGroup }
    /// The devices by which this one was admitted, itself last.
    package var admittedBy: [DeviceKey] { identity.admission.devices }

    // MARK: Processing

    /// Processes everything that happened, in this order, and then the phases of a batch.
    ///
    /// - Parameters:
    ///   - inputs: everything that has happened since the last time.
    ///   - now: milliseconds since 1970. A clock that goes backwards delays what waits for time, and nothing else.
    ///   - store: the transaction that carries it all.
    /// - Returns: the effects to perform after the commit, in this order.
    public mutating func process(
        _ inputs: [EngineInput], now: UInt64, in store: any EventStore
    ) throws(StoreError) -> [EngineEffect] {
        self.now = now
        var batch = Batch(
            in: store, now: now, generator: generator, cryptography: cryptography, identity: identity)
        // Removals first: inputs are validated by them.
        try postRemovals(in: &batch)
        for input in inputs { try receive(input, in: &batch) }
        // Close sessions first that must not continue: those of strangers, then those with groups that are now hidden.
        disconnectStrangers(in: &batch)
        try reviewVisibility(in: &batch)
        // Groups settle before sessions send, each phase in all groups before the next one.
        for phase in Replica.Phase.allCases {
            for replica in replicas.indices {
                try replicas[replica].advance(phase, in: &batch)
                try fanOut(from: replica, in: &batch)
            }
        }
        try mvds.deliverOverdue(in: &batch)
        try files.refill(in: &batch)
        // Sessions send what the batch has brought, and files are stored after chunks were received.
        try advanceSessions(in: &batch)
        for replica in replicas.indices { try replicas[replica].saveKept(in: batch.store) }
        removeClosedSessions()
        generator = batch.generator
        identity = batch.identity
        return batch.effects
    }

    /// When to call `process` again although nothing happens, in milliseconds since 1970; nil for never.
    public var nextWake: UInt64? {
        var next = mvds.isEmpty ? nil : mvds.nextWake
        for session in sessions.indices { next = earliest(next, sessions[session].nextWake) }
        for replica in replicas.indices { next = earliest(next, replicas[replica].nextWake(now: now)) }
        return mayPostRemovals || resting.concernsAll ? earliest(next, now) : next
    }

    /// Whether a batch must be synced to disk before its effects are carried out (law 1).
    ///
    /// - Events of this device are, so that no power cut makes it number two events alike.
    /// - Messages of the mvds dialect are: the sender forgets them once they are acknowledged, and learns of no new
    ///   incarnation.
    /// - Joining is, on both sides and over any link, since an invitation is used once.
    ///
    /// Peers send other events again under a new incarnation.
    public func mustBeSynced(_ inputs: [EngineInput]) -> Bool {
        // Some events are written without being asked for.
        if mayPostRemovals
            || replicas.indices.contains(where: {
                replicas[$0].mayWriteUnasked || replicas[$0].mayHaveToStateKey(identity)
            })
        {
            return true
        }
        return inputs.contains { input in
            switch input {
            case .payloadReceived(let id, let bytes):
                // A link may have opened in the same batch.
                guard let index = sessionIndex(id) else { return true }
                if let invitation = sessions[index].link.invitation, replicaIndex(invitation.group) == nil {
                    return true
                }
                return sessions[index].trust == .stranger || mvds.isShared(with: sessions[index].link.peer)
                    || Payload.hasJoin(bytes)
            case .linkOpened, .linkClosed, .timePassed, .sealSecrets: return false
            default: return true
            }
        }
    }

    // MARK: Groups

    func replicaIndex(_ id: GroupID) -> ReplicaIndex? {
        replicas.indices.first { replicas[$0].id == id }.map { ReplicaIndex(value: $0) }
    }

    /// Adds a native group, and shows it to the peers that are connected.
    mutating func add(_ record: GroupRecord, in batch: inout Batch<Crypto>) throws(StoreError) {
        guard replicaIndex(record.id) == nil else { return }
        var record = record
        try batch.store.put(&record)
        let replica = try Replica(
            opening: record, for: batch.identity.member, recentEvents: recentEvents, in: batch.store)
        for removal in replica.state.deviceRemovals(of: batch.identity.member) { batch.identity.note(removal) }
        replicas.append(replica)
        if !batch.identity.removals.isEmpty { mayPostRemovals = true }
        let index = ReplicaIndex(value: replicas.count - 1)
        let all = Array(sessions.indices)
        for (session, visibilities) in zip(all, visibilities(forSessions: all, batch.identity))
        where visibilities[index.value] != .invisible {
            try introduce(index, visibilities[index.value], toSession: session, in: &batch)
        }
    }

    // MARK: Looking at the engine from outside

    /// The role of a member, by all held events; nil if the device does not have the group.
    public func role(of member: MemberKey, in group: GroupID) -> Role? {
        replicaIndex(group).map { replicas[$0.value].state.standing(of: member).role }
    }

    /// Whether another device of this one's member has removed it, by a group's state.
    public func isRemoved(from group: GroupID) -> Bool {
        replicaIndex(group).flatMap { replicas[$0.value].refusalOfDevice(identity) } != nil
    }

    /// The state of a group; nil if the device does not have the group.
    package func state(of group: GroupID) -> StateGraph? { replicaIndex(group).map { replicas[$0.value].state } }

    /// The root of a group. Devices with equal roots know the same events. Nil if the device does not have the group.
    package mutating func root(of group: GroupID) -> Bytes32? {
        replicaIndex(group).map { replicas[$0.value].root(using: cryptography) }
    }

    /// The contents that this device keeps of a group; nil if the device does not have the group.
    package func retention(of group: GroupID) -> Retention? {
        replicaIndex(group).map { replicas[$0.value].kept.retention }
    }

    /// Whether this device may let a member's device into a group.
    ///
    /// - Parameter devices: the devices that admitted it, itself last.
    package func mayAdmit(_ devices: [DeviceKey], of member: MemberKey, to group: GroupID) -> Bool {
        guard let index = replicaIndex(group) else { return false }
        let replica = replicas[index.value]
        return replica.refusalToInvite(as: .member, identity) == nil
            && !replica.isRemoved(devices, of: member, identity)
    }

    /// The seed of the key that secrets of a group are sealed to for this device.
    package func sharingSeed(of group: GroupID) -> Bytes32 { identity.sharingSeed(of: group, using: cryptography) }

    /// Whether sessions rest that a batch does not concern. It must change nothing but the time that a batch takes.
    package var letsSessionsRest: Bool {
        get { resting.isAllowed }
        set { resting.isAllowed = newValue }
    }
}
