// Delivering events after everything that they name (law 5).
extension Replica {
    private enum Verdict {
        case deliver
        case invalid
        case wait(for: EventID)
    }

    /// Validates an inserted event by its ancestors and its author's right, and adds it to the pending ones.
    mutating func validate(
        _ event: Event, log: Int, _ pending: inout PendingEvents, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        let status: EventStatus
        let event = withoutErasedContent(event, log: log, now: batch.now)
        if event.content == nil, needsContent(event.reference, event.header, log: log, now: batch.now) {
            contentless[event.id] = event.reference
            contentlessNoted += 1
        }
        try noteWhetherReadable(event, in: &batch)
        switch try verdict(on: event.header, event.id, log: log, hasContent: event.content != nil, in: &batch) {
        case .deliver:
            status = try validateRight(
                to: event.reference, event.header, content: event.content, ordinal: pending.nextOrdinal, log: log,
                in: &batch)
        case .invalid: status = .invalid
        case .wait(let missing):
            status = .waiting
            pending.waiting.append((missing, pending.nextOrdinal))
            frontier.update(log) { $0.waiting += 1 }
        }
        remember(event.reference, status)
        pending.append(event, log: log, status)
    }

    /// Stores pending events, and delivers what they complete.
    mutating func persistAndDeliver(
        _ pending: inout PendingEvents, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        try resolveState(&pending, in: batch.store)
        var stored: [StoredEvent] = []
        stored.reserveCapacity(pending.events.count)
        var delivered: [StoredHeader] = []
        delivered.reserveCapacity(pending.events.count)
        var settled: [EventID] = []
        let mayRelease = waiting > 0 || !pending.waiting.isEmpty
        for (offset, (log, event)) in pending.events.enumerated() {
            let (ordinal, status) = (pending.first + Int64(offset), pending.statuses[offset])
            if status.isValid { delivered.append(event.stored(ordinal)) }
            if status != .waiting, mayRelease { settled.append(event.id) }
            stored.append(
                StoredEvent(ordinal: ordinal, log: frontier.logs[log].reference, status: status, event: event))
        }
        let inserted = try batch.store.insert(stored, inGroup: record.reference)
        precondition(
            inserted == pending.first, "the store gave ordinal \(inserted) where \(pending.first) was next")
        if !pending.waiting.isEmpty {
            try batch.store.addWaiting(pending.waiting, inGroup: record.reference)
            waiting += pending.waiting.count
        }
        if mayRelease { try release(waitersOf: settled, &delivered, in: &batch) }
        try note(delivered: delivered, in: &batch)
        try reviewClosedSecrets(in: &batch)
        try settleState(in: &batch)
        try eraseRedacted(in: &batch)
        noteCheckpoints(now: batch.now)
        if !delivered.isEmpty { batch.noteChanged(id) }
    }

    /// Notes all events that were delivered or held back in one go.
    private mutating func note(
        delivered: [StoredHeader], in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        secrets?.readable = []
        try moveHeads(delivered: delivered, in: batch.store)
        // If an erased content never arrived, its key is punctured as well. The key of a content that a peer dropped is
        // kept.
        var gone: [StoredHeader] = []
        var missing: [UInt64] = []
        for event in delivered where !event.hasContent && event.header.isErasable {
            guard let log = frontier.index(of: event.header.log) else { continue }
            if isGone(event.reference, event.header, log: log, now: batch.now) {
                gone.append(event)
            } else {
                missing.append(event.header.lamport)
            }
        }
        kept.noteMissing(missing)
        noteKept(delivered, now: batch.now)
        try puncture(gone, in: &batch)
        noteFiles(of: delivered)
    }

    mutating func remember(_ event: EventReference, _ status: EventStatus) {
        recent[event.id] = RecentEvents.Place(
            log: event.log, sequence: event.sequence, lamport: event.lamport, status: status)
    }

    /// The place that a reference names; nil if the event is not held there.
    mutating func known(
        _ reference: EventReference, in store: any EventStore
    ) throws(StoreError) -> RecentEvents.Place? {
        // A reference to a forgotten event is believed, unless no event could come after the time that it claims.
        if isForgotten(reference) {
            return RecentEvents.Place(
                log: reference.log, sequence: reference.sequence, lamport: reference.lamport,
                status: reference.lamport < Limits.forgottenLamport ? .delivered : .invalid)
        }
        if let place = recent[reference.id] {
            // A reference to a place where the event does not stand names what can never come.
            return place.log == reference.log && place.sequence == reference.sequence ? place : nil
        }
        guard let log = frontier.index(of: reference.log) else { return nil }
        let key = EventKey(log: frontier.logs[log].reference, sequence: reference.sequence, id: reference.id)
        guard let found = try store.places(of: [key])[0] else { return nil }
        let place = RecentEvents.Place(
            log: reference.log, sequence: reference.sequence, lamport: found.lamport, status: found.status)
        recent[reference.id] = place
        return place
    }

