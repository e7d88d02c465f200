/// The changes of a group's state that a batch has made, until events are settled by them.
struct UnsettledState: Sendable {
    /// State events that stand since this batch, or stand no more.
    var turned: Set<Int> = []
    /// The standings that members had meanwhile.
    var formerStandings: [MemberKey: [Standing]] = [:]
    /// Forked logs of members whose right to write was taken away.
    var forkedLogs: Set<Int> = []
    /// Members that had a device removed.
    var membersWithRemovedDevices: Set<MemberKey> = []
    /// New redactions, and those that stand since this batch, or stand no more.
    var redactions: Set<Int> = []

    /// Whether no event of the conversation may have another status than before.
    var isSettled: Bool {
        turned.isEmpty && formerStandings.isEmpty && forkedLogs.isEmpty && membersWithRemovedDevices.isEmpty
    }

    /// Forgets everything but redactions, which are settled apart.
    mutating func settle() { self = UnsettledState(redactions: redactions) }

    init(redactions: Set<Int> = []) { self.redactions = redactions }
}
