// Receiving a peer's messages about a group.
extension GroupSession {
    /// Receives one group's part of a payload, without files.
    ///
    /// - Returns: whether the peer sent events and this device held all of them. Then it may ask the peer to announce
    ///   events instead, if others send them too.
    mutating func receive(
        _ sync: GroupSync, over session: SessionContext, _ replica: inout Replica,
        in batch: inout Batch<some Cryptography>
    ) throws -> Bool {
        if sync.tag == nil, let root = sync.root { roots.receive(root, at: batch.now) }
        roots.noteHeard()
        report.noteReceived(sync)
        if sync.hasSentAll { roots.notePeerHasSentAll() }
        if let horizon = sync.horizon { contents.receive(horizon: horizon) }
        if let coded = sync.coded { try receiveCoded(coded, over: session, &replica, in: &batch) }
        if let frontier = sync.frontier {
            try frontiers.receive(frontier, &replica, number: number, &logs, over: session.link, &report, in: &batch)
        }
        if let have = sync.have { try receiveHave(have, over: session, replica.frontier, in: &batch) }
        if let push = sync.push { outbox.setPeerLazy(push == 1) }
        if let wanted = sync.secretsWanted { try secrets.receive(wanted: wanted) }
        if let want = sync.want { try outbox.receive(want: want, replica.frontier, &logs.incoming) }
        try inbox.receive(certificates: sync.certificates, replica, using: batch.cryptography)
        var isRedundant = false
        if let events = sync.events { isRedundant = try receiveWindow(events, over: session, &replica, in: &batch) }
        if let share = sync.share { try secrets.receive(share, &replica, over: session.link, in: &batch) }
        if let processed = sync.processed { try outbox.noteProcessed(processed, at: batch.now) }
        return isRedundant
    }

    private mutating func receiveCoded(
        _ bytes: Bytes, over session: SessionContext, _ replica: inout Replica, in batch: inout Batch<some Cryptography>
    ) throws {
        let goesOn = try frontiers.receive(
            coded: bytes, &replica, number: number, over: session.link, &report, in: &batch)
        guard !goesOn else { return }
        report.strategy = .frontier
        frontiers.noteGivenUp()
        try sendFrontier(over: session, &replica, in: &batch)
    }

    /// Receives what the peer holds of logs, by an acknowledgement or an announcement.
    private mutating func receiveHave(
        _ bytes: Bytes, over session: SessionContext, _ frontier: Frontier, in batch: inout Batch<some Cryptography>
    ) throws {
        var reader = WireReader(bytes)
        var acknowledged: [(log: Int64, sequence: UInt64)] = []
        while !reader.isAtEnd {
            let (id, entry) = try FrontierEntry.read(&reader, fullIDs: false, table: &logs.incoming)
            let log = frontier.index(of: id)
            if let log { outbox.note(log, forgottenTo: entry.floor) }
            guard let end = entry.ranges.map(\.end).max() else { continue }
            let held = log.map { frontier.logs[$0].lastSequence } ?? 0
            if let log, frontier.logs[log].isLinear, end <= held || entry.ranges.count == 1 {
                let sequence = min(end, held)
                outbox.note(log, heldTo: sequence)
                acknowledged.append((frontier.logs[log].reference, sequence))
            }
            if end > held, policy.requests { inbox.noteAnnounced(id, to: end, at: batch.now) }
        }
        if !acknowledged.isEmpty, session.isPeerKept {
            try batch.store.acknowledge(acknowledged, by: session.link.peer)
        }
    }

    // MARK: Windows

    /// - Returns: whether the window is complete, and this device held everything in it before.
    private mutating func receiveWindow(
        _ bytes: Bytes, over session: SessionContext, _ replica: inout Replica, in batch: inout Batch<some Cryptography>
    ) throws -> Bool {
        roots.noteWindow()
        switch try inbox.receive(bytes, &replica, &logs.incoming, in: &batch) {
        case .incomplete: return false
        case .stuck:
            // It may rely on events of which this side has others.
            try askPlain(over: session, in: &batch)
            return false
        case .complete(let window):
            let result = try ingest(window, over: session, &replica, in: &batch)
            inbox.noteProcessed()
            if result.accepted > 0 { roots.noteProgress() }
            if let refused = result.refused {
                guard !inbox.askedPlain else { throw EngineError.protocolViolation(refused) }
                try askPlain(over: session, in: &batch)
                return false
            }
            return result.accepted == 0 && result.alreadyHeld > 0
        }
    }

    private mutating func ingest(
        _ window: [Event], over session: SessionContext, _ replica: inout Replica,
        in batch: inout Batch<some Cryptography>
    ) throws(StoreError) -> Ingestion {
        contents.noteReceived(window, &replica, over: session.link, at: batch.now)
        return try replica.ingest(
            window, from: session.link.session, horizon: contents.peerHorizon, certificates: inbox.takeCertificates(),
            in: &batch)
    }

    /// Asks the peer to send everything that is lacking again, as whole messages, before it is blamed.
    private mutating func askPlain(
        over session: SessionContext, in batch: inout Batch<some Cryptography>
    ) throws(EngineError) {
        guard !inbox.askedPlain else {
            throw .protocolViolation("its events do not verify, even as whole messages")
        }
        inbox.noteAskedPlain()
        frontiers.sendAgain()
        var sync = GroupSync(number: number)
        sync.want = [1]
        batch.send(sync, over: session.link.session)
    }

    /// Asks the peer to announce events and not to send them, since others send them.
    func askForAnnouncements(over session: SessionContext, in batch: inout Batch<some Cryptography>) {
        var sync = GroupSync(number: number)
        sync.push = 1
        batch.send(sync, over: session.link.session)
    }

    /// Ends with the session. Authenticated events of a window that is not complete are kept.
    mutating func close(
        over session: SessionContext, _ replica: inout Replica, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        let window = inbox.takeWindow()
        if !window.isEmpty { _ = try ingest(window, over: session, &replica, in: &batch) }
    }
}
