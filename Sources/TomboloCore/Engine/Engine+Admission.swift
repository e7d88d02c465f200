/// What became of a batch of events.
struct Admission {
    /// Newly held.
    var accepted = 0
    var alreadyHeld = 0
    /// Without a signature that vouches for them: neither held nor refused.
    var pending = 0
    /// A signature or certificate does not verify, or a bound is exceeded.
    var refused: String?
}

/// What a signed event says of the one before it.
private struct Expected {
    var log: LogID
    var sequence: UInt64
    /// Events since the last verified signature above it.
    var distance: Int
}

/// An event on its way into the store.
private struct Candidate {
    var event: Event
    var log: Int
}

// Verify first: an event becomes held only here.
extension Engine {
    /// Takes events that were checked each for itself: verifies signatures and certificates, stores what is new, and
    /// delivers what has all its ancestors.
    ///
    /// - Parameters:
    ///   - session: the index of the session that they came by, which is not sent them again.
    ///   - isOwn: they were signed here just now.
    mutating func admit(
        _ events: [Event], group: Int, from session: Int?, isOwn: Bool, _ store: any EventStore
    ) throws(StoreError) -> Admission {
        var result = Admission()
        let certificates = newCertificates(events, group: group, &result)
        let authentic = isOwn ? events : vouch(for: events, group: group, certificates, &result)
        let candidates = try place(authentic, group: group, certificates, &result, store)
        guard !candidates.isEmpty else { return result }
        result.accepted = candidates.count
        try insertAndDeliver(candidates, group: group, store)
        passOn(candidates.map { ($0.log, $0.event) }, group: group, except: session)
        return result
    }

    /// The certificates of logs that begin in this batch, each verified.
    private func newCertificates(_ events: [Event], group: Int, _ result: inout Admission) -> [LogID: Certificate] {
        var certificates: [LogID: Certificate] = [:]
        let id = groups[group].id
        for event in events where event.header.sequence == 1 && certificates[event.header.log] == nil {
            let known = groups[group].frontier.index(of: event.header.log)
            if let known, groups[group].frontier.logs[known].certificate != nil { continue }
            guard let certificate = event.header.certificate,
                certificate.logID(in: id, using: cryptography) == event.header.log,
                certificate.isStateLog == event.header.kind.isState,
                certificate.isValid(in: id, using: cryptography)
            else {
                result.refused = "the certificate of log \(event.header.log) does not verify"
                continue
            }
            certificates[event.header.log] = certificate
        }
        return certificates
    }

    /// Goes back from the end: one signature vouches for the run before it (protocol §2.3). Every signature that was
    /// sent is verified: peers send as few as the run rule allows, and each is needed to pass the run on.
    private mutating func vouch(
        for events: [Event], group: Int, _ certificates: [LogID: Certificate], _ result: inout Admission
    ) -> [Event] {
        var expected: [EventID: Expected] = [:]
        var authentic: [Event] = []
        authentic.reserveCapacity(events.count)
        for var event in events.reversed() {
            let header = event.header
            let known = groups[group].frontier.index(of: header.log).flatMap {
                groups[group].frontier.logs[$0].certificate
            }
            guard let certificate = known ?? certificates[header.log] else {
                result.pending += 1
                continue
            }
            var distance = 0
            let descendant = expected.removeValue(forKey: event.id)
            let isVouchedFor = descendant.map { $0.log == header.log && $0.sequence == header.sequence } ?? false
            if let descendant, isVouchedFor { distance = descendant.distance + 1 }
            guard certificate.isStateLog == header.kind.isState else {
                result.refused = "event \(event.id) stands in a log of another class"
                continue
            }
            // A run is at most so long, so that who passes it on need not wait long for a signed event.
            let isRunFull = distance >= Limits.runEvents
            if !isVouchedFor || isRunFull || event.signature != nil {
                let isSigned =
                    event.signature.map {
                        groups[group].hashing.isValid(
                            $0, timestamp: event.timestamp, header: event.headerBytes, key: certificate.key,
                            using: cryptography)
                    } ?? false
                if isSigned {
                    distance = 0
                } else if isVouchedFor, !isRunFull {
                    event.signature = nil  // a spoilt signature spoils no event
                } else if event.signature == nil, !isVouchedFor {
                    result.pending += 1
                    continue
                } else {
                    result.refused = "the signature of event \(event.id) is missing or does not verify"
                    continue
                }
            }
            if let previous = header.previous {
                expected[previous.id] = Expected(
                    log: header.log, sequence: header.sequence - 1, distance: distance)
            }
            authentic.append(event)
        }
        authentic.reverse()
        return authentic
    }

