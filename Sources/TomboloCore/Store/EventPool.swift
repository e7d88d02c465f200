/// Events that many stores of one process hold, each kept once: what lets a simulator run thousands of replicas of one group.
///
/// For use from one thread.
public final class EventPool {
    private var numbers: [EventID: Int] = [:]
    public private(set) var events: [Event] = []

    public init() {}

    /// The event as it was first seen, where it was: with the same signature, or both without one.
    func shared(_ event: Event) -> Event {
        guard let number = numbers[event.id] else {
            numbers[event.id] = events.count
            events.append(event)
            return event
        }
        return events[number] == event ? events[number] : event
    }

    /// The event's number, counted from 0 in the order in which events were first stored; nil if none of the stores has had it.
    public func number(of id: EventID) -> Int? { numbers[id] }
}
