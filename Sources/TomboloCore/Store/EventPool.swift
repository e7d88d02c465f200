/// Events that many stores of one process hold, each kept once: what lets a simulator run thousands of replicas of one group.
///
/// For use from one thread.
public final class EventPool {
    private var numbers: [EventID: Int] = [:]
    public private(set) var events: [Event] = []
    /// The same event as it also is: in the middle of a run without its signature, or erased.
    private var variants: [Int: [Event]] = [:]

    public init() {}

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
