/// What became of a batch of events.
///
/// The rest of them is without a signature that vouches for it, or beyond a bound on logs, branches or events that wait, which is
/// nobody's fault but their author's: neither held nor refused.
struct Admission {
    /// Newly held.
    var accepted = 0
    var alreadyHeld = 0
    /// A signature or certificate does not verify.
    var refused: String?
}

/// Events on their way into the store.
struct AdmissionBatch {
    private struct Place: Hashable {
        var log: Int
        var sequence: UInt64
    }

    /// The ordinal of the first.
    let first: Int64
    /// Each with the index of its log.
    private(set) var events: [(log: Int, event: Event)] = []
    private(set) var statuses: [EventStatus] = []
    var waiting: [(missing: EventID, waiter: Int64)] = []
    /// The first event at each place; made when it is first needed.
    private var firstAt: [Place: EventID]?

    init(first: Int64, capacity: Int) {
        self.first = first
        events.reserveCapacity(capacity)
        statuses.reserveCapacity(capacity)
    }

    var nextOrdinal: Int64 { first + Int64(events.count) }

    mutating func append(_ event: Event, log: Int, _ status: EventStatus) {
        events.append((log, event))
        statuses.append(status)
        firstAt?.note(event, at: Place(log: log, sequence: event.sequence))
    }

    /// The first event of the batch at a place of a log.
    mutating func event(ofLog log: Int, at sequence: UInt64) -> EventID? {
        if firstAt == nil {
            var places: [Place: EventID] = [:]
            for (log, event) in events { places.note(event, at: Place(log: log, sequence: event.sequence)) }
            firstAt = places
        }
        return firstAt?[Place(log: log, sequence: sequence)]
    }
}

extension Dictionary where Value == EventID {
    fileprivate mutating func note(_ event: Event, at place: Key) {
        if self[place] == nil { self[place] = event.id }
    }
}

// Verify first: an event becomes held only here.
extension Engine {
    /// Takes events that were checked each for itself: verifies signatures and certificates, stores what is new, and
    /// delivers what has all its ancestors.
    ///
    /// - Parameters:
    ///   - session: the index of the session that they came by, which is not sent them again.
    ///   - isOwn: they were signed here just now.
    ///   - horizon: up to which Lamport time whoever brings them does not keep all contents.
    ///   - certificates: verified, of logs whose first events are not among them.
    mutating func admit(
        _ events: [Event], group: Int, from session: Int?, isOwn: Bool, horizon: UInt64 = 0,
        certificates: [LogID: Certificate] = [:], _ store: any EventStore
    ) throws(StoreError) -> Admission {
        var result = Admission()
        result.accepted = try takeContents(of: events, group: group, store)
        let authentic: [Authentic]
        if isOwn {
            authentic = events.map {
                Authentic(log: index(of: $0, group), certificate: $0.header.certificate, event: $0)
            }
        } else {
            authentic = try vouch(for: events, group: group, certificates, &result, store)
        }
        guard !authentic.isEmpty else { return result }
        var batch = AdmissionBatch(first: try store.lastOrdinal() + 1, capacity: authentic.count)
        groups[group].recent.beginBatch()
        groups[group].accepting = horizon
        defer { groups[group].accepting = 0 }
        var runs = RunBounds()
        for authentic in authentic {
            guard runs.admits(authentic.event, waiting: waiting(inLogOf: authentic, group)),
                let log = try place(authentic, group: group, &result, &batch, store)
            else { continue }
            try judge(authentic.event, log: log, group: group, &batch, store)
        }
        guard !batch.events.isEmpty else { return result }
        result.accepted += batch.events.count
        if !isOwn { try leaveOwnLog(ifIn: batch, group: group, store) }
        try keepAndDeliver(batch, group: group, store)
        passOn(batch.events, group: group, except: session)
        return result
    }

    /// What this device has written is here before anybody else has it. Where its own events come from others, the store is older
    /// than what it has said: to go on in the log would be to number events again.
    private mutating func leaveOwnLog(
        ifIn batch: AdmissionBatch, group: Int, _ store: any EventStore
    ) throws(StoreError) {
        let own = ownLogs(inGroup: group).compactMap { groups[group].frontier.index(of: $0) }
        guard !own.isEmpty, batch.events.contains(where: { own.contains($0.log) }) else { return }
        try leaveOwnLog(group: group, store)
    }

    /// What this device writes from now on goes into new logs.
    mutating func leaveOwnLog(group: Int, _ store: any EventStore) throws(StoreError) {
        groups[group].record.leaveOwnLog()
        ownKeys[groups[group].id] = nil
        ownStateLogs[groups[group].id] = nil
        try store.put(&groups[group].record)
        effects.append(.foundOlder(groups[group].id))
    }

    func index(of event: Event, _ group: Int) -> Int? { groups[group].frontier.index(of: event.log) }

