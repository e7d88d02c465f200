/// The work that a group's checkpoints leave to this device.
struct CheckpointWork: Sendable {
    /// Whether checkpoints are not carried out, or not passed for this device's member, because of something that may
    /// change.
    var isOpen = false
    /// The time at which checkpoints are reviewed again, in milliseconds since 1970; nil for when an event changes
    /// something.
    var due: UInt64?
    /// The time of the last review.
    var seen: UInt64 = 0
    /// Checkpoints that this device's member passes with the next batch.
    var ready: [EventID] = []
    /// Whether this device, with the next batch, writes its own contents again that are to be forgotten
    /// (protocol 2.11-7).
    var saysAgain = false
    /// Checkpoints that were carried out.
    var done: Set<EventID> = []
    /// The sequence up to which nothing of a log was found to be readable or missing.
    var cleared: [LogID: UInt64] = [:]
}
