/// A report of how two devices found their differences, and of the cost.
public struct ReconciliationReport: Hashable, Sendable, CustomStringConvertible {
    public enum Strategy: String, Hashable, Sendable, CaseIterable {
        /// The roots were equal.
        case equal
        /// The two compared the logs that changed since an agreement.
        case agreement
        /// The two compared all logs.
        case frontier
        /// Coded symbols of all logs found the differences. The cost follows the logs that differ.
        case codedFrontier
        /// Coded symbols of the ids of messages found the differences, in a group of the mvds dialect.
        case rateless
        /// Fingerprints of ranges of messages by time found the differences, in a group of the mvds dialect.
        case range

        /// The strategy's name for users.
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
    /// The number of logs that this device described or found to differ; in a group of the mvds dialect, of messages.
    public internal(set) var logs = 0
    /// The bytes that this device sent to find the differences, before TLS and deflate. Introductions and events do not
    /// count.
    public internal(set) var bytesSent = 0
    /// The bytes that this device received for the same purpose.
    public internal(set) var bytesReceived = 0
    /// The number of the peer's messages that this device had to wait for.
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
    ///   - bytes: the number of received bytes.
    ///   - ends: whether this device waited for the message, and no further part of it follows.
    mutating func noteReceived(_ bytes: Int, ends: Bool) {
        bytesReceived += bytes
        if ends { roundTrips += 1 }
    }

    /// The reason for the strategy, in a sentence.
    public var description: String {
        switch strategy {
        case .equal: "both devices held the same: one comparison of roots"
        case .agreement: "both devices remember when they last held the same: only later changes were sent"
        case .frontier: "the devices remember no time when they held the same, and there are few logs: all were sent"
        case .codedFrontier:
            "the devices remember no time when they held the same, and there are many logs: "
                + "coded symbols found the difference"
        case .rateless: "few messages differ, or they are scattered: coded symbols found them"
        case .range:
            "the messages that differ lie close together in time, or are very many: fingerprints of ranges found them"
        }
    }
}
