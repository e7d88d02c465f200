// Checkpoints: proposing, passing and looking at them (protocol §2.11).
extension Engine {
    // MARK: What this device does

    /// Proposes to forget all that is left of the group's logs up to where nothing of them says anything any more.
    mutating func proposeCheckpoint(
        _ request: RequestID, _ group: GroupID, _ store: any EventStore
    ) throws(StoreError) {
        guard let index = nativeGroup(group, request) else { return }
        // Of who may not write any more nobody is asked, and nothing is forgotten.
        let members = writers(group: index)
        var floors: [(floor: Checkpoint.LogFloor, count: UInt64)] = []
        for log in groups[index].frontier.logs.indices {
            let state = groups[index].frontier.logs[log]
            guard let certificate = state.certificate, !certificate.isStateLog, members.contains(certificate.member),
                state.lastSequence > state.floor + 1
            else { continue }
            let cleared = try clear(log, upTo: state.lastSequence - 1, group: index, store)
            guard cleared > state.floor else { continue }
            floors.append((Checkpoint.LogFloor(log: state.id, sequence: cleared), cleared - state.floor))
        }
        floors.sort { ($1.count, $0.floor.log) < ($0.count, $1.floor.log) }
        let chosen = floors.prefix(Limits.checkpointLogs).map(\.floor).sorted { $0.log < $1.log }
        let asked = members.subtracting([identity.member]).sorted()
        guard !chosen.isEmpty else {
            return effects.append(
                .failed(
                    request, .notAllowed("nothing has gone away with which a log begins: there is nothing to forget")))
        }
        guard asked.count <= Limits.checkpointMembers else {
            return effects.append(
                .failed(request, .notAllowed("more than \(Limits.checkpointMembers) members would have to pass it")))
        }
        try act(request, .checkpoint(Checkpoint(floors: chosen, members: asked)), index, store)
    }

    /// The members who may write, as far as anything names them.
    private func writers(group: Int) -> Set<MemberKey> {
        let named = groups[group].state.members.map(\.member)
        let authors = groups[group].frontier.logs.compactMap(\.certificate?.member)
        return Set(named + authors).filter { groups[group].state.standing(of: $0).role >= .member }
    }

    // MARK: Looking at checkpoints

    /// To be called when something has come or gone that a checkpoint may have waited for. They are looked at once a second.
    mutating func noteCheckpoints(group: Int) {
        guard groups[group].checkpoints.isOpen else { return }
        let next = max(now, groups[group].checkpoints.seen + Self.checkpointPause)
        groups[group].checkpoints.due = min(groups[group].checkpoints.due ?? next, next)
    }

    private static var checkpointPause: UInt64 { 1_000 }

    /// To be called for a new checkpoint, or when a member has passed one, or may again.
    mutating func openCheckpoints(group: Int) {
        groups[group].checkpoints.isOpen = true
        groups[group].checkpoints.due = now
    }

    /// Passes checkpoints that were found to be met in an earlier batch: this one is synced to disk (law 1).
    mutating func passCheckpoints(_ store: any EventStore) throws(StoreError) {
        for group in groups.indices where !groups[group].checkpoints.ready.isEmpty {
            let ready = groups[group].checkpoints.ready
            groups[group].checkpoints.ready = []
            concernsAll = true
            // What has come since may be something else.
            for node in groups[group].state.checkpointNodes where ready.contains(node.reference.id) {
                guard case .checkpoint(let checkpoint) = node.action, node.stands,
                    whyNot(.pass(node.reference.id), group) == nil, try isMet(checkpoint, group: group, store)
                else {
                    openCheckpoints(group: group)
                    continue
                }
                _ = try write(.pass(node.reference.id), group: group, store)
            }
        }
    }

