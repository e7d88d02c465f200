/// The result of ingesting events.
///
/// Some events are neither newly held, nor already held, nor refused. They lack a signature that authenticates them, or
/// exceed a bound on logs, branches or waiting events. The sender is not to blame for them.
struct Ingestion {
    /// Events that are newly held, and contents that have come.
    var accepted = 0
    var alreadyHeld = 0
    /// Events that a bound forbids to hold. No event waits for them.
    var overfull: [EventID] = []
    /// The reason why a signature or certificate was refused; nil if none was.
    var refused: String?
}

// Verify first (law 4): an event becomes held only here.
extension Replica {
    /// Ingests events that came from outside: stores what is new and authentic, and delivers what has all its
    /// ancestors.
    ///
    /// - Parameters:
    ///   - session: the session that they came by, which is not sent them again.
    ///   - horizon: the Lamport time up to which the sender does not keep all contents.
    ///   - certificates: verified, of logs whose beginnings the sender has forgotten.
    mutating func ingest(
        _ events: [Event], from session: SessionID?, horizon: UInt64, certificates: [LogID: Certificate],
        in batch: inout Batch<some Cryptography>
    ) throws(StoreError) -> Ingestion {
        let restored = try restoreContents(of: events, in: &batch)
        var result = Ingestion()
        result.accepted = try receiveContents(of: events, in: &batch)
        let authentic = try authenticate(events, told: certificates, &result, in: &batch)
        try persist(authentic, from: session, isOwn: false, horizon: horizon, &result, in: &batch)
        result.accepted += restored
        try acceptWithoutContents(events, upTo: horizon, in: &batch)
        return result
    }

    /// Ingests an event that this device has just signed.
    ///
    /// - Returns: whether it was taken; false for a bound on the group.
    mutating func ingestOwn(_ event: Event, in batch: inout Batch<some Cryptography>) throws(StoreError) -> Bool {
        var result = Ingestion()
        result.accepted = try receiveContents(of: [event], in: &batch)
        let authentic = AuthenticEvent(log: index(of: event), certificate: event.header.certificate, event: event)
        try persist([authentic], from: nil, isOwn: true, horizon: 0, &result, in: &batch)
        return result.accepted == 1
    }

    private mutating func persist(
        _ authentic: [AuthenticEvent], from session: SessionID?, isOwn: Bool, horizon: UInt64,
        _ result: inout Ingestion, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        guard !authentic.isEmpty else { return }
        var pending = PendingEvents(first: try batch.store.lastOrdinal() + 1, capacity: authentic.count)
        recent.beginBatch()
        acceptedHorizon = horizon
        defer { acceptedHorizon = 0 }
        var runs = RunBounds()
        for authentic in authentic {
            guard runs.allows(authentic.event, waiting: waiting(inLogOf: authentic)),
                let log = try insert(authentic, &result, &pending, in: &batch)
            else { continue }
            try validate(authentic.event, log: log, &pending, in: &batch)
        }
        defer { result.overfull = [] }
        guard !pending.events.isEmpty else { return try release(waitersOf: result.overfull, in: &batch) }
        result.accepted += pending.events.count
        if !isOwn { try leaveOwnLog(ifIn: pending, in: &batch) }
        try persistAndDeliver(&pending, in: &batch)
        try release(waitersOf: result.overfull, in: &batch)
        note(.stored(pending.events, from: session))
    }

    /// Begins new logs if this device's own events arrive from others. Then the store is older than the device's
    /// events, and another event in the log would fork it.
    private mutating func leaveOwnLog(
        ifIn pending: PendingEvents, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        let own = ownLogs(in: &batch).compactMap { frontier.index(of: $0) }
        guard !own.isEmpty, pending.events.contains(where: { own.contains($0.log) }) else { return }
        try leaveOwnLog(in: &batch)
    }

    /// Events that wait for ancestors in the log of an event.
    private func waiting(inLogOf authentic: AuthenticEvent) -> Int {
        (authentic.log ?? index(of: authentic.event)).map { frontier.logs[$0].waiting } ?? 0
    }

