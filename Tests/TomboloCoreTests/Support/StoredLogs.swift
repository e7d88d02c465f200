import TomboloCrypto

@testable import TomboloCore

/// Logs in a store in memory, with their frontier. Nothing verifies or delivers what a test puts there.
struct StoredLogs {
    let store = MemoryStore()
    private(set) var frontier = Frontier()
    private var held: Set<EventID> = []

    init() {
        var record = GroupRecord(
            id: GroupID(.zero), dialect: .native, statement: [], discovery: .zero, name: "logs")
        store.put(&record)
    }

    /// The ordinal of the last event.
    var last: Int64 { store.lastOrdinal() }

    mutating func add(_ events: [Event]) {
        for event in events {
            let index = index(of: event.log)
            let isPreviousHeld = event.header.previous.map { held.contains($0.id) } ?? false
            _ = frontier.update(index) {
                $0.place(
                    sequence: event.sequence, id: event.id, lamport: event.lamport, previous: event.header.previous?.id,
                    isPreviousHeld: isPreviousHeld)
            }
            held.insert(event.id)
            _ = store.insert(
                [StoredEvent(ordinal: last + 1, log: frontier[index].reference, status: .delivered, event: event)],
                inGroup: 1)
        }
    }

    private mutating func index(of log: LogID) -> Int {
        if let known = frontier.index(of: log) { return known }
        var states = [LogState(id: log)]
        store.put(&states, inGroup: 1)
        return frontier.append(states[0])
    }

    /// The events of a plan, until none is left.
    func drain(_ plan: inout SendPlan) throws -> [Event] {
        var events: [Event] = []
        while let planned = try plan.next(frontier, in: store) { events.append(planned.event) }
        return events
    }
}

/// Events of several logs that name each other at random.
struct RandomGraph {
    private(set) var events: [Event] = []

    /// - Parameter signs: whether each event is signed; else none is.
    init(logs count: Int, events total: Int, seed: UInt64, signs: Bool = false) {
        var generator = SeededGenerator(seed: seed)
        var logs = (0..<count).map { ForeignLog(group: GroupID(.zero), seed: seed &* 100 &+ UInt64($0)) }
        var latest = [Event?](repeating: nil, count: count)
        for number in 0..<total {
            let log = Int.random(in: 0..<count, using: &generator)
            var parents: [Event] = []
            for other in 0..<count where other != log && Int.random(in: 0..<4, using: &generator) == 0 {
                if let event = latest[other] { parents.append(event) }
            }
            let expiry = Bool.random(using: &generator) ? UInt64.random(in: 1...1_000_000, using: &generator) : nil
            let event = logs[log].event(after: latest[log], parents: parents, "event \(number)", signed: signs) {
                $0.expiry = expiry
            }
            latest[log] = event
            events.append(event)
        }
    }
}

extension Event {
    /// The same event with bytes in the place of a signature.
    var withSomeSignature: Event { signed(with: [UInt8](repeating: 7, count: 64)[...]) }
}
