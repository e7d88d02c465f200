// Delivering events after what they name (law 5).
extension Engine {
    private enum Verdict {
        case deliver
        case invalid
        case wait(for: EventID)
    }

    /// Adds a placed event to the batch, judged by its ancestors.
    mutating func judge(
        _ event: Event, log: Int, group: Int, _ batch: inout AdmissionBatch, _ store: any EventStore
    ) throws(StoreError) {
        let status: EventStatus
        let event = kept(event, log: log, group: group)
        if event.content == nil, needsContent(event.reference, event.header, log: log, group: group) {
            groups[group].contentless[event.id] = event.reference
            groups[group].contentlessNoted += 1
        }
        try noteWhetherReadable(event, group: group, store)
        switch try verdict(on: event.header, event.id, hasContent: event.content != nil, group: group, store) {
        case .deliver:
            status = try judgeRight(
                of: event.reference, event.header, content: event.content, ordinal: batch.nextOrdinal, log: log,
                group: group, store)
        case .invalid: status = .invalid
        case .wait(let missing):
            status = .waiting
            batch.waiting.append((missing, batch.nextOrdinal))
            groups[group].frontier.update(log) { $0.waiting += 1 }
        }
        remember(event.reference, status, group: group)
        batch.append(event, log: log, status)
    }

    /// Stores a batch, and delivers what it completes.
    mutating func keepAndDeliver(
        _ batch: AdmissionBatch, group: Int, _ store: any EventStore
    ) throws(StoreError) {
        let reference = groups[group].record.reference
        var stored: [StoredEvent] = []
        stored.reserveCapacity(batch.events.count)
        var delivered: [StoredHeader] = []
        delivered.reserveCapacity(batch.events.count)
        var settled: [EventID] = []
        let mayRelease = groups[group].waiting > 0 || !batch.waiting.isEmpty
        for (offset, (log, event)) in batch.events.enumerated() {
            let (ordinal, status) = (batch.first + Int64(offset), batch.statuses[offset])
            if status.isJudged { delivered.append(event.stored(ordinal)) }
            if status != .waiting, mayRelease { settled.append(event.id) }
            stored.append(
                StoredEvent(
                    ordinal: ordinal, log: groups[group].frontier.logs[log].reference, status: status, event: event))
        }
        let inserted = try store.insert(stored, inGroup: reference)
        precondition(inserted == batch.first, "the store gave ordinal \(inserted) where \(batch.first) was next")
        if !batch.waiting.isEmpty {
            try store.addWaiting(batch.waiting, inGroup: reference)
            groups[group].waiting += batch.waiting.count
        }
        if mayRelease { try release(waitersOf: settled, group: group, &delivered, store) }
        try note(delivered: delivered, group: group, store)
        try settleState(group: group, store)
        try eraseRedacted(group: group, store)
        noteCheckpoints(group: group)
        if !delivered.isEmpty { noteChanged(groups[group].id) }
    }

    /// To be called for all that was delivered, or held back, in one go.
    mutating func note(
        delivered: [StoredHeader], group: Int, _ store: any EventStore
    ) throws(StoreError) {
        groups[group].sealing?.readable = []
        try moveHeads(delivered: delivered, group: group, store)
        // Of what came when it was gone already, the key goes as well; not of what somebody does not keep.
        var gone: [StoredHeader] = []
        var missing: [UInt64] = []
        for event in delivered where !event.hasContent && event.header.isErasable {
            guard let log = groups[group].frontier.index(of: event.header.log) else { continue }
            if isGone(event.reference, event.header, log: log, group: group) {
                gone.append(event)
            } else {
                missing.append(event.header.lamport)
            }
        }
        groups[group].kept.noteMissing(missing)
        noteKept(delivered, group: group)
        try puncture(gone, group: group, store)
        try noteFiles(of: delivered, group: group, store)
    }

    mutating func noteChanged(_ id: GroupID) {
        if case .changed(id)? = effects.last { return }
        effects.append(.changed(id))
    }

    mutating func remember(_ event: EventReference, _ status: EventStatus, group: Int) {
        groups[group].recent[event.id] = RecentEvents.Place(
            log: event.log, sequence: event.sequence, lamport: event.lamport, status: status)
    }

