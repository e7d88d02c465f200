/// The branches of forked logs that demotions and device removals keep, as they were last read from the store.
///
/// A branch is read once, not for each event of its log that arrives.
struct KeptPaths: Sendable {
    private var paths: [Int: [EventID: Set<EventID>]] = [:]
    private var count = 0

    /// Ids that are remembered before all are forgotten.
    private static let most = 262_144

    /// Whether an event is on the branch that ends with another one; nil if the branch is not remembered.
    func contains(_ event: EventID, to end: EventID, log: Int) -> Bool? { paths[log]?[end]?.contains(event) }

    mutating func insert(_ path: Set<EventID>, to end: EventID, log: Int) {
        if count > Self.most { self = KeptPaths() }
        paths[log, default: [:]][end] = path
        count += path.count
    }

    /// Forgets the branches of a log: they may end elsewhere now.
    mutating func forget(_ log: Int) {
        for path in (paths.removeValue(forKey: log) ?? [:]).values { count -= path.count }
    }
}
