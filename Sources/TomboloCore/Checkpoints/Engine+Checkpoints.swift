// Forgetting what has gone away, headers and all, once every member has passed a checkpoint (protocol §2.11).
extension Engine {
    // MARK: What this device does

    /// Proposes to forget all that is left of the group's logs up to where nothing of them says anything any more.
    mutating func setCheckpoint(
        _ request: RequestID, _ group: GroupID, _ store: any EventStore
    ) throws(StoreError) {
        guard let index = nativeGroup(group, request) else { return }
        var floors: [(floor: Checkpoint.LogFloor, count: UInt64)] = []
        for log in groups[index].frontier.logs.indices {
            let state = groups[index].frontier.logs[log]
            // A log's last event stays: what its device writes next names it.
            guard state.certificate?.isStateLog == false, state.lastSequence > state.floor + 1 else { continue }
            let cleared = try clear(log, upTo: state.lastSequence - 1, group: index, store)
            guard cleared > state.floor else { continue }
            floors.append((Checkpoint.LogFloor(log: state.id, sequence: cleared), cleared - state.floor))
        }
        floors.sort { ($1.count, $0.floor.log) < ($0.count, $1.floor.log) }
        let chosen = floors.prefix(Limits.checkpointLogs).map(\.floor).sorted { $0.log < $1.log }
        let members = writers(group: index).subtracting([identity.member]).sorted()
        guard !chosen.isEmpty else {
            return effects.append(
                .failed(
                    request, .notAllowed("nothing has gone away with which a log begins: there is nothing to forget")))
        }
        guard members.count <= Limits.checkpointMembers else {
            return effects.append(
                .failed(request, .notAllowed("more than \(Limits.checkpointMembers) members would have to pass it")))
        }
        try act(request, .checkpoint(Checkpoint(floors: chosen, members: members)), index, store)
    }

    /// The members who may write, as far as anything names them.
    private func writers(group: Int) -> Set<MemberKey> {
        let named = groups[group].state.members.map(\.member)
        let authors = groups[group].frontier.logs.compactMap(\.certificate?.member)
        return Set(named + authors).filter { groups[group].state.standing(of: $0).role >= .member }
    }

    // MARK: Looking at checkpoints

    /// To be called when something has come or gone that a checkpoint may have waited for.
    mutating func noteCheckpoints(group: Int) { groups[group].checkpoints.isDue = groups[group].checkpoints.isOpen }

    /// To be called for a new checkpoint, or when a member has passed one.
    mutating func openCheckpoints(group: Int) {
        groups[group].checkpoints.isOpen = true
        groups[group].checkpoints.isDue = true
    }

    /// Passes checkpoints that were found to be met in an earlier batch: this one is synced to disk (law 1).
    mutating func passCheckpoints(_ store: any EventStore) throws(StoreError) {
        for group in groups.indices where !groups[group].checkpoints.ready.isEmpty {
            let ready = groups[group].checkpoints.ready
            groups[group].checkpoints.ready = []
            for checkpoint in ready where whyNot(.pass(checkpoint), group) == nil {
                _ = try write(.pass(checkpoint), group: group, store)
            }
        }
    }

    /// Carries out what every member has passed, and finds out what this device's member can pass.
    mutating func tendCheckpoints(_ store: any EventStore) throws(StoreError) {
        for group in groups.indices where groups[group].checkpoints.isDue {
            groups[group].checkpoints.isDue = false
            groups[group].checkpoints.isOpen = false
            var hasForgotten = false
            let nodes = groups[group].state.checkpointNodes
            let latest = nodes.count - Limits.openCheckpoints
            for (place, node) in nodes.enumerated() {
                guard case .checkpoint(let checkpoint) = node.action else { continue }
                let passed = groups[group].state.passed(node)
                if passed.isSuperset(of: checkpoint.members) {
                    for floor in checkpoint.floors where try forget(floor, group: group, store) { hasForgotten = true }
                } else if place >= latest, node.stands, !passed.contains(identity.member),
                    checkpoint.members.contains(identity.member)
                {
                    if try isMet(checkpoint, group: group, store) {
                        groups[group].checkpoints.ready.append(node.reference.id)
                    } else {
                        groups[group].checkpoints.isOpen = true
                    }
                }
            }
            if hasForgotten { try settleFloors(group: group, store) }
        }
    }

