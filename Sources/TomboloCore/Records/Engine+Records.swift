// MVDS's records: offers, requests, messages and acks between two peers (protocol §1).
extension Engine {
    /// The groups that are shared with a session's peer, by their bytes on the wire.
    private func sharedGroup(_ bytes: Bytes, with peer: DeviceKey) -> Int? {
        GroupID(bytes).flatMap { mvdsIndex($0) }.flatMap { mvdsGroups[$0].peers.contains(peer) ? $0 : nil }
    }

    /// Whether a held message belongs to a group that is shared with `peer`.
    private func isShared(_ place: MessagePlace, with peer: DeviceKey) -> Bool {
        mvdsIndex(ofReference: place.group).map { mvdsGroups[$0].peers.contains(peer) } ?? false
    }

    /// What is not 32 bytes long names nothing, and is passed over.
    private func ids(_ list: [Bytes]) -> [EventID] {
        var seen: Set<EventID> = []
        return list.compactMap { EventID($0) }.filter { seen.insert($0).inserted }
    }

    mutating func receiveRecords(
        _ payload: Payload, session received: Int, _ store: any EventStore
    ) throws(StoreError) {
        let peer = sessions[received].link.peer
        // Of several links to a peer one speaks: what is to be answered is noted there.
        guard mvdsGroups.contains(where: { $0.peers.contains(peer) }) else { return }
        let index = speakingSession(to: peer) ?? received
        let acks = ids(payload.acks)
        if !acks.isEmpty {
            try store.removeRecords(of: acks, with: peer)
            for id in acks { sessions[index].records.settled(id) }
        }
        try receiveMessages(payload.messages, session: index, store)
        try receiveRequests(ids(payload.requests), session: index, store)
        try receiveOffers(ids(payload.offers), session: index, store)
    }

    mutating func receiveMessages(
        _ messages: [Message], session index: Int, _ store: any EventStore
    ) throws(StoreError) {
        let peer = sessions[index].link.peer
        var byGroup: [Int: [(id: EventID, message: Message)]] = [:]
        for message in messages {
            guard let group = sharedGroup(message.groupID, with: peer), message.size <= Limits.mvdsMessage else {
                continue
            }
            let id = message.id(using: cryptography)
            if message.metadata?.isEphemeral == true {
                receiveEphemeral(id, message, group: group)
            } else {
                byGroup[group, default: []].append((id, message))
            }
        }
        for (group, received) in byGroup.sorted(by: { $0.key < $1.key }) {
            try take(newMessages(received, store), group: group, from: peer, store)
            // The peer has them: nothing about them is outstanding towards it.
            let ids = received.map(\.id)
            try store.removeRecords(of: ids, with: peer)
            for id in ids {
                sessions[index].records.settled(id)
                sessions[index].records.acks.append(id)
            }
        }
    }

    private mutating func receiveEphemeral(_ id: EventID, _ message: Message, group: Int) {
        guard !mvdsGroups[group].recentEphemeral.contains(id) else { return }
        mvdsGroups[group].recentEphemeral.append(id)
        if mvdsGroups[group].recentEphemeral.count > MVDSReplica.mostRecentEphemeral {
            mvdsGroups[group].recentEphemeral.removeFirst()
        }
        effects.append(
            .receivedEphemeral(
                mvdsGroups[group].id, from: nil, timestamp: message.timestamp, content: Array(message.body)))
    }

    private mutating func receiveRequests(
        _ requests: [EventID], session index: Int, _ store: any EventStore
    ) throws(StoreError) {
        guard !requests.isEmpty else { return }
        let peer = sessions[index].link.peer
        var outstanding: [EventID: SyncRecord] = [:]
        for record in try store.records(of: requests, with: peer) { outstanding[record.id] = record }
        var changed: [SyncRecord] = []
        for (id, held) in zip(requests, try store.places(ofMessages: requests)) {
            guard let held, isShared(held, with: peer) else { continue }
            if var record = outstanding[id] {
                // It was asked for: the offer has done its work.
                record.kind = .message
                record.nextSend = now
                record.isOwn = true
                changed.append(record)
            } else if sessions[index].records.answers.count < Limits.recordAnswers {
                sessions[index].records.answers.append(id)
            }
        }
        try store.put(changed)
    }

