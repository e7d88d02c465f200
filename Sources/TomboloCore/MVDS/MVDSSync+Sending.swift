// Sending records: those that are due towards a peer, in payloads of bounded size.
extension MVDSSync {
    /// Sends what is due towards a session's peer, as long as the peer keeps acknowledging.
    mutating func sendRecords(_ index: Int, in batch: inout Batch<some Cryptography>) throws(StoreError) {
        let peer = sessions.values[index].link.peer
        sessions.values[index].records.nextWake = nil
        guard isShared(with: peer), speakingSession(to: peer) == index, !sessions.values[index].isReconciling else {
            return
        }
        var builder = PayloadBuilder(limit: payloadLimit(of: index))
        for id in sessions.values[index].records.acks.removeAll() { builder.addAck(id) }
        try answerRequests(index, &builder, in: &batch)
        try resendInFlight(index, &builder, in: &batch)
        var isBlocked = false
        while try sendDue(index, &builder, &isBlocked, in: &batch) {}
        for payload in builder.takePayloads() { batch.send(payload, over: sessions.ids[index]) }
        // While the window is full, acks open it again, or a message in flight comes due.
        if let next = try batch.store.nextRecord(with: peer) {
            let earliest = isBlocked ? batch.now + Self.firstRetransmission : batch.now + 1
            sessions.values[index].records.nextWake = max(next, earliest)
        }
        if !sessions.values[index].records.answers.isEmpty {
            sessions.values[index].records.nextWake = batch.now + 1
        }
    }

    /// Sends some of the records that are due.
    ///
    /// - Parameter isBlocked: set once a message has to wait for acks; only offers and requests go on then.
    /// - Returns: whether more may be due.
    private mutating func sendDue(
        _ index: Int, _ builder: inout PayloadBuilder, _ isBlocked: inout Bool,
        in batch: inout Batch<some Cryptography>
    ) throws(StoreError) -> Bool {
        let peer = sessions.values[index].link.peer
        let due = try batch.store.records(
            with: peer, dueAt: batch.now, kinds: isBlocked ? [.offer, .request] : SyncRecord.Kind.allCases, limit: 256)
        guard !due.isEmpty else { return false }
        var sent: [SyncRecord] = []
        var dropped: [EventID] = []
        for var record in due {
            switch record.kind {
            case .request:
                guard record.sendCount < Limits.requestSends else {
                    dropped.append(record.id)
                    continue
                }
                builder.addRequest(record.id)
            case .offer: builder.addOffer(record.id)
            case .message:
                guard mayBeInFlight(record.id, index) else {
                    isBlocked = true
                    continue
                }
                guard let stored = try batch.store.messages(ids: [record.id])[0] else {
                    dropped.append(record.id)
                    continue
                }
                guard canCarry(stored.message, index) else {
                    // A link of the mvds dialect with a small MTU: another link may carry it.
                    if sessions.values[index].link.dialect == .native {
                        dropped.append(record.id)
                    } else {
                        record.nextSend = batch.now + Self.lastRetransmission
                        sent.append(record)
                    }
                    continue
                }
                if record.sendCount == 0, !sendsAtOnce(record, bytes: stored.message.size, group: stored.group) {
                    record.kind = .offer
                    builder.addOffer(record.id)
                } else {
                    sessions.values[index].records.noteSent(record.id, bytes: stored.message.size)
                    carry(stored.message, index, &builder, in: &batch)
                }
            }
            record.sendCount += 1
            record.nextSend = batch.now + backoff(afterSends: record.sendCount, using: &batch.generator)
            sent.append(record)
        }
        try batch.store.put(sent)
        try batch.store.removeRecords(of: dropped, with: peer)
        return !sent.isEmpty || !dropped.isEmpty || isBlocked
    }

    /// Sends again the messages in flight that have come due. Messages that wait for their first turn do not delay
    /// them.
    private mutating func resendInFlight(
        _ index: Int, _ builder: inout PayloadBuilder, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        guard sessions.values[index].records.isWindowFull else { return }
        let inFlight = sessions.values[index].records.inFlight.keys.sorted()
        for var record in try batch.store.records(of: inFlight, with: sessions.values[index].link.peer)
        where record.kind == .message && record.nextSend <= batch.now {
            guard let stored = try batch.store.messages(ids: [record.id])[0] else { continue }
            carry(stored.message, index, &builder, in: &batch)
            record.sendCount += 1
            record.nextSend = batch.now + backoff(afterSends: record.sendCount, using: &batch.generator)
            try batch.store.put([record])
        }
    }

