// Records of a peer: acks, messages, requests and offers.
extension MVDSSync {
    /// The index of a group that is shared with a peer, by its bytes on the wire.
    private func sharedGroup(_ bytes: Bytes, with peer: DeviceKey) -> Int? {
        GroupID(bytes).flatMap { index(of: $0) }.flatMap { groups[$0].peers.contains(peer) ? $0 : nil }
    }

    /// Whether a held message belongs to a group that is shared with a peer.
    private func isShared(_ place: MessagePlace, with peer: DeviceKey) -> Bool {
        index(ofReference: place.group).map { groups[$0].peers.contains(peer) } ?? false
    }

    /// The ids in a list, each once. Names that are not 32 bytes long are ignored.
    private func ids(_ list: [Bytes]) -> [EventID] {
        var seen: Set<EventID> = []
        return list.compactMap { EventID($0) }.filter { seen.insert($0).inserted }
    }

    /// Receives the records of a payload.
    mutating func receive(
        _ payload: Payload, from session: SessionID, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        guard let received = sessions.index(of: session) else { return }
        let peer = sessions.values[received].link.peer
        guard isShared(with: peer) else { return }
        // Of several links to a peer one sends: the answers are noted there.
        let index = speakingSession(to: peer) ?? received
        let acks = ids(payload.acks)
        if !acks.isEmpty {
            try batch.store.removeRecords(of: acks, with: peer)
            for id in acks { sessions.values[index].records.noteSettled(id) }
        }
        try receive(payload.messages, session: index, in: &batch)
        try receiveRequests(ids(payload.requests), session: index, in: &batch)
        try receiveOffers(ids(payload.offers), session: index, in: &batch)
    }

    mutating func receive(
        _ messages: [Message], session index: Int, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        let peer = sessions.values[index].link.peer
        var byGroup: [Int: [(id: EventID, message: Message)]] = [:]
        for message in messages {
            guard let group = sharedGroup(message.groupID, with: peer), message.size <= Limits.mvdsMessage else {
                continue
            }
            let id = message.id(using: batch.cryptography)
            if message.metadata?.isEphemeral == true {
                receiveEphemeral(id, message, group: group, in: &batch)
            } else {
                byGroup[group, default: []].append((id, message))
            }
        }
        for (group, received) in byGroup.sorted(by: { $0.key < $1.key }) {
            try ingest(unheld(received, in: batch.store), group: group, from: peer, in: &batch)
            // The peer has them: nothing about them is outstanding towards it.
            let ids = received.map(\.id)
            try batch.store.removeRecords(of: ids, with: peer)
            for id in ids {
                sessions.values[index].records.noteSettled(id)
                sessions.values[index].records.acks.append(id)
            }
        }
    }

    private mutating func receiveEphemeral(
        _ id: EventID, _ message: Message, group: Int, in batch: inout Batch<some Cryptography>
    ) {
        guard !groups[group].recentEphemeral.contains(id) else { return }
        groups[group].recentEphemeral.append(id)
        if groups[group].recentEphemeral.count > MVDSGroup.mostRecentEphemeral {
            groups[group].recentEphemeral.removeFirst()
        }
        batch.effects.append(
            .receivedEphemeral(
                groups[group].id, from: nil, timestamp: message.timestamp, content: Array(message.body)))
    }

    private mutating func receiveRequests(
        _ requests: [EventID], session index: Int, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        guard !requests.isEmpty else { return }
        let peer = sessions.values[index].link.peer
        var outstanding: [EventID: SyncRecord] = [:]
        for record in try batch.store.records(of: requests, with: peer) { outstanding[record.id] = record }
        var changed: [SyncRecord] = []
        for (id, held) in zip(requests, try batch.store.places(ofMessages: requests)) {
            guard let held, isShared(held, with: peer) else { continue }
            if var record = outstanding[id] {
                // The offer has done its work.
                record.kind = .message
                record.nextSend = batch.now
                record.isOwn = true
                changed.append(record)
            } else if sessions.values[index].records.answers.count < Limits.recordAnswers {
                sessions.values[index].records.answers.append(id)
            }
        }
        try batch.store.put(changed)
    }

    private mutating func receiveOffers(
        _ offers: [EventID], session index: Int, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        guard !offers.isEmpty else { return }
        let peer = sessions.values[index].link.peer
        let outstanding = Set(try batch.store.records(of: offers, with: peer).map(\.id))
        var room = Limits.recordRequests - (try batch.store.requestCount(with: peer))
        var requests: [SyncRecord] = []
        for (id, held) in zip(offers, try batch.store.places(ofMessages: offers)) {
            if let held {
                guard isShared(held, with: peer) else { continue }
                // The peer has what this device was about to offer, and learns that this device has it too.
                try batch.store.removeRecords(of: [id], with: peer)
                sessions.values[index].records.noteSettled(id)
                sessions.values[index].records.acks.append(id)
            } else if !outstanding.contains(id), room > 0 {
                room -= 1
                requests.append(SyncRecord(.request, of: id, with: peer, nextSend: batch.now))
            }
        }
        try batch.store.put(requests)
    }

    /// The one of the sessions with a peer that sends records.
    func speakingSession(to peer: DeviceKey) -> Int? {
        sessions.values.firstIndex { $0.link.peer == peer && $0.sendsRecords }
    }
}
