// The contents that this device keeps, and those that it can get back (protocol 2.10).
extension Replica {
    mutating func setRetention(
        _ request: RequestID, _ retention: Retention, in batch: inout Batch<some Cryptography>
    ) {
        guard retention.age ?? .seconds(1) > .zero, retention.count ?? 1 > 0, retention.bytes ?? 1 > 0 else {
            return batch.refuse(request, "a device cannot keep nothing: set an age, a count or a size above 0")
        }
        kept.retention = retention
        kept.dropped = 0
        kept.isChanged = true
        kept.due = retention == .everything ? nil : batch.now
        batch.effects.append(.done(request))
    }

    /// Stores what is known of kept contents, if the batch has changed it.
    mutating func saveKept(in store: any EventStore) throws(StoreError) {
        guard kept.isChanged else { return }
        kept.isChanged = false
        try store.setValue(kept.encoded, forKey: KeptContents.key(of: id))
    }

    // MARK: Dropping

    /// Notes that events were delivered, some of which may have been held for long.
    mutating func noteKept(_ delivered: [StoredHeader], now: UInt64) {
        guard kept.retention != .everything, let first = delivered.lazy.map(\.ordinal).min() else { return }
        kept.dropped = min(kept.dropped, first - 1)
        kept.due = min(kept.due ?? .max, now + Self.retentionDelay)
    }

    /// Milliseconds after a delivery before kept contents are looked through, so that one look covers several.
    private static var retentionDelay: UInt64 { 60_000 }
    /// The most milliseconds between two looks.
    private static var retentionPause: UInt64 { 3_600_000 }
    private static var droppedAtOnce: Int { 4_096 }

    /// Drops contents that are kept no longer. Of very many it drops a part.
    mutating func dropSurplus(in batch: inout Batch<some Cryptography>) throws(StoreError) {
        guard let due = kept.due, due <= batch.now else { return }
        kept.due = kept.age.map { batch.now + min($0, Self.retentionPause) }
        kept.mark(try batch.store.lastOrdinal(), at: batch.now)
        let surplus = try surplus(now: batch.now, own: batch.identity.device, in: batch.store)
        guard let last = surplus.last else { return }
        let events = try batch.store.headers(ordinals: surplus)
        try removeContents(of: events, forGood: false, in: batch.store)
        kept.noteMissing(events.map(\.header.lamport))
        batch.noteChanged(id)
        kept.dropped = last
        if surplus.count == Self.droppedAtOnce { kept.due = batch.now }
    }

    /// The oldest contents of others that exceed what is kept. A device keeps its own contents, so that some device has
    /// each of them whatever the others drop.
    private func surplus(
        now: UInt64, own device: DeviceKey, in store: any EventStore
    ) throws(StoreError) -> [Int64] {
        let (kept, aged) = (kept, kept.lastAged(at: now))
        let own = Set(frontier.logs.filter { $0.certificate?.device == device }.map(\.reference))
        var (count, bytes) = (0, 0)
        try forEachContent(after: kept.dropped, in: store) { content in
            if !own.contains(content.log) { (count, bytes) = (count + 1, bytes + content.bytes) }
            return true
        }
        var surplus: [Int64] = []
        try forEachContent(after: kept.dropped, in: store) { content in
            guard !own.contains(content.log) else { return true }
            guard
                content.ordinal <= aged || count > kept.retention.count ?? .max || bytes > kept.retention.bytes ?? .max
            else { return false }
            (count, bytes) = (count - 1, bytes - content.bytes)
            surplus.append(content.ordinal)
            return surplus.count < Self.droppedAtOnce
        }
        return surplus
    }

    /// Visits the stored contents, in the order in which they arrived, until `body` returns false.
    private func forEachContent(
        after ordinal: Int64, in store: any EventStore, _ body: (ContentSize) -> Bool
    ) throws(StoreError) {
        var after = ordinal
        while true {
            let contents = try store.contentSizes(
                inGroup: record.reference, after: after, limit: Self.droppedAtOnce)
            for content in contents { guard body(content) else { return } }
            guard contents.count == Self.droppedAtOnce, let last = contents.last else { return }
            after = last.ordinal
        }
    }

    // MARK: Getting back

    /// Receives missing contents, if this device keeps everything.
    ///
    /// - Returns: how many were received.
    mutating func restoreContents(
        of events: [Event], in batch: inout Batch<some Cryptography>
    ) throws(StoreError) -> Int {
        let kept = kept
        guard kept.retention == .everything, kept.horizon > 0 else { return 0 }
        var restored: [StoredHeader] = []
        var count = 0
        for event in events where event.header.isErasable && event.header.lamport <= kept.horizon {
            guard let content = event.content, let salt = event.salt, contentless[event.id] == nil,
                let log = index(of: event), !isGone(event.reference, event.header, log: log, now: batch.now)
            else { continue }
            guard let place = try place(of: event, log: log, in: batch.store),
                try batch.store.headers(ordinals: [place.ordinal]).first?.hasContent == false
            else { continue }
            try batch.store.setContent(content, salt: salt, ofEvent: place.ordinal)
            noteExpiry(of: event)
            count += 1
            if place.status == .delivered { restored.append(event.stored(place.ordinal)) }
        }
        guard !restored.isEmpty else { return count }
        restored.sort { $0.ordinal < $1.ordinal }
        try batch.store.setStatus(
            .delivered, ordinals: restored.map(\.ordinal), noting: .restored, inGroup: record.reference)
        noteFiles(of: restored)
        batch.noteChanged(id)
        return count
    }

    /// The next events with missing contents that can be brought back, after an ordinal; nil if no further event lacks
    /// its content.
    func nextDropped(
        after ordinal: Int64, now: UInt64, in store: any EventStore
    ) throws(StoreError) -> (events: [StoredHeader], last: Int64)? {
        let ordinals = try store.withoutContent(
            inGroup: record.reference, lamports: 1...kept.horizon, after: ordinal, limit: Limits.wantedRanges)
        guard let last = ordinals.last else { return nil }
        let events = try store.headers(ordinals: ordinals).filter { event in
            guard event.header.isErasable, let log = frontier.index(of: event.header.log) else { return false }
            return contentless[event.id] == nil && !isGone(event.reference, event.header, log: log, now: now)
        }
        return (events, last)
    }

    /// Notes whether a session is bringing dropped contents back. One does at a time.
    ///
    /// - Parameter deadline: until when it waits for the peer; nil if it does not.
    mutating func noteRestoration(over session: SessionID, until deadline: UInt64?) {
        if let deadline {
            restoration = (session, deadline)
        } else if restoration?.session == session {
            restoration = nil
        }
    }

    /// Notes that a peer was asked for all missing contents.
    ///
    /// - Parameter left: the highest Lamport time of a content that did not arrive. Above it no content is missing.
    mutating func noteRestored(from peer: DeviceKey, _ asked: KeptContents.Asked, left: UInt64) {
        let before = kept.horizon
        kept.horizon = min(before, left)
        kept.noteAsked(peer, asked)
        // All peers are informed, also those that were advanced before in this batch.
        if kept.horizon != before { note(.concernsAllSessions) }
    }
}
