// What goes away: content whose time is over, or that was taken back (protocol §2.7).
extension Engine {
    // MARK: Judging

    /// The event as it is kept here: without its content where that has gone.
    func kept(_ event: Event, log: Int, group: Int) -> Event {
        guard event.content != nil, event.header.isErasable else { return event }
        return mustLackContent(event.reference, event.header, log: log, group: group) ? event.erased : event
    }

    /// Whether its time is over, or a redaction of it stands.
    func mustLackContent(_ event: EventReference, _ header: EventHeader, log: Int, group: Int) -> Bool {
        isOver(header) || redactions(of: event, log: log, group: group).contains { $0.stands }
    }

    /// Whether an event that came without its content has to wait for it.
    ///
    /// Not if it was redacted, even if that does not stand: who redacted it may have been removed, and nobody may have the content any more. Nor
    /// if whoever brings it says not to keep it.
    func needsContent(_ event: EventReference, _ header: EventHeader, log: Int, group: Int) -> Bool {
        header.lamport > groups[group].accepting && !isGone(event, header, log: log, group: group)
    }

    /// Whether its time is over, or somebody has taken it back, even if that does not stand.
    func isGone(_ event: EventReference, _ header: EventHeader, log: Int, group: Int) -> Bool {
        isOver(header) || !redactions(of: event, log: log, group: group).isEmpty
    }

    private func isOver(_ header: EventHeader) -> Bool { header.expiry.map { $0 <= now } ?? false }

    private func redactions(of event: EventReference, log: Int, group: Int) -> [StateNode] {
        // Most groups have none, and every event comes by here.
        guard groups[group].state.hasRedactions, let author = groups[group].frontier.logs[log].certificate?.member
        else {
            return []
        }
        return groups[group].state.redactions(of: LogPosition(event), by: author)
    }

    // MARK: Erasing

    /// Erases what has expired by now; a part of it, where it is much.
    mutating func eraseExpired(_ store: any EventStore) throws(StoreError) {
        for group in groups.indices {
            guard let next = groups[group].nextExpiry, next <= now else { continue }
            let reference = groups[group].record.reference
            let ordinals = try store.expired(by: now, inGroup: reference, limit: Self.erasedAtOnce)
            try erase(try store.headers(ordinals: ordinals), group: group, store)
            groups[group].nextExpiry = try store.nextExpiry(inGroup: reference)
        }
    }

    private static var erasedAtOnce: Int { 4_096 }

    /// To be called for an event that was given its place.
    mutating func noteExpiry(of event: Event, group: Int) {
        guard let expiry = event.expiryToCome else { return }
        groups[group].nextExpiry = min(expiry, groups[group].nextExpiry ?? expiry)
    }

    /// Erases what the redactions of this batch are of, where it is here.
    mutating func eraseRedacted(group: Int, _ store: any EventStore) throws(StoreError) {
        let redactions = groups[group].turnedRedactions.sorted()
        guard !redactions.isEmpty else { return }
        groups[group].turnedRedactions = []
        var (gone, pardoned): ([StoredHeader], [EventID]) = ([], [])
        for node in redactions.map({ groups[group].state.nodes[$0] }) {
            guard case .redact(let redaction) = node.action else { continue }
            if !node.stands { groups[group].checkpoints.cleared[redaction.event.log] = nil }
            guard let event = try heldEvent(redaction.event, by: redaction.author, group: group, store) else {
                continue
            }
            if node.stands {
                gone.append(event)
                if groups[group].receiptDue == nil, !ownLogs(inGroup: group).contains(node.reference.log) {
                    groups[group].receiptDue = now + Self.receiptDelay
                }
            } else if groups[group].contentless[event.id] != nil {
                pardoned.append(event.id)
            }
        }
        try erase(gone, group: group, store)
        try handOver(pardoned, group: group, store)
    }

    /// An event of the conversation at its place, if it is held, and in a log of this member's.
    private func heldEvent(
        _ event: LogPosition, by author: MemberKey, group: Int, _ store: any EventStore
    ) throws(StoreError) -> StoredHeader? {
        guard let log = groups[group].frontier.index(of: event.log),
            groups[group].frontier.logs[log].certificate?.member == author
        else { return nil }
        let found = try store.headers(
            ofLog: groups[group].frontier.logs[log].reference, in: event.sequence...event.sequence,
            limit: Limits.endsPerLog)
        return found.first { $0.id == event.id && $0.header.isErasable }
    }

    /// Milliseconds after an erasure before a device that is quiet says so: several are said together.
    private static var receiptDelay: UInt64 { 5_000 }

    /// Whatever a device writes names the state heads that it has seen, and so the redactions that it has carried out (protocol §2.7):
    /// where it has nothing to say, it writes an empty event.
    mutating func writeReceipts(_ store: any EventStore) throws(StoreError) {
        for group in groups.indices {
            guard let due = groups[group].receiptDue, due <= now else { continue }
            groups[group].receiptDue = nil
            let hasWritten = groups[group].record.ownLog.flatMap { groups[group].frontier.index(of: $0) } != nil
            guard hasWritten, groups[group].frontier.logs.count <= Limits.receiptLogs, whyNotWrite(group: group) == nil
            else { continue }
            try write(.merge, content: [], expiry: nil, group: group, store)
        }
    }

    mutating func erase(
        _ events: [StoredHeader], group: Int, _ store: any EventStore
    ) throws(StoreError) {
        guard !events.isEmpty else { return }
        try takeAway(events, forGood: true, group: group, store)
        try puncture(events, group: group, store)
        noteCheckpoints(group: group)
        if events.contains(where: \.hasContent) {
            noteChanged(groups[group].id)
            effects.append(.erased(groups[group].id))
        }
        // What is without its content waits neither for it nor for its secret.
        let rekeys = Set(events.filter { lacksSecret($0.header, group: group) }.map { $0.header.rekeys[0].id }).sorted()
        let contentless = events.map(\.id).filter { groups[group].contentless[$0] != nil }
        try handOver(contentless + rekeys, group: group, store)
    }