    /// Leaves out what is held already, and gives every other event its place in its log.
    private mutating func place(
        _ events: [Event], group: Int, _ certificates: [LogID: Certificate], _ result: inout Admission,
        _ store: any EventStore
    ) throws(StoreError) -> [Candidate] {
        var candidates: [Candidate] = []
        candidates.reserveCapacity(events.count)
        var inBatch: Set<EventID> = []
        for event in events {
            let header = event.header
            let index: Int
            if let known = groups[group].frontier.index(of: header.log) {
                index = known
            } else {
                guard groups[group].frontier.logs.count < Limits.logsPerGroup else {
                    result.refused = "the group has \(Limits.logsPerGroup) logs, no more are taken"
                    continue
                }
                index = groups[group].frontier.append(LogState(id: header.log))
            }
            let lastSequence = groups[group].frontier.logs[index].lastSequence
            let isNew = header.sequence > lastSequence
            if !isNew {
                if inBatch.contains(event.id) {
                    result.alreadyHeld += 1
                    continue
                }
                let isHeld = try Self.isHeld(
                    event.id, header.sequence, groups[group].frontier.logs[index].reference, store)
                if isHeld || header.sequence <= groups[group].frontier.logs[index].floor {
                    result.alreadyHeld += 1
                    continue
                }
            }
            guard groups[group].frontier.logs[index].waiting < Limits.waitingPerLog else {
                result.refused = "log \(header.log) has \(Limits.waitingPerLog) events that wait for ancestors"
                continue
            }
            let previous = header.previous?.id
            let log = groups[group].frontier.logs[index].reference
            let placement = try groups[group].frontier.update(index) { (state) throws(StoreError) in
                try state.place(
                    sequence: header.sequence, id: event.id, lamport: header.lamport, previous: previous
                ) { () throws(StoreError) in
                    guard let previous else { return false }
                    if inBatch.contains(previous) { return true }
                    return try Self.isHeld(previous, header.sequence - 1, log, store)
                }
            }
            guard placement == .placed else {
                result.refused = "log \(header.log) has too many branches or gaps"
                continue
            }
            if let certificate = certificates[header.log] {
                groups[group].frontier.update(index) { $0.certificate = certificate }
            }
            groups[group].changedLogs.insert(index)
            inBatch.insert(event.id)
            if !isNew { try reportFork(of: event, log: groups[group].frontier[index], group: group, candidates, store) }
            candidates.append(Candidate(event: event, log: index))
        }
        return candidates
    }

    private static func isHeld(
        _ id: EventID, _ sequence: UInt64, _ log: Int64, _ store: any EventStore
    ) throws(StoreError) -> Bool {
        guard log != 0 else { return false }
        return try store.places(of: [EventKey(log: log, sequence: sequence, id: id)])[0] != nil
    }

    private mutating func reportFork(
        of event: Event, log: LogState, group: Int, _ candidates: [Candidate], _ store: any EventStore
    ) throws(StoreError) {
        let sequence = event.header.sequence
        let other: EventID?
        if let inBatch = candidates.first(where: {
            $0.event.header.log == log.id && $0.event.header.sequence == sequence
        }) {
            other = inBatch.event.id
        } else if log.reference != 0 {
            other = try store.events(ofLog: log.reference, in: sequence...sequence, limit: 1).first?.event.id
        } else {
            other = nil
        }
        if let other { effects.append(.forked(groups[group].id, other, event.id)) }
    }

    // MARK: Delivery

    private enum Verdict {
        case deliver
        case invalid
        case wait(for: EventID)
    }

