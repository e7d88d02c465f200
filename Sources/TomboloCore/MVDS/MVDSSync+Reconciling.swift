internal import SetReconciliation

/// The kinds of messages of a reconciliation: the first byte of `reconcile` (protocol 5.6-4).
private enum SetMessageKind {
    /// A part of a message that continues in the next one.
    static let part: UInt8 = 0
    /// The last part.
    static let last: UInt8 = 1
    /// The first five bytes of each id that is asked for; more follow.
    static let asks: UInt8 = 2
    /// The last of them, which ends the reconciliation.
    static let end: UInt8 = 3
    /// A part of a message of the group that is larger than a frame.
    static let largePart: UInt8 = 4
    static let largeEnd: UInt8 = 5
}

// Between two Tombolo devices, the differences between the two sets of messages are found before records are sent
// (protocol 5.6-2, 5.6-3).
extension MVDSSync {
    // MARK: Introductions

    /// The introductions of groups that are shared with the peer and were not shown yet.
    mutating func introductions(over session: SessionID, using cryptography: some Cryptography) -> [GroupSync] {
        guard let index = sessions.index(of: session) else { return [] }
        return introductions(index, using: cryptography)
    }

    private mutating func introductions(_ index: Int, using cryptography: some Cryptography) -> [GroupSync] {
        let link = sessions.values[index].link
        guard link.dialect == .native else { return [] }
        var shown: [GroupSync] = []
        for group in groups.indices.prefix(Limits.groupsPerSession)
        where groups[group].peers.contains(link.peer)
            && !sessions.values[index].groups.contains(where: { $0.group == group })
        {
            var added = MVDSGroupSession(group: group)
            var sync = GroupSync(number: added.number)
            sync.tag = link.tag(keyedBy: groups[group].id.value, ofDialler: link.isDialler, using: cryptography)
            let root = groups[group].set.root(using: cryptography)
            sync.root = ShownRoot(root, on: link, using: cryptography)
            added.lastRootSent = root
            sessions.values[index].groups.append(added)
            shown.append(sync)
        }
        return shown
    }

    /// Matches the introduction of a group that is shared with the peer.
    ///
    /// - Returns: whether a group here has the tag.
    mutating func match(_ sync: GroupSync, over session: SessionID, using cryptography: some Cryptography) -> Bool {
        guard let index = sessions.index(of: session) else { return false }
        return match(sync, index, using: cryptography)
    }

    private mutating func match(_ sync: GroupSync, _ index: Int, using cryptography: some Cryptography) -> Bool {
        guard let tag = sync.tag, let root = sync.root else { return false }
        let link = sessions.values[index].link
        let found = sessions.values[index].groups.firstIndex { known in
            known.theirNumber == nil
                && link.tag(keyedBy: groups[known.group].id.value, ofDialler: !link.isDialler, using: cryptography)
                    == tag
        }
        guard let found else { return false }
        sessions.values[index].groups[found].theirNumber = sync.number
        sessions.values[index].groups[found].peerRoot = root
        return true
    }

    // MARK: Beginning

    /// Shows groups that were shared since, and begins to reconcile those that both sides have shown.
    mutating func beginReconciliations(
        _ index: Int, unmatched: inout [GroupSync], in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        guard !sessions.values[index].isClosed, sessions.values[index].isReady else { return }
        let late = introductions(index, using: batch.cryptography)
        if !late.isEmpty {
            var payload = Payload()
            payload.groups = late
            batch.send(payload, over: sessions.ids[index])
            // The peer may have shown them before they were shared here.
            unmatched = unmatched.filter { !match($0, index, using: batch.cryptography) }
        }
        for group in sessions.values[index].groups.indices
        where sessions.values[index].groups[group].theirNumber != nil
            && sessions.values[index].groups[group].phase == .introduced
        {
            try begin(group, session: index, in: &batch)
        }
    }

    /// Begins a reconciliation. The dialler sends the first message.
    mutating func begin(
        _ group: Int, session index: Int, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        sessions.values[index].groups[group].snapshot = try batch.store.lastMessage()
        let root = groups[sessions.values[index].groups[group].group].set.root(using: batch.cryptography)
        let peerRoot = sessions.values[index].groups[group].peerRoot
        if peerRoot?.shows(root, on: sessions.values[index].link, using: batch.cryptography) == true {
            return try end(group, session: index, outstanding: [], in: &batch)
        }
        sessions.values[index].groups[group].waitForReconciliation()
        guard sessions.values[index].link.isDialler else { return }
        try reconcile(group, session: index, in: &batch) { reconciler throws(ReconciliationError) in
            ReconciliationStep(reply: try reconciler.initiate())
        }
    }

    // MARK: Finding the difference

