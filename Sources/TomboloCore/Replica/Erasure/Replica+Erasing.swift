// Erasing contents that have expired, or that a member has redacted (protocol 2.7).
extension Replica {
    // MARK: Verdicts

    /// The event without its content, if that must not be here.
    func withoutErasedContent(_ event: Event, log: Int, now: UInt64) -> Event {
        guard event.content != nil, event.header.isErasable else { return event }
        return mustLackContent(event.reference, event.header, log: log, now: now) ? event.erased : event
    }

    /// Whether an event has expired, or a redaction of it is in effect.
    func mustLackContent(_ event: EventReference, _ header: EventHeader, log: Int, now: UInt64) -> Bool {
        hasExpired(header, now: now) || redactions(of: event, log: log).contains { $0.stands }
    }

    /// Whether an event that came without its content must wait for it (protocol 2.7-5, 2.7-6, 2.10-3).
    ///
    /// An event that was redacted does not wait, even if the redaction has no effect. Its author may have been removed,
    /// and no device may have the content any more. Nor does an event wait if its sender states that it does not keep
    /// the content.
    func needsContent(_ event: EventReference, _ header: EventHeader, log: Int, now: UInt64) -> Bool {
        header.lamport > acceptedHorizon && !isGone(event, header, log: log, now: now)
    }

    /// Whether an event has expired, or was redacted, even if the redaction has no effect.
    func isGone(_ event: EventReference, _ header: EventHeader, log: Int, now: UInt64) -> Bool {
        hasExpired(header, now: now) || !redactions(of: event, log: log).isEmpty
    }

    private func hasExpired(_ header: EventHeader, now: UInt64) -> Bool { header.expiry.map { $0 <= now } ?? false }

    private func redactions(of event: EventReference, log: Int) -> [StateNode] {
        // Every event comes by here, and most groups have no redactions.
        guard state.hasRedactions, let author = frontier.logs[log].certificate?.member else { return [] }
        return state.redactions(of: LogPosition(event), by: author)
    }

    // MARK: Expiry

    /// Erases contents that have expired. Of very many it erases a part.
    mutating func eraseExpired(in batch: inout Batch<some Cryptography>) throws(StoreError) {
        guard let next = nextExpiry, next <= batch.now else { return }
        let ordinals = try batch.store.expired(by: batch.now, inGroup: record.reference, limit: Self.erasedAtOnce)
        try erase(try batch.store.headers(ordinals: ordinals), in: &batch)
        nextExpiry = try batch.store.nextExpiry(inGroup: record.reference)
    }

    private static var erasedAtOnce: Int { 4_096 }

    /// Notes that an event was inserted, or a content came back.
    mutating func noteExpiry(of event: Event) {
        guard let expiry = event.expiryToCome else { return }
        nextExpiry = min(expiry, nextExpiry ?? expiry)
    }

    // MARK: Redactions

    /// Redacts an event for the application.
    mutating func redact(
        _ request: RequestID, _ event: EventReference, reason: String, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        guard reason.utf8.count <= Limits.reason else {
            return batch.fail(request, .contentTooLarge(limit: Limits.reason))
        }
        let position = LogPosition(event)
        guard let log = frontier.index(of: event.log), let author = frontier.logs[log].certificate?.member,
            try heldEvent(position, by: author, in: batch.store) != nil
        else { return batch.refuse(request, "event \(event.id) is not on this device, or is not a message") }
        guard !redactions(of: event, log: log).contains(where: { $0.stands }) else {
            return batch.refuse(request, "event \(event.id) was redacted already")
        }
        try apply(request, .redact(Redaction(of: position, by: author, reason: reason)), in: &batch)
    }