    private mutating func receiveOffers(
        _ offers: [EventID], session index: Int, _ store: any EventStore
    ) throws(StoreError) {
        guard !offers.isEmpty else { return }
        let peer = sessions[index].link.peer
        let outstanding = Set(try store.records(of: offers, with: peer).map(\.id))
        var room = Limits.recordRequests - (try store.requestCount(with: peer))
        var requests: [SyncRecord] = []
        for (id, held) in zip(offers, try store.places(ofMessages: offers)) {
            if let held {
                guard isShared(held, with: peer) else { continue }
                // It has what we were about to offer, and learns that so do we.
                try store.removeRecords(of: [id], with: peer)
                sessions[index].records.settled(id)
                sessions[index].records.acks.append(id)
            } else if !outstanding.contains(id), room > 0 {
                room -= 1
                requests.append(SyncRecord(.request, of: id, with: peer, nextSend: now))
            }
        }
        try store.put(requests)
    }

    // MARK: Sending

    /// The one of the sessions with a peer that records are sent by.
    private func speakingSession(to peer: DeviceKey) -> Int? {
        sessions.firstIndex { $0.link.peer == peer && $0.sendsRecords }
    }

    /// Sends what is due towards a session's peer, in payloads of bounded size, while the peer keeps acknowledging.
    mutating func sendRecords(_ index: Int, _ store: any EventStore) throws(StoreError) {
        let peer = sessions[index].link.peer
        sessions[index].records.nextWake = nil
        guard mvdsGroups.contains(where: { $0.peers.contains(peer) }), speakingSession(to: peer) == index,
            !isReconcilingRecords(index)
        else { return }
        var builder = PayloadBuilder()
        for id in sessions[index].records.acks.takeAll() { builder.addAck(id) }
        try answerRequests(index, &builder, store)
        try resendUnderWay(index, &builder, store)
        var isBlocked = false
        while true {
            let due = try store.records(
                with: peer, dueAt: now, kinds: isBlocked ? [.offer, .request] : SyncRecord.Kind.allCases, limit: 256)
            guard !due.isEmpty else { break }
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
                    guard mayBeUnderWay(record.id, index) else {
                        isBlocked = true
                        continue
                    }
                    guard let stored = try store.messages(ids: [record.id])[0], canCarry(stored.message, index) else {
                        dropped.append(record.id)
                        continue
                    }
                    if record.sendCount == 0, !sendsAtOnce(record, bytes: stored.message.size, group: stored.group) {
                        record.kind = .offer
                        builder.addOffer(record.id)
                    } else {
                        sessions[index].records.sent(record.id, bytes: stored.message.size)
                        carry(stored.message, index, &builder)
                    }
                }
                record.sendCount += 1
                record.nextSend = now + backoff(afterSends: record.sendCount)
                sent.append(record)
            }
            try store.put(sent)
            try store.removeRecords(of: dropped, with: peer)
            if sent.isEmpty && dropped.isEmpty && !isBlocked { break }
        }
        for payload in builder.payloads() { send(payload, to: index) }
        // While the window is full, acks open it again, or what is in flight comes due.
        if let next = try store.nextRecord(with: peer) {
            sessions[index].records.nextWake = max(next, isBlocked ? now + Self.firstRetransmission : now + 1)
        }
        if !sessions[index].records.answers.isEmpty { sessions[index].records.nextWake = now + 1 }
    }

    /// Sends again what is under way and has come due: what waits for its first turn must not keep it back.
    private mutating func resendUnderWay(
        _ index: Int, _ builder: inout PayloadBuilder, _ store: any EventStore
    ) throws(StoreError) {
        guard sessions[index].records.inFlightBytes >= RecordSession.window else { return }
        let underWay = sessions[index].records.inFlight.keys.sorted()
        for var record in try store.records(of: underWay, with: sessions[index].link.peer)
        where record.kind == .message && record.nextSend <= now {
            guard let stored = try store.messages(ids: [record.id])[0] else { continue }
            carry(stored.message, index, &builder)
            record.sendCount += 1
            record.nextSend = now + backoff(afterSends: record.sendCount)
            try store.put([record])
        }
    }

    /// Sends again what a peer asks for that has acknowledged it before: as much as may be under way, the rest with the next batch.
    private mutating func answerRequests(
        _ index: Int, _ builder: inout PayloadBuilder, _ store: any EventStore
    ) throws(StoreError) {
        var left = RecordSession.window
        while left > 0, let id = sessions[index].records.answers.first {
            sessions[index].records.answers.removeFirst()
            guard let stored = try store.messages(ids: [id])[0], canCarry(stored.message, index) else {
                continue
            }
            left -= stored.message.size
            carry(stored.message, index, &builder)
        }
    }

    /// Whether a message is counted already, or there is room for one more.
    private func mayBeUnderWay(_ id: EventID, _ index: Int) -> Bool {
        sessions[index].records.inFlight[id] != nil
            || sessions[index].records.inFlightBytes < RecordSession.window
    }

    private func fits(_ message: Message, _ index: Int) -> Bool {
        sessions[index].link.dialect == .mvds || message.size <= Limits.payload + 4_096
    }

    /// Larger messages than a frame of Tombolo's own go in parts, once the peer has shown the group.
    private func canCarry(_ message: Message, _ index: Int) -> Bool {
        fits(message, index) || recordGroup(of: message, session: index) != nil
    }

    private func recordGroup(of message: Message, session index: Int) -> Int? {
        sessions[index].recordGroups.firstIndex { known in
            known.theirNumber != nil && mvdsGroups[known.group].id.bytes[...] == message.groupID
        }
    }

    private mutating func carry(_ message: Message, _ index: Int, _ builder: inout PayloadBuilder) {
        if fits(message, index) { return builder.add(message) }
        guard let group = recordGroup(of: message, session: index) else { return }
        sendInParts(message, group, session: index)
    }

    private func sendsAtOnce(_ record: SyncRecord, bytes: Int, group: Int64) -> Bool {
        guard !record.isOwn || recordMode != .byCost else { return true }
        let others = mvdsIndex(ofReference: group).map { max(0, mvdsGroups[$0].peers.count - 1) } ?? 0
        return recordMode.sendsAtOnce(bytes: bytes, others: others)
    }

    /// Milliseconds after which a first send is repeated.
    static var firstRetransmission: UInt64 { 2_000 }
    /// Milliseconds: no two sends are further apart while the peer is connected.
    static var lastRetransmission: UInt64 { 600_000 }

    /// Doubles up to a ceiling; up to a quarter more, so that peers do not speak in step.
    private mutating func backoff(afterSends count: Int) -> UInt64 {
        let delay = min(Self.firstRetransmission << UInt64(min(count - 1, 20)), Self.lastRetransmission)
        return delay + generator.next(upperBound: delay / 4)
    }

    /// A peer that comes online is told everything outstanding again, as if for the first time.
    mutating func restartRecords(_ index: Int, _ store: any EventStore) throws(StoreError) {
        let peer = sessions[index].link.peer
        guard mvdsGroups.contains(where: { $0.peers.contains(peer) }) else { return }
        try store.restartRecords(with: peer, at: now)
    }
}

/// Fills payloads up to the bound of a stream.
private struct PayloadBuilder {
    private var done: [Payload] = []
    private var payload = Payload()
    private var bytes = 0

    /// Tag, length and 32 bytes.
    private static let idBytes = 36
    private mutating func reserve(_ count: Int) {
        if bytes + count > Limits.payload, !payload.isEmpty {
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

    mutating func payloads() -> [Payload] {
        if !payload.isEmpty { done.append(payload) }
        payload = Payload()
        defer { done = [] }
        return done
    }
}
