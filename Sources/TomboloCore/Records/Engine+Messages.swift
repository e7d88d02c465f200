// Groups of the mvds dialect: what is said in them, here and elsewhere (protocol §1).
extension Engine {
    func mvdsIndex(_ id: GroupID) -> Int? { mvdsGroups.firstIndex { $0.id == id } }

    func mvdsIndex(ofReference reference: Int64) -> Int? {
        mvdsGroups.firstIndex { $0.record.reference == reference }
    }

    static func openMVDS(
        _ record: GroupRecord, _ store: any EventStore, now: UInt64, _ cryptography: Crypto
    ) throws(StoreError) -> MVDSReplica {
        var replica = MVDSReplica(
            record: record, peers: try store.peers(sharing: record.reference),
            heads: try store.messageHeads(inGroup: record.reference, limit: Limits.references),
            set: try MessageSet(of: record, store, cryptography))
        for stored in try store.waitingMessages(inGroup: record.reference) {
            let missing = try Self.missingParents(of: stored.message, store)
            replica.waiting.append(
                .init(id: stored.id, ordinal: stored.ordinal, missing: missing, deadline: now))
        }
        return replica
    }

    /// Parents of a message that are not held or wait themselves.
    private static func missingParents(
        of message: Message, _ store: any EventStore
    ) throws(StoreError) -> Set<EventID> {
        let parents = (message.metadata?.parents ?? []).prefix(Limits.references).compactMap { EventID($0) }
        guard !parents.isEmpty else { return [] }
        let found = try store.places(ofMessages: parents)
        return Set(zip(parents, found).filter { $0.1?.status != .delivered }.map(\.0))
    }

    mutating func createMVDSGroup(
        _ request: RequestID, _ id: GroupID?, name: String, _ store: any EventStore
    ) throws(StoreError) {
        let id = id ?? GroupID(.random(using: &generator))
        guard mvdsIndex(id) == nil, groupIndex(id) == nil else {
            return effects.append(.failed(request, .groupExists(id)))
        }
        var record = GroupRecord(id: id, dialect: .mvds, statement: [], discovery: .zero, name: name)
        try store.put(&record)
        mvdsGroups.append(try Self.openMVDS(record, store, now: now, cryptography))
        effects.append(.created(request, id))
    }

    mutating func share(
        _ request: RequestID, _ group: GroupID, with peer: DeviceKey, _ store: any EventStore
    ) throws(StoreError) {
        guard let index = mvdsIndex(group) else {
            return effects.append(.failed(request, groupIndex(group) == nil ? .unknownGroup(group) : .notMVDS(group)))
        }
        try addPeer(peer, addresses: [], store)
        try store.share(mvdsGroups[index].record.reference, with: peer)
        mvdsGroups[index].peers = try store.peers(sharing: mvdsGroups[index].record.reference)
        effects.append(.created(request, group))
    }

    // MARK: Writing

    /// Says something in a group of the mvds dialect.
    mutating func appendMessage(
        _ request: RequestID, _ index: Int, _ content: [UInt8], _ store: any EventStore
    ) throws(StoreError) {
        let parents = mvdsGroups[index].heads.suffix(mvdsGroups[index].peers.count + 1)
        var message = Message(
            groupID: mvdsGroups[index].id.bytes[...], timestamp: Int64(now / 1_000), body: content[...],
            metadata: Message.Metadata(parents: parents.map { $0.bytes[...] }))
        var id = message.id(using: cryptography)
        // The dialect tells messages of one second apart by their text alone: the same text is said a second later.
        while try store.places(ofMessages: [id])[0] != nil {
            message.timestamp += 1
            id = message.id(using: cryptography)
        }
        try take([(id, message)], group: index, from: nil, store)
        effects.append(.appended(request, id))
    }

    /// Takes messages that come from elsewhere than a link, as if said here.
    mutating func ingestMessages(
        _ request: RequestID, _ index: Int, _ messages: [Message], _ store: any EventStore
    ) throws(StoreError) {
        guard messages.allSatisfy({ $0.groupID == mvdsGroups[index].id.bytes[...] }) else {
            return effects.append(.failed(request, .unknownGroup(mvdsGroups[index].id)))
        }
        guard messages.allSatisfy({ $0.body.count <= Limits.mvdsBody }) else {
            return effects.append(.failed(request, .contentTooLarge(limit: Limits.mvdsBody)))
        }
        let new = try newMessages(messages.map { ($0.id(using: cryptography), $0) }, store)
        try take(new, group: index, from: nil, store)
        effects.append(.ingested(request, accepted: new.count, held: messages.count - new.count))
    }

    mutating func broadcastMessage(_ request: RequestID, _ index: Int, _ content: [UInt8]) {
        let message = Message(
            groupID: mvdsGroups[index].id.bytes[...], timestamp: Int64(now / 1_000), body: content[...],
            metadata: Message.Metadata(isEphemeral: true))
        for session in sessions.indices where mvdsGroups[index].peers.contains(sessions[session].link.peer) {
            guard sessions[session].sendsRecords else { continue }
            var payload = Payload()
            payload.messages = [message]
            send(payload, to: session)
        }
        effects.append(.appended(request, message.id(using: cryptography)))
    }