    /// Receives the part of a payload that concerns a group of the mvds dialect.
    ///
    /// - Returns: false if the number names none of the session.
    mutating func receive(
        _ sync: GroupSync, from session: SessionID, in batch: inout Batch<some Cryptography>
    ) throws -> Bool {
        guard let index = sessions.index(of: session),
            let group = sessions.values[index].groups.firstIndex(where: { $0.theirNumber == sync.number })
        else { return false }
        if sync.tag == nil, let root = sync.root {
            sessions.values[index].groups[group].peerRoot = root
            sessions.values[index].groups[group].mismatchDeadline = nil
        }
        if let message = sync.reconcile { try receive(message, group, session: index, in: &batch) }
        return true
    }

    private mutating func receive(
        _ bytes: Bytes, _ group: Int, session index: Int, in batch: inout Batch<some Cryptography>
    ) throws {
        guard let kind = bytes.first else { throw WireError.truncated(offset: 0) }
        if kind == SetMessageKind.largePart || kind == SetMessageKind.largeEnd {
            return try receivePart(
                bytes.dropFirst(), isLast: kind == SetMessageKind.largeEnd, group, session: index, in: &batch)
        }
        sessions.values[index].groups[group].report.noteReceived(bytes.count, ends: kind != SetMessageKind.part)
        sessions.values[index].groups[group].partial += bytes.dropFirst()
        guard sessions.values[index].groups[group].partial.count <= Limits.setMessage else {
            throw WireError.tooLarge("a message of a reconciliation", limit: Limits.setMessage)
        }
        if kind == SetMessageKind.part || kind == SetMessageKind.asks { return }
        let message = sessions.values[index].groups[group].partial
        sessions.values[index].groups[group].partial = []
        sessions.values[index].groups[group].messages += 1
        guard sessions.values[index].groups[group].messages <= Limits.setMessages else {
            throw EngineError.protocolViolation("its reconciliation does not end")
        }
        switch kind {
        case SetMessageKind.last:
            if sessions.values[index].groups[group].phase == .bringing, !sessions.values[index].link.isDialler {
                // The dialler has found that the two still differ.
                sessions.values[index].groups[group].progress = nil
                sessions.values[index].groups[group].snapshot = try batch.store.lastMessage()
                sessions.values[index].groups[group].waitForReconciliation()
            }
            guard sessions.values[index].groups[group].phase != .bringing else {
                throw EngineError.protocolViolation("it continued a reconciliation that has ended")
            }
            try reconcile(group, session: index, in: &batch) { reconciler throws(ReconciliationError) in
                try reconciler.reconcile(message)
            }
        case SetMessageKind.end where !sessions.values[index].link.isDialler:
            try bring(asked: message, group, session: index, in: &batch)
        default: throw WireError.invalid("the kind of a message of a reconciliation", offset: 0)
        }
    }

    /// Advances a reconciliation, and sends the answer.
    private mutating func reconcile(
        _ group: Int, session index: Int, in batch: inout Batch<some Cryptography>,
        _ body: (inout AdaptiveReconciler<StoredMessages>) throws(ReconciliationError) -> ReconciliationStep
    ) throws(StoreError) {
        let set = groups[sessions.values[index].groups[group].group].set
        let messages = try set.messages(in: batch.store)
        // A difference that coded symbols did not find whole is found by ranges.
        let mostCells = sessions.values[index].groups[group].repairs > 0 ? 0 : Limits.setCells
        let cryptography = batch.cryptography
        var reconciler = AdaptiveReconciler(
            messages, resuming: sessions.values[index].groups[group].progress, sketch: set.sketch, key: set.sketch.key,
            options: AdaptiveOptions(
                isKnownToDiffer: true, namesByPrefix: true, mostCells: mostCells, frameLimit: Limits.setFrame),
            sha256: { cryptography.sha256($0).bytes })
        let step: ReconciliationStep
        do throws(ReconciliationError) {
            step = try body(&reconciler)
        } catch {
            if let failure = messages.failure { throw failure }
            if case .storage = error { throw MessageSet.broken(error) }
            return fail(index, "\(error)")
        }
        sessions.values[index].groups[group].progress = reconciler.progress
        sessions.values[index].groups[group].report.strategy = reconciler.strategy == .range ? .range : .rateless
        guard sessions.values[index].link.isDialler else {
            if let reply = step.reply { send(reply, last: SetMessageKind.last, group, session: index, in: &batch) }
            return
        }
        sessions.values[index].groups[group].have += step.have.compactMap { EventID($0.bytes) }
        sessions.values[index].groups[group].need += step.need.map(\.prefix) + step.needPrefixes
        guard let reply = step.reply else { return try tellNeeds(group, session: index, in: &batch) }
        send(reply, last: SetMessageKind.last, group, session: index, in: &batch)
    }

    /// Has the engine close a session for a peer that does not follow the protocol.
    private mutating func fail(_ index: Int, _ reason: String) {
        guard sessions.values[index].failure == nil else { return }
        sessions.values[index].failure = .protocolViolation(reason)
        sessions.values[index].isClosed = true
    }

