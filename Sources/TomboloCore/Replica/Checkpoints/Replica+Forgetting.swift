// Forgetting events, headers included, up to checkpoints that every member has passed (protocol 2.11-3, 2.11-4).
extension Replica {
    /// How far a passed checkpoint reaches in a log.
    enum Reach {
        case covered(log: Int)
        /// More of the log must arrive first. Without the log's certificate its owner is unknown. The last event stays,
        /// since its author's next one names it.
        case early
        /// Neither the device that writes the log nor one that admitted it has passed the checkpoint.
        case refused
        /// State stays.
        case never
    }

    func reach(of floor: Checkpoint.LogFloor, passedBy passed: [MemberKey: Set<DeviceKey>]) -> Reach {
        guard let log = frontier.index(of: floor.log), let certificate = frontier.logs[log].certificate else {
            return .early
        }
        guard !certificate.isStateLog else { return .never }
        guard certificate.isAgreed(to: passed) else { return .refused }
        return floor.sequence < frontier.logs[log].lastSequence ? .covered(log: log) : .early
    }

    typealias ReadableContent = (content: [UInt8], expiry: UInt64?, files: [FileID])

    /// The readable contents that this device has written and is to forget.
    mutating func ownReadableContents(
        below beginnings: [Int: UInt64], in batch: inout Batch<some Cryptography>
    ) throws(StoreError) -> [ReadableContent] {
        var contents: [ReadableContent] = []
        for (log, sequence) in beginnings.sorted(by: { $0.key < $1.key }) {
            let state = frontier.logs[log]
            guard state.certificate?.device == batch.identity.device, state.floor < sequence else { continue }
            var next = state.floor + 1
            while next <= sequence {
                let (events, after) = try walk(next...sequence, ofLog: state.reference, in: batch.store)
                let readable = events.filter {
                    $0.hasContent && $0.header.kind == .message
                        && !mustLackContent($0.reference, $0.header, log: log, now: batch.now)
                }
                for stored in try batch.store.events(ordinals: readable.map(\.ordinal)) {
                    guard let content = try readableContent(of: stored.event, in: &batch) else { continue }
                    contents.append((content, stored.event.header.expiry, stored.event.header.files))
                }
                next = after
            }
        }
        return contents
    }

    /// Writes contents again, in another log, that are to be forgotten of one. No peer would accept them in the same
    /// log.
    mutating func sayAgain(
        _ contents: [ReadableContent], insteadOf beginnings: [Int: UInt64], in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        let isCurrent = beginnings.keys.contains { frontier.logs[$0].id == record.ownLog }
        if isCurrent { try leaveOwnLog(in: &batch) }
        for said in contents {
            try append(0, .message, content: said.content, expiry: said.expiry, files: said.files, in: &batch)
        }
    }

    /// Forgets each log up to a sequence.
    mutating func forget(
        _ beginnings: [Int: UInt64], in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        let moved = beginnings.filter { $0.value > frontier.logs[$0.key].floor }.sorted { $0.key < $1.key }
        guard !moved.isEmpty else { return }
        for (log, sequence) in moved {
            // By a slow clock, a content may not have expired yet.
            try eraseContents(ofLog: log, in: frontier.logs[log].floor + 1...sequence, in: &batch)
        }
        try batch.store.forget(
            moved.map { LogBeginning(log: frontier.logs[$0.key].reference, through: $0.value) },
            inGroup: record.reference)
        for (log, sequence) in moved {
            let state = frontier.logs[log]
            let next = try batch.store.headers(
                ofLog: state.reference, in: sequence + 1...sequence + 1, limit: Limits.endsPerLog)
            frontier.update(log) {
                $0.raiseFloor(
                    to: sequence,
                    next: next.map {
                        .init(sequence: $0.header.sequence, id: $0.id, previous: $0.header.previous?.id)
                    })
            }
            checkpoints.cleared[state.id] = nil
        }
        changedLogs.formUnion(moved.map(\.key))
        heads = heads.filter { !isForgotten($0.value.place) }
        contentless = contentless.filter { !isForgotten($0.value) }
        try settleFloors(in: &batch)
    }

    /// Erases what is left of a part of a log.
    private mutating func eraseContents(
        ofLog log: Int, in part: ClosedRange<UInt64>, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        let reference = frontier.logs[log].reference
        var next = part.lowerBound
        while next <= part.upperBound {
            let (events, after) = try walk(next...part.upperBound, ofLog: reference, in: batch.store)
            // A content that is missing without having been erased still has its key on this device, which is punctured
            // now.
            let left = events.filter {
                $0.header.isErasable
                    && ($0.hasContent || !mustLackContent($0.reference, $0.header, log: log, now: batch.now))
            }
            try erase(left, in: &batch)
            next = after
        }
    }

    /// Whether an event lies below the floor of its log.
    func isForgotten(_ event: EventReference) -> Bool {
        guard frontier.hasFloors, let log = frontier.index(of: event.log) else { return false }
        return event.sequence <= frontier.logs[log].floor
    }

    /// Settles events after floors have risen. Agreements with peers end.
    ///
    /// Events that waited for a forgotten event wait no more. Events that were invalid because of one are validated
    /// again (law 8).
    private mutating func settleFloors(in batch: inout Batch<some Cryptography>) throws(StoreError) {
        recent.removeAll()
        try batch.store.forgetAgreements(inGroup: record.reference)
        try validateAgain(in: &batch)
        note(.raisedFloors(changedLogs))
        batch.noteChanged(id)
        // Forgotten events must leave the store's files.
        batch.effects.append(.erased(id))
    }

    private mutating func validateAgain(in batch: inout Batch<some Cryptography>) throws(StoreError) {
        for log in frontier.logs.indices where frontier.logs[log].waiting > 0 {
            frontier.update(log) { $0.waiting = 0 }
            changedLogs.insert(log)
        }
        waiting = 0
        var waiters: [Int64] = []
        for part in try batch.store.takeUndelivered(inGroup: record.reference).chunks(of: 1_024) {
            let isInvalid = Set(part.filter { $0.status == .invalid }.map(\.ordinal))
            for event in try batch.store.headers(ordinals: part.map(\.ordinal)) {
                guard let log = frontier.index(of: event.header.log),
                    !isInvalid.contains(event.ordinal) || !event.header.kind.isState
                else { continue }
                frontier.update(log) { $0.waiting += 1 }
                changedLogs.insert(log)
                waiters.append(event.ordinal)
            }
            let undecided = isInvalid.intersection(waiters.suffix(part.count)).sorted()
            try batch.store.setStatus(.waiting, ordinals: undecided, noting: nil, inGroup: record.reference)
        }
        waiting = waiters.count
        guard !waiters.isEmpty else { return }
        // As if all of them had waited for one event.
        let all = EventID(.zero)
        try batch.store.addWaiting(waiters.map { (all, $0) }, inGroup: record.reference)
        try release(waitersOf: [all], in: &batch)
        try settleState(in: &batch)
        try eraseRedacted(in: &batch)
    }
}
