internal import SetReconciliation

/// What the first byte of `reconcile` says (protocol §5.6).
private enum SetMessageKind {
    /// Part of a message of the adaptive reconciliation that goes on in the next.
    static let part: UInt8 = 0
    /// The last part.
    static let last: UInt8 = 1
    /// How the ids begin that are asked for, five bytes each; more follow.
    static let asks: UInt8 = 2
    /// The last of them: the end.
    static let end: UInt8 = 3
    /// Part of a message of the group that is larger than a frame.
    static let largePart: UInt8 = 4
    static let largeEnd: UInt8 = 5
}

// Groups of the mvds dialect between two Tombolo devices: before records flow, it is found out what the two differ in (protocol
// §5.6). Then records bring it, and digests are compared.
extension Engine {
    // MARK: Introductions

    /// Shows the groups that are shared with the peer and were not shown yet.
    mutating func introduceRecordGroups(_ index: Int) -> [GroupSync] {
        let link = sessions[index].link
        guard link.dialect == .native else { return [] }
        var shown: [GroupSync] = []
        for group in mvdsGroups.indices.prefix(Limits.groupsPerSession)
        where mvdsGroups[group].peers.contains(link.peer)
            && !sessions[index].recordGroups.contains(where: { $0.group == group })
        {
            var added = RecordGroupSession(group: group)
            var sync = GroupSync(number: added.number)
            sync.tag = tag(keyedBy: mvdsGroups[group].id.value, link, ofDialler: link.isDialler)
            let root = mvdsGroups[group].set.root(using: cryptography)
            sync.root = ShownRoot(root, on: link, using: cryptography)
            added.lastRootSent = root
            sessions[index].recordGroups.append(added)
            shown.append(sync)
        }
        return shown
    }

    /// Finds the group of the mvds dialect that a tag names.
    ///
    /// - Returns: whether it is one of those that are shared with the peer.
    mutating func matchRecordGroup(_ sync: GroupSync, _ tag: Bytes, _ root: ShownRoot, _ index: Int) -> Bool {
        let link = sessions[index].link
        let found = sessions[index].recordGroups.firstIndex { known in
            known.theirNumber == nil
                && self.tag(keyedBy: mvdsGroups[known.group].id.value, link, ofDialler: !link.isDialler) == tag
        }
        guard let found else { return false }
        sessions[index].recordGroups[found].theirNumber = sync.number
        sessions[index].recordGroups[found].peerRoot = root
        return true
    }

    // MARK: Bringing it forward

    /// At the end of a batch, before records are sent.
    mutating func advanceRecordGroups(_ index: Int, _ store: any EventStore) throws(StoreError) {
        guard !sessions[index].isClosed, sessions[index].hasGreeted, sessions[index].hasHeardHello else { return }
        let late = introduceRecordGroups(index)
        if !late.isEmpty {
            var payload = Payload()
            payload.groups = late
            send(payload, to: index)
            // The peer may have shown them before they were shared here.
            sessions[index].unmatched = sessions[index].unmatched.filter { shown in
                guard let tag = shown.tag, let root = shown.root else { return false }
                return !matchRecordGroup(shown, tag, root, index)
            }
        }
        for group in sessions[index].recordGroups.indices
        where sessions[index].recordGroups[group].theirNumber != nil
            && sessions[index].recordGroups[group].phase == .introduced
        {
            try beginReconciling(group, session: index, store)
        }
    }

    /// At the end of a batch, after records were sent.
    mutating func settleRecordGroups(_ index: Int, _ store: any EventStore) throws(StoreError) {
        for group in sessions[index].recordGroups.indices where sessions[index].recordGroups[group].phase == .bringing {
            try settleRecordGroup(group, session: index, store)
        }
    }

    private mutating func beginReconciling(
        _ group: Int, session index: Int, _ store: any EventStore
    ) throws(StoreError) {
        sessions[index].recordGroups[group].snapshot = try store.lastMessage()
        let root = mvdsGroups[sessions[index].recordGroups[group].group].set.root(using: cryptography)
        if sessions[index].recordGroups[group].peerRoot?.shows(root, on: sessions[index].link, using: cryptography)
            == true
        {
            return try endReconciling(group, session: index, outstanding: [], store)
        }
        waitForReconciliation(group, session: index)
        guard sessions[index].link.isDialler else { return }
        try reconcile(group, session: index, store) { reconciler throws(ReconciliationError) in
            ReconciliationStep(reply: try reconciler.initiate())
        }
    }

