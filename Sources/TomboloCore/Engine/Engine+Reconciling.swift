/// What the first byte of a frontier says (protocol §5.2).
enum FrontierFlags {
    static let whole: UInt8 = 1 << 0
    static let more: UInt8 = 1 << 1
    static let fullIDs: UInt8 = 1 << 2
    static let since: UInt8 = 1 << 3
    static let differing: UInt8 = 1 << 4
    static let answers: UInt8 = 1 << 5
}

/// What a peer has said, or was found out, to hold of a group's logs.
struct PeerFrontier: Sendable {
    enum Basis: Hashable, Sendable {
        /// Of logs that are not listed it holds nothing.
        case nothing
        /// It holds at least what was held here when this ordinal was the last one.
        case agreement(Int64)
        /// So it does of logs that are not listed; of the others it holds what is listed.
        case differing(Int64)
        /// What it had not told yet, of these logs alone.
        case answers
    }

    var basis: Basis
    var entries: [LogID: FrontierEntry]
    /// Logs of which it will tell what it holds.
    var untold: Set<Int> = []

    /// What arrived here after this may be missing there in logs that are not listed; 0 for everything.
    var after: Int64 {
        switch basis {
        case .agreement(let ordinal), .differing(let ordinal): ordinal
        case .nothing, .answers: 0
        }
    }

    /// Whether entries say all that the peer holds, whatever was agreed.
    var isExact: Bool {
        switch basis {
        case .differing, .answers: true
        case .nothing, .agreement: false
        }
    }
}

// Finding out what the other side lacks, by frontiers (protocol §5.2).
extension Engine {
    /// Brings one session forward at the end of a batch: answers, sends what may be sent, and settles.
    mutating func advance(_ index: Int, _ store: any EventStore) throws(StoreError) {
        guard !sessions[index].isClosed, sessions[index].hasGreeted else { return }
        try sayWants(index, store)
        noteTransferring(index)
        for group in sessions[index].groups.indices where sessions[index].groups[group].isMatched {
            let replica = sessions[index].groups[group].group
            // Whatever else has come in the same batch.
            if !sessions[index].groups[group].isOpened {
                sessions[index].groups[group].isOpened = true
                if sessions[index].groups[group].phase == .introduced,
                    peerShows(groups[replica].frontier.root(using: cryptography), group, session: index)
                {
                    sessions[index].groups[group].phase = .live
                    sessions[index].groups[group].heldByPeer = groups[replica].frontier.linearEnds
                    askForSecrets(group, session: index)
                    try askForDropped(group, session: index, store)
                    if sessions[index].groups[group].awaitsNothing { try agree(group, session: index, store) }
                } else {
                    sessions[index].groups[group].phase = .exchanging
                    chooseBase(group, session: index)
                    if usesCodedFrontier(group, session: index) {
                        try beginCodedFrontier(group, session: index, store)
                    }
                }
            }
            if sessions[index].groups[group].phase == .exchanging, !sessions[index].groups[group].isFrontierSent {
                try sendFrontier(group, session: index, store)
            }
            if let frontier = sessions[index].groups[group].unplanned.take() {
                try makePlan(of: frontier, group, session: index, store)
            }
            sayHorizon(group, session: index)
            acknowledge(group, session: index)
            try pump(group, session: index, store)
            askForSecrets(group, session: index)
            try shareSecrets(group, session: index, store)
            try settle(group, session: index, store)
        }
        try moveChunks(index, store)
    }

    /// The newest agreement in the dialler's list that both remember.
    private mutating func chooseBase(_ group: Int, session index: Int) {
        let (named, theirs) = (sessions[index].groups[group].named, sessions[index].groups[group].since)
        let ours = named.map(\.token)
        let token =
            sessions[index].link.isDialler ? ours.first(where: theirs.contains) : theirs.first(where: ours.contains)
        sessions[index].groups[group].base = named.first { $0.token == token }
    }

