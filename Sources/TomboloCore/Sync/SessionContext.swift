/// The properties of a session that its groups need.
struct SessionContext {
    let link: PeerLink
    /// Bytes of windows that the peer accepts at once.
    let windowLimit: Int
    /// Whether the peer is kept in the store, with agreements and acknowledgements; else it is a visitor or a stranger.
    let isPeerKept: Bool
    /// The device that the peer proved itself to be when it joined a group.
    let joiner: (group: GroupID, recipient: GroupSecrets.Recipient)?
}

extension Session {
    /// Inlined, so that no caller copies the session for it.
    @inline(__always) var context: SessionContext {
        SessionContext(link: link, windowLimit: windowLimit, isPeerKept: isPeerKept, joiner: joiner)
    }
}
