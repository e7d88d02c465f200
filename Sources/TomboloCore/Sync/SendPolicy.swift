/// The rules for what the two sides of a group session send each other. They stand nowhere else.
struct SendPolicy: Hashable, Sendable {
    /// The visibility of the group for the peer. A hidden group has no session.
    let visibility: VisibilityLevel
    /// Whether the peer sends nothing of the group.
    var isPeerSilent = false

    init(_ visibility: VisibilityLevel) { self.visibility = visibility }

    /// Whether this device sends events, secrets and files.
    var sends: Bool { visibility == .shared }
    /// Whether this device may request something from the peer.
    var requests: Bool { !isPeerSilent }
    /// Whether one of the two sends nothing, so that their roots need not become equal.
    var isOneSided: Bool { !sends || isPeerSilent }
}