    /// Inserts an event into its log, unless it is held already or a bound forbids it.
    ///
    /// - Returns: the index of its log; nil if it was not inserted.
    private mutating func insert(
        _ authentic: AuthenticEvent, _ result: inout Ingestion, _ pending: inout PendingEvents,
        in batch: inout Batch<some Cryptography>
    ) throws(StoreError) -> Int? {
        let event = authentic.event
        guard let index = try logIndex(for: authentic, &result, in: &batch) else { return nil }
        let isNew = event.sequence > frontier.logs[index].lastSequence
        if !isNew { checkpoints.cleared[event.log] = nil }
        let number = frontier.logs[index].reference
        if !isNew {
            var isHeld = event.sequence <= frontier.logs[index].floor
            if !isHeld { isHeld = try self.isHeld(event.id, event.sequence, of: event, log: number, in: batch.store) }
            if isHeld {
                result.alreadyHeld += 1
                return nil
            }
        }
        let previous = event.header.previous?.id
        var isPreviousHeld = false
        if let previous, !frontier.logs[index].isEnd(previous, at: event.sequence - 1) {
            isPreviousHeld = try isHeld(previous, event.sequence - 1, of: event, log: number, in: batch.store)
            // Above a gap a log continues with a signed event: an event that fills the gap later has one right above
            // it. Forgotten events will not arrive.
            let certificate = frontier.logs[index].certificate ?? authentic.certificate
            guard
                isPreviousHeld || event.signature != nil || isAboveFloor(event, of: certificate)
                    || event.sequence <= frontier.logs[index].floor + 1
            else { return nil }
        }
        let placement = frontier.update(index) {
            $0.place(
                sequence: event.sequence, id: event.id, lamport: event.lamport, previous: previous,
                isPreviousHeld: isPreviousHeld)
        }
        guard placement == .placed else {
            result.overfull.append(event.id)
            return nil
        }
        if let certificate = authentic.certificate {
            frontier.update(index) { $0.certificate = certificate }
            if certificate.member == batch.identity.member, !batch.identity.removals.isEmpty {
                note(.removalsMaySpread)
            }
        }
        changedLogs.insert(index)
        noteExpiry(of: event)
        if !isNew { try reportFork(of: event, log: index, &pending, in: &batch) }
        return index
    }

    /// The index of an event's log. A new log begins with this event.
    ///
    /// - Returns: nil if the group takes no more logs, or if the event cannot begin one.
    private mutating func logIndex(
        for authentic: AuthenticEvent, _ result: inout Ingestion, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) -> Int? {
        let event = authentic.event
        if let known = authentic.log ?? index(of: event) { return known }
        let isProven = authentic.certificate.map(state.isProven) ?? false
        guard isProven ? frontier.logs.count - unproven.count < Limits.logsPerGroup : unproven.hasRoom(frontier, state)
        else {
            if isProven { result.overfull.append(event.id) }
            return nil
        }
        if event.sequence > 1 {
            guard isAboveFloor(event, of: authentic.certificate) else { return nil }
            // Its floor rises in this batch. So peers that it is passed on to are sent the log's certificate.
            openCheckpoints(now: batch.now)
        }
        // The store's number comes first: events refer to it.
        var states = [LogState(id: event.log)]
        try batch.store.put(&states, inGroup: record.reference)
        let index = frontier.append(states[0])
        if !isProven { unproven.insert(index) }
        return index
    }

    /// Whether the log of `event` holds an event with this id and sequence.
    private mutating func isHeld(
        _ id: EventID, _ sequence: UInt64, of event: Event, log: Int64, in store: any EventStore
    ) throws(StoreError) -> Bool {
        // The answer is the store's: memory must not show.
        if let place = recent[id] { return place.log == event.log && place.sequence == sequence }
        return try store.places(of: [EventKey(log: log, sequence: sequence, id: id)])[0] != nil
    }

    private mutating func reportFork(
        of event: Event, log: Int, _ pending: inout PendingEvents, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        let sequence = event.sequence
        var other = pending.event(ofLog: log, at: sequence)
        if other == nil {
            let number = frontier.logs[log].reference
            other = try batch.store.headers(ofLog: number, in: sequence...sequence, limit: 1).first?.id
        }
        if let other { batch.effects.append(.forked(id, other, event.id)) }
    }
}

/// Takes runs whole or not at all: an event without the signature that authenticates it could not be passed on.
private struct RunBounds {
    /// Logs whose latest event was unsigned, and whether the run so far was taken.
    private var open: [LogID: Bool] = [:]

    /// - Parameter waiting: events of its log that wait for ancestors.
    mutating func allows(_ event: Event, waiting: @autoclosure () -> Int) -> Bool {
        let begun = open.isEmpty ? nil : open[event.log]
        let isTaken = begun ?? (waiting() < Limits.waitingPerLog)
        if event.signature == nil { open[event.log] = isTaken } else if begun != nil { open[event.log] = nil }
        return isTaken
    }
}
