import TomboloCore

/// The events that were sent and delivered in a run, under numbers that all devices share.
final class History {
    /// The references of an event, for the checks. A strategy without causes gives no ancestors.
    struct Fact {
        let log: Int
        /// The sequence within the log, from 1; 0 if logs have no order.
        let sequence: UInt64
        let ancestors: [Int]
    }

    /// A message that a device has sent and reported as stored on its disk.
    struct Said {
        let time: UInt64
        let device: Int
    }

    let pool = EventPool()
    private var facts: [Int: Fact] = [:]
    private var logs: [LogID: Int] = [:]
    private(set) var said: [Int: Said] = [:]
    /// The redacted messages, each with the event that redacted it.
    private(set) var redacted: [Int: Int] = [:]
    /// The logs that their writers have forked. Their order is not checked.
    private(set) var forkedLogs: Set<Int> = []

    func note(said number: Int, by device: Int, at time: UInt64) { said[number] = Said(time: time, device: device) }
    func note(redacted number: Int, by event: Int) { redacted[number] = event }
    /// Removes a message that is lost with the only device that held it.
    func forget(said number: Int) { said[number] = nil }
    func note(forked number: Int) { forkedLogs.insert(fact(number).log) }

    /// Tells whether an event belongs to the group's state.
    func isState(_ number: Int) -> Bool {
        pool.events.indices.contains(number) && pool.events[number].header.kind.isState
    }

    /// The fact of a number. For an event in the pool it is derived from the header.
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
