// Checkpoints: proposing them, passing them, and finding those that this device can pass (protocol 2.11-11 to 2.11-15).
extension Replica {
    /// Proposes to forget every log up to the sequence at which a content or file is left.
    mutating func proposeCheckpoint(
        _ request: RequestID, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        // A member that may not write any more is not asked, and none of its logs is forgotten.
        let members = writers
        var floors: [(floor: Checkpoint.LogFloor, count: UInt64)] = []
        for log in frontier.logs.indices {
            let state = frontier.logs[log]
            guard let certificate = state.certificate, !certificate.isStateLog, members.contains(certificate.member),
                state.lastSequence > state.floor + 1
            else { continue }
            let cleared = try clear(log, upTo: state.lastSequence - 1, in: &batch)
            guard cleared > state.floor else { continue }
            floors.append((Checkpoint.LogFloor(log: state.id, sequence: cleared), cleared - state.floor))
        }
        floors.sort { ($1.count, $0.floor.log) < ($0.count, $1.floor.log) }
        let chosen = floors.prefix(Limits.checkpointLogs).map(\.floor).sorted { $0.log < $1.log }
        let asked = members.subtracting([batch.identity.member]).sorted()
        guard !chosen.isEmpty else {
            return batch.refuse(
                request, "no log begins with an erased event: there is nothing to forget")
        }
        guard asked.count <= Limits.checkpointMembers else {
            return batch.refuse(
                request, "more than \(Limits.checkpointMembers) members would have to pass the checkpoint")
        }
        try apply(request, .checkpoint(Checkpoint(floors: chosen, members: asked)), in: &batch)
    }

    /// The members that may write and that a state event or a log names.
    private var writers: Set<MemberKey> {
        let named = state.members.map(\.member)
        let authors = frontier.logs.compactMap(\.certificate?.member)
        return Set(named + authors).filter { state.standing(of: $0).role >= .member }
    }

    // MARK: When to look

    /// Notes an event that a checkpoint may have waited for. Checkpoints are reviewed at most once a second.
    mutating func noteCheckpoints(now: UInt64) {
        guard checkpoints.isOpen else { return }
        let next = max(now, checkpoints.seen + Self.checkpointPause)
        checkpoints.due = min(checkpoints.due ?? next, next)
    }

    /// Milliseconds between two looks.
    private static var checkpointPause: UInt64 { 1_000 }

    /// Notes a new checkpoint, or that a member has passed one, or may again.
    mutating func openCheckpoints(now: UInt64) {
        checkpoints.isOpen = true
        checkpoints.due = now
    }

    // MARK: Passing

    /// Passes checkpoints that an earlier batch found to be met. This batch is synced to disk (law 1).
    mutating func passCheckpoints(in batch: inout Batch<some Cryptography>) throws(StoreError) {
        guard !checkpoints.ready.isEmpty else { return }
        let ready = checkpoints.ready
        checkpoints.ready = []
        note(.concernsAllSessions)
        // Something else may have come since.
        for node in state.checkpointNodes where ready.contains(node.reference.id) {
            guard case .checkpoint(let checkpoint) = node.action, node.stands,
                refusal(of: .pass(node.reference.id), batch.identity) == nil, try isMet(checkpoint, in: &batch)
            else {
                openCheckpoints(now: batch.now)
                continue
            }
            _ = try write(.pass(node.reference.id), in: &batch)
        }
    }

    /// Carries out checkpoints that every member has passed, and finds those that this device's member can pass.
    mutating func tendCheckpoints(in batch: inout Batch<some Cryptography>) throws(StoreError) {
        guard let due = checkpoints.due, due <= batch.now else { return }
        checkpoints.due = nil
        checkpoints.seen = batch.now
        checkpoints.isOpen = false
        let nodes = state.checkpointNodes
        let (beginnings, done) = passedBeginnings(among: nodes)
        // Without this, contents would be lost if an older copy of this device has written on, or if a member means
        // harm.
        let spoken = try ownReadableContents(below: beginnings, in: &batch)
        if !spoken.isEmpty, !checkpoints.saysAgain {
            checkpoints.saysAgain = true
            checkpoints.due = batch.now
            return
        }
        checkpoints.saysAgain = false
        // The contents are written again first, so that their files are kept.
        if !spoken.isEmpty { try sayAgain(spoken, insteadOf: beginnings, in: &batch) }
        try forget(beginnings, in: &batch)
        checkpoints.done.formUnion(done)
        try findMet(among: nodes, in: &batch)
    }

    /// The beginnings of logs that all members have passed, by log, and the checkpoints that are carried out with them.
    private mutating func passedBeginnings(among nodes: [StateNode]) -> ([Int: UInt64], done: [EventID]) {
        var (beginnings, done): ([Int: UInt64], [EventID]) = ([:], [])
        for node in nodes where !checkpoints.done.contains(node.reference.id) {
            guard case .checkpoint(let checkpoint) = node.action else { continue }
            let passed = state.passed(node)
            guard checkpoint.isPassed(by: passed) else { continue }
            var isDone = true
            for floor in checkpoint.floors {
                switch reach(of: floor, passedBy: passed) {
                case .covered(let log): beginnings[log] = max(beginnings[log] ?? 0, floor.sequence)
                case .early: (isDone, checkpoints.isOpen) = (false, true)
                case .refused: isDone = false
                case .never: break
                }
            }
            if isDone { done.append(node.reference.id) }
        }
        return (beginnings, done)
    }

