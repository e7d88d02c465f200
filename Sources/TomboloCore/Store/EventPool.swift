/// Events that many stores of one process hold, and what they know of logs, each kept once: what lets a simulator run thousands of replicas of one group.
///
/// For use from one thread.
public final class EventPool {
    private var numbers: [EventID: Int] = [:]
    public private(set) var events: [Event] = []
    /// The same event as it also is: in the middle of a run without its signature, or erased.
    private var variants: [Int: [Event]] = [:]

    private var logs: [LogID: LogState] = [:]
    private var peers: [PeerRecord: PeerTable.Shared] = [:]

    public init() {}

    /// The same state of a log, sharing what it has in common with what was last seen of it.
    func shared(_ log: LogState) -> LogState {
        // Of a log of which nothing is held yet there is nothing to share.
        guard log.isKnown else { return log }
        let shared = logs[log.id].map(log.sharing) ?? log
        logs[log.id] = shared
        return shared
    }

    /// The same record of a peer.
    func shared(_ peer: PeerRecord) -> PeerTable.Shared {
        if let known = peers[peer] { return known }
        let shared = PeerTable.Shared(peer)
        peers[peer] = shared
        return shared
    }

    /// The event as it was first seen: with the same signature, or both without one, and with its content, or both without.
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

    /// Of two with one id: everything else is what the id commits to.
    private static func areAlike(_ one: Event, _ other: Event) -> Bool {
        one.signature == other.signature && (one.content == nil) == (other.content == nil)
    }

    /// The event's number, counted from 0 in the order in which events were first stored; nil if none of the stores has had it.
    public func number(of id: EventID) -> Int? { numbers[id] }
}