    /// Sends again what a peer requests after it has acknowledged it: as much as may be in flight, the rest with the
    /// next batch.
    private mutating func answerRequests(
        _ index: Int, _ builder: inout PayloadBuilder, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        var left = RecordSession.window
        while left > 0, let id = sessions.values[index].records.answers.first {
            sessions.values[index].records.answers.removeFirst()
            guard let stored = try batch.store.messages(ids: [id])[0], canCarry(stored.message, index) else {
                continue
            }
            left -= stored.message.size
            carry(stored.message, index, &builder, in: &batch)
        }
    }

    /// Whether a message is in flight already, or there is room for one more.
    private func mayBeInFlight(_ id: EventID, _ index: Int) -> Bool {
        sessions.values[index].records.inFlight[id] != nil || !sessions.values[index].records.isWindowFull
    }

    /// The bytes of records after which a further payload begins.
    private func payloadLimit(of index: Int) -> Int {
        min(Limits.payload, sessions.values[index].link.mtu ?? .max)
    }

    private func fits(_ message: Message, _ index: Int) -> Bool {
        let link = sessions.values[index].link
        return switch link.dialect {
        case .mvds: message.size <= link.mtu ?? .max
        case .native: message.size <= Limits.payload + 4_096
        }
    }

    /// Whether a message can be sent to a peer. Larger ones than a frame go in parts, once the peer has shown the
    /// group.
    private func canCarry(_ message: Message, _ index: Int) -> Bool {
        fits(message, index) || groupSession(of: message, session: index) != nil
    }

    private func groupSession(of message: Message, session index: Int) -> Int? {
        sessions.values[index].groups.firstIndex { known in
            known.theirNumber != nil && groups[known.group].id.bytes[...] == message.groupID
        }
    }

    private mutating func carry(
        _ message: Message, _ index: Int, _ builder: inout PayloadBuilder, in batch: inout Batch<some Cryptography>
    ) {
        if fits(message, index) { return builder.add(message) }
        guard let group = groupSession(of: message, session: index) else { return }
        sendInParts(message, group, session: index, in: &batch)
    }

    private func sendsAtOnce(_ record: SyncRecord, bytes: Int, group: Int64) -> Bool {
        guard !record.isOwn || mode != .byCost else { return true }
        let others = index(ofReference: group).map { max(0, groups[$0].peers.count - 1) } ?? 0
        return mode.sendsAtOnce(bytes: bytes, others: others)
    }

    /// Milliseconds after which a first send is repeated.
    static var firstRetransmission: UInt64 { 2_000 }
    /// The most milliseconds between two sends while the peer is connected.
    static var lastRetransmission: UInt64 { 600_000 }

    /// The delay doubles up to a ceiling. Up to a quarter is added, so that peers do not send in step.
    private func backoff(afterSends count: Int, using generator: inout any RandomNumberGenerator & Sendable) -> UInt64 {
        let delay = min(Self.firstRetransmission << UInt64(min(count - 1, 20)), Self.lastRetransmission)
        return delay + generator.next(upperBound: delay / 4)
    }
}

/// Fills payloads up to a bound. A message that exceeds the bound has a payload of its own.
private struct PayloadBuilder {
    let limit: Int
    private var done: [Payload] = []
    private var payload = Payload()
    private var bytes = 0

    init(limit: Int) { self.limit = limit }

    /// Bytes of a tag, a length and an id.
    private static let idBytes = 36

    private mutating func reserve(_ count: Int) {
        if bytes + count > limit, !payload.isEmpty {
            done.append(payload)
            payload = Payload()
            bytes = 0
        }
        bytes += count
    }

    mutating func addAck(_ id: EventID) {
        reserve(Self.idBytes)
        payload.acks.append(id.bytes[...])
    }

    mutating func addOffer(_ id: EventID) {
        reserve(Self.idBytes)
        payload.offers.append(id.bytes[...])
    }

    mutating func addRequest(_ id: EventID) {
        reserve(Self.idBytes)
        payload.requests.append(id.bytes[...])
    }

    mutating func add(_ message: Message) {
        reserve(message.size)
        payload.messages.append(message)
    }

    mutating func takePayloads() -> [Payload] {
        if !payload.isEmpty { done.append(payload) }
        payload = Payload()
        defer { done = [] }
        return done
    }
}
