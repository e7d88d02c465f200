// Contents that came later than their events.
extension Replica {
    /// Receives contents of waiting events that are held without. The headers commit to them, whichever peer sends
    /// them.
    ///
    /// - Returns: how many were received.
    mutating func receiveContents(
        of events: [Event], in batch: inout Batch<some Cryptography>
    ) throws(StoreError) -> Int {
        guard !contentless.isEmpty else { return 0 }
        var complete: [EventID] = []
        for event in events where contentless[event.id] != nil {
            // A peer whose clock is slow, or that has not heard of a redaction, may send a content that must go.
            guard let content = event.content, let salt = event.salt, let log = index(of: event),
                !mustLackContent(event.reference, event.header, log: log, now: batch.now)
            else { continue }
            guard let place = try place(of: event, log: log, in: batch.store) else { continue }
            try batch.store.setContent(content, salt: salt, ofEvent: place.ordinal)
            noteExpiry(of: event)
            complete.append(event.id)
        }
        try releaseContentless(complete, in: &batch)
        return complete.count
    }

    /// Validates again events that waited for their own contents.
    mutating func releaseContentless(
        _ events: [EventID], in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        guard !events.isEmpty else { return }
        for event in events { contentless[event] = nil }
        try release(waitersOf: events, in: &batch)
    }

    /// The place of an event; nil if it is not held.
    func place(of event: Event, log: Int, in store: any EventStore) throws(StoreError) -> EventPlace? {
        let reference = frontier.logs[log].reference
        return try store.places(of: [EventKey(log: reference, sequence: event.sequence, id: event.id)])[0]
    }

    /// Delivers events that waited for their contents alone, when a peer that does not keep them sends the events
    /// again.
    ///
    /// - Parameter horizon: the Lamport time up to which the peer does not keep all contents.
    mutating func acceptWithoutContents(
        _ events: [Event], upTo horizon: UInt64, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        guard horizon > 0, !contentless.isEmpty else { return }
        let returned = events.filter { event in
            event.content == nil && event.header.lamport <= horizon && contentless[event.id] != nil
        }
        guard !returned.isEmpty else { return }
        acceptedHorizon = horizon
        defer { acceptedHorizon = 0 }
        try release(waitersOf: returned.map(\.id), in: &batch)
    }
}