    /// Carries out what every member has passed, and finds out what this device's member can pass.
    mutating func tendCheckpoints(_ store: any EventStore) throws(StoreError) {
        for group in groups.indices {
            guard let due = groups[group].checkpoints.due, due <= now else { continue }
            groups[group].checkpoints.due = nil
            groups[group].checkpoints.seen = now
            groups[group].checkpoints.isOpen = false
            let nodes = groups[group].state.checkpointNodes
            var (beginnings, done): ([Int: UInt64], [EventID]) = ([:], [])
            for node in nodes where !groups[group].checkpoints.done.contains(node.reference.id) {
                guard case .checkpoint(let checkpoint) = node.action else { continue }
                let passed = groups[group].state.passed(node)
                guard checkpoint.isPassed(by: passed) else { continue }
                var isDone = true
                for floor in checkpoint.floors {
                    switch reach(of: floor, passedBy: passed, group: group) {
                    case .covered(let log): beginnings[log] = max(beginnings[log] ?? 0, floor.sequence)
                    case .early: (isDone, groups[group].checkpoints.isOpen) = (false, true)
                    case .refused: isDone = false
                    case .never: break
                    }
                }
                if isDone { done.append(node.reference.id) }
            }
            // Where an older copy of this device has gone on, or somebody means no good, what it has said would be nowhere any more.
            let spoken = try ownSpeaking(below: beginnings, group: group, store)
            if !spoken.isEmpty, !groups[group].checkpoints.saysAgain {
                groups[group].checkpoints.saysAgain = true
                groups[group].checkpoints.due = now
                continue
            }
            groups[group].checkpoints.saysAgain = false
            // Said again first, so that its files are kept.
            if !spoken.isEmpty { try sayAgain(spoken, insteadOf: beginnings, group: group, store) }
            try forget(beginnings, group: group, store)
            groups[group].checkpoints.done.formUnion(done)
            try findMet(among: nodes, group: group, store)
        }
    }

    /// Finds those that this device's member can pass, and has not.
    private mutating func findMet(
        among nodes: [StateNode], group: Int, _ store: any EventStore
    ) throws(StoreError) {
        for node in nodes.filter(\.stands).suffix(Limits.openCheckpoints) {
            guard case .checkpoint(let checkpoint) = node.action, mustPass(checkpoint, node, group: group) else {
                continue
            }
            if try isMet(checkpoint, group: group, store), whyNot(.pass(node.reference.id), group) == nil {
                groups[group].checkpoints.ready.append(node.reference.id)
            } else {
                groups[group].checkpoints.isOpen = true
            }
        }
    }

    /// Whether this device is asked to pass a checkpoint and has not: for its member, or for a log of its own or of a device that it has admitted.
    private func mustPass(_ checkpoint: Checkpoint, _ node: StateNode, group: Int) -> Bool {
        let passed = groups[group].state.passed(node)
        guard passed[identity.member]?.contains(identity.device) != true else { return false }
        if passed[identity.member] == nil, checkpoint.members.contains(identity.member) { return true }
        return checkpoint.floors.contains { floor in
            guard let certificate = groups[group].frontier.certificate(ofLog: floor.log) else { return false }
            return certificate.isAgreed(to: [identity.member: [identity.device]]) && !certificate.isAgreed(to: passed)
        }
    }