    /// Until it has ended, nothing is compared.
    private mutating func waitForReconciliation(_ group: Int, session index: Int) {
        sessions[index].recordGroups[group].phase = .reconciling
        sessions[index].recordGroups[group].rootDeadline = nil
        sessions[index].recordGroups[group].mismatchDeadline = nil
    }

    /// Whether records of a session wait until it is known which of them are needed.
    func isReconcilingRecords(_ index: Int) -> Bool {
        sessions[index].recordGroups.contains { $0.theirNumber != nil && $0.phase != .bringing }
    }

    // MARK: Finding the difference

    mutating func receiveSetMessage(
        _ bytes: Bytes, _ group: Int, session index: Int, _ store: any EventStore
    ) throws {
        guard let kind = bytes.first else { throw WireError.truncated(offset: 0) }
        if kind == SetMessageKind.largePart || kind == SetMessageKind.largeEnd {
            return try receivePart(
                bytes.dropFirst(), isLast: kind == SetMessageKind.largeEnd, group, session: index, store)
        }
        sessions[index].recordGroups[group].report.noteReceived(bytes.count, ends: kind != SetMessageKind.part)
        sessions[index].recordGroups[group].partial += bytes.dropFirst()
        guard sessions[index].recordGroups[group].partial.count <= Limits.setMessage else {
            throw WireError.tooLarge("a message of a reconciliation", limit: Limits.setMessage)
        }
        if kind == SetMessageKind.part || kind == SetMessageKind.asks { return }
        let message = sessions[index].recordGroups[group].partial
        sessions[index].recordGroups[group].partial = []
        sessions[index].recordGroups[group].messages += 1
        guard sessions[index].recordGroups[group].messages <= Limits.setMessages else {
            throw EngineError.protocolViolation("a reconciliation without end")
        }
        switch kind {
        case SetMessageKind.last:
            if sessions[index].recordGroups[group].phase == .bringing, !sessions[index].link.isDialler {
                // The dialler has found that the two still differ.
                sessions[index].recordGroups[group].progress = nil
                sessions[index].recordGroups[group].snapshot = try store.lastMessage()
                waitForReconciliation(group, session: index)
            }
            guard sessions[index].recordGroups[group].phase != .bringing else {
                throw EngineError.protocolViolation("a message of a reconciliation that has ended")
            }
            try reconcile(group, session: index, store) { reconciler throws(ReconciliationError) in
                try reconciler.reconcile(message)
            }
        case SetMessageKind.end where !sessions[index].link.isDialler:
            try bring(asked: message, group, session: index, store)
        default: throw WireError.invalid("the kind of a message of a reconciliation", offset: 0)
        }
    }

    /// Goes on with a reconciliation, and sends what comes of it.
    private mutating func reconcile(
        _ group: Int, session index: Int, _ store: any EventStore,
        _ body: (inout AdaptiveReconciler<StoredMessages>) throws(ReconciliationError) -> ReconciliationStep
    ) throws(StoreError) {
        let set = mvdsGroups[sessions[index].recordGroups[group].group].set
        let messages = try set.messages(in: store)
        // What was found by coded symbols and turned out not to be all is found by ranges.
        let mostCells = sessions[index].recordGroups[group].repairs > 0 ? 0 : Limits.setCells
        let cryptography = cryptography
        var reconciler = AdaptiveReconciler(
            messages, resuming: sessions[index].recordGroups[group].progress, sketch: set.sketch, key: set.sketch.key,
            options: AdaptiveOptions(
                isKnownToDiffer: true, namesByPrefix: true, mostCells: mostCells, frameLimit: Limits.setFrame),
            sha256: { cryptography.sha256($0).bytes })
        let step: ReconciliationStep
        do throws(ReconciliationError) {
            step = try body(&reconciler)
        } catch {
            if let failure = messages.failure { throw failure }
            if case .storage = error { throw MessageSet.broken(error) }
            return close(index, "\(error)")
        }
        sessions[index].recordGroups[group].progress = reconciler.progress
        sessions[index].recordGroups[group].report.strategy = reconciler.strategy == .range ? .range : .rateless
        guard sessions[index].link.isDialler else {
            if let reply = step.reply { sendSetMessage(reply, last: SetMessageKind.last, group, session: index) }
            return
        }
        sessions[index].recordGroups[group].have += step.have.compactMap { EventID($0.bytes) }
        sessions[index].recordGroups[group].need += step.need.map(\.prefix) + step.needPrefixes
        guard let reply = step.reply else { return try tellNeeds(group, session: index, store) }
        sendSetMessage(reply, last: SetMessageKind.last, group, session: index)
    }

