/// The time for which roots may differ, although both sides are done, before the sides compare frontiers again
/// (protocol 5-20).
enum RepairDelay {
    /// Milliseconds before the first repair.
    private static let first: UInt64 = 2_000
    private static let longest: UInt64 = 600_000

    /// The milliseconds before a further repair: twice as many each time, up to ten minutes.
    static func milliseconds(afterRepairs repairs: Int) -> UInt64 { min(first << UInt64(min(repairs, 16)), longest) }
}
