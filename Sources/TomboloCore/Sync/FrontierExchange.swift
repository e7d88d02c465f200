/// Finds the events that the peer lacks, by frontiers (protocol 5-15 to 5-20, 5.2).
struct FrontierExchange: Sendable {
    enum Phase {
        /// The two have shown each other the group.
        case introduced
        /// They tell each other what they hold.
        case exchanging
        /// Both are up to date. New events are pushed.
        case live
    }

    private(set) var phase = Phase.introduced
    /// Whether roots were compared and, where they differ, a base was chosen.
    private var isOpened = false
    /// Whether the peer has sent its frontier, and whether this side has.
    private(set) var hasFrontier = false
    private var isSent = false
    /// The newest agreement that both remember.
    private(set) var base: Agreement?
    /// The agreements that this side has named, and the tokens of those that the peer has. Other sessions of the two
    /// may make new ones meanwhile.
    private var named: [Agreement] = []
    private var namedByPeer: [UInt64] = []
    /// The peer's frontier, until the end of the batch plans by it.
    private var unplanned: PeerFrontier?
    /// The numbers of logs that both sides have stated, where they are many.
    private var logCount: UInt64?
    private var logCountOfPeer: UInt64?
    /// Entries of a frontier that further parts follow, and the bytes of its parts so far.
    var partial: [LogID: FrontierEntry] = [:]
    private var partialBytes = 0
    /// The number of logs of the agreement that the peer's numbering of logs began with.
    private var agreedLogs = 0
    /// The comparison by coded symbols; nil unless it is under way.
    var coded: CodedFrontier?
    var hasReceivedHint = false
    /// Logs of which the peer has asked what is held here.
    var asked: Set<Int> = []
    /// Logs of which the peer was asked what it holds, and has not answered.
    var untold: Set<Int> = []

    // MARK: Introductions

    mutating func noteIntroduction(naming agreements: [Agreement], logs: UInt64?) {
        named = agreements
        logCount = logs
    }

    mutating func noteIntroduction(ofPeer agreements: [UInt64], logs: UInt64?) {
        namedByPeer = agreements
        logCountOfPeer = logs
    }

    /// Whether the peer was asked what it holds of logs, and has not answered.
    var awaitsAnswers: Bool { !untold.isEmpty }

    // MARK: Phases

    /// Begins, once.
    ///
    /// - Returns: whether this is the first call.
    mutating func open() -> Bool {
        defer { isOpened = true }
        return !isOpened
    }

    /// Whether new events are pushed to the peer: it is known what it holds.
    var isOpen: Bool { phase == .live || hasFrontier }

    /// Whether this side has to tell its frontier.
    var mustSend: Bool { phase == .exchanging && !isSent }

    /// Notes that both sides know the same.
    mutating func noteSame() { phase = .live }

    /// Notes that the roots differ, and chooses the newest agreement in the dialler's list that both remember.
    mutating func noteDifferent(isDialler: Bool) {
        phase = .exchanging
        let ours = named.map(\.token)
        let token =
            isDialler ? ours.first(where: namedByPeer.contains) : namedByPeer.first(where: ours.contains)
        base = named.first { $0.token == token }
    }

    /// Whether coded symbols are to find the differences. Both sides decide alike, by the numbers of logs that both
    /// have stated (protocol 5-19).
    var usesCodedFrontier: Bool {
        guard base == nil, let ours = logCount, let theirs = logCountOfPeer, ours >= Limits.codedLogs,
            theirs >= Limits.codedLogs
        else { return false }
        // If one side lacks most of the logs, naming them costs more than the frontier of the side that has few.
        return min(ours, theirs) >= max(ours, theirs) / 2
    }

    /// Has the whole frontier sent again, as after a repair.
    mutating func restart() {
        phase = .exchanging
        forgetBase()
    }

    /// Notes that coded symbols are given up.
    mutating func noteGivenUp() { phase = .exchanging }

    /// Begins again for a hint of the dialler, which stands for its frontier.
    mutating func restartForHint() {
        phase = .exchanging
        isSent = true
    }

    /// Has the frontier sent again at the end of the batch.
    mutating func sendAgain() {
        isSent = false
        restart()
    }

    mutating func forgetBase() { base = nil }

    mutating func noteSent() { isSent = true }

    /// The peer's frontier that came in this batch: once, however many came.
    mutating func takeUnplanned() -> PeerFrontier? { unplanned.take() }