    private mutating func sendSetMessage(_ message: [UInt8], last: UInt8, _ group: Int, session index: Int) {
        let more = last == SetMessageKind.end ? SetMessageKind.asks : SetMessageKind.part
        let bytes = sendParts(of: message[...], more: more, last: last, group, session: index)
        sessions[index].recordGroups[group].report.noteSent(bytes)
        sessions[index].recordGroups[group].bytesSent += bytes
        // A few bytes can ask for very many: not again and again.
        if sessions[index].recordGroups[group].bytesSent > Limits.setBytes {
            close(index, "it asks for more than \(Limits.setBytes) bytes to find what differs")
        }
    }

    /// Sends something in as many parts as it takes, each behind its kind.
    ///
    /// - Returns: the bytes of all parts.
    private mutating func sendParts(
        of whole: Bytes, more: UInt8, last: UInt8, _ group: Int, session index: Int
    ) -> Int {
        var (left, bytes) = (whole, 0)
        repeat {
            let part = left.prefix(Limits.payload - 1_024)
            left = left.dropFirst(part.count)
            var sync = GroupSync(number: sessions[index].recordGroups[group].number)
            sync.reconcile = [left.isEmpty ? last : more] + part
            bytes += part.count + 1
            send(sync, to: index)
        } while !left.isEmpty
        return bytes
    }

    /// The dialler knows the difference: it brings what the listener lacks, and asks for what it lacks itself.
    private mutating func tellNeeds(_ group: Int, session index: Int, _ store: any EventStore) throws(StoreError) {
        let (have, need) = (sessions[index].recordGroups[group].have, sessions[index].recordGroups[group].need)
        sessions[index].recordGroups[group].report.logs = have.count + need.count
        var asks: [UInt8] = []
        for prefix in need { asks.append(prefix: prefix) }
        sendSetMessage(asks, last: SetMessageKind.end, group, session: index)
        sessions[index].recordGroups[group].have = []
        sessions[index].recordGroups[group].need = []
        try endReconciling(group, session: index, outstanding: have, store)
    }

    /// The listener is told what the dialler lacks.
    private mutating func bring(
        asked: [UInt8], _ group: Int, session index: Int, _ store: any EventStore
    ) throws {
        // Of no more messages than there are.
        let count = mvdsGroups[sessions[index].recordGroups[group].group].set.count
        guard sessions[index].recordGroups[group].phase == .reconciling, asked.count.isMultiple(of: 5),
            asked.count / 5 <= count
        else { throw EngineError.protocolViolation("it asks out of turn") }
        var reader = WireReader(asked[...])
        var prefixes: Set<UInt64> = []
        while !reader.isAtEnd { prefixes.insert(try reader.prefix()) }
        let reference = mvdsGroups[sessions[index].recordGroups[group].group].record.reference
        let ids = try store.messageIDs(withPrefixes: prefixes.sorted(), inGroup: reference)
        sessions[index].recordGroups[group].report.logs = ids.count
        try endReconciling(group, session: index, outstanding: ids, store)
    }

    /// What is outstanding towards the peer is what it was found to lack, and what came after that was asked.
    private mutating func endReconciling(
        _ group: Int, session index: Int, outstanding ids: [EventID], _ store: any EventStore
    ) throws(StoreError) {
        let peer = sessions[index].link.peer
        sessions[index].recordGroups[group].phase = .bringing
        sessions[index].recordGroups[group].progress = nil
        try store.replaceRecords(
            with: peer, inGroup: mvdsGroups[sessions[index].recordGroups[group].group].record.reference,
            upTo: sessions[index].recordGroups[group].snapshot,
            by: ids.map { SyncRecord(.message, of: $0, with: peer, isOwn: true, nextSend: now) })
    }