    mutating func sendFrontier(_ group: Int, session index: Int, _ store: any EventStore) throws(StoreError) {
        sessions[index].groups[group].isFrontierSent = true
        let number = sessions[index].groups[group].group
        let frontier = groups[number].frontier
        let isRepeated = sessions[index].groups[group].repairs > 0
        var flags = isRepeated ? FrontierFlags.fullIDs : 0
        var logs: [Int]
        if let base = sessions[index].groups[group].base {
            flags |= FrontierFlags.since
            sessions[index].groups[group].reconciliation.strategy = .agreement
            if sessions[index].groups[group].outgoingLogs.count == 0 {
                sessions[index].groups[group].outgoingLogs = LogTable(groups[number].frontier.ids(upTo: base.lastLog))
            }
            let changes = try store.changes(after: base.ordinal, inGroup: groups[number].record.reference)
            logs = changes.compactMap { frontier.index(ofReference: $0.log) }.sorted()
        } else {
            flags |= FrontierFlags.whole
            sessions[index].groups[group].reconciliation.strategy = .frontier
            logs = []
            for log in frontier.logs.indices where frontier.logs[log].isKnown { logs.append(log) }
        }
        sessions[index].groups[group].reconciliation.logs = logs.count
        var table = sessions[index].groups[group].outgoingLogs
        let agreedLogs = table.count
        repeat {
            var part: [UInt8] = [flags]
            if let base = sessions[index].groups[group].base {
                part.append(fixed64: base.token)
                part.append(varint: agreedLogs)
            }
            var count = 0
            while count < logs.count, part.count < Limits.payload - 8_192 {
                FrontierEntry.write(frontier.logs[logs[count]], fullIDs: isRepeated, table: &table, to: &part)
                count += 1
            }
            logs.removeFirst(count)
            if !logs.isEmpty { part[0] |= FrontierFlags.more }
            var sync = GroupSync(number: number)
            sync.frontier = part[...]
            send(sync, to: index)
        } while !logs.isEmpty
        sessions[index].groups[group].outgoingLogs = table
    }

    mutating func send(_ sync: GroupSync, to index: Int) {
        if sync.frontier != nil || sync.coded != nil,
            let group = sessions[index].groups.firstIndex(where: { $0.group == Int(sync.number) })
        {
            sessions[index].groups[group].reconciliation.noteSent(sync)
        }
        var payload = Payload()
        payload.groups = [sync]
        send(payload, to: index)
    }

    mutating func receiveFrontier(
        _ bytes: Bytes, _ group: Int, session index: Int, _ store: any EventStore
    ) throws {
        sessions[index].groups[group].frontierBytes += bytes.count
        guard sessions[index].groups[group].frontierBytes <= Limits.frontier else {
            throw WireError.tooLarge("a frontier", limit: Limits.frontier)
        }
        var reader = WireReader(bytes)
        let flags = try reader.byte()
        if flags & (FrontierFlags.differing | FrontierFlags.answers) != 0 {
            return try receiveDiffering(flags, &reader, group, session: index)
        }
        var basis = PeerFrontier.Basis.nothing
        if flags & FrontierFlags.since != 0 {
            let token = try reader.fixed64()
            guard let base = sessions[index].groups[group].named.first(where: { $0.token == token }) else {
                throw EngineError.protocolViolation("a frontier since an agreement that was not offered")
            }
            basis = .agreement(base.ordinal)
            if sessions[index].groups[group].incomingLogs.count == 0 {
                let agreed = groups[sessions[index].groups[group].group].frontier.ids(upTo: base.lastLog)
                sessions[index].groups[group].incomingLogs = LogTable(agreed)
                sessions[index].groups[group].agreedLogs = agreed.count
            }
            guard try reader.varint() == UInt64(sessions[index].groups[group].agreedLogs) else {
                // Whichever side is mistaken: what they agreed on is of no use.
                try store.forgetPeer(sessions[index].link.peer)
                throw EngineError.protocolViolation("it counts other logs in an agreement")
            }
        }
        while !reader.isAtEnd {
            let (log, entry) = try FrontierEntry.read(
                &reader, fullIDs: flags & FrontierFlags.fullIDs != 0,
                table: &sessions[index].groups[group].incomingLogs)
            sessions[index].groups[group].partialFrontier[log] = entry
        }
        guard flags & FrontierFlags.more == 0 else { return }
        let entries = sessions[index].groups[group].partialFrontier
        sessions[index].groups[group].partialFrontier = [:]
        sessions[index].groups[group].frontierBytes = 0
        sessions[index].groups[group].hasFrontier = true
        sessions[index].groups[group].phase = .exchanging
        // At the end of the batch, once, however many were said in it.
        sessions[index].groups[group].unplanned = PeerFrontier(basis: basis, entries: entries)
    }

