/// The events that many stores of one process hold, and the states of their logs, each kept once.
///
/// A simulator needs it to run thousands of replicas of one group. It is for use from one thread.
public final class EventPool {
    private var numbers: [EventID: Int] = [:]
    public private(set) var events: [Event] = []
    /// Other forms of an event: without its signature, or erased.
    private var variants: [Int: [Event]] = [:]

    private var logs: [LogID: LogState] = [:]
    private var peers: [PeerRecord: PeerTable.Shared] = [:]

    public init() {}

    /// An equal state of a log, sharing memory with the state that was last seen of it.
    func shared(_ log: LogState) -> LogState {
        // A log of which nothing was ever held has nothing to share.
        guard log.isKnown else { return log }
        let shared = logs[log.id].map(log.sharing) ?? log
        logs[log.id] = shared
        return shared
    }

    /// The shared form of an equal record.
    func shared(_ peer: PeerRecord) -> PeerTable.Shared {
        if let known = peers[peer] { return known }
        let shared = PeerTable.Shared(peer)
        peers[peer] = shared
        return shared
    }

    /// The first equal event that was seen: with the same signature or none, and likewise with its content or none.
    func shared(_ event: Event) -> Event {
        guard let number = numbers[event.id] else {
            numbers[event.id] = events.count
            events.append(event)
            return event
        }
        if Self.areAlike(events[number], event) { return events[number] }
        if let known = variants[number]?.first(where: { Self.areAlike($0, event) }) { return known }
        variants[number, default: []].append(event)
        return event
    }

    /// Whether two events with one id are equal. The id commits to everything else.
    private static func areAlike(_ one: Event, _ other: Event) -> Bool {
        one.signature == other.signature && (one.content == nil) == (other.content == nil)
    }

    /// The event's number, from 0 on, in the order in which events were first stored; nil if no store has had it.
    public func number(of id: EventID) -> Int? { numbers[id] }
}
