/// The logs of a group that no right allows to contain anything, as far as the role changes are known
/// (protocol 2.2-9).
///
/// Authors without a right have a share of their own. So they cannot keep new members from writing. Once its role change
/// is known, a log does not count here any more.
struct UnprovenLogs: Sendable {
    private var logs: Set<Int> = []
    /// The number of state events by which the logs were reviewed last.
    private var seen = 0

    init() {}

    init(among states: [LogState], _ state: StateGraph) {
        for (index, log) in states.enumerated() {
            if let certificate = log.certificate, !state.isProven(certificate) { logs.insert(index) }
        }
    }

    var count: Int { logs.count }

    mutating func insert(_ log: Int) { logs.insert(log) }

    /// Whether the device takes one more such log.
    mutating func hasRoom(_ frontier: Frontier, _ state: StateGraph) -> Bool {
        if logs.count >= Limits.unprovenLogs, seen != state.nodes.count {
            seen = state.nodes.count
            logs = logs.filter { log in frontier.logs[log].certificate.map { !state.isProven($0) } ?? true }
        }
        return logs.count < Limits.unprovenLogs
    }
}
