/// The places of events that were named or stored lately, so that parents are rarely looked up in the store.
///
/// There are two generations. Once the young one has grown to `capacity`, it becomes the old one when the next batch
/// begins. A place that is used moves up again. Within a batch nothing is forgotten: its events are validated by each
/// other.
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
            young[id] = place
            return place
        }
        set {
            young[id] = newValue
        }
    }

    /// The caller calls it before each batch.
    mutating func beginBatch() {
        guard young.count >= capacity else { return }
        swap(&old, &young)
        // Room that one large batch has taken is given back.
        young.removeAll(keepingCapacity: young.capacity <= 4 * capacity)
    }

    mutating func removeAll() { self = RecentEvents(capacity: capacity) }
}