    // MARK: Large messages

    mutating func sendInParts(_ message: Message, _ group: Int, session index: Int) {
        _ = sendParts(
            of: message.encoded[...], more: SetMessageKind.largePart, last: SetMessageKind.largeEnd, group,
            session: index)
    }

    private mutating func receivePart(
        _ part: Bytes, isLast: Bool, _ group: Int, session index: Int, _ store: any EventStore
    ) throws {
        sessions[index].recordGroups[group].largePart += part
        guard sessions[index].recordGroups[group].largePart.count <= Limits.mvdsMessage else {
            throw WireError.tooLarge("a message", limit: Limits.mvdsMessage)
        }
        guard isLast else { return }
        let message = try Message(decoding: sessions[index].recordGroups[group].largePart[...])
        sessions[index].recordGroups[group].largePart = []
        try receiveMessages([message], session: index, store)
    }

    // MARK: Comparing digests

    mutating func receiveRecordRoot(_ root: ShownRoot, _ group: Int, session index: Int) {
        sessions[index].recordGroups[group].peerRoot = root
        sessions[index].recordGroups[group].mismatchDeadline = nil
    }

    /// When nothing is outstanding in either direction: do both hold the same?
    private mutating func settleRecordGroup(
        _ group: Int, session index: Int, _ store: any EventStore
    ) throws(StoreError) {
        let peer = sessions[index].link.peer
        guard try store.nextRecord(with: peer) == nil, sessions[index].records.isIdle else {
            sessions[index].recordGroups[group].rootDeadline = nil
            sessions[index].recordGroups[group].mismatchDeadline = nil
            return
        }
        let session = sessions[index].recordGroups[group]
        let root = mvdsGroups[session.group].set.root(using: cryptography)
        if session.lastRootSent != root {
            // At once after a reconciliation; while people talk, a second after the last word.
            let deadline = session.rootDeadline ?? (session.agreedRoot == nil ? now : now + Self.settleDelay)
            sessions[index].recordGroups[group].rootDeadline = deadline
            guard now >= deadline else {
                sessions[index].recordGroups[group].mismatchDeadline = nil
                return
            }
            sessions[index].recordGroups[group].rootDeadline = nil
            sessions[index].recordGroups[group].lastRootSent = root
            var sync = GroupSync(number: session.number)
            sync.root = ShownRoot(root, on: sessions[index].link, using: cryptography)
            send(sync, to: index)
        }
        if session.peerRoot?.shows(root, on: sessions[index].link, using: cryptography) == true {
            sessions[index].recordGroups[group].mismatchDeadline = nil
            guard session.agreedRoot != root else { return }
            sessions[index].recordGroups[group].agreedRoot = root
            sessions[index].recordGroups[group].repairs = 0
            sessions[index].recordGroups[group].messages = 0
            effects.append(.agreed(sessions[index].link.session, mvdsGroups[session.group].id, session.report))
            sessions[index].recordGroups[group].report = ReconciliationReport()
        } else {
            try repairRecordGroup(group, session: index, store)
        }
    }

    /// Both sides are done, and yet they differ: after a while the dialler begins again, by ranges; each time that does not help, the
    /// next while is longer.
    private mutating func repairRecordGroup(
        _ group: Int, session index: Int, _ store: any EventStore
    ) throws(StoreError) {
        let session = sessions[index].recordGroups[group]
        let delay = Self.mismatchDelay(afterRepairs: session.repairs)
        let deadline = session.mismatchDeadline ?? now + delay
        sessions[index].recordGroups[group].mismatchDeadline = deadline
        guard now >= deadline else { return }
        sessions[index].recordGroups[group].mismatchDeadline = now + delay
        sessions[index].recordGroups[group].repairs += 1
        if session.repairs > 0 {
            effects.append(.differed(sessions[index].link.session, mvdsGroups[session.group].id))
        }
        guard sessions[index].link.isDialler else { return }
        sessions[index].recordGroups[group].mismatchDeadline = nil
        sessions[index].recordGroups[group].phase = .introduced
        sessions[index].recordGroups[group].progress = nil
        try beginReconciling(group, session: index, store)
    }
}
