// Planning the events that a peer lacks, by its frontier (protocol 5.2-5, 5.2-6).
extension Outbox {
    /// Plans everything that is held here and, by its frontier, not by the peer.
    mutating func plan(
        for peer: PeerFrontier, _ replica: Replica, in store: any EventStore
    ) throws(StoreError) {
        let frontier = replica.frontier
        let after = peer.after
        var plan = SendPlan()
        plan.isStateFirst = frontier.hasFloors
        var covered = SequenceTable()
        var heldByPeer = SequenceTable()
        var candidates: Set<Int> = []
        // The events of each log that arrived since the agreement. Of logs that are not listed, the peer can lack no
        // others.
        var changed: [Int: ClosedRange<UInt64>] = [:]
        switch peer.basis {
        case .nothing: candidates = Set(frontier.logs.indices)
        case .answers:
            plan = self.plan
            covered = self.covered
            heldByPeer = self.heldByPeer
        case .agreement, .differing:
            plan.after = after
            // The peer holds what did not change here since the agreement.
            heldByPeer = frontier.linearEnds
            for change in try store.changes(after: after, inGroup: replica.record.reference) {
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
            floorsOfPeer[log] = floor
            guard let entry else {
                plan.add(log: log, since ?? all)
                continue
            }
            if peer.isExact { heldByPeer[log] = 0 }
            if state.isLinear {
                let gaps = try Self.missing(of: state, given: entry, in: store)
                let first = gaps.first?.lowerBound ?? state.lastSequence + 1
                heldByPeer.raise(log, to: first - 1)
                for range in gaps { plan.add(log: log, range, isAskedFor: peer.isExact) }
            } else {
                plan.excluded[log] = try Self.heldIDs(of: state, given: entry, in: store)
                plan.add(log: log, peer.isExact ? all : since ?? all, isAskedFor: peer.isExact)
            }
        }
        self.plan = plan
        self.covered = covered
        self.heldByPeer = heldByPeer
        certificatesSent = []
    }

    /// The parts of one chain that a peer with this entry lacks.
    private static func missing(
        of log: LogState, given entry: FrontierEntry, in store: any EventStore
    ) throws(StoreError) -> [ClosedRange<UInt64>] {
        guard let end = log.ends.last else { return [] }
        var held: [ClosedRange<UInt64>] = []
        for range in entry.ranges {
            if range.end > end.sequence {
                // An end above this device's: presumed to be on the same chain.
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

    /// The ids on the chains below the peer's ends that are held here, of a log with forks or gaps.
    private static func heldIDs(
        of log: LogState, given entry: FrontierEntry, in store: any EventStore
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
                    // Everything below is known already, if this one is.
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
