/// The first byte of a frontier (protocol 5.2-1).
enum FrontierFlags {
    static let whole: UInt8 = 1 << 0
    static let more: UInt8 = 1 << 1
    static let fullIDs: UInt8 = 1 << 2
    static let since: UInt8 = 1 << 3
    static let differing: UInt8 = 1 << 4
    static let answers: UInt8 = 1 << 5
}

/// The events that a peer holds of a group's logs, as it has stated them or as coded symbols have shown.
struct PeerFrontier: Sendable {
    enum Basis: Hashable, Sendable {
        /// The peer holds nothing of logs that are not listed.
        case nothing
        /// The peer holds at least the events that this device held when this ordinal was the last one.
        case agreement(Int64)
        /// The same holds for logs that are not listed. Of the listed ones the peer holds what the entries state.
        case differing(Int64)
        /// The entries are those that the peer had not stated yet, of these logs alone.
        case answers
    }

    var basis: Basis
    var entries: [LogID: FrontierEntry]
    /// Logs of which the peer has yet to state what it holds.
    var untold: Set<Int> = []

    /// The ordinal after which the peer may lack events of logs that are not listed; 0 for all.
    var after: Int64 {
        switch basis {
        case .agreement(let ordinal), .differing(let ordinal): ordinal
        case .nothing, .answers: 0
        }
    }

    /// Whether the entries state everything that the peer holds of their logs, regardless of agreements.
    var isExact: Bool {
        switch basis {
        case .differing, .answers: true
        case .nothing, .agreement: false
        }
    }
}
