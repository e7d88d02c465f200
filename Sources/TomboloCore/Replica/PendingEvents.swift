/// Validated events on their way into the store.
struct PendingEvents {
    private struct Place: Hashable {
        var log: Int
        var sequence: UInt64
    }

    /// The ordinal of the first event.
    let first: Int64
    /// The events, each with the index of its log.
    private(set) var events: [(log: Int, event: Event)] = []
    private(set) var statuses: [EventStatus] = []
    var waiting: [(missing: EventID, waiter: Int64)] = []
    /// The first event at each place, made when it is first needed.
    private var firstAt: [Place: EventID]?

    init(first: Int64, capacity: Int) {
        self.first = first
        events.reserveCapacity(capacity)
        statuses.reserveCapacity(capacity)
    }

    var nextOrdinal: Int64 { first + Int64(events.count) }

    mutating func append(_ event: Event, log: Int, _ status: EventStatus) {
        events.append((log, event))
        statuses.append(status)
        firstAt?.note(event, at: Place(log: log, sequence: event.sequence))
    }

    mutating func correct(_ status: EventStatus, at offset: Int) { statuses[offset] = status }

    /// The first event at a place of a log.
    mutating func event(ofLog log: Int, at sequence: UInt64) -> EventID? {
        if firstAt == nil {
            var places: [Place: EventID] = [:]
            for (log, event) in events { places.note(event, at: Place(log: log, sequence: event.sequence)) }
            firstAt = places
        }
        return firstAt?[Place(log: log, sequence: sequence)]
    }
}

extension Dictionary where Value == EventID {
    fileprivate mutating func note(_ event: Event, at place: Key) {
        if self[place] == nil { self[place] = event.id }
    }
}
