/// Places of events that were named or stored lately, so that parents are rarely looked up in the store.
///
/// Two generations of at most `capacity` each: a full one becomes the old one, and what is used moves up again.
struct RecentEvents {
    struct Place: Hashable {
        var log: LogID
        var sequence: UInt64
        var lamport: UInt64
        var status: EventStatus
    }

    private var young: [EventID: Place] = [:]
    private var old: [EventID: Place] = [:]
    private let capacity: Int

    init(capacity: Int) { self.capacity = capacity }

    subscript(id: EventID) -> Place? {
        mutating get {
            if let place = young[id] { return place }
            guard let place = old[id] else { return nil }
            insert(id, place)
            return place
        }
        set {
            if let newValue { insert(id, newValue) }
        }
    }

    private mutating func insert(_ id: EventID, _ place: Place) {
        if young.count >= capacity {
            old = young
            young = Dictionary(minimumCapacity: capacity)
        }
        young[id] = place
    }
}
