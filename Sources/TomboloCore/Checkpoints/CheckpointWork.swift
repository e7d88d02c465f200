/// What is to be done about a group's checkpoints on this device.
struct CheckpointWork: Sendable {
    /// Whether some are not carried out, or not passed by this device's member, for something that may come or go.
    var isOpen = false
    /// When they are looked at again, in milliseconds since 1970; nil for when something comes or goes.
    var due: UInt64?
    /// When they were looked at last.
    var seen: UInt64 = 0
    /// Those that this device's member passes with the next batch.
    var ready: [EventID] = []
    /// Whether this device says again, with the next batch, what it has said and is to forget.
    var saysAgain = false
    /// Those that were carried out.
    var done: Set<EventID> = []
    /// Up to where it was found that nothing of a log is left, nor missing.
    var cleared: [LogID: UInt64] = [:]
}
