import TomboloCore

/// What was said and delivered in a run, numbered once for all devices.
final class History {
    /// What an event names, for the checks: nothing where a strategy knows no causes.
    struct Fact {
        let log: Int
        /// From 1 within its log; 0 where logs have no order.
        let sequence: UInt64
        let ancestors: [Int]
    }

    /// A message that a device has said, and was told to be on its disk.
    struct Said {
        let time: UInt64
        let device: Int
    }

    let pool = EventPool()
    private var facts: [Int: Fact] = [:]
    private var logs: [LogID: Int] = [:]
    private(set) var said: [Int: Said] = [:]
    /// Messages that were taken back, with the events that did it.
    private(set) var redacted: [Int: Int] = [:]
    /// Of logs whose writers fork them, the order says nothing.
    private(set) var forkedLogs: Set<Int> = []

    func note(said number: Int, by device: Int, at time: UInt64) { said[number] = Said(time: time, device: device) }
    func note(redacted number: Int, by event: Int) { redacted[number] = event }
    /// It is gone with the only device that had it.
    func forget(said number: Int) { said[number] = nil }
    func note(forked number: Int) { forkedLogs.insert(fact(number).log) }

    /// Whether it is an event of the group's state.
    func isState(_ number: Int) -> Bool {
        pool.events.indices.contains(number) && pool.events[number].header.kind.isState
    }

    /// What is known of a number: of an event in the pool, by its header.
    func fact(_ number: Int) -> Fact {
        if let known = facts[number] { return known }
        guard pool.events.indices.contains(number) else { return Fact(log: 0, sequence: 0, ancestors: []) }
        let event = pool.events[number]
        let log = logs[event.header.log] ?? logs.count
        logs[event.header.log] = log
        let fact = Fact(
            log: log, sequence: event.header.sequence,
            ancestors: event.header.ancestors.map { pool.number(of: $0) ?? -1 })
        facts[number] = fact
        return fact
    }
}
