// When nothing is left to send in either direction, roots are compared (protocol 5-15 to 5-22).
extension GroupSession {
    /// Compares roots once both sides are done, and repairs what differs then.
    mutating func settle(
        over session: SessionContext, _ replica: inout Replica, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        forgetWake()
        if let deadline = inbox.announceDeadline {
            if batch.now >= deadline {
                request(inbox.takeAnnounced(replica.frontier), push: 2, over: session, in: &batch)
            } else {
                wake(at: deadline)
            }
        }
        let isLive = frontiers.phase == .live
        guard frontiers.isOpen, isIdle else { return }
        // A peer that agreed now, and hung up, would not hear what this device passes with the next batch.
        guard replica.checkpoints.ready.isEmpty else { return }
        if let deadline = contents.awaitedUntil(at: batch.now) { wake(at: deadline) }
        if policy.requests { requestContents(over: session, replica, in: &batch) }
        secrets.decline(number: number, over: session.link, in: &batch)
        if let deadline = roots.send(&replica, isLive: isLive, number: number, over: session.link, in: &batch) {
            return wake(at: deadline)
        }
        guard let root = roots.lastSent else { return }
        // The proof costs something: an agreed root is not proved again.
        if isLive, roots.agreed == root, roots.peerRoot?.token == root.prefix64 {
            return try requestDropped(over: session, &replica, in: &batch)
        }
        if roots.peerShows(root, on: session.link, using: batch.cryptography) {
            frontiers.noteSame()
            try requestDropped(over: session, &replica, in: &batch)
            // A peer that hung up now would leave contents that cannot be read.
            guard awaitsNothing else { return }
            try agree(over: session, &replica, in: &batch)
        } else if policy.isOneSided {
            settleOneSided(over: session, replica.id, in: &batch)
        } else {
            try repair(over: session, &replica, in: &batch)
        }
    }

    /// Notes that both sides know the same.
    mutating func agree(
        over session: SessionContext, _ replica: inout Replica, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        let root = replica.root(using: batch.cryptography)
        let reference = replica.record.reference
        let agreement = Agreement(
            token: root.prefix64, ordinal: try batch.store.lastOrdinal(), lastLog: replica.frontier.lastReference)
        // Nothing is remembered of visitors: there is no end of them.
        if session.isPeerKept, root != .zero,
            try batch.store.agreements(with: session.link.peer, inGroup: reference).first?.token != agreement.token
        {
            try batch.store.putAgreement(agreement, with: session.link.peer, inGroup: reference)
        }
        roots.noteAgreed(root)
        batch.effects.append(.agreed(session.link.session, replica.id, report))
        report = ReconciliationReport()
    }

    private mutating func repair(
        over session: SessionContext, _ replica: inout Replica, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        let isRepeated = roots.repairs > 0
        switch roots.nextRepair(number: number, over: session.link, in: &batch) {
        case .wait(let time): wake(at: time)
        case .repair(let next):
            if isRepeated { batch.effects.append(.differed(session.link.session, replica.id)) }
            frontiers.restart()
            try sendFrontier(over: session, &replica, in: &batch)
            // The group is settled again even if the peer sends nothing more. Without its frontier there is nothing to
            // compare.
            if frontiers.hasFrontier { wake(at: next) }
        }
    }

    private mutating func settleOneSided(
        over session: SessionContext, _ id: GroupID, in batch: inout Batch<some Cryptography>
    ) {
        let mayEnd = awaitsNothing && !frontiers.awaitsAnswers
        guard roots.settleOneSided(policy, mayEnd: mayEnd, number: number, over: session.link, in: &batch) else {
            return
        }
        frontiers.noteSame()
        batch.effects.append(.exchanged(session.link.session, id))
    }

    mutating func sendFrontier(
        over session: SessionContext, _ replica: inout Replica, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        try frontiers.send(
            &replica, fullIDs: roots.repairs > 0, number: number, &logs.outgoing, over: session.link, &report,
            in: &batch)
    }

    // MARK: Requests

    /// Requests parts of logs from the peer, at most ``Limits/wantedRanges``.
    private mutating func request(
        _ wanted: [(log: LogID, sequences: ClosedRange<UInt64>)], push: UInt64? = nil, over session: SessionContext,
        in batch: inout Batch<some Cryptography>
    ) {
        guard !wanted.isEmpty else { return }
        var want: [UInt8] = [0]
        for (log, sequences) in wanted {
            logs.outgoing.write(log, to: &want)
            want.append(varint: sequences.lowerBound)
            want.append(varint: sequences.upperBound)
        }
        var sync = GroupSync(number: number)
        sync.want = want[...]
        sync.push = push
        batch.send(sync, over: session.link.session)
    }

    /// Requests, once in a session, contents that other peers withheld.
    private mutating func requestContents(
        over session: SessionContext, _ replica: Replica, in batch: inout Batch<some Cryptography>
    ) {
        let wanted = contents.nextWaiting(replica, at: batch.now)
        guard !wanted.isEmpty else { return }
        request(wanted.map { ($0.log, $0.sequence...$0.sequence) }, over: session, in: &batch)
        wake(at: contents.requestDeadline)
    }

    /// Requests contents that this device has dropped and wants back, a part at a time.
    mutating func requestDropped(
        over session: SessionContext, _ replica: inout Replica, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        switch try contents.nextDropped(&replica, requests: policy.requests, over: session.link, in: &batch) {
        case .nothing: break
        case .wait(let time): wake(at: time)
        case .request(let events):
            let wanted = events.map { ($0.header.log, $0.header.sequence...$0.header.sequence) }
            request(wanted, over: session, in: &batch)
        }
    }

    // MARK: Secrets

    mutating func requestSecrets(
        over session: SessionContext, _ replica: inout Replica, in batch: inout Batch<some Cryptography>
    ) {
        secrets.request(&replica, requests: policy.requests, number: number, over: session.link, in: &batch)
    }

    /// The device to which secrets are encrypted; nil if the peer is not known to be a member's.
    private func recipient(
        over session: SessionContext, _ replica: Replica, _ identity: Identity<some Cryptography>
    ) -> GroupSecrets.Recipient? {
        guard policy.sends else { return nil }
        let joiner = session.joiner.flatMap { $0.group == replica.id ? $0.recipient : nil }
        return replica.recipient(for: session.link.peer, joiner: joiner, identity)
    }

    mutating func answerSecretRequests(
        over session: SessionContext, _ replica: inout Replica,
        in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        guard !secrets.wanted.isEmpty, replica.secrets != nil,
            let recipient = recipient(over: session, replica, batch.identity)
        else { return }
        try secrets.answer(to: recipient, &replica, number: number, over: session.link, in: &batch)
    }

    mutating func shareSecrets(
        of window: Window, over session: SessionContext, _ replica: inout Replica,
        in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        guard replica.secrets != nil,
            let recipient = recipient(over: session, replica, batch.identity)
        else { return }
        try secrets.send(secretsOf: window, to: recipient, &replica, number: number, over: session.link, in: &batch)
    }
}
