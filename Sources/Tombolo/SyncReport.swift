public import TomboloCore

/// How much a sync may cost. It can be cut anywhere: what has come is kept, and the next one goes on from there.
public struct SyncBudget: Sendable, Hashable {
    /// Bytes on the wire, both ways, over all peers, handshakes not counted; nil for any number.
    public var bytes: Int?
    public var time: Duration?

    /// At most so many bytes, and so much time. Below 131,072 bytes little or nothing gets through.
    public static func budget(bytes: Int? = nil, time: Duration? = nil) -> SyncBudget {
        SyncBudget(bytes: bytes, time: time)
    }

    public static let unlimited = SyncBudget(bytes: nil, time: nil)

    /// What a peer may send ahead of us, so that little is wasted when the budget is spent; nil for as much as it likes.
    var windowBytes: Int? { bytes.map { max(4_096, min($0 / 4, 65_536)) } }
}

/// What a sync with one peer cost.
public struct PeerReport: Sendable, Hashable {
    public let peer: DeviceKey
    /// The groups in which both now know the same.
    public let groups: [GroupID]
    /// The groups in which one of the two sends the other nothing (``SyncGroup/setVisibility(_:to:)``), and each has what it is to have.
    public let oneSidedGroups: [GroupID]
    /// How it was found out what the two differed in, by group, and what that took.
    public let reconciliations: [GroupID: ReconciliationReport]
    /// Whether every group that both have is one of these; else the budget was spent before.
    public let isComplete: Bool
    /// Bytes on the wire, TLS included, handshake not.
    public let bytesSent: Int
    public let bytesReceived: Int
    /// Bytes of the TLS handshake, both ways.
    public let handshakeBytes: Int
    /// From dialling to the end.
    public let duration: Duration
    /// The part of `duration` until the peer had proved its key.
    public let handshakeDuration: Duration
}

/// What a sync with all peers came to.
public struct SyncReport: Sendable {
    public var peers: [PeerReport] = []
    /// Peers that were not reached, or failed, and why.
    public var failures: [DeviceKey: String] = [:]
    public var duration: Duration = .zero

    public init() {}

    /// Bytes on the wire, both ways, handshakes not counted.
    public var bytes: Int { peers.reduce(0) { $0 + $1.bytesSent + $1.bytesReceived } }
    /// Whether every peer was reached, and every group that was shared with one is in sync.
    public var isComplete: Bool { failures.isEmpty && peers.allSatisfy(\.isComplete) }
}
