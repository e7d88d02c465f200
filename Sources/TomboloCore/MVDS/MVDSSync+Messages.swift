// Messages of groups of the mvds dialect: appended by this device, or received (protocol 1-9 to 1-14).
extension MVDSSync {
    /// Parents of a message that are not held, or wait themselves.
    static func missingParents(of message: Message, in store: any EventStore) throws(StoreError) -> Set<EventID> {
        let parents = (message.metadata?.parents ?? []).prefix(Limits.references).compactMap { EventID($0) }
        guard !parents.isEmpty else { return [] }
        let found = try store.places(ofMessages: parents)
        return Set(zip(parents, found).filter { $0.1?.status != .delivered }.map(\.0))
    }

    // MARK: Requests of the application

    /// Appends a message of this device.
    mutating func append(
        _ request: RequestID, group index: Int, _ content: [UInt8], in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        let parents = groups[index].heads.suffix(groups[index].peers.count + 1)
        var message = Message(
            groupID: groups[index].id.bytes[...], timestamp: Int64(batch.now / 1_000), body: content[...],
            metadata: Message.Metadata(parents: parents.map { $0.bytes[...] }))
        var id = message.id(using: batch.cryptography)
        // The dialect tells messages of one second apart by their text alone: the same text gets the next second.
        while try batch.store.places(ofMessages: [id])[0] != nil {
            message.timestamp += 1
            id = message.id(using: batch.cryptography)
        }
        try ingest([(id, message)], group: index, from: nil, in: &batch)
        batch.effects.append(.appended(request, id))
    }

    /// Ingests messages that come from elsewhere than a link, as if this device had written them.
    mutating func ingest(
        _ request: RequestID, group index: Int, _ messages: [Message], in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        guard messages.allSatisfy({ $0.groupID == groups[index].id.bytes[...] }) else {
            return batch.fail(request, .unknownGroup(groups[index].id))
        }
        guard messages.allSatisfy({ $0.body.count <= Limits.mvdsBody }) else {
            return batch.fail(request, .contentTooLarge(limit: Limits.mvdsBody))
        }
        let new = try unheld(messages.map { ($0.id(using: batch.cryptography), $0) }, in: batch.store)
        try ingest(new, group: index, from: nil, in: &batch)
        batch.effects.append(.ingested(request, accepted: new.count, held: messages.count - new.count))
    }

    /// Sends a message to all peers of the group that are connected, without storing it.
    mutating func broadcast(
        _ request: RequestID, group index: Int, _ content: [UInt8], in batch: inout Batch<some Cryptography>
    ) {
        let message = Message(
            groupID: groups[index].id.bytes[...], timestamp: Int64(batch.now / 1_000), body: content[...],
            metadata: Message.Metadata(isEphemeral: true))
        for session in sessions.values where groups[index].peers.contains(session.link.peer) {
            guard session.sendsRecords else { continue }
            var payload = Payload()
            payload.messages = [message]
            batch.send(payload, over: session.link.session)
        }
        batch.effects.append(.appended(request, message.id(using: batch.cryptography)))
    }

    // MARK: Ingesting

    /// The messages that are not held, each once.
    func unheld(
        _ messages: [(id: EventID, message: Message)], in store: any EventStore
    ) throws(StoreError) -> [(id: EventID, message: Message)] {
        var seen: Set<EventID> = []
        let held = try store.places(ofMessages: messages.map(\.id))
        return zip(messages, held).filter { $0.1 == nil && seen.insert($0.0.id).inserted }.map(\.0)
    }

    /// Stores new messages of a group, delivers those with all parents held, and makes records towards the other peers.
    ///
    /// - Parameter peer: the sender, which is not sent them again; nil for messages of this device.
    mutating func ingest(
        _ messages: [(id: EventID, message: Message)], group index: Int, from peer: DeviceKey?,
        in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        guard !messages.isEmpty else { return }
        let reference = groups[index].record.reference
        var asked: [SyncRecord] = []
        var times: [MessageTime] = []
        for (id, message) in messages {
            let missing = try Self.missingParents(of: message, in: batch.store)
            let waits = !missing.isEmpty && groups[index].waiting.count < MVDSGroup.mostWaiting && peer != nil
            let ordinal = try batch.store.insert([
                StoredMessage(
                    ordinal: 0, group: reference, status: waits ? .waiting : .delivered, id: id, message: message)
            ])
            times.append(MessageTime(ordinal: ordinal, id: id, timestamp: message.timestamp))
            if waits, let peer {
                groups[index].waiting.append(
                    .init(id: id, ordinal: ordinal, missing: missing, deadline: batch.now + MVDSGroup.patience))
                let held = try batch.store.places(ofMessages: missing.sorted())
                asked += zip(missing.sorted(), held).filter { $0.1 == nil }.map {
                    SyncRecord(.request, of: $0.0, with: peer, nextSend: batch.now)
                }
            } else {
                groups[index].noteDelivered(id, message)
                try deliverWaiting(for: id, group: index, in: batch.store)
            }
        }
        try groups[index].set.insert(times, in: batch.store, using: batch.cryptography)
        try batch.store.setMessageHeads(groups[index].heads, inGroup: reference)
        try batch.store.removeRequests(of: messages.map(\.id))
        if let peer, !asked.isEmpty {
            let room = Limits.recordRequests - (try batch.store.requestCount(with: peer))
            try batch.store.put(Array(asked.prefix(max(0, room))))
        }
        for other in groups[index].peers where other != peer {
            try batch.store.put(
                messages.map { SyncRecord(.message, of: $0.id, with: other, isOwn: peer == nil, nextSend: batch.now) })
        }
        batch.effects.append(.changed(groups[index].id))
    }

    /// Delivers messages that waited for `first` alone, and those that waited for these in turn.
    private mutating func deliverWaiting(
        for first: EventID, group index: Int, in store: any EventStore
    ) throws(StoreError) {
        var delivered = [first]
        while let id = delivered.popLast() {
            for position in groups[index].waiting.indices { groups[index].waiting[position].missing.remove(id) }
            let ready = groups[index].waiting.filter(\.missing.isEmpty)
            try deliver(ready, group: index, in: store)
            delivered += ready.map(\.id)
        }
    }

    private mutating func deliver(
        _ ready: [MVDSGroup.Waiting], group index: Int, in store: any EventStore
    ) throws(StoreError) {
        guard !ready.isEmpty else { return }
        let ids = Set(ready.map(\.id))
        groups[index].waiting.removeAll { ids.contains($0.id) }
        try store.deliverMessages(ordinals: ready.map(\.ordinal), inGroup: groups[index].record.reference)
        for stored in try store.messages(ids: ready.map(\.id)) {
            if let stored { groups[index].noteDelivered(stored.id, stored.message) }
        }
    }

    /// Delivers messages that have waited long enough, since parents are hints in this dialect.
    mutating func deliverOverdue(in batch: inout Batch<some Cryptography>) throws(StoreError) {
        for index in groups.indices {
            let overdue = groups[index].waiting.filter { $0.deadline <= batch.now }
            guard !overdue.isEmpty else { continue }
            for waiting in overdue where groups[index].waiting.contains(where: { $0.id == waiting.id }) {
                try deliver([waiting], group: index, in: batch.store)
                try deliverWaiting(for: waiting.id, group: index, in: batch.store)
            }
            try batch.store.setMessageHeads(groups[index].heads, inGroup: groups[index].record.reference)
            batch.effects.append(.changed(groups[index].id))
        }
    }
}
