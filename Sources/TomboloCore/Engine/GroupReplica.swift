/// What an engine keeps in memory of a group: everything else is in the store.
struct GroupReplica: Sendable {
    var record: GroupRecord
    var frontier: Frontier
    /// Delivered events that no delivered event names, with their ordinals.
    var heads: [EventID: (place: EventReference, ordinal: Int64)]
    /// Who may do what.
    var state: StateGraph
    var recent: RecentEvents
    var hashing: EventHashing
    /// Events that wait for ancestors, over all logs.
    var waiting: Int
    /// Waiting events whose content is not here. Some may do without it by now.
    var contentless: [EventID: EventReference] = [:]
    /// How many there have been since the start.
    var contentlessNoted = 0
    /// What is kept of its contents.
    var kept = KeptContents()
    /// From whom it is hidden, and how far.
    var visibility = GroupVisibility()
    /// Up to which Lamport time whoever brings what is being taken does not keep all contents.
    var accepting: UInt64 = 0
    /// The earliest expiry of what was not erased.
    var nextExpiry: UInt64?
    var checkpoints = CheckpointWork()
    /// How its contents are sealed; nil if they are not.
    var sealing: GroupSealing?
    /// When this device says that it has erased what was redacted, unless it says something else before.
    var receiptDue: UInt64?
    /// The last ephemeral event's time of each log: what is not later is a replay.
    var ephemeralTimes: [LogID: Int64] = [:]

    // What this batch of events has changed, until it is settled: state events that stand or stand no more, all that members were
    // meanwhile, forked logs of who may not write any more, and members who have lost a device.
    var turnedState: Set<Int> = []
    var formerStandings: [MemberKey: [Standing]] = [:]
    var forkedLogs: Set<Int> = []
    var bereftMembers: Set<MemberKey> = []
    /// New redactions, and those that stand or stand no more.
    var turnedRedactions: Set<Int> = []

    /// Indices of logs that changed in this batch.
    var changedLogs: Set<Int> = []

    var id: GroupID { record.id }
    var isPublic: Bool { state.policy == .public }
}
