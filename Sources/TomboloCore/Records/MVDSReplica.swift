/// What an engine keeps in memory of a group of the mvds dialect.
struct MVDSReplica: Sendable {
    let record: GroupRecord
    /// Whom the group is shared with, ascending.
    var peers: [DeviceKey]
    /// Delivered messages without children, newest last, at most ``Limits/references``.
    var heads: [EventID]
    /// Messages whose parents are missing, in the order of arrival. Parents are hints: the wait is bounded.
    var waiting: [Waiting] = []
    /// What was received by means of ephemeral messages lately, so that none is handed over twice.
    var recentEphemeral: [EventID] = []
    /// What is kept about the set of its messages.
    var set: MessageSet

    struct Waiting: Sendable {
        var id: EventID
        var ordinal: Int64
        var missing: Set<EventID>
        /// When it is delivered all the same, in milliseconds since 1970.
        var deadline: UInt64
    }

    var id: GroupID { record.id }

    /// Milliseconds that a message waits for parents.
    static let patience: UInt64 = 10_000
    /// Messages that may wait at once; further ones are delivered as they come.
    static let mostWaiting = 1_024
    static let mostRecentEphemeral = 256
}

/// What a session knows of the records towards its peer; the records themselves are in the store.
struct RecordSession: Sendable {
    /// To be said once, in the next payload.
    var acks = UniqueIDs()
    /// Asked for by a peer that has acknowledged them before: sent once, without a record.
    var answers = UniqueIDs()
    /// Bytes of messages that were sent and not acknowledged.
    var inFlight: [EventID: Int] = [:]
    var inFlightBytes = 0
    var nextWake: UInt64?

    /// Whether nothing is about to be said.
    var isIdle: Bool { acks.isEmpty && answers.isEmpty }

    /// Bytes of messages that a peer may leave unacknowledged.
    static let window = 262_144

    mutating func sent(_ id: EventID, bytes: Int) {
        inFlightBytes += bytes - (inFlight.updateValue(bytes, forKey: id) ?? 0)
    }

    mutating func settled(_ id: EventID) {
        inFlightBytes -= inFlight.removeValue(forKey: id) ?? 0
    }
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

    mutating func takeAll() -> [EventID] {
        defer { self = UniqueIDs() }
        return list
    }
}

/// How a message is brought to a peer first: as it is (batch mode), or offered (interactive mode).
public enum RecordMode: Hashable, Sendable {
    case batch
    case interactive
    /// By size, link and how many others are likely to push the same message.
    case byCost

    /// A round trip is worth so many bytes on a stream.
    private static let roundTripBytes = 1_024
    /// An OFFER, a REQUEST.
    private static let exchangeBytes = 72

    /// - Parameters:
    ///   - bytes: of the message.
    ///   - others: peers besides the receiver that may have brought it the message by now.
    func sendsAtOnce(bytes: Int, others: Int) -> Bool {
        switch self {
        case .batch: true
        case .interactive: false
        case .byCost: bytes * others / (others + 1) <= Self.exchangeBytes + Self.roundTripBytes
        }
    }
}
