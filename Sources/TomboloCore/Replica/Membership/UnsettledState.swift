/// The changes of a group's state that a batch has made, until events are settled by them.
struct UnsettledState: Sendable {
    /// State events that stand since this batch, or stand no more.
    var turned: Set<Int> = []
    /// Logs of the conversation of which another part is wanted than before, with the former part.
    var parts: [Int: WantedPart] = [:]
    /// New redactions, and those that stand since this batch, or stand no more.
    var redactions: Set<Int> = []

    /// Whether no event may have another status than before.
    var isSettled: Bool { turned.isEmpty && parts.isEmpty }

    /// Forgets everything but redactions, which are settled apart.
    mutating func settle() { self = UnsettledState(redactions: redactions) }

    init(redactions: Set<Int> = []) { self.redactions = redactions }
}