    /// Finds the checkpoints that this device's member can pass, and has not.
    private mutating func findMet(
        among nodes: [StateNode], in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        for node in nodes.filter(\.stands).suffix(Limits.openCheckpoints) {
            guard case .checkpoint(let checkpoint) = node.action, mustPass(checkpoint, node, batch.identity) else {
                continue
            }
            if try isMet(checkpoint, in: &batch), refusal(of: .pass(node.reference.id), batch.identity) == nil {
                checkpoints.ready.append(node.reference.id)
            } else {
                checkpoints.isOpen = true
            }
        }
    }

    /// Whether this device is asked to pass a checkpoint and has not: for its member, or for a log of its own or of a
    /// device that it has admitted.
    private func mustPass(
        _ checkpoint: Checkpoint, _ node: StateNode, _ identity: Identity<some Cryptography>
    ) -> Bool {
        let passed = state.passed(node)
        guard passed[identity.member]?.contains(identity.device) != true else { return false }
        if passed[identity.member] == nil, checkpoint.members.contains(identity.member) { return true }
        return checkpoint.floors.contains { floor in
            guard let certificate = frontier.certificate(ofLog: floor.log) else { return false }
            return certificate.isAgreed(to: [identity.member: [identity.device]]) && !certificate.isAgreed(to: passed)
        }
    }

    /// Whether nothing below a checkpoint can be read here, nor is missing.
    private mutating func isMet(
        _ checkpoint: Checkpoint, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) -> Bool {
        for floor in checkpoint.floors {
            // A log's last event stays.
            guard let log = frontier.index(of: floor.log), frontier.logs[log].lastSequence > floor.sequence,
                try clear(log, upTo: floor.sequence, in: &batch) >= floor.sequence
            else { return false }
        }
        return true
    }

    /// The sequence up to which everything of a log is held and can no longer be read, at most `last`.
    private mutating func clear(
        _ log: Int, upTo last: UInt64, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) -> UInt64 {
        let state = frontier.logs[log]
        // Above a gap something is missing.
        guard state.certificate?.isStateLog == false, state.starts.first?.sequence == state.floor + 1 else {
            return state.floor
        }
        let gap = state.starts.first { $0.sequence > state.floor + 1 }?.sequence
        let highest = min(last, gap.map { $0 - 1 } ?? last, state.lastSequence)
        var cleared = max(state.floor, checkpoints.cleared[state.id] ?? 0)
        if cleared < highest {
            cleared = try firstReadable(in: cleared + 1...highest, log: log, now: batch.now, in: batch.store) - 1
            checkpoints.cleared[state.id] = cleared
        }
        return min(cleared, last)
    }

    /// The sequence of the first event in a part of a log that cannot be forgotten; one beyond the part if there is
    /// none.
    ///
    /// Its content is stored, or is missing without having expired or been redacted.
    private func firstReadable(
        in part: ClosedRange<UInt64>, log: Int, now: UInt64, in store: any EventStore
    ) throws(StoreError) -> UInt64 {
        let reference = frontier.logs[log].reference
        var next = part.lowerBound
        while next <= part.upperBound {
            let (events, after) = try walk(next...part.upperBound, ofLog: reference, in: store)
            for event in events {
                // No reference to it would be believed.
                guard event.header.lamport < Limits.forgottenLamport else { return event.header.sequence }
                guard event.header.contentLength > 0 || !event.header.files.isEmpty else { continue }
                let isSilent = event.header.isErasable && !event.hasContent
                guard isSilent, mustLackContent(event.reference, event.header, log: log, now: now) else {
                    return event.header.sequence
                }
            }
            next = after
        }
        return next
    }

    // MARK: Logs whose beginnings are forgotten elsewhere

    /// Whether everything below an event of a log is forgotten by a checkpoint that is passed: then the event may be
    /// the first of the log that is held, or come without the one before it.
    func isAboveFloor(_ event: Event, of certificate: Certificate?) -> Bool {
        guard let certificate, !certificate.isStateLog, event.sequence > 1 else { return false }
        return state.checkpointNodes.contains { node in
            guard case .checkpoint(let checkpoint) = node.action,
                checkpoint.floors.contains(where: { $0.log == event.log && $0.sequence >= event.sequence - 1 })
            else { return false }
            let passed = state.passed(node)
            return checkpoint.isPassed(by: passed) && certificate.isAgreed(to: passed)
        }
    }

    /// The certificates that verify, by their logs, for events of such logs.
    func verified(
        _ certificates: [Certificate], for events: [Event], using cryptography: some Cryptography
    ) -> [LogID: Certificate] {
        guard !certificates.isEmpty else { return [:] }
        let logs = Set(events.map(\.log))
        var found: [LogID: Certificate] = [:]
        for certificate in certificates {
            let log = certificate.logID(in: id, using: cryptography)
            guard logs.contains(log), isValid(certificate, ofLog: log, using: cryptography) else { continue }
            found[log] = certificate
        }
        return found
    }

    func isValid(_ certificate: Certificate, ofLog log: LogID, using cryptography: some Cryptography) -> Bool {
        if frontier.certificate(ofLog: log) == certificate { return true }
        // An author can sign one statement twice. Both certificates make the log, so neither peer is to blame.
        return !certificate.isStateLog && certificate.isValid(in: id, using: cryptography)
    }
}

extension Certificate {
    /// Whether the device that writes the log, or one that admitted it, is among the given devices of its member.
    func isAgreed(to passed: [MemberKey: Set<DeviceKey>]) -> Bool {
        passed[member].map { !$0.isDisjoint(with: admission.devices) } ?? false
    }
}
