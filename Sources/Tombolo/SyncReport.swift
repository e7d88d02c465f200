public import TomboloCore

/// The most that a sync may cost. It can be cut anywhere: events that have come are kept, and the next sync continues.
public struct SyncBudget: Sendable, Hashable {
    /// Bytes on the wire, both ways, over all peers, handshakes not counted; nil for any number.
    public var bytes: Int?
    /// Time over all peers; nil for any.
    public var time: Duration?

    /// At most so many bytes, and so much time. Below 131,072 bytes little or nothing gets through.
    public static func budget(bytes: Int? = nil, time: Duration? = nil) -> SyncBudget {
        SyncBudget(bytes: bytes, time: time)
    }

    /// No bound.
    public static let unlimited = SyncBudget(bytes: nil, time: nil)

    /// Bytes that a peer may send ahead, so that little is wasted when the budget is spent; nil for any number.
    var windowBytes: Int? { bytes.map { max(4_096, min($0 / 4, 65_536)) } }
}

/// The outcome and the cost of a sync with one peer.
public struct PeerReport: Sendable, Hashable {
    /// The peer.
    public let peer: PeerID
    /// The groups in which both hold the same events now.
    public let groups: [GroupID]
    /// The groups in which one of the two sends the other nothing (``SyncGroup/setVisibility(_:to:)``), and each has what it is to have.
    public let oneSidedGroups: [GroupID]
    /// How the difference was found in each group, and its cost.
    public let reconciliations: [GroupID: ReconciliationReport]
    /// Whether every group that both have is one of these; else the budget was spent before.
    public let isComplete: Bool
    /// Bytes on the wire, TLS included, handshake not.
    public let bytesSent: Int
    /// Bytes that were received, TLS included, handshake not.
    public let bytesReceived: Int
    /// Bytes of the TLS handshake, both ways.
    public let handshakeBytes: Int
    /// From dialling to the end.
    public let duration: Duration
    /// The part of `duration` until the peer had proved its key.
    public let handshakeDuration: Duration
}

/// The outcome of a sync with all peers.
public struct SyncReport: Sendable {
    /// The reports of the peers that were reached, in the order of the syncs.
    public var peers: [PeerReport] = []
    /// The peers that were not reached, or with which the sync failed, and why.
    public var failures: [PeerID: TomboloError] = [:]
    /// The time that all syncs took together.
    public var duration: Duration = .zero

    /// A report without peers.
    public init() {}

    /// Bytes on the wire, both ways, handshakes not counted.
    public var bytes: Int { peers.reduce(0) { $0 + $1.bytesSent + $1.bytesReceived } }
    /// Whether every peer was reached, and every group that was shared with one is in sync.
    public var isComplete: Bool { failures.isEmpty && peers.allSatisfy(\.isComplete) }
}
