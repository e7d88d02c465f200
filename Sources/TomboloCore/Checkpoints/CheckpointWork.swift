/// What is to be done about a group's checkpoints on this device.
struct CheckpointWork: Sendable {
    /// Whether some have not been carried out, or not passed by this device's member.
    var isOpen = false
    /// Whether something has come or gone since they were last looked at.
    var isDue = false
    /// Those that this device's member passes with the next batch.
    var ready: [EventID] = []
    /// Up to where it was found that nothing of a log is left, nor missing.
    var cleared: [LogID: UInt64] = [:]
}