    /// Validates an event by its ancestors (protocol 2.4-3).
    private mutating func verdict(
        on header: EventHeader, _ id: EventID, log: Int, hasContent: Bool, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) -> Verdict {
        let grant = frontier.logs[log].certificate?.grant
        // A log's first event names the role change that gives the right to the log.
        if let grant, header.sequence == 1, !header.stateHeads.contains(where: { $0.id == grant }) { return .invalid }
        var missing: EventID?
        var isInvalid = false
        for ancestor in header.ancestry {
            guard let place = try known(ancestor, in: batch.store) else {
                if !isRefused(ancestor) || isNeeded(ancestor, by: header, grant) { missing = missing ?? ancestor.id }
                continue
            }
            if place.status == .waiting { missing = missing ?? ancestor.id }
            if place.lamport != ancestor.lamport { isInvalid = true }
            // Other events that it names do not decide: nobody can be silenced by what others have written.
            if place.status == .invalid, isNeeded(ancestor, by: header, grant) || isForgotten(ancestor) {
                isInvalid = true
            }
        }
        if isInvalid { return .invalid }
        // Where a log's beginning is forgotten, no event names the role change.
        if missing == nil, let grant, state.index(of: grant) == nil { missing = grant }
        if missing == nil, let event = contentless[id], let log = frontier.index(of: event.log),
            needsContent(event, header, log: log, now: batch.now)
        {
            missing = id
        }
        // The peer that delivered it has the secret, and gives it when asked.
        if missing == nil, hasContent, let rekey = header.rekeys.first, lacksSecret(header), !isReadable(id),
            !isPassedOver(header)
        {
            secrets?.waitedFor.insert(rekey.id)
            secrets?.contributors[rekey.id] = nil
            missing = rekey.id
        }
        return missing.map { .wait(for: $0) } ?? .deliver
    }

    /// Whether an event is nothing without another one that it names.
    private func isNeeded(_ ancestor: EventReference, by header: EventHeader, _ grant: EventID?) -> Bool {
        ancestor.id == header.previous?.id || ancestor.id == grant || header.rekeys.contains(ancestor)
    }

    /// Whether this device does not hold an event because of a bound. No event waits for it: otherwise a member with
    /// very many branches or logs could keep apart devices that hold different ones (protocol 2.4-5).
    private func isRefused(_ reference: EventReference) -> Bool {
        guard let log = frontier.index(of: reference.log) else {
            return frontier.logs.count - unproven.count >= Limits.logsPerGroup
        }
        return frontier.logs[log].isFull
    }

    private mutating func validateRight(
        to waiter: StoredHeader, log: Int, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) -> EventStatus {
        let content =
            waiter.header.kind.isState
            ? try batch.store.events(ordinals: [waiter.ordinal]).first?.event.content : nil
        return try validateRight(
            to: waiter.reference, waiter.header, content: content, ordinal: waiter.ordinal, log: log, in: &batch)
    }

    // MARK: Releasing

    /// Delivers what waited for these events, secrets or contents, and what waited for that.
    mutating func release(
        waitersOf settled: [EventID], in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        var delivered: [StoredHeader] = []
        try release(waitersOf: settled, &delivered, in: &batch)
        try note(delivered: delivered, in: &batch)
        if !delivered.isEmpty { batch.noteChanged(id) }
    }

    /// Validates again what waited for these events, and what waited for that, until nothing more is released.
    ///
    /// State goes first, and is resolved once before the conversation follows.
    private mutating func release(
        waitersOf settled: [EventID], _ delivered: inout [StoredHeader], in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        var (settled, conversation): ([EventID], [Int64]) = (settled, [])
        var states: [StoredHeader] = []
        while !settled.isEmpty || !conversation.isEmpty {
            var ordinals = try batch.store.takeWaiting(for: settled, inGroup: record.reference)
            settled.removeAll(keepingCapacity: true)
            let areStates = !ordinals.isEmpty || conversation.isEmpty
            if ordinals.isEmpty {
                try settleReleased(states, &delivered, in: &batch)
                states = []
                (ordinals, conversation) = (conversation, [])
            }
            for part in ordinals.sorted().chunks(of: 1_024) {
                var waiters = try batch.store.headers(ordinals: part)
                if areStates {
                    conversation += waiters.filter { !$0.header.kind.isState }.map(\.ordinal)
                    waiters.removeAll { !$0.header.kind.isState }
                }
                if secrets?.unproven.isEmpty == false {
                    let sealed = waiters.filter { $0.hasContent && lacksSecret($0.header) }
                    for stored in try batch.store.events(ordinals: sealed.map(\.ordinal)) {
                        try noteWhetherReadable(stored.event, in: &batch)
                    }
                }
                try validate(waiters, &settled, &states, &delivered, in: &batch)
            }
        }
        try settleReleased(states, &delivered, in: &batch)
    }