    /// Events that wait for ancestors in the log of an event.
    private func waiting(inLogOf authentic: Authentic, _ group: Int) -> Int {
        (authentic.log ?? index(of: authentic.event, group)).map { groups[group].frontier.logs[$0].waiting } ?? 0
    }

    /// Gives an event its place in its log, unless it is held already or a bound forbids it.
    ///
    /// - Returns: the index of its log; nil if it was not taken.
    private mutating func place(
        _ authentic: Authentic, group: Int, _ result: inout Admission, _ batch: inout AdmissionBatch,
        _ store: any EventStore
    ) throws(StoreError) -> Int? {
        let event = authentic.event
        let index: Int
        if let known = authentic.log ?? self.index(of: event, group) {
            index = known
        } else {
            guard groups[group].frontier.logs.count < Limits.logsPerGroup else { return nil }
            if event.sequence > 1 {
                guard isAboveFloor(event, of: authentic.certificate, group: group) else { return nil }
                // Its floor rises in this batch, so that whoever it is passed on to is told whose it is.
                openCheckpoints(group: group)
            }
            // The store's number comes first: events refer to it.
            var states = [LogState(id: event.log)]
            try store.put(&states, inGroup: groups[group].record.reference)
            index = groups[group].frontier.append(states[0])
        }
        let isNew = event.sequence > groups[group].frontier.logs[index].lastSequence
        if !isNew { groups[group].checkpoints.cleared[event.log] = nil }
        let number = groups[group].frontier.logs[index].reference
        if !isNew {
            var isHeld = event.sequence <= groups[group].frontier.logs[index].floor
            if !isHeld {
                isHeld = try self.isHeld(event.id, event.sequence, of: event, log: number, group: group, store)
            }
            if isHeld {
                result.alreadyHeld += 1
                return nil
            }
        }
        let previous = event.header.previous?.id
        var isPreviousHeld = false
        if let previous, !groups[group].frontier.logs[index].isEnd(previous, at: event.sequence - 1) {
            isPreviousHeld = try isHeld(previous, event.sequence - 1, of: event, log: number, group: group, store)
            // Above a gap a log goes on with a signed event: what fills the gap later has one right above it. What is
            // forgotten will not come.
            guard
                isPreviousHeld || event.signature != nil
                    || isAboveFloor(
                        event, of: groups[group].frontier.logs[index].certificate ?? authentic.certificate, group: group
                    )
                    || event.sequence <= groups[group].frontier.logs[index].floor + 1
            else { return nil }
        }
        let placement = groups[group].frontier.update(index) {
            $0.place(
                sequence: event.sequence, id: event.id, lamport: event.lamport, previous: previous,
                isPreviousHeld: isPreviousHeld)
        }
        guard placement == .placed else { return nil }
        if let certificate = authentic.certificate {
            groups[group].frontier.update(index) { $0.certificate = certificate }
            if certificate.member == identity.member { noteRemovalsMaySpread() }
        }
        groups[group].changedLogs.insert(index)
        noteBranches(ofLog: index, group: group)
        noteExpiry(of: event, group: group)
        if !isNew { try reportFork(of: event, log: index, group: group, &batch, store) }
        return index
    }

    /// Whether the log of `event` has this one at this sequence.
    private mutating func isHeld(
        _ id: EventID, _ sequence: UInt64, of event: Event, log: Int64, group: Int, _ store: any EventStore
    ) throws(StoreError) -> Bool {
        // The same answer as the store's: what is remembered must not show.
        if let place = groups[group].recent[id] { return place.log == event.log && place.sequence == sequence }
        return try store.places(of: [EventKey(log: log, sequence: sequence, id: id)])[0] != nil
    }

    private mutating func reportFork(
        of event: Event, log: Int, group: Int, _ batch: inout AdmissionBatch, _ store: any EventStore
    ) throws(StoreError) {
        let sequence = event.sequence
        var other = batch.event(ofLog: log, at: sequence)
        if other == nil {
            let number = groups[group].frontier.logs[log].reference
            other = try store.headers(ofLog: number, in: sequence...sequence, limit: 1).first?.id
        }
        if let other { effects.append(.forked(groups[group].id, other, event.id)) }
    }
}

/// Takes runs whole or not at all: an event that is held without the signature that vouches for it could not be passed on.
private struct RunBounds {
    /// Of logs whose latest event in the batch was unsigned: whether the run so far was taken.
    private var open: [LogID: Bool] = [:]

    /// - Parameter waiting: events of its log that wait for ancestors.
    mutating func admits(_ event: Event, waiting: @autoclosure () -> Int) -> Bool {
        let begun = open.isEmpty ? nil : open[event.log]
        let isTaken = begun ?? (waiting() < Limits.waitingPerLog)
        if event.signature == nil { open[event.log] = isTaken } else if begun != nil { open[event.log] = nil }
        return isTaken
    }
}