    /// Whether nothing is left here below a checkpoint that says anything, nor missing.
    private mutating func isMet(
        _ checkpoint: Checkpoint, group: Int, _ store: any EventStore
    ) throws(StoreError) -> Bool {
        for floor in checkpoint.floors {
            guard let log = groups[group].frontier.index(of: floor.log),
                try clear(log, upTo: floor.sequence, group: group, store) >= floor.sequence
            else { return false }
        }
        return true
    }

    /// Up to where everything of a log is here and says nothing any more, at most to a sequence.
    private mutating func clear(
        _ log: Int, upTo last: UInt64, group: Int, _ store: any EventStore
    ) throws(StoreError) -> UInt64 {
        let state = groups[group].frontier.logs[log]
        guard state.certificate?.isStateLog == false else { return state.floor }
        // Above a gap something is missing.
        let gap = state.starts.first { $0.sequence > state.floor + 1 }?.sequence
        let highest = min(last, gap.map { $0 - 1 } ?? last, state.lastSequence)
        var cleared = max(state.floor, groups[group].checkpoints.cleared[state.id] ?? 0)
        if cleared < highest {
            cleared = try firstSpeaking(in: cleared + 1...highest, log: log, group: group, store) - 1
            groups[group].checkpoints.cleared[state.id] = cleared
        }
        return min(cleared, last)
    }

    /// The sequence of the first event of a part of a log that has something to say, or may have where its content is not here; one beyond the
    /// part if there is none.
    private func firstSpeaking(
        in part: ClosedRange<UInt64>, log: Int, group: Int, _ store: any EventStore
    ) throws(StoreError) -> UInt64 {
        let reference = groups[group].frontier.logs[log].reference
        var next = part.lowerBound
        while next <= part.upperBound {
            let last = min(part.upperBound, next + 255)
            let events = try store.headers(ofLog: reference, in: next...last, limit: 256 * Limits.endsPerLog)
            for event in events where event.header.contentLength > 0 {
                let isSilent = event.header.isErasable && !event.hasContent
                guard isSilent, isGone(event.reference, event.header, log: log, group: group) else {
                    return event.header.sequence
                }
            }
            next = last + 1
        }
        return next
    }

    // MARK: Certificates of logs whose beginnings are forgotten

    /// Takes note of what goes ahead of a window.
    mutating func receiveCertificates(_ received: [Bytes], _ group: Int, session index: Int) throws {
        guard !received.isEmpty else { return }
        let number = sessions[index].groups[group].group
        let certificates = try received.map { try Certificate(decoding: $0) }
        sessions[index].groups[group].certificates.merge(verified(certificates, group: number)) { first, _ in first }
        guard sessions[index].groups[group].certificates.count <= Limits.windowCertificates else {
            throw EngineError.protocolViolation("more certificates than a window has events")
        }
    }

    /// Those that verify, by the logs that they make; but for logs of which the certificate is here.
    func verified(_ certificates: [Certificate], group: Int) -> [LogID: Certificate] {
        var found: [LogID: Certificate] = [:]
        for certificate in certificates {
            let log = certificate.logID(in: groups[group].id, using: cryptography)
            let known = groups[group].frontier.index(of: log).flatMap { groups[group].frontier.logs[$0].certificate }
            guard known == nil, certificate.isValid(in: groups[group].id, using: cryptography) else { continue }
            found[log] = certificate
        }
        return found
    }

    // MARK: Forgetting

    /// Forgets what is left of a log below a floor, if nothing of it says anything.
    ///
    /// - Returns: whether something was forgotten.
    private mutating func forget(
        _ floor: Checkpoint.LogFloor, group: Int, _ store: any EventStore
    ) throws(StoreError) -> Bool {
        guard let log = try index(ofFloored: floor.log, group: group, store) else { return false }
        let state = groups[group].frontier.logs[log]
        guard state.floor < floor.sequence, state.certificate?.isStateLog != true else { return false }
        let part = state.floor + 1...min(floor.sequence, max(state.lastSequence, state.floor + 1))
        // A device whose clock is slow, or that has what others had to erase, keeps it until it has gone here too.
        guard try firstSpeaking(in: part, log: log, group: group, store) > part.upperBound else {
            groups[group].checkpoints.isOpen = true
            return false
        }
        let reference = groups[group].record.reference
        let waiting = try store.collect(ofLog: state.reference, through: floor.sequence, inGroup: reference)
        let above = try store.headers(
            ofLog: state.reference, in: floor.sequence + 1...floor.sequence + 1, limit: Limits.endsPerLog)
        groups[group].frontier.update(log) {
            $0.raiseFloor(
                to: floor.sequence,
                next: above.map { .init(sequence: $0.header.sequence, id: $0.id, previous: $0.header.previous?.id) })
            $0.waiting -= waiting
        }
        groups[group].waiting -= waiting
        groups[group].changedLogs.insert(log)
        groups[group].heads = groups[group].heads.filter { !isForgotten($0.value.place, group: group) }
        groups[group].contentless = groups[group].contentless.filter { !isForgotten($0.value, group: group) }
        groups[group].checkpoints.cleared[state.id] = nil
        try leaveForgottenLog(log, group: group, store)
        return true
    }