    /// The reason why the engine must close a session; nil if it need not.
    func failure(of session: SessionID) -> EngineError? {
        sessions.index(of: session).flatMap { sessions.values[$0].failure }
    }

    private mutating func send(
        _ message: [UInt8], last: UInt8, _ group: Int, session index: Int, in batch: inout Batch<some Cryptography>
    ) {
        let more = last == SetMessageKind.end ? SetMessageKind.asks : SetMessageKind.part
        let bytes = sendParts(of: message[...], more: more, last: last, group, session: index, in: &batch)
        sessions.values[index].groups[group].report.noteSent(bytes)
        sessions.values[index].groups[group].bytesSent += bytes
        // A few bytes can ask for very many. The bound ends that.
        if sessions.values[index].groups[group].bytesSent > Limits.setBytes {
            fail(index, "its reconciliation requested more than \(Limits.setBytes) bytes")
        }
    }

    /// Sends bytes in as many parts as it takes, each behind its kind.
    ///
    /// - Returns: the bytes of all parts.
    private mutating func sendParts(
        of whole: Bytes, more: UInt8, last: UInt8, _ group: Int, session index: Int,
        in batch: inout Batch<some Cryptography>
    ) -> Int {
        var (left, bytes) = (whole, 0)
        repeat {
            let part = left.prefix(Limits.payload - 1_024)
            left = left.dropFirst(part.count)
            var sync = GroupSync(number: sessions.values[index].groups[group].number)
            sync.reconcile = [left.isEmpty ? last : more] + part
            bytes += part.count + 1
            batch.send(sync, over: sessions.ids[index])
        } while !left.isEmpty
        return bytes
    }

    /// Tells the listener which messages the dialler lacks, and makes records of those that the listener lacks.
    private mutating func tellNeeds(
        _ group: Int, session index: Int, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        let (have, need) = (sessions.values[index].groups[group].have, sessions.values[index].groups[group].need)
        sessions.values[index].groups[group].report.logs = have.count + need.count
        var asks: [UInt8] = []
        for prefix in need { asks.append(prefix: prefix) }
        send(asks, last: SetMessageKind.end, group, session: index, in: &batch)
        sessions.values[index].groups[group].have = []
        sessions.values[index].groups[group].need = []
        try end(group, session: index, outstanding: have, in: &batch)
    }

    /// Makes records of the messages that the dialler lacks.
    private mutating func bring(
        asked: [UInt8], _ group: Int, session index: Int, in batch: inout Batch<some Cryptography>
    ) throws {
        // Not more messages than there are.
        let count = groups[sessions.values[index].groups[group].group].set.count
        guard sessions.values[index].groups[group].phase == .reconciling, asked.count.isMultiple(of: 5),
            asked.count / 5 <= count
        else { throw EngineError.protocolViolation("it requested messages out of turn") }
        var reader = WireReader(asked[...])
        var prefixes: Set<UInt64> = []
        while !reader.isAtEnd { prefixes.insert(try reader.prefix()) }
        let reference = groups[sessions.values[index].groups[group].group].record.reference
        let ids = try batch.store.messageIDs(withPrefixes: prefixes.sorted(), inGroup: reference)
        sessions.values[index].groups[group].report.logs = ids.count
        try end(group, session: index, outstanding: ids, in: &batch)
    }

    /// Ends a reconciliation. The messages that the peer lacks are outstanding towards it, and those that came
    /// meanwhile.
    private mutating func end(
        _ group: Int, session index: Int, outstanding ids: [EventID], in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        let peer = sessions.values[index].link.peer
        sessions.values[index].groups[group].phase = .bringing
        sessions.values[index].groups[group].progress = nil
        try batch.store.replaceRecords(
            with: peer, inGroup: groups[sessions.values[index].groups[group].group].record.reference,
            upTo: sessions.values[index].groups[group].snapshot,
            by: ids.map { SyncRecord(.message, of: $0, with: peer, isOwn: true, nextSend: batch.now) })
    }

    // MARK: Large messages

    mutating func sendInParts(
        _ message: Message, _ group: Int, session index: Int, in batch: inout Batch<some Cryptography>
    ) {
        _ = sendParts(
            of: message.encoded[...], more: SetMessageKind.largePart, last: SetMessageKind.largeEnd, group,
            session: index, in: &batch)
    }

    private mutating func receivePart(
        _ part: Bytes, isLast: Bool, _ group: Int, session index: Int, in batch: inout Batch<some Cryptography>
    ) throws {
        sessions.values[index].groups[group].largePart += part
        guard sessions.values[index].groups[group].largePart.count <= Limits.mvdsMessage else {
            throw WireError.tooLarge("a message", limit: Limits.mvdsMessage)
        }
        guard isLast else { return }
        let message = try Message(decoding: sessions.values[index].groups[group].largePart[...])
        sessions.values[index].groups[group].largePart = []
        try receive([message], session: index, in: &batch)
    }
}
