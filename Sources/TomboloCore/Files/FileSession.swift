/// What a session knows about files: what is fetched from the peer, and what it fetches from here.
struct FileSession: Sendable {
    /// A file that is wanted here, as the peer has it.
    struct Source: Sendable {
        /// The group, by its place in the session, over which the two speak of it.
        var group: Int
        var held = RangeSet<Int>()
        var hasAnswered = false
        /// What it could not give, or gave wrong.
        var failed = RangeSet<Int>()
        /// Whether it was told that enough of what it has is here.
        var isSatisfied = false
    }

    /// A file that the peer wants.
    struct Interest: Sendable {
        var group: Int
        /// What it was told to be here.
        var told = RangeSet<Int>()
        /// Whether it has taken what it was told of, as far as it wants it.
        var isSatisfied = true
    }

    struct Chunk: Hashable, Comparable, Sendable {
        let file: FileID
        let position: Int

        init(_ file: FileID, _ position: Int) {
            self.file = file
            self.position = position
        }

        static func < (lhs: Chunk, rhs: Chunk) -> Bool { (lhs.file, lhs.position) < (rhs.file, rhs.position) }
    }

    var sources: [FileID: Source] = [:]
    var interests: [FileID: Interest] = [:]
    /// What the peer was asked for and has not sent, and when.
    var asked: [Chunk: UInt64] = [:]
    /// What it has asked for.
    var requested: [Chunk] = []
    var pacing = ChunkPacing()
    /// When a chunk came last, in milliseconds since 1970.
    var lastArrival: UInt64 = 0
    /// Whether none has come for long although some were asked for: others are asked for them, and the peer for no more until one comes.
    var isStalled = false
    /// What was wanted, and which groups both have, when the peer was told.
    var wantsSaid = 0
    /// Whether it was said last that something is on its way.
    var isTransferring = false

    /// Whether chunks are on their way or about to be, in either direction.
    var isBusy: Bool {
        !asked.isEmpty || sources.values.contains { !$0.hasAnswered || (!$0.held.isEmpty && !$0.isSatisfied) }
            || interests.values.contains { !$0.isSatisfied }
    }

    /// When the peer is not waited for any more.
    func stallDeadline(after patience: UInt64) -> UInt64? {
        guard !isStalled, let oldest = asked.values.min() else { return nil }
        return max(oldest, lastArrival) + patience
    }
}

/// How many chunks a peer is asked for at once: as many as come within a quarter of a second, so that what is said meanwhile does not wait for
/// long behind them.
struct ChunkPacing: Sendable {
    private(set) var limit = 4
    private var lastShrink: UInt64 = 0
    static let most = 64
    private static let duration: UInt64 = 250

    /// Notes that a chunk has come that was asked for then.
    mutating func noteArrival(askedAt asked: UInt64, now: UInt64) {
        let elapsed = now > asked ? now - asked : 0
        if elapsed <= Self.duration {
            limit = min(limit + 1, Self.most)
        } else if elapsed > 2 * Self.duration, asked >= lastShrink {
            // Once for all that were under way together.
            limit = max(1, limit / 2)
            lastShrink = now
        }
    }

    /// The peer has sent nothing for long.
    mutating func noteStall() { limit = 1 }
}