    /// What is known of an event at the place that a reference names; nil if it is not held there.
    private mutating func known(
        _ reference: EventReference, group: Int, _ store: any EventStore
    ) throws(StoreError) -> RecentEvents.Place? {
        // What is forgotten is taken to be what it is said to be, but for a time that nobody could come after.
        if isForgotten(reference, group: group) {
            return RecentEvents.Place(
                log: reference.log, sequence: reference.sequence, lamport: reference.lamport,
                status: reference.lamport < Limits.forgottenLamport ? .delivered : .invalid)
        }
        if let place = groups[group].recent[reference.id] {
            // Who names a place where the event does not stand names what can never come.
            return place.log == reference.log && place.sequence == reference.sequence ? place : nil
        }
        guard let log = groups[group].frontier.index(of: reference.log) else { return nil }
        let key = EventKey(
            log: groups[group].frontier.logs[log].reference, sequence: reference.sequence, id: reference.id)
        guard let found = try store.places(of: [key])[0] else { return nil }
        let place = RecentEvents.Place(
            log: reference.log, sequence: reference.sequence, lamport: found.lamport, status: found.status)
        groups[group].recent[reference.id] = place
        return place
    }

    /// Judges an event by its ancestors (protocol §2.4).
    private mutating func verdict(
        on header: EventHeader, _ id: EventID, hasContent: Bool, group: Int, _ store: any EventStore
    ) throws(StoreError) -> Verdict {
        var missing: EventID?
        var isInvalid = false
        for ancestor in header.ancestry {
            guard let place = try known(ancestor, group: group, store) else {
                missing = missing ?? ancestor.id
                continue
            }
            if place.status == .waiting { missing = missing ?? ancestor.id }
            if place.status == .invalid || place.lamport != ancestor.lamport { isInvalid = true }
        }
        if isInvalid { return .invalid }
        if missing == nil, let event = groups[group].contentless[id],
            let log = groups[group].frontier.index(of: event.log),
            needsContent(event, header, log: log, group: group)
        {
            missing = id
        }
        // Who delivered it has the secret, and gives it to who asks.
        if missing == nil, hasContent, let rekey = header.rekeys.first, lacksSecret(header, group: group),
            !isReadable(id, group: group), !isPassedOver(header, group: group)
        {
            groups[group].sealing?.waitedFor.insert(rekey.id)
            groups[group].sealing?.handers[rekey.id] = nil
            missing = rekey.id
        }
        return missing.map { .wait(for: $0) } ?? .deliver
    }

    private mutating func judgeRight(
        of waiter: StoredHeader, group: Int, _ store: any EventStore
    ) throws(StoreError) -> EventStatus {
        guard let log = groups[group].frontier.index(of: waiter.header.log) else { return .invalid }
        let content =
            waiter.header.kind.isState ? try store.events(ordinals: [waiter.ordinal]).first?.event.content : nil
        return try judgeRight(
            of: waiter.reference, waiter.header, content: content, ordinal: waiter.ordinal, log: log, group: group,
            store)
    }

    /// Delivers what waited for these events, secrets or contents, and what waited for that.
    mutating func release(waitersOf settled: [EventID], group: Int, _ store: any EventStore) throws(StoreError) {
        var delivered: [StoredHeader] = []
        try release(waitersOf: settled, group: group, &delivered, store)
        try note(delivered: delivered, group: group, store)
        if !delivered.isEmpty { noteChanged(groups[group].id) }
    }