    /// The index of a log that a checkpoint names; made, if it is not here: what is known of it is that its beginning is gone.
    private mutating func index(
        ofFloored id: LogID, group: Int, _ store: any EventStore
    ) throws(StoreError) -> Int? {
        if let log = groups[group].frontier.index(of: id) { return log }
        guard groups[group].frontier.logs.count < Limits.logsPerGroup else { return nil }
        var states = [LogState(id: id)]
        try store.put(&states, inGroup: groups[group].record.reference)
        return groups[group].frontier.append(states[0])
    }

    /// Whether an event lies below the floor of its log.
    func isForgotten(_ event: EventReference, group: Int) -> Bool {
        guard let log = groups[group].frontier.index(of: event.log) else { return false }
        return event.sequence <= groups[group].frontier.logs[log].floor
    }

    /// Where nothing is left of this device's own log, it goes on in a new one: there is nothing to go on from.
    private mutating func leaveForgottenLog(
        _ log: Int, group: Int, _ store: any EventStore
    ) throws(StoreError) {
        let state = groups[group].frontier.logs[log]
        guard state.ends.isEmpty, groups[group].record.ownLog == state.id else { return }
        groups[group].record.leaveOwnLog()
        ownKeys[groups[group].id] = nil
        ownStateLogs[groups[group].id] = nil
        try store.put(&groups[group].record)
    }

    /// Once floors have moved: what waited for something below them waits no more, and what was invalid for something there is judged by
    /// what is left (law 8). What was agreed on is not known as well any more.
    private mutating func settleFloors(group: Int, _ store: any EventStore) throws(StoreError) {
        let reference = groups[group].record.reference
        groups[group].recent = RecentEvents(capacity: recentEvents)
        try store.forgetAgreements(inGroup: reference)
        try judgeAgain(group: group, store)
        for index in sessions.indices {
            for number in sessions[index].groups.indices where sessions[index].groups[number].group == group {
                sessions[index].groups[number].base = nil
                guard sessions[index].groups[number].isMatched else { continue }
                sessions[index].groups[number].changedLogs.formUnion(groups[group].changedLogs)
                sessions[index].groups[number].mustAcknowledge = true
            }
        }
        noteChanged(groups[group].id)
        // What is forgotten is to leave the store's files.
        effects.append(.erased(groups[group].id))
    }

    private mutating func judgeAgain(group: Int, _ store: any EventStore) throws(StoreError) {
        let reference = groups[group].record.reference
        let undelivered = try store.takeUndelivered(inGroup: reference)
        let invalid = undelivered.filter { $0.status == .invalid }.map(\.ordinal)
        var waiters = undelivered.filter { $0.status == .waiting }.map(\.ordinal)
        for part in invalid.chunks(of: 1_024) {
            for event in try store.headers(ordinals: part) where !event.header.kind.isState {
                guard let log = groups[group].frontier.index(of: event.header.log) else { continue }
                groups[group].frontier.update(log) { $0.waiting += 1 }
                groups[group].changedLogs.insert(log)
                groups[group].waiting += 1
                try store.setStatus(.waiting, ordinals: [event.ordinal], noting: nil, inGroup: reference)
                waiters.append(event.ordinal)
            }
        }
        guard !waiters.isEmpty else { return }
        // As if all of them had waited for one.
        let all = EventID(.zero)
        try store.addWaiting(waiters.sorted().map { (all, $0) }, inGroup: reference)
        try release(waitersOf: [all], group: group, store)
        try settleState(group: group, store)
        try eraseRedacted(group: group, store)
    }
}