    /// Notes the peer's frontier.
    ///
    /// - Parameter isExchanging: whether the exchange continues with it.
    mutating func note(_ frontier: PeerFrontier, isExchanging: Bool) {
        unplanned = frontier
        guard isExchanging else { return }
        hasFrontier = true
        phase = .exchanging
    }

    /// Notes what coded symbols have shown of the peer.
    mutating func noteDecoded(_ frontier: PeerFrontier) {
        hasFrontier = true
        untold = frontier.untold
        unplanned = frontier
    }

    // MARK: Sending

    /// Tells the peer this side's frontier: the logs that changed since the base, or all.
    mutating func send(
        _ replica: inout Replica, fullIDs: Bool, number: Int, _ table: inout LogTable, over link: PeerLink,
        _ report: inout ReconciliationReport, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        isSent = true
        var flags = fullIDs ? FrontierFlags.fullIDs : 0
        var logs: [Int]
        if let base {
            flags |= FrontierFlags.since
            report.strategy = .agreement
            if table.count == 0 { table = LogTable(replica.frontier.ids(upTo: base.lastLog)) }
            let changes = try batch.store.changes(after: base.ordinal, inGroup: replica.record.reference)
            logs = changes.compactMap { replica.frontier.index(ofReference: $0.log) }.sorted()
        } else {
            flags |= FrontierFlags.whole
            report.strategy = .frontier
            logs = replica.frontier.logs.indices.filter { replica.frontier.logs[$0].isKnown }
        }
        report.logs = logs.count
        let agreedLogs = table.count
        repeat {
            var part: [UInt8] = [flags]
            if let base {
                part.append(fixed64: base.token)
                part.append(varint: agreedLogs)
            }
            var count = 0
            while count < logs.count, part.count < Limits.payload - 8_192 {
                FrontierEntry.write(replica.frontier.logs[logs[count]], fullIDs: fullIDs, table: &table, to: &part)
                count += 1
            }
            logs.removeFirst(count)
            if !logs.isEmpty { part[0] |= FrontierFlags.more }
            var sync = GroupSync(number: number)
            sync.frontier = part[...]
            report.noteSent(sync)
            batch.send(sync, over: link.session)
        } while !logs.isEmpty
    }

    // MARK: Receiving

    /// Receives a part of the peer's frontier.
    mutating func receive(
        _ bytes: Bytes, _ replica: inout Replica, number: Int, _ logs: inout LogTables, over link: PeerLink,
        _ report: inout ReconciliationReport, in batch: inout Batch<some Cryptography>
    ) throws {
        partialBytes += bytes.count
        guard partialBytes <= Limits.frontier else { throw WireError.tooLarge("a frontier", limit: Limits.frontier) }
        var reader = WireReader(bytes)
        let flags = try reader.byte()
        if flags & (FrontierFlags.differing | FrontierFlags.answers) != 0 {
            return try receiveDiffering(
                flags, &reader, replica.frontier, number: number, &logs, over: link, &report, in: &batch)
        }
        var basis = PeerFrontier.Basis.nothing
        if flags & FrontierFlags.since != 0 {
            let token = try reader.fixed64()
            guard let base = named.first(where: { $0.token == token }) else {
                throw EngineError.protocolViolation("it sent a frontier since an agreement that was not offered")
            }
            basis = .agreement(base.ordinal)
            if logs.incoming.count == 0 {
                let agreed = replica.frontier.ids(upTo: base.lastLog)
                logs.incoming = LogTable(agreed)
                agreedLogs = agreed.count
            }
            guard try reader.varint() == UInt64(agreedLogs) else {
                // Whichever side is mistaken: the agreement is of no use.
                try batch.store.forgetPeer(link.peer)
                throw EngineError.protocolViolation("it counts another number of logs in an agreement")
            }
        }
        while !reader.isAtEnd {
            let (log, entry) = try FrontierEntry.read(
                &reader, fullIDs: flags & FrontierFlags.fullIDs != 0, table: &logs.incoming)
            partial[log] = entry
        }
        guard flags & FrontierFlags.more == 0 else { return }
        note(PeerFrontier(basis: basis, entries: takePartial()), isExchanging: true)
    }

    /// The entries of all parts of the frontier that has come.
    mutating func takePartial() -> [LogID: FrontierEntry] {
        defer { (partial, partialBytes) = ([:], 0) }
        return partial
    }
}