    /// Whether nothing is left here below a checkpoint that says anything, nor missing.
    private mutating func isMet(
        _ checkpoint: Checkpoint, group: Int, _ store: any EventStore
    ) throws(StoreError) -> Bool {
        for floor in checkpoint.floors {
            // A log's last event stays.
            guard let log = groups[group].frontier.index(of: floor.log),
                groups[group].frontier.logs[log].lastSequence > floor.sequence,
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
        // Above a gap something is missing.
        guard state.certificate?.isStateLog == false, state.starts.first?.sequence == state.floor + 1 else {
            return state.floor
        }
        let gap = state.starts.first { $0.sequence > state.floor + 1 }?.sequence
        let highest = min(last, gap.map { $0 - 1 } ?? last, state.lastSequence)
        var cleared = max(state.floor, groups[group].checkpoints.cleared[state.id] ?? 0)
        if cleared < highest {
            cleared = try firstSpeaking(in: cleared + 1...highest, log: log, group: group, store) - 1
            groups[group].checkpoints.cleared[state.id] = cleared
        }
        return min(cleared, last)
    }

    /// The sequence of the first event of a part of a log whose content is here, or is missing without having expired or been redacted; one beyond
    /// the part if there is none.
    private func firstSpeaking(
        in part: ClosedRange<UInt64>, log: Int, group: Int, _ store: any EventStore
    ) throws(StoreError) -> UInt64 {
        let reference = groups[group].frontier.logs[log].reference
        var next = part.lowerBound
        while next <= part.upperBound {
            let (events, after) = try walk(next...part.upperBound, ofLog: reference, store)
            for event in events {
                // Who names it would be believed nothing.
                guard event.header.lamport < Limits.forgottenLamport else { return event.header.sequence }
                guard event.header.contentLength > 0 || !event.header.files.isEmpty else { continue }
                let isSilent = event.header.isErasable && !event.hasContent
                guard isSilent, mustLackContent(event.reference, event.header, log: log, group: group) else {
                    return event.header.sequence
                }
            }
            next = after
        }
        return next
    }

    /// The next events of a walk through a part of a log, by what is there (above a gap a sequence may be any number), and where it goes on.
    ///
    /// Branches of one sequence come together: they are at most 64.
    func walk(
        _ part: ClosedRange<UInt64>, ofLog log: Int64, _ store: any EventStore
    ) throws(StoreError) -> (events: [StoredHeader], next: UInt64) {
        var events = try store.headers(ofLog: log, in: part, limit: 256)
        guard events.count == 256, let last = events.last?.header.sequence else { return (events, part.upperBound + 1) }
        events.removeAll { $0.header.sequence == last }
        return (events, last)
    }

    // MARK: Logs whose beginnings are forgotten elsewhere

    /// Whether an event of a log stands where what comes before it is forgotten, by a checkpoint that is passed: it may be the first of the log
    /// that is held, or come without what is before it.
    func isAboveFloor(_ event: Event, of certificate: Certificate?, group: Int) -> Bool {
        guard let certificate, !certificate.isStateLog, event.sequence > 1 else { return false }
        return groups[group].state.checkpointNodes.contains { node in
            guard case .checkpoint(let checkpoint) = node.action,
                checkpoint.floors.contains(where: { $0.log == event.log && $0.sequence >= event.sequence - 1 })
            else { return false }
            let passed = groups[group].state.passed(node)
            return checkpoint.isPassed(by: passed) && certificate.isAgreed(to: passed)
        }
    }

    /// Takes note of what goes ahead of a window.
    mutating func receiveCertificates(_ received: [Bytes], _ group: Int, session index: Int) throws {
        guard !received.isEmpty else { return }
        guard sessions[index].groups[group].certificates.count + received.count <= Limits.windowCertificates else {
            throw EngineError.protocolViolation("more certificates than a window has events")
        }
        for bytes in received {
            let certificate = try Certificate(decoding: bytes)
            let log = certificate.logID(in: groups[sessions[index].groups[group].group].id, using: cryptography)
            guard isValid(certificate, ofLog: log, group: sessions[index].groups[group].group) else {
                throw EngineError.protocolViolation("the certificate of log \(log) does not verify")
            }
            sessions[index].groups[group].certificates[log] = certificate
        }
    }

    /// Those that verify, by the logs that they make, for events of such logs.
    func verified(_ certificates: [Certificate], for events: [Event], group: Int) -> [LogID: Certificate] {
        guard !certificates.isEmpty else { return [:] }
        let logs = Set(events.map(\.log))
        var found: [LogID: Certificate] = [:]
        for certificate in certificates {
            let log = certificate.logID(in: groups[group].id, using: cryptography)
            guard logs.contains(log), isValid(certificate, ofLog: log, group: group) else { continue }
            found[log] = certificate
        }
        return found
    }

    private func isValid(_ certificate: Certificate, ofLog log: LogID, group: Int) -> Bool {
        if let known = groups[group].frontier.certificate(ofLog: log) { return known == certificate }
        return !certificate.isStateLog && certificate.isValid(in: groups[group].id, using: cryptography)
    }
}

extension Certificate {
    /// Whether the device whose log it is, or one by which that was admitted, is among those of its member.
    func isAgreed(to passed: [MemberKey: Set<DeviceKey>]) -> Bool {
        passed[member].map { !$0.isDisjoint(with: admission.devices) } ?? false
    }
}
