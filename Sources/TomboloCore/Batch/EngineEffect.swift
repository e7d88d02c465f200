/// An action of the engine's caller. It carries out all effects once the transaction has committed, in their order.
public enum EngineEffect: Sendable {
    case send(SessionID, [UInt8])
    /// Close the link. The error is for the log and, where the application follows the session, for the user.
    case close(SessionID, EngineError)
    case appended(RequestID, EventID)
    case ingested(RequestID, accepted: Int, held: Int)
    case created(RequestID, GroupID)
    case invited(RequestID, Invitation)
    case removed(RequestID, DeviceRemoval)
    case openedBundle(RequestID, BundleOpening)
    case sealedSecrets(RequestID, [CarriedSecret])
    /// A request has been carried out that has no other answer.
    case done(RequestID)
    case failed(RequestID, EngineError)
    /// The group's change log has grown.
    case changed(GroupID)
    /// Content was erased: purge the store's files of it.
    case erased(GroupID)
    /// The chunks that are held of a file have changed.
    case fileChanged(FileID)
    /// Chunks of files began or ceased to be on their way over a session, or about to be.
    case transferring(SessionID, Bool)
    /// An ephemeral event has arrived. In the mvds dialect, `from` is nil, since messages name no author, and the
    /// timestamp is in seconds.
    case receivedEphemeral(GroupID, from: LogID?, timestamp: Int64, content: [UInt8])
    /// One log has two events with one sequence. Both are held.
    case forked(GroupID, EventID, EventID)
    /// Peers hold events of this device's own log that it lacks.
    ///
    /// The store is an older copy that was restored, or a copy of it runs elsewhere. The device writes to a new log
    /// from now on.
    case foundOlder(GroupID)
    /// This device joined a group over this session.
    case joined(SessionID, GroupID)
    /// Both sides found equal roots of the group.
    case agreed(SessionID, GroupID, ReconciliationReport)
    /// Both sides were done and their roots differ, also after they compared whole frontiers. The engine tries again
    /// later.
    case differed(SessionID, GroupID)
    /// In a group in which a side only receives, both sides have sent everything (protocol 5.10-4). Sent once in a
    /// session.
    case exchanged(SessionID, GroupID)
    /// The groups that both sides have shown, so far.
    case peerReady(SessionID, DeviceKey, groups: [GroupID])
}
