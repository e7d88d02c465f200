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
        /// Coded symbols of the ids of messages, in a group of the mvds dialect.
        case rateless
        /// Fingerprints of ranges of messages in the order of time, in a group of the mvds dialect.
        case range

        /// What it is called to people.
        public var name: String {
            switch self {
            case .equal: "comparison of roots"
            case .agreement: "agreement"
            case .frontier: "frontier"
            case .codedFrontier: "coded frontier"
            case .rateless: "coded symbols"
            case .range: "ranges"
            }
        }
    }

    /// Whether ``logs`` counts messages.
    public var isOfMessages: Bool { strategy == .rateless || strategy == .range }

    public internal(set) var strategy = Strategy.equal
    /// Logs that were told of, or found to differ; in a group of the mvds dialect, messages.
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
        if bytes > 0 { noteReceived(bytes, ends: true) }
    }

    mutating func noteSent(_ bytes: Int) { bytesSent += bytes }

    /// - Parameters:
    ///   - bytes: of what was said.
    ///   - ends: whether it was waited for, and no more follows.
    mutating func noteReceived(_ bytes: Int, ends: Bool) {
        bytesReceived += bytes
        if ends { roundTrips += 1 }
    }

    /// Why this way, in a sentence.
    public var description: String {
        switch strategy {
        case .equal: "both knew the same: one comparison of roots"
        case .agreement: "both remember when they last knew the same: only what changed since then was told"
        case .frontier: "the two remember no time when they knew the same, and there are few logs: all were told"
        case .codedFrontier:
            "the two remember no time when they knew the same, and there are many logs: coded symbols found those that differ"
        case .rateless: "few messages differ, or they are scattered: coded symbols found them"
        case .range:
            "the messages that differ lie close together in time, or are very many: fingerprints of ranges found them"
        }
    }
}