    /// Delivers what waited for these events, and what waited for that, until nothing more is released.
    private mutating func release(
        waitersOf settled: [EventID], group: Int, _ delivered: inout [StoredHeader],
        _ store: any EventStore
    ) throws(StoreError) {
        let reference = groups[group].record.reference
        var settled = settled
        while !settled.isEmpty {
            let ordinals = try store.takeWaiting(for: settled, inGroup: reference)
            settled.removeAll(keepingCapacity: true)
            for batch in ordinals.sorted().chunks(of: 1_024) {
                let waiters = try store.headers(ordinals: batch)
                if groups[group].sealing?.unproven.isEmpty == false {
                    let sealed = waiters.filter { $0.hasContent && lacksSecret($0.header, group: group) }
                    for stored in try store.events(ordinals: sealed.map(\.ordinal)) {
                        try noteWhetherReadable(stored.event, group: group, store)
                    }
                }
                // What comes without its content is told of as erased, and in the same order as all else.
                var nowDelivered: [(change: ChangeKind, ordinals: [Int64])] = []
                var (nowHeldBack, nowInvalid): ([Int64], [Int64]) = ([], [])
                var stillWaiting: [(missing: EventID, waiter: Int64)] = []
                for waiter in waiters {
                    switch try verdict(
                        on: waiter.header, waiter.id, hasContent: waiter.hasContent, group: group, store)
                    {
                    case .deliver:
                        let status = try judgeRight(of: waiter, group: group, store)
                        switch status {
                        case .delivered:
                            let change: ChangeKind = waiter.hasContent ? .delivered : .erased
                            if nowDelivered.last?.change != change { nowDelivered.append((change, [])) }
                            nowDelivered[nowDelivered.count - 1].ordinals.append(waiter.ordinal)
                        case .heldBack: nowHeldBack.append(waiter.ordinal)
                        default: nowInvalid.append(waiter.ordinal)
                        }
                        if status.isJudged { delivered.append(waiter) }
                        remember(waiter.reference, status, group: group)
                    case .invalid:
                        nowInvalid.append(waiter.ordinal)
                        remember(waiter.reference, .invalid, group: group)
                    case .wait(let missing):
                        stillWaiting.append((missing, waiter.ordinal))
                        continue
                    }
                    settled.append(waiter.id)
                    groups[group].contentless[waiter.id] = nil
                    groups[group].waiting -= 1
                    if let log = groups[group].frontier.index(of: waiter.header.log) {
                        groups[group].frontier.update(log) { $0.waiting -= 1 }
                        groups[group].changedLogs.insert(log)
                    }
                }
                for (change, ordinals) in nowDelivered {
                    try store.setStatus(.delivered, ordinals: ordinals, noting: change, inGroup: reference)
                }
                if !nowHeldBack.isEmpty {
                    try store.setStatus(.heldBack, ordinals: nowHeldBack, noting: nil, inGroup: reference)
                }
                if !nowInvalid.isEmpty {
                    try store.setStatus(.invalid, ordinals: nowInvalid, noting: nil, inGroup: reference)
                }
                if !stillWaiting.isEmpty { try store.addWaiting(stillWaiting, inGroup: reference) }
            }
        }
    }

    private mutating func moveHeads(
        delivered: [StoredHeader], group: Int, _ store: any EventStore
    ) throws(StoreError) {
        var (added, removed): ([Int64], [Int64]) = ([], [])
        // Backwards: what is named within the batch comes before who names it, and never becomes a head.
        var named: Set<EventID> = []
        named.reserveCapacity(delivered.count)
        for event in delivered.reversed() where !event.header.kind.isState {
            for ancestor in event.header.ancestry { named.insert(ancestor.id) }
            guard named.remove(event.id) == nil else { continue }
            groups[group].heads[event.id] = (event.reference, event.ordinal)
            added.append(event.ordinal)
        }
        for id in named {
            if let head = groups[group].heads.removeValue(forKey: id) { removed.append(head.ordinal) }
        }
        try store.changeHeads(
            adding: added.sorted(), removing: removed.sorted(), inGroup: groups[group].record.reference)
    }
}

extension EventHeader {
    /// All events that this one names, previous first.
    package var ancestry: Ancestry { Ancestry(header: self) }

    package struct Ancestry: Sequence, IteratorProtocol {
        fileprivate let header: EventHeader
        private var place = 0

        fileprivate init(header: EventHeader) { self.header = header }

        package mutating func next() -> EventReference? {
            defer { place += 1 }
            var left = place
            if let previous = header.previous {
                guard left > 0 else {
                    return EventReference(
                        id: previous.id, log: header.log, sequence: header.sequence - 1, lamport: previous.lamport)
                }
                left -= 1
            }
            if left < header.parents.count { return header.parents[left] }
            left -= header.parents.count
            if left < header.stateHeads.count { return header.stateHeads[left] }
            left -= header.stateHeads.count
            return left < header.rekeys.count ? header.rekeys[left] : nil
        }
    }

    /// The ids of all events that this one names.
    package var ancestors: [EventID] { ancestry.map(\.id) }
}

extension Array {
    func chunks(of size: Int) -> [[Element]] {
        stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
    }
}
