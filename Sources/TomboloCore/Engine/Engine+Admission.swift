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
    /// Events since the last verified signature above it, that one counted, and the content bytes of the others.
    var distance: Int
    var bytes: Int
}

/// Events on their way into the store.
struct AdmissionBatch {
    /// The ordinal of the first.
    let first: Int64
    /// Each with the index of its log.
    var events: [(log: Int, event: Event)] = []
    var statuses: [EventStatus] = []
    var waiting: [(missing: EventID, waiter: Int64)] = []

    var nextOrdinal: Int64 { first + Int64(events.count) }
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
        let authentic =
            isOwn
            ? events.map { (index(of: $0, group), $0) } : vouch(for: events, group: group, certificates, &result)
        guard !authentic.isEmpty else { return result }
        var batch = AdmissionBatch(first: try store.lastOrdinal() + 1)
        batch.events.reserveCapacity(authentic.count)
        groups[group].recent.beginBatch()
        for (known, event) in authentic {
            guard let log = try place(event, in: known, group: group, certificates, &result, batch, store) else {
                continue
            }
            try judge(event, log: log, group: group, &batch, store)
        }
        guard !batch.events.isEmpty else { return result }
        result.accepted = batch.events.count
        try keepAndDeliver(batch, group: group, store)
        passOn(batch.events, group: group, except: session)
        return result
    }

    private func index(of event: Event, _ group: Int) -> Int? { groups[group].frontier.index(of: event.log) }

    /// The certificates of logs that begin in this batch, each verified.
    private func newCertificates(_ events: [Event], group: Int, _ result: inout Admission) -> [LogID: Certificate] {
        var certificates: [LogID: Certificate] = [:]
        let id = groups[group].id
        for event in events where event.sequence == 1 && certificates[event.log] == nil {
            let known = groups[group].frontier.index(of: event.log)
            if let known, groups[group].frontier.logs[known].certificate != nil { continue }
            guard let certificate = event.header.certificate,
                certificate.logID(in: id, using: cryptography) == event.log,
                certificate.isStateLog == event.header.kind.isState,
                certificate.isValid(in: id, using: cryptography)
            else {
                result.refused = "the certificate of log \(event.log) does not verify"
                continue
            }
            certificates[event.log] = certificate
        }
        return certificates
    }

    /// Goes back from the end: one signature vouches for the run before it (protocol §2.3). Every signature that was
    /// sent is verified: peers send as few as the run rule allows, and each is needed to pass the run on.
    private mutating func vouch(
        for events: [Event], group: Int, _ certificates: [LogID: Certificate], _ result: inout Admission
    ) -> [(log: Int?, event: Event)] {
        var expected: [EventID: Expected] = [:]
        var authentic: [(log: Int?, event: Event)] = []
        authentic.reserveCapacity(events.count)
        for var event in events.reversed() {
            let known = index(of: event, group)
            let isStateLog: Bool
            let key: Bytes32
            if let known, let certificate = groups[group].frontier.logs[known].certificate {
                (isStateLog, key) = (certificate.isStateLog, certificate.key)
            } else if let certificate = certificates[event.log] {
                (isStateLog, key) = (certificate.isStateLog, certificate.key)
            } else {
                result.pending += 1
                continue
            }
            var (distance, bytes) = (0, 0)
            let descendant = expected.removeValue(forKey: event.id)
            let isVouchedFor = descendant.map { $0.log == event.log && $0.sequence == event.sequence } ?? false
            if let descendant, isVouchedFor {
                (distance, bytes) = (descendant.distance + 1, descendant.bytes + event.header.contentLength)
            }
            guard isStateLog == event.header.kind.isState else {
                result.refused = "event \(event.id) stands in a log of another class"
                continue
            }
            // A run is at most so long, so that who passes it on need not wait long for a signed event.
            let isRunFull = distance >= Limits.runEvents || bytes > Limits.runBytes
            if !isVouchedFor || isRunFull || event.signature != nil {
                let isSigned =
                    event.signature.map {
                        groups[group].hashing.isValid(
                            $0, timestamp: event.timestamp, header: event.headerBytes, key: key,
                            using: cryptography)
                    } ?? false
                if isSigned {
                    (distance, bytes) = (0, 0)
                } else if isVouchedFor, !isRunFull {
                    event = event.signed(with: nil)  // a spoilt signature spoils no event
                } else if event.signature == nil, !isVouchedFor {
                    result.pending += 1
                    continue
                } else {
                    result.refused = "the signature of event \(event.id) is missing or does not verify"
                    continue
                }
            }
            if let previous = event.header.previous {
                expected[previous.id] = Expected(
                    log: event.log, sequence: event.sequence - 1, distance: distance, bytes: bytes)
            }
            authentic.append((known, event))
        }
        authentic.reverse()
        return authentic
    }

    /// Gives an event its place in its log, unless it is held already or a bound forbids it.
    ///
    /// - Parameter known: the index of its log, if that was there before the batch.
    /// - Returns: the index of its log.
    private mutating func place(
        _ event: Event, in known: Int?, group: Int, _ certificates: [LogID: Certificate], _ result: inout Admission,
        _ batch: borrowing AdmissionBatch, _ store: any EventStore
    ) throws(StoreError) -> Int? {
        let index: Int
        if let known = known ?? self.index(of: event, group) {
            index = known
        } else {
            guard groups[group].frontier.logs.count < Limits.logsPerGroup else {
                result.refused = "the group has \(Limits.logsPerGroup) logs, no more are taken"
                return nil
            }
            // The store's number comes first: events refer to it.
            var states = [LogState(id: event.log)]
            try store.put(&states, inGroup: groups[group].record.reference)
            index = groups[group].frontier.append(states[0])
        }
        let isNew = event.sequence > groups[group].frontier.logs[index].lastSequence
        let number = groups[group].frontier.logs[index].reference
        if !isNew {
            var isHeld = event.sequence <= groups[group].frontier.logs[index].floor
            if !isHeld { isHeld = try self.isHeld(event.id, event.sequence, log: number, group: group, store) }
            if isHeld {
                result.alreadyHeld += 1
                return nil
            }
        }
        guard groups[group].frontier.logs[index].waiting < Limits.waitingPerLog else {
            result.refused = "log \(event.log) has \(Limits.waitingPerLog) events that wait for ancestors"
            return nil
        }
        let previous = event.header.previous?.id
        var isPreviousHeld = false
        if let previous, !groups[group].frontier.logs[index].isEnd(previous) {
            isPreviousHeld = try isHeld(previous, event.sequence - 1, log: number, group: group, store)
        }
        let placement = groups[group].frontier.update(index) {
            $0.place(
                sequence: event.sequence, id: event.id, lamport: event.lamport, previous: previous,
                isPreviousHeld: isPreviousHeld)
        }
        guard placement == .placed else {
            result.refused = "log \(event.log) has too many branches or gaps"
            return nil
        }
        if event.sequence == 1, let certificate = certificates[event.log] {
            groups[group].frontier.update(index) { $0.certificate = certificate }
        }
        groups[group].changedLogs.insert(index)
        if !isNew { try reportFork(of: event, log: number, group: group, batch, store) }
        return index
    }

    private mutating func isHeld(
        _ id: EventID, _ sequence: UInt64, log: Int64, group: Int, _ store: any EventStore
    ) throws(StoreError) -> Bool {
        if groups[group].recent[id] != nil { return true }
        return try store.places(of: [EventKey(log: log, sequence: sequence, id: id)])[0] != nil
    }

    private mutating func reportFork(
        of event: Event, log: Int64, group: Int, _ batch: AdmissionBatch, _ store: any EventStore
    ) throws(StoreError) {
        let sequence = event.sequence
        var other = batch.events.first { $0.event.log == event.log && $0.event.sequence == sequence }?.event.id
        if other == nil { other = try store.events(ofLog: log, in: sequence...sequence, limit: 1).first?.event.id }
        if let other { effects.append(.forked(groups[group].id, other, event.id)) }
    }
}