    /// Takes contents out of the store and of what is about to be sent.
    ///
    /// - Parameter isForGood: their time is over, or they were taken back; else this device only does not keep them.
    mutating func takeAway(
        _ events: [StoredHeader], forGood isForGood: Bool, group: Int, _ store: any EventStore
    ) throws(StoreError) {
        try store.erase(events, forGood: isForGood, inGroup: groups[group].record.reference)
        try forgetFiles(of: events, store)
        let ids = Set(events.map(\.id))
        for index in sessions.indices {
            for number in sessions[index].groups.indices where sessions[index].groups[number].group == group {
                sessions[index].groups[number].plan.erase(ids)
            }
        }
    }

    /// Where an event of a log that is here is held; nil if it is not.
    func place(of event: Event, log: Int, group: Int, _ store: any EventStore) throws(StoreError) -> EventPlace? {
        let reference = groups[group].frontier.logs[log].reference
        return try store.places(of: [EventKey(log: reference, sequence: event.sequence, id: event.id)])[0]
    }

    func key(of event: StoredHeader, group: Int) -> EventKey? {
        groups[group].frontier.index(of: event.header.log).map {
            EventKey(log: groups[group].frontier.logs[$0].reference, sequence: event.header.sequence, id: event.id)
        }
    }

    // MARK: Content that is not here

    /// Takes the contents of events that are held without: they are what the headers commit to, whoever vouches for them now.
    ///
    /// - Returns: how many.
    mutating func takeContents(
        of events: [Event], group: Int, _ store: any EventStore
    ) throws(StoreError) -> Int {
        guard !groups[group].contentless.isEmpty else { return 0 }
        var complete: [EventID] = []
        for event in events where groups[group].contentless[event.id] != nil {
            // A device whose clock is slow, or that has not heard of a redaction, may offer what is over.
            guard let content = event.content, let salt = event.salt, let log = index(of: event, group),
                !mustLackContent(event.reference, event.header, log: log, group: group)
            else { continue }
            guard let place = try place(of: event, log: log, group: group, store) else { continue }
            try store.setContent(content, salt: salt, ofEvent: place.ordinal)
            noteExpiry(of: event, group: group)
            complete.append(event.id)
        }
        try handOver(complete, group: group, store)
        return complete.count
    }

    /// Judges anew what waited for its own content.
    private mutating func handOver(_ events: [EventID], group: Int, _ store: any EventStore) throws(StoreError) {
        guard !events.isEmpty else { return }
        for event in events { groups[group].contentless[event] = nil }
        try release(waitersOf: events, group: group, store)
    }

    /// Asks a peer, once in a session, for contents that others withheld.
    mutating func askForContents(_ group: Int, session index: Int) {
        let number = sessions[index].groups[group].group
        guard groups[number].contentlessNoted > sessions[index].groups[group].contentsAskedFor else { return }
        let asked = sessions[index].groups[group].askedContents.filter { groups[number].contentless[$0] != nil }
        let left = groups[number].contentless.values.filter { !asked.contains($0.id) }.sorted {
            ($0.log, $0.sequence, $0.id) < ($1.log, $1.sequence, $1.id)
        }
        let wanted = left.prefix(Limits.wantedRanges)
        if left.count == wanted.count {
            sessions[index].groups[group].contentsAskedFor = groups[number].contentlessNoted
        }
        guard !wanted.isEmpty else { return }
        ask(for: wanted.map { ($0.log, $0.sequence...$0.sequence) }, group, session: index)
        sessions[index].groups[group].askedContents = asked.union(wanted.map(\.id))
        sessions[index].groups[group].awaitedContents = Set(wanted.map(\.id))
        sessions[index].groups[group].contentsDeadline = now + Self.patienceForContents
        wake(group, session: index, at: now + Self.patienceForContents)
    }

    // MARK: What this device does

    /// Takes the content of an event back.
    mutating func redact(
        _ request: RequestID, _ group: GroupID, _ event: EventReference, reason: String, _ store: any EventStore
    ) throws(StoreError) {
        guard let index = nativeGroup(group, request) else { return }
        guard reason.utf8.count <= Limits.reason else {
            return effects.append(.failed(request, .contentTooLarge(limit: Limits.reason)))
        }
        let position = LogPosition(event)
        guard let log = groups[index].frontier.index(of: event.log),
            let author = groups[index].frontier.logs[log].certificate?.member,
            try heldEvent(position, by: author, group: index, store) != nil
        else {
            return effects.append(
                .failed(request, .notAllowed("event \(event.id) is not here, or is not something that was said")))
        }
        guard !redactions(of: event, log: log, group: index).contains(where: { $0.stands }) else {
            return effects.append(.failed(request, .notAllowed("event \(event.id) was redacted already")))
        }
        try act(request, .redact(Redaction(of: position, by: author, reason: reason)), index, store)
    }

    /// After how many milliseconds what is said in a group goes away; nil for never.
    func expiryOfGroup(_ group: Int) -> UInt64? {
        guard case .set(_, let value?)? = groups[group].state.settings(of: StateAction.expiryKey).first?.action else {
            return nil
        }
        return StateAction.expiry(value)
    }
}

extension LogPosition {
    fileprivate init(_ event: EventReference) { self.init(log: event.log, sequence: event.sequence, id: event.id) }
}