    // MARK: Taking

    /// Of these, what is not held, each once.
    func newMessages(
        _ messages: [(id: EventID, message: Message)], _ store: any EventStore
    ) throws(StoreError) -> [(id: EventID, message: Message)] {
        var seen: Set<EventID> = []
        let held = try store.places(ofMessages: messages.map(\.id))
        return zip(messages, held).filter { $0.1 == nil && seen.insert($0.0.id).inserted }.map(\.0)
    }

    /// Stores new messages of a group, delivers those whose parents are here, and passes them on.
    ///
    /// - Parameter peer: who sent them, and so is not sent them again; nil for our own.
    mutating func take(
        _ messages: [(id: EventID, message: Message)], group index: Int, from peer: DeviceKey?, _ store: any EventStore
    ) throws(StoreError) {
        guard !messages.isEmpty else { return }
        let reference = mvdsGroups[index].record.reference
        var asked: [SyncRecord] = []
        var times: [MessageTime] = []
        for (id, message) in messages {
            let missing = try Self.missingParents(of: message, store)
            let waits = !missing.isEmpty && mvdsGroups[index].waiting.count < MVDSReplica.mostWaiting && peer != nil
            let ordinal = try store.insert([
                StoredMessage(
                    ordinal: 0, group: reference, status: waits ? .waiting : .delivered, id: id, message: message)
            ])
            times.append(MessageTime(ordinal: ordinal, id: id, timestamp: message.timestamp))
            if waits, let peer {
                mvdsGroups[index].waiting.append(
                    .init(id: id, ordinal: ordinal, missing: missing, deadline: now + MVDSReplica.patience))
                let held = try store.places(ofMessages: missing.sorted())
                asked += zip(missing.sorted(), held).filter { $0.1 == nil }.map {
                    SyncRecord(.request, of: $0.0, with: peer, nextSend: now)
                }
            } else {
                noteDelivered(id, message, group: index)
                try deliverWaiting(for: id, group: index, store)
            }
        }
        try mvdsGroups[index].set.insert(times, store, cryptography)
        try store.setMessageHeads(mvdsGroups[index].heads, inGroup: reference)
        try store.removeRequests(of: messages.map(\.id))
        if let peer, !asked.isEmpty {
            let room = Limits.recordRequests - (try store.requestCount(with: peer))
            try store.put(Array(asked.prefix(max(0, room))))
        }
        let others = mvdsGroups[index].peers.filter { $0 != peer }
        for other in others {
            try store.put(
                messages.map { SyncRecord(.message, of: $0.id, with: other, isOwn: peer == nil, nextSend: now) })
        }
        effects.append(.changed(mvdsGroups[index].id))
    }

    private mutating func noteDelivered(_ id: EventID, _ message: Message, group index: Int) {
        let parents = Set((message.metadata?.parents ?? []).compactMap { EventID($0) })
        mvdsGroups[index].heads.removeAll { parents.contains($0) }
        mvdsGroups[index].heads.append(id)
        if mvdsGroups[index].heads.count > Limits.references { mvdsGroups[index].heads.removeFirst() }
    }

    /// Delivers what waited for `first` alone, and what waited for that in turn.
    private mutating func deliverWaiting(
        for first: EventID, group index: Int, _ store: any EventStore
    ) throws(StoreError) {
        var delivered = [first]
        while let id = delivered.popLast() {
            for position in mvdsGroups[index].waiting.indices { mvdsGroups[index].waiting[position].missing.remove(id) }
            let ready = mvdsGroups[index].waiting.filter(\.missing.isEmpty)
            try deliver(ready, group: index, store)
            delivered += ready.map(\.id)
        }
    }

    private mutating func deliver(
        _ ready: [MVDSReplica.Waiting], group index: Int, _ store: any EventStore
    ) throws(StoreError) {
        guard !ready.isEmpty else { return }
        let ids = Set(ready.map(\.id))
        mvdsGroups[index].waiting.removeAll { ids.contains($0.id) }
        try store.deliverMessages(ordinals: ready.map(\.ordinal), inGroup: mvdsGroups[index].record.reference)
        for stored in try store.messages(ids: ready.map(\.id)) {
            if let stored { noteDelivered(stored.id, stored.message, group: index) }
        }
    }

    /// Delivers what has waited long enough: parents are hints in this dialect.
    mutating func deliverOverdue(_ store: any EventStore) throws(StoreError) {
        for index in mvdsGroups.indices {
            let overdue = mvdsGroups[index].waiting.filter { $0.deadline <= now }
            guard !overdue.isEmpty else { continue }
            for waiting in overdue where mvdsGroups[index].waiting.contains(where: { $0.id == waiting.id }) {
                try deliver([waiting], group: index, store)
                try deliverWaiting(for: waiting.id, group: index, store)
            }
            try store.setMessageHeads(mvdsGroups[index].heads, inGroup: mvdsGroups[index].record.reference)
            effects.append(.changed(mvdsGroups[index].id))
        }
    }
}
