/// How far a session has got in bringing back what was dropped.
struct Restoring: Sendable {
    /// What it was begun with.
    var asking = KeptContents.Asked()
    /// The last event that was looked at.
    var after: Int64 = 0
    /// What the peer was asked for and has not sent.
    var awaited: Set<EventID> = []
    /// When nothing more of that is expected, in milliseconds since 1970.
    var deadline: UInt64 = 0
    /// The highest Lamport time of what has come without its content again; 0 for none.
    var left: UInt64 = 0
    /// Whether the peer has not answered in time: it is not asked again in this session.
    var isGivenUp = false
}
