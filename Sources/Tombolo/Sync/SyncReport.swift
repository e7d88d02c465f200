public import TomboloCore

/// The most that a sync may cost. A sync can be stopped anywhere: events that have arrived are kept, and the next sync
/// continues from there.
public struct SyncBudget: Sendable, Hashable {
    /// The bytes on the wire, in both directions, over all peers, without handshakes; nil for any number.
    public var bytes: Int?
    /// The time over all peers; nil for any.
    public var time: Duration?

    /// A budget of bytes and time. Below 131,072 bytes little or nothing is transferred.
    public static func budget(bytes: Int? = nil, time: Duration? = nil) -> SyncBudget {
        SyncBudget(bytes: bytes, time: time)
    }

    /// No bound.
    public static let unlimited = SyncBudget(bytes: nil, time: nil)

    /// The bytes that a peer may send ahead, so that little is wasted when the budget is spent; nil for any number.
    var windowBytes: Int? { bytes.map { max(4_096, min($0 / 4, 65_536)) } }
}

/// The outcome and the cost of a sync with one peer.
public struct PeerReport: Sendable, Hashable {
    /// The peer.
    public let peer: PeerID
    /// The groups in which both devices hold the same events now.
    public let groups: [GroupID]
    /// The groups in which one device sends the other nothing (``SyncGroup/setVisibility(_:to:)``), and each has
    /// received its part.
    public let oneSidedGroups: [GroupID]
    /// The strategy that found the difference in each group, and its cost.
    public let reconciliations: [GroupID: ReconciliationReport]
    /// Tells whether every group that both have is in `groups` or `oneSidedGroups`. Otherwise the budget was spent
    /// before.
    public let isComplete: Bool
    /// The bytes sent on the wire, with TLS and without its handshake.
    public let bytesSent: Int
    /// The bytes received on the wire, with TLS and without its handshake.
    public let bytesReceived: Int
    /// The bytes of the TLS handshake, in both directions.
    public let handshakeBytes: Int
    /// The time from dialling to the end.
    public let duration: Duration
    /// The part of `duration` until the peer had proved its key.
    public let handshakeDuration: Duration
}

/// The outcome of a sync with all peers.
public struct SyncReport: Sendable {
    /// The reports of the peers that were reached, in the order of the syncs.
    public var peers: [PeerReport] = []
    /// The peers that were not reached, or with which the sync failed, with the errors.
    public var failures: [PeerID: TomboloError] = [:]
    /// The time that all syncs took together.
    public var duration: Duration = .zero

    /// A report without peers.
    public init() {}

    /// The bytes on the wire, in both directions, without handshakes.
    public var bytes: Int { peers.reduce(0) { $0 + $1.bytesSent + $1.bytesReceived } }
    /// Tells whether every peer was reached, and every group that was shared with one is in sync.
    public var isComplete: Bool { failures.isEmpty && peers.allSatisfy(\.isComplete) }
}