    private mutating func insertAndDeliver(
        _ candidates: [Candidate], group: Int, _ store: any EventStore
    ) throws(StoreError) {
        let reference = groups[group].record.reference
        defer { groups[group].batch.removeAll(keepingCapacity: true) }
        try saveNewLogs(candidates, group: group, store)
        try remember(parentsOf: candidates.map(\.event), group: group, store)
        let first = try store.lastOrdinal() + 1
        var stored: [StoredEvent] = []
        stored.reserveCapacity(candidates.count)
        var delivered: [(event: Event, ordinal: Int64)] = []
        var invalid: [Event] = []
        var waiting: [(missing: EventID, waiter: Int64)] = []
        for (offset, candidate) in candidates.enumerated() {
            let ordinal = first + Int64(offset)
            var status = EventStatus.waiting
            switch verdict(on: candidate.event, group: group) {
            case .deliver:
                status = .delivered
                delivered.append((candidate.event, ordinal))
            case .invalid:
                status = .invalid
                invalid.append(candidate.event)
            case .wait(let missing):
                waiting.append((missing, ordinal))
                groups[group].frontier.update(candidate.log) { $0.waiting += 1 }
            }
            remember(candidate.event, status, group: group)
            let log = groups[group].frontier[candidate.log].reference
            stored.append(StoredEvent(ordinal: ordinal, log: log, status: status, event: candidate.event))
        }
        let inserted = try store.insert(stored, inGroup: reference)
        precondition(inserted == first, "the store gave ordinal \(inserted) where \(first) was next")
        let hadWaiters = groups[group].waiting > 0
        if !waiting.isEmpty {
            try store.addWaiting(waiting, inGroup: reference)
            groups[group].waiting += waiting.count
        }
        // Only who waited before, or for one of this batch, can be released.
        let settled = delivered.map(\.event.id) + invalid.map(\.id)
        var events = delivered
        if hadWaiters || !waiting.isEmpty { try release(waitersOf: settled, group: group, &events, store) }
        try moveHeads(delivered: events, group: group, store)
        if !events.isEmpty { noteChanged(groups[group].id) }
    }

    private mutating func noteChanged(_ id: GroupID) {
        if case .changed(id)? = effects.last { return }
        effects.append(.changed(id))
    }

    /// Logs get their numbers before events refer to them.
    private mutating func saveNewLogs(
        _ candidates: [Candidate], group: Int, _ store: any EventStore
    ) throws(StoreError) {
        let new = Set(candidates.map(\.log)).filter { groups[group].frontier.logs[$0].reference == 0 }.sorted()
        guard !new.isEmpty else { return }
        var states = new.map { groups[group].frontier[$0] }
        try store.put(&states, inGroup: groups[group].record.reference)
        for (log, state) in zip(new, states) { groups[group].frontier.setReference(state.reference, at: log) }
    }

    /// Looks up, in one batch, the places of all ancestors named that are not in memory.
    private mutating func remember(
        parentsOf events: [Event], group: Int, _ store: any EventStore
    ) throws(StoreError) {
        let own = Set(events.map(\.id))
        var unknown: Set<EventReference> = []
        for event in events {
            event.header.forEachAncestor { ancestor in
                guard !own.contains(ancestor.id), groups[group].batch[ancestor.id] == nil else { return }
                if let place = groups[group].recent[ancestor.id] {
                    groups[group].batch[ancestor.id] = place
                } else {
                    unknown.insert(ancestor)
                }
            }
        }
        guard !unknown.isEmpty else { return }
        let named = unknown.sorted { ($0.id, $0.log, $0.sequence) < ($1.id, $1.log, $1.sequence) }.compactMap {
            reference -> (EventReference, EventKey)? in
            guard let log = groups[group].frontier.index(of: reference.log),
                groups[group].frontier.logs[log].reference != 0
            else { return nil }
            let number = groups[group].frontier.logs[log].reference
            return (reference, EventKey(log: number, sequence: reference.sequence, id: reference.id))
        }
        for ((reference, _), place) in zip(named, try store.places(of: named.map(\.1))) {
            guard let place else { continue }
            let known = RecentEvents.Place(
                log: reference.log, sequence: reference.sequence, lamport: place.lamport, status: place.status)
            groups[group].recent[reference.id] = known
            groups[group].batch[reference.id] = known
        }
    }

    private mutating func remember(_ event: Event, _ status: EventStatus, group: Int) {
        let place = RecentEvents.Place(
            log: event.header.log, sequence: event.header.sequence, lamport: event.header.lamport, status: status)
        groups[group].recent[event.id] = place
        groups[group].batch[event.id] = place
    }

