/// A group of the mvds dialect, as far as it is kept in memory.
struct MVDSGroup: Sendable {
    let record: GroupRecord
    /// The peers that the group is shared with, ascending.
    var peers: [DeviceKey]
    /// Delivered messages without children, newest last, at most ``Limits/references``.
    var heads: [EventID]
    /// Messages whose parents are missing, in the order of arrival. Parents are hints, so the wait is bounded.
    var waiting: [Waiting] = []
    /// Ephemeral messages that came lately, so that none is delivered twice.
    var recentEphemeral: [EventID] = []
    /// The set of the group's messages.
    var set: MessageSet

    struct Waiting: Sendable {
        var id: EventID
        var ordinal: Int64
        var missing: Set<EventID>
        /// When the message is delivered all the same, in milliseconds since 1970.
        var deadline: UInt64
    }

    var id: GroupID { record.id }

    /// Milliseconds that a message waits for its parents.
    static let patience: UInt64 = 10_000
    /// Messages that may wait at once. Further ones are delivered as they come.
    static let mostWaiting = 1_024
    static let mostRecentEphemeral = 256

    /// Notes that a message was delivered: it is a head, and its parents are none any more.
    mutating func noteDelivered(_ id: EventID, _ message: Message) {
        let parents = Set((message.metadata?.parents ?? []).compactMap { EventID($0) })
        heads.removeAll { parents.contains($0) }
        heads.append(id)
        if heads.count > Limits.references { heads.removeFirst() }
    }
}