    /// Plans everything that is held here and, by its frontier, not there.
    private mutating func makePlan(
        of peer: PeerFrontier, _ group: Int, session index: Int, _ store: any EventStore
    ) throws(StoreError) {
        let number = sessions[index].groups[group].group
        let frontier = groups[number].frontier
        let after = peer.after
        var plan = SendPlan()
        plan.isStateFirst = frontier.hasFloors
        var covered = SequenceTable()
        var heldByPeer = SequenceTable()
        var candidates: Set<Int> = []
        // Where in a log the events stand that arrived since the agreement: of other logs than those that are listed the peer can
        // lack no others.
        var changed: [Int: ClosedRange<UInt64>] = [:]
        switch peer.basis {
        case .nothing: candidates = Set(frontier.logs.indices)
        case .answers:
            plan = sessions[index].groups[group].plan
            covered = sessions[index].groups[group].covered
            heldByPeer = sessions[index].groups[group].heldByPeer
        case .agreement, .differing:
            plan.after = after
            // What did not change here since the agreement, the peer holds.
            heldByPeer = frontier.linearEnds
            let changes = try store.changes(after: after, inGroup: groups[number].record.reference)
            for change in changes {
                guard let log = frontier.index(ofReference: change.log) else { continue }
                heldByPeer[log] = change.first - 1
                changed[log] = change.first...change.last
            }
            candidates = Set(changed.keys)
        }
        if peer.isExact { candidates.formUnion(peer.entries.keys.lazy.compactMap { frontier.index(of: $0) }) }
        for log in candidates.subtracting(peer.untold).sorted() where !frontier.logs[log].ends.isEmpty {
            let state = frontier[log]
            covered[log] = state.lastSequence
            let entry = peer.entries[state.id]
            let floor = max(state.floor, entry?.floor ?? 0)
            guard floor < state.lastSequence else { continue }
            let all = (floor + 1)...state.lastSequence
            let since = changed[log].map { max($0.lowerBound, floor + 1)...max($0.upperBound, floor + 1) }
            sessions[index].groups[group].floorsOfPeer[log] = floor
            guard let entry else {
                plan.add(log: log, since ?? all)
                continue
            }
            if peer.isExact { heldByPeer[log] = 0 }
            if state.isLinear {
                let gaps = try missing(of: state, given: entry, store)
                let first = gaps.first?.lowerBound ?? state.lastSequence + 1
                heldByPeer.raise(log, to: first - 1)
                for range in gaps { plan.add(log: log, range, isAskedFor: peer.isExact) }
            } else {
                plan.excluded[log] = try heldIDs(of: state, given: entry, store)
                plan.add(log: log, peer.isExact ? all : since ?? all, isAskedFor: peer.isExact)
            }
        }
        sessions[index].groups[group].plan = plan
        sessions[index].groups[group].certificatesSaid = []
        sessions[index].groups[group].covered = covered
        sessions[index].groups[group].heldByPeer = heldByPeer
    }

    /// The parts of one chain that a peer with this entry lacks.
    private func missing(
        of log: LogState, given entry: FrontierEntry, _ store: any EventStore
    ) throws(StoreError) -> [ClosedRange<UInt64>] {
        guard let end = log.ends.last else { return [] }
        var held: [ClosedRange<UInt64>] = []
        for range in entry.ranges {
            if range.end > end.sequence {
                // An end above ours that spans ours: presumed to be on the same chain.
                if range.start <= end.sequence { held.append(range.start...end.sequence) }
            } else if range.end == end.sequence {
                if range.id.matches(end.id) { held.append(range.start...range.end) }
            } else if range.end > log.floor {
                let own = try store.headers(ofLog: log.reference, in: range.end...range.end, limit: 1)
                if let own = own.first, range.id.matches(own.id) { held.append(range.start...range.end) }
            }
        }
        var next = max(log.floor, entry.floor) + 1
        var gaps: [ClosedRange<UInt64>] = []
        for range in held.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if range.lowerBound > next { gaps.append(next...(range.lowerBound - 1)) }
            next = max(next, range.upperBound + 1)
        }
        if next <= end.sequence { gaps.append(next...end.sequence) }
        return gaps
    }

    /// Of a log with forks or gaps: the ids on the chains below the peer's ends that are held here.
    private func heldIDs(
        of log: LogState, given entry: FrontierEntry, _ store: any EventStore
    ) throws(StoreError) -> Set<EventID> {
        var held: Set<EventID> = []
        for range in entry.ranges where range.end > log.floor {
            var next = range.end
            var wanted: EventID?
            walk: while next >= max(range.start, 1) {
                let lowest = max(range.start, next > 127 ? next - 127 : 1)
                let events = try store.headers(ofLog: log.reference, in: lowest...next, limit: 128 * Limits.endsPerLog)
                for stored in events.reversed() where stored.header.sequence == next {
                    let matches = wanted.map { $0 == stored.id } ?? range.id.matches(stored.id)
                    guard matches else { continue }
                    // Below here it is known already.
                    guard held.insert(stored.id).inserted, let previous = stored.header.previous else { break walk }
                    wanted = previous.id
                    next -= 1
                    if next < lowest { continue walk }
                }
                break
            }
        }
        return held
    }
}