    /// Judges an event by its ancestors (protocol §2.4).
    private func verdict(on event: Event, group: Int) -> Verdict {
        let header = event.header
        var missing: EventID?
        func judge(_ id: EventID, _ log: LogID, _ sequence: UInt64, _ lamport: UInt64, _ place: RecentEvents.Place?)
            -> Bool
        {
            // Who names a place where the event does not stand names what can never come.
            guard let place, place.log == log, place.sequence == sequence else { missing = missing ?? id; return true }
            if place.status == .waiting { missing = missing ?? id }
            return place.status != .invalid && place.lamport == lamport
        }
        if let previous = header.previous,
            !judge(previous.id, header.log, header.sequence - 1, previous.lamport, groups[group].batch[previous.id])
        {
            return .invalid
        }
        for reference in header.references
        where !judge(
            reference.id, reference.log, reference.sequence, reference.lamport, groups[group].batch[reference.id])
        {
            return .invalid
        }
        return missing.map { .wait(for: $0) } ?? .deliver
    }

    /// Delivers what waited for these events, and what waited for that, until nothing more is released.
    private mutating func release(
        waitersOf settled: [EventID], group: Int, _ delivered: inout [(event: Event, ordinal: Int64)],
        _ store: any EventStore
    ) throws(StoreError) {
        let reference = groups[group].record.reference
        var settled = settled
        while !settled.isEmpty {
            let ordinals = try store.takeWaiting(for: settled, inGroup: reference)
            settled.removeAll(keepingCapacity: true)
            for batch in ordinals.sorted().chunks(of: 1_024) {
                let waiters = try store.events(ordinals: batch)
                try remember(parentsOf: waiters.map(\.event), group: group, store)
                var (nowDelivered, nowInvalid): ([Int64], [Int64]) = ([], [])
                var stillWaiting: [(missing: EventID, waiter: Int64)] = []
                for waiter in waiters {
                    switch verdict(on: waiter.event, group: group) {
                    case .deliver:
                        nowDelivered.append(waiter.ordinal)
                        delivered.append((waiter.event, waiter.ordinal))
                        remember(waiter.event, .delivered, group: group)
                    case .invalid:
                        nowInvalid.append(waiter.ordinal)
                        remember(waiter.event, .invalid, group: group)
                    case .wait(let missing):
                        stillWaiting.append((missing, waiter.ordinal))
                        continue
                    }
                    settled.append(waiter.event.id)
                    groups[group].waiting -= 1
                    if let log = groups[group].frontier.index(of: waiter.event.header.log) {
                        groups[group].frontier.update(log) { $0.waiting -= 1 }
                        groups[group].changedLogs.insert(log)
                    }
                }
                if !nowDelivered.isEmpty {
                    try store.setStatus(.delivered, ordinals: nowDelivered, inGroup: reference)
                }
                if !nowInvalid.isEmpty { try store.setStatus(.invalid, ordinals: nowInvalid, inGroup: reference) }
                if !stillWaiting.isEmpty { try store.addWaiting(stillWaiting, inGroup: reference) }
            }
        }
    }

    private mutating func moveHeads(
        delivered: [(event: Event, ordinal: Int64)], group: Int, _ store: any EventStore
    ) throws(StoreError) {
        var (added, removed): (Set<Int64>, Set<Int64>) = ([], [])
        for (event, ordinal) in delivered where !event.header.kind.isState {
            event.header.forEachAncestor { ancestor in
                guard let head = groups[group].heads.removeValue(forKey: ancestor.id) else { return }
                if added.remove(head.ordinal) == nil { removed.insert(head.ordinal) }
            }
            groups[group].heads[event.id] = (event.reference, ordinal)
            added.insert(ordinal)
        }
        try store.changeHeads(
            adding: added.sorted(), removing: removed.sorted(), inGroup: groups[group].record.reference)
    }
}

extension EventHeader {
    /// All events that this one names but previous.
    var references: [EventReference] {
        stateHeads.isEmpty && rekeys.isEmpty ? parents : parents + stateHeads + rekeys
    }

    /// The same as going through ``ancestors``, without making an array.
    func forEachAncestor(_ body: (EventReference) -> Void) {
        if let previous {
            body(EventReference(id: previous.id, log: log, sequence: sequence - 1, lamport: previous.lamport))
        }
        for reference in parents { body(reference) }
        for reference in stateHeads { body(reference) }
        for reference in rekeys { body(reference) }
    }

    /// The ids of all events that this one names.
    package var ancestors: [EventID] { (previous.map { [$0.id] } ?? []) + references.map(\.id) }
}

extension Array {
    func chunks(of size: Int) -> [[Element]] {
        stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
    }
}
