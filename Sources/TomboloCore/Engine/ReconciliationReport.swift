/// How it was found out what two devices differ in, and what that took.
public struct ReconciliationReport: Hashable, Sendable, CustomStringConvertible {
    public enum Strategy: String, Hashable, Sendable, CaseIterable {
        /// Both knew the same: a comparison of roots.
        case equal
        /// Logs that changed since both last knew the same.
        case agreement
        /// All logs.
        case frontier
        /// Coded symbols of all logs: the cost follows those that differ.
        case codedFrontier
    }

    public internal(set) var strategy = Strategy.equal
    /// Logs that were told of, or found to differ.
    public internal(set) var logs = 0
    /// Bytes of what was said to find the difference, before TLS and deflate; introductions and events are not counted.
    public internal(set) var bytesSent = 0
    public internal(set) var bytesReceived = 0
    /// Messages of the other side that were waited for.
    public internal(set) var roundTrips = 1

    init() {}

    mutating func noteSent(_ sync: GroupSync) {
        bytesSent += (sync.frontier?.count ?? 0) + (sync.coded?.count ?? 0)
    }

    mutating func noteReceived(_ sync: GroupSync) {
        let bytes = (sync.frontier?.count ?? 0) + (sync.coded?.count ?? 0)
        guard bytes > 0 else { return }
        bytesReceived += bytes
        roundTrips += 1
    }

    /// Why this way, in a sentence.
    public var description: String {
        switch strategy {
        case .equal: "both knew the same: one comparison of roots"
        case .agreement: "both remember when they last knew the same: only what changed since then was told"
        case .frontier: "the two remember no time when they knew the same, and there are few logs: all were told"
        case .codedFrontier:
            "the two remember no time when they knew the same, and there are many logs: coded symbols found those that differ"
        }
    }
}
