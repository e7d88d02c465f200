/// What a session knows about files: what is fetched from the peer, and what it fetches from here.
struct FileSession: Sendable {
    /// A file that is wanted here, as the peer has it.
    struct Source: Sendable {
        /// The group, by its place in the session, over which the two speak of it.
        var group: Int
        /// When it was told, in milliseconds since 1970.
        var toldAt: UInt64
        var held = RangeSet<Int>()
        /// Whether it has, or is not waited for any more.
        var hasAnswered = false
        /// What it could not give, or gave wrong.
        var failed = RangeSet<Int>()
        /// Whether it has what could be taken, as far as is known.
        var isUseful = false
        /// Whether it has said what it has, and not been told that enough of that is here.
        var isWaiting = false

        /// What it may be asked for.
        var offered: RangeSet<Int> { held.subtracting(failed) }
    }

    /// A file that the peer wants.
    struct Interest: Sendable {
        var group: Int
        /// What it was told to be here, and what it was sent of that and has not doubted.
        var told = RangeSet<Int>()
        var sent = RangeSet<Int>()
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
    /// What others were asked for as well, when it did not come for long.
    var late: Set<Chunk> = []
    /// What it has asked for.
    var requested: [Chunk] = []
    /// What is to be said in this batch; the group by its place in the session.
    var unsaid: [(group: Int, message: Bytes)] = []
    var pacing = ChunkPacing()
    /// When a chunk came last, in milliseconds since 1970.
    var lastArrival: UInt64 = 0
    /// Whether none has come for long although some were asked for: others are asked for them, and the peer for no more until one comes.
    var isStalled = false
    /// What was wanted, and how many groups both had, when the peer was told.
    var wantsSaid = 0
    var matchedGroups = 0
    /// Whether it was said last that something is on its way.
    var isTransferring = false

    /// Whether no file is spoken of.
    @inline(__always) var isUnused: Bool {
        sources.isEmpty && interests.isEmpty && asked.isEmpty && late.isEmpty && requested.isEmpty && unsaid.isEmpty
    }

    /// Whether chunks are on their way or about to be, in either direction.
    var isBusy: Bool {
        !asked.isEmpty || sources.values.contains { !$0.hasAnswered || ($0.isUseful && !isStalled) }
            || interests.values.contains { !$0.isSatisfied }
    }

    /// When the peer's chunks, or its answers, are not waited for any more.
    func deadline(after patience: UInt64) -> UInt64? {
        guard !asked.isEmpty || !sources.isEmpty else { return nil }
        let chunk = asked.values.min().map { max($0, lastArrival) }
        let answer = sources.values.lazy.filter { !$0.hasAnswered }.map(\.toldAt).min()
        return [chunk, answer].compactMap(\.self).min().map { $0 + patience }
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
