internal import SetReconciliation

/// The state of `MVDSSync` for one session.
struct MVDSSession: Sendable {
    let link: PeerLink
    var isClosed = false
    /// The reason why the engine is to close the session; nil if it is not.
    var failure: EngineError?
    /// Whether both sides have sent `hello`. Peers that speak MVDS alone never do.
    var isReady = false
    var records = RecordSession()
    /// The groups that are shared with a Tombolo device.
    var groups: [MVDSGroupSession] = []

    init(_ link: PeerLink) { self.link = link }

    var sendsRecords: Bool { !isClosed && (link.dialect == .mvds || isReady) }

    /// Whether records wait until it is known which of them the peer needs.
    var isReconciling: Bool { groups.contains { $0.theirNumber != nil && $0.phase != .bringing } }
}

/// The state of a session for one group of the mvds dialect that both Tombolo devices share.
struct MVDSGroupSession: Sendable {
    /// The group's index in `MVDSSync`.
    let group: Int
    /// The peer's number of the group, once it has shown the group's tag.
    var theirNumber: UInt64?
    var peerRoot: ShownRoot?
    var lastRootSent: Bytes32?

    enum Phase: Hashable, Sendable {
        /// The peer has not shown the group.
        case introduced
        /// The two find what they differ in. Records wait.
        case reconciling
        /// Records bring what is missing.
        case bringing
    }
    var phase = Phase.introduced
    var progress: AdaptiveProgress?
    /// Found by the dialler: the ids that the listener lacks, and the prefixes of the ids that the dialler lacks.
    var have: [EventID] = []
    var need: [UInt64] = []
    /// Parts of a message of the reconciliation that is not complete yet.
    var partial: [UInt8] = []
    /// Parts of a large message of the group.
    var largePart: [UInt8] = []
    /// Messages of the peer in this reconciliation.
    var messages = 0
    /// Bytes sent in all reconciliations of the session.
    var bytesSent = 0
    /// The highest ordinal of a message when the reconciliation began.
    var snapshot: Int64 = 0
    var repairs = 0
    var agreedRoot: Bytes32?
    var rootDeadline: UInt64?
    var mismatchDeadline: UInt64?
    var report = ReconciliationReport()

    init(group: Int) { self.group = group }

    var nextWake: UInt64? { earliest(rootDeadline, mismatchDeadline) }

    /// This side's number of the group on the wire: above those of native groups.
    var number: Int { Limits.groupsPerSession + group }

    /// Forgets deadlines until the reconciliation has ended.
    mutating func waitForReconciliation() {
        phase = .reconciling
        rootDeadline = nil
        mismatchDeadline = nil
    }
}

/// The records towards a session's peer, as far as they are kept in memory. The records themselves are in the store.
struct RecordSession: Sendable {
    /// Acks that leave with the next payload.
    var acks = UniqueIDs()
    /// Messages that the peer asks for although it has acknowledged them: sent once, without a record.
    var answers = UniqueIDs()
    /// Bytes of messages that were sent and not acknowledged.
    private(set) var inFlight: [EventID: Int] = [:]
    private(set) var inFlightBytes = 0
    var nextWake: UInt64?

    /// Whether nothing is about to be sent.
    var isIdle: Bool { acks.isEmpty && answers.isEmpty }

    /// Bytes of messages that a peer may leave unacknowledged.
    static let window = 262_144

    var isWindowFull: Bool { inFlightBytes >= Self.window }

    mutating func noteSent(_ id: EventID, bytes: Int) {
        inFlightBytes += bytes - (inFlight.updateValue(bytes, forKey: id) ?? 0)
    }

    /// Notes that nothing about a message is outstanding any more.
    mutating func noteSettled(_ id: EventID) { inFlightBytes -= inFlight.removeValue(forKey: id) ?? 0 }
}

/// Ids in the order in which they came, each once.
struct UniqueIDs: Sendable {
    private var list: [EventID] = []
    private var set: Set<EventID> = []

    var isEmpty: Bool { list.isEmpty }
    var count: Int { list.count }
    var first: EventID? { list.first }

    mutating func append(_ id: EventID) {
        if set.insert(id).inserted { list.append(id) }
    }

    mutating func removeFirst() { set.remove(list.removeFirst()) }

    mutating func removeAll() -> [EventID] {
        defer { self = UniqueIDs() }
        return list
    }
}
