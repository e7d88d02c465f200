/// A group that both sides of a session have, as far as files need to know it.
struct FileGroup: Sendable {
    /// The place of the group among the session's groups. A file that several groups refer to is fetched over the
    /// first.
    let place: Int
    /// This side's number of the group on the wire.
    let number: ReplicaIndex
    /// The store's number of the group.
    let reference: Int64
    /// Whether this device serves files of the group to the peer, and whether it requests them.
    let isServed: Bool
    let isRequested: Bool
}

/// The state of `FileSync` for one session: files that it fetches from the peer, and files that the peer fetches from
/// it.
struct FileSession: Sendable {
    /// A file that this device fetches from the peer.
    struct Source: Sendable {
        /// The group in which both speak of the file.
        let group: FileGroup
        /// When this device asked for the file, in milliseconds since 1970.
        let toldAt: UInt64
        /// The positions that the peer has stated that it holds.
        var held = RangeSet<Int>()
        /// Whether the peer has answered, or is not waited for any more.
        var hasAnswered = false
        /// Positions that the peer declined, or sent with a wrong hash.
        var failed = RangeSet<Int>()
        /// Whether the peer is known to have chunks that could be used.
        var isUseful = false
        /// Whether the peer has stated its positions, and was not informed that this device needs no more of them.
        var isWaiting = false

        /// Positions that the peer may be asked for.
        var offered: RangeSet<Int> { held.subtracting(failed) }
    }

    /// A file that the peer fetches from here.
    struct Interest: Sendable {
        let group: FileGroup
        /// The positions that the peer was informed of, and those of them that were sent and not doubted.
        var told = RangeSet<Int>()
        var sent = RangeSet<Int>()
        /// Whether the peer needs no more of the positions that it was informed of.
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

    /// Bytes that may be on their way at once, where the session has a budget.
    let windowLimit: Int?
    var isClosed = false
    /// Common groups, ascending by place.
    var groups: [FileGroup] = []
    var sources: [FileID: Source] = [:]
    var interests: [FileID: Interest] = [:]
    /// Chunks that were requested and have not come, and when each was requested.
    var asked: [Chunk: UInt64] = [:]
    /// Chunks that were requested here, did not come for long, and were requested from others too.
    var late: Set<Chunk> = []
    /// Chunks that the peer requested.
    var requested: [Chunk] = []
    /// Messages that wait for the end of the batch.
    private var unsent: [(number: ReplicaIndex, message: Bytes)] = []
    var pacing = ChunkPacing()
    /// When a chunk came last, in milliseconds since 1970.
    var lastArrival: UInt64 = 0
    /// Whether no chunk has come for long. The peer is asked for no more until one comes.
    var isStalled = false
    /// The number of changed fetches, and of common groups, when the peer was last asked for files.
    var fetchesSeen = 0
    var matchedGroups = 0
    /// Whether the application was last informed that chunks are on their way.
    var isTransferring = false

    init(windowLimit: Int?) { self.windowLimit = windowLimit }

    /// Whether neither side speaks of a file.
    @inline(__always) var isUnused: Bool {
        sources.isEmpty && interests.isEmpty && asked.isEmpty && late.isEmpty && requested.isEmpty && unsent.isEmpty
    }

    /// Whether chunks are on their way or about to be, in either direction.
    var isBusy: Bool {
        !asked.isEmpty || sources.values.contains { !$0.hasAnswered || ($0.isUseful && !isStalled) }
            || interests.values.contains { !$0.isSatisfied }
    }

    /// How many chunks may be requested at once.
    var requestLimit: Int { min(pacing.limit, windowLimit.map { max(1, $0 / 2 / Limits.chunk) } ?? .max) }

    /// When this device stops waiting for the peer's chunks or answers; nil if it waits for none.
    @inline(__always) func deadline(after patience: UInt64) -> UInt64? {
        asked.isEmpty && sources.isEmpty ? nil : deadlineOfRequests(after: patience)
    }

    private func deadlineOfRequests(after patience: UInt64) -> UInt64? {
        let chunk = asked.values.min().map { max($0, lastArrival) }
        let answer = sources.values.lazy.filter { !$0.hasAnswered }.map(\.toldAt).min()
        return earliest(chunk, answer).map { $0 + patience }
    }

    /// Queues a message, which leaves with the others of the batch.
    mutating func say(_ message: FileMessage, in group: FileGroup) {
        unsent.append((group.number, message.encoded[...]))
    }

    /// The queued messages, in payloads of bounded size.
    mutating func takePayloads() -> [Payload] {
        guard !unsent.isEmpty else { return [] }
        defer { unsent = [] }
        var payloads: [Payload] = []
        var (payload, bytes) = (Payload(), 0)
        for (number, message) in unsent {
            if bytes + message.count > Limits.payload - 4_096 {
                payloads.append(payload)
                (payload, bytes) = (Payload(), 0)
            }
            if payload.groups.last?.number != UInt64(number.value) {
                payload.groups.append(GroupSync(number: number.value))
            }
            payload.groups[payload.groups.count - 1].files.append(message)
            bytes += message.count + 16
        }
        return payloads + [payload]
    }
}
