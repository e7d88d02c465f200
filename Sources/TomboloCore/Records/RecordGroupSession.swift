internal import SetReconciliation

/// What a session knows about a group of the mvds dialect that both sides share.
struct RecordGroupSession: Sendable {
    /// Index among the engine's groups of the dialect.
    let group: Int
    /// The peer's number for it, once it has shown its tag.
    var theirNumber: UInt64?
    var peerRoot: ShownRoot?
    var lastRootSent: Bytes32?

    enum Phase: Hashable, Sendable {
        /// The peer has not shown the group.
        case introduced
        /// What the two differ in is being found; records wait meanwhile.
        case reconciling
        /// Records bring what is missing.
        case bringing
    }
    var phase = Phase.introduced
    var progress: AdaptiveProgress?
    /// The dialler's: what the listener lacks, and how what it lacks itself begins.
    var have: [EventID] = []
    var need: [UInt64] = []
    /// Parts of a message that is not complete yet.
    var partial: [UInt8] = []
    /// Parts of a large message of the group.
    var largePart: [UInt8] = []
    var messages = 0
    /// Of all reconciliations of the session.
    var bytesSent = 0
    /// The highest ordinal of a message when the reconciliation began.
    var snapshot: Int64 = 0
    var repairs = 0
    var agreedRoot: Bytes32?
    var rootDeadline: UInt64?
    var mismatchDeadline: UInt64?
    var report = ReconciliationReport()

    init(group: Int) { self.group = group }

    var nextWake: UInt64? { [rootDeadline, mismatchDeadline].compactMap(\.self).min() }

    /// Our number for it: above those of native groups.
    var number: Int { Limits.groupsPerSession + group }
}