    /// Validates events that waited. Of state events only the validity is found out here.
    private mutating func validate(
        _ waiters: [StoredHeader], _ settled: inout [EventID], _ states: inout [StoredHeader],
        _ delivered: inout [StoredHeader], in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        var outcome = ReleasedEvents()
        for waiter in waiters {
            guard let log = frontier.index(of: waiter.header.log) else { continue }
            let status: EventStatus
            switch try verdict(on: waiter.header, waiter.id, log: log, hasContent: waiter.hasContent, in: &batch) {
            case .deliver: status = try validateRight(to: waiter, log: log, in: &batch)
            case .invalid: status = .invalid
            case .wait(let missing):
                outcome.stillWaiting.append((missing, waiter.ordinal))
                continue
            }
            if waiter.header.kind.isState, status.isValid {
                states.append(waiter)
            } else {
                outcome.note(waiter, status)
                if status.isValid { delivered.append(waiter) }
            }
            remember(waiter.reference, status)
            settled.append(waiter.id)
            contentless[waiter.id] = nil
            waiting -= 1
            frontier.update(log) { $0.waiting -= 1 }
            changedLogs.insert(log)
        }
        try outcome.save(in: batch.store, group: record.reference)
    }

    /// Resolves the state, and stores the statuses of state events that waited.
    private mutating func settleReleased(
        _ states: [StoredHeader], _ delivered: inout [StoredHeader], in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        guard !states.isEmpty else { return }
        _ = resolveState()
        var outcome = ReleasedEvents()
        for state in states {
            let status = statusOfState(state.id)
            outcome.note(state, status)
            remember(state.reference, status)
        }
        delivered += states
        try outcome.save(in: batch.store, group: record.reference)
    }

    private mutating func moveHeads(
        delivered: [StoredHeader], in store: any EventStore
    ) throws(StoreError) {
        var (added, removed): ([Int64], [Int64]) = ([], [])
        // Backwards: an event that another one of the batch names comes before that one, and never becomes a head.
        var named: Set<EventID> = []
        named.reserveCapacity(delivered.count)
        for event in delivered.reversed() where !event.header.kind.isState {
            for ancestor in event.header.ancestry { named.insert(ancestor.id) }
            guard named.remove(event.id) == nil else { continue }
            heads[event.id] = (event.reference, event.ordinal)
            added.append(event.ordinal)
        }
        for id in named {
            if let head = heads.removeValue(forKey: id) { removed.append(head.ordinal) }
        }
        try store.changeHeads(adding: added.sorted(), removing: removed.sorted(), inGroup: record.reference)
    }

    /// Notes the files that delivered events refer to.
    mutating func noteFiles(of delivered: [StoredHeader]) {
        var files: [FileID] = []
        for event in delivered where event.hasContent && !event.header.extensions.isEmpty {
            if recent[event.id]?.status == .delivered { files += event.header.files }
        }
        if !files.isEmpty { note(.referred(files)) }
    }
}

/// The new statuses of events that waited.
private struct ReleasedEvents {
    /// The change log states an event without content as erased, in the same order as all others.
    private var delivered: [(change: ChangeKind, ordinals: [Int64])] = []
    private var heldBack: [Int64] = []
    private var invalid: [Int64] = []
    var stillWaiting: [(missing: EventID, waiter: Int64)] = []

    mutating func note(_ waiter: StoredHeader, _ status: EventStatus) {
        switch status {
        case .delivered:
            let change: ChangeKind = waiter.hasContent ? .delivered : .erased
            if delivered.last?.change != change { delivered.append((change, [])) }
            delivered[delivered.count - 1].ordinals.append(waiter.ordinal)
        case .heldBack: heldBack.append(waiter.ordinal)
        default: invalid.append(waiter.ordinal)
        }
    }

    func save(in store: any EventStore, group: Int64) throws(StoreError) {
        for (change, ordinals) in delivered {
            try store.setStatus(.delivered, ordinals: ordinals, noting: change, inGroup: group)
        }
        if !heldBack.isEmpty { try store.setStatus(.heldBack, ordinals: heldBack, noting: nil, inGroup: group) }
        if !invalid.isEmpty { try store.setStatus(.invalid, ordinals: invalid, noting: nil, inGroup: group) }
        if !stillWaiting.isEmpty { try store.addWaiting(stillWaiting, inGroup: group) }
    }
}

extension EventStatus {
    /// Whether the event's ancestors are all here and valid, and its author had the right to it.
    var isValid: Bool { self == .delivered || self == .heldBack || self == .withdrawn }
}