    /// Erases the held events that the batch's redactions name.
    mutating func eraseRedacted(in batch: inout Batch<some Cryptography>) throws(StoreError) {
        let redactions = unsettled.redactions.sorted()
        guard !redactions.isEmpty else { return }
        unsettled.redactions = []
        var (gone, released): ([StoredHeader], [EventID]) = ([], [])
        for node in redactions.map({ state.nodes[$0] }) {
            guard case .redact(let redaction) = node.action else { continue }
            if !node.stands { checkpoints.cleared[redaction.event.log] = nil }
            guard let event = try heldEvent(redaction.event, by: redaction.author, in: batch.store) else { continue }
            if node.stands {
                gone.append(event)
                if receiptDue == nil, !ownLogs(in: &batch).contains(node.reference.log) {
                    receiptDue = batch.now + Self.receiptDelay
                }
            } else if contentless[event.id] != nil {
                released.append(event.id)
            }
        }
        try erase(gone, in: &batch)
        try releaseContentless(released, in: &batch)
    }

    /// An event of the conversation at its place, if it is held in a log of the member.
    private func heldEvent(
        _ event: LogPosition, by author: MemberKey, in store: any EventStore
    ) throws(StoreError) -> StoredHeader? {
        guard let log = frontier.index(of: event.log), frontier.logs[log].certificate?.member == author else {
            return nil
        }
        let found = try store.headers(
            ofLog: frontier.logs[log].reference, in: event.sequence...event.sequence, limit: Limits.endsPerLog)
        return found.first { $0.id == event.id && $0.header.isErasable }
    }

    // MARK: Receipts

    /// Milliseconds after an erasure before a quiet device writes a receipt. One receipt covers several erasures.
    private static var receiptDelay: UInt64 { 5_000 }

    /// Writes a receipt that is due (protocol 2.7-8, 2.7-9).
    ///
    /// Every event of a device names the state heads that the device has seen, and so the redactions that it has
    /// carried out. A device that writes nothing else writes an empty event.
    mutating func writeReceipt(in batch: inout Batch<some Cryptography>) throws(StoreError) {
        guard let due = receiptDue, due <= batch.now else { return }
        receiptDue = nil
        let hasWritten = record.ownLog.flatMap { frontier.index(of: $0) } != nil
        guard hasWritten, frontier.logs.count <= Limits.receiptLogs, refusalToWrite(batch.identity) == nil else {
            return
        }
        try write(.merge, content: [], expiry: nil, in: &batch)
    }

    // MARK: Erasing

    mutating func erase(_ events: [StoredHeader], in batch: inout Batch<some Cryptography>) throws(StoreError) {
        guard !events.isEmpty else { return }
        try removeContents(of: events, forGood: true, in: batch.store)
        try puncture(events, in: &batch)
        noteCheckpoints(now: batch.now)
        if events.contains(where: \.hasContent) {
            batch.noteChanged(id)
            batch.effects.append(.erased(id))
        }
        // An event without its content waits neither for it nor for its secret.
        let rekeys = Set(events.filter { lacksSecret($0.header) }.map { $0.header.rekeys[0].id }).sorted()
        let contentless = events.map(\.id).filter { self.contentless[$0] != nil }
        try releaseContentless(contentless + rekeys, in: &batch)
    }

    /// Removes contents from the store, and from the events that are about to be sent.
    ///
    /// - Parameter isForGood: whether they have expired or were redacted; else this device only keeps them no longer.
    mutating func removeContents(
        of events: [StoredHeader], forGood isForGood: Bool, in store: any EventStore
    ) throws(StoreError) {
        try store.erase(events, forGood: isForGood, inGroup: record.reference)
        let files = events.filter { !$0.header.extensions.isEmpty }.flatMap(\.header.files)
        note(.erased(Set(events.map(\.id)), files: files))
    }

    /// The store's key of an event; nil if the device does not have its log.
    func key(of event: StoredHeader) -> EventKey? {
        frontier.index(of: event.header.log).map {
            EventKey(log: frontier.logs[$0].reference, sequence: event.header.sequence, id: event.id)
        }
    }
}
