/// An event whose log's key has signed it or a descendant of its log.
struct AuthenticEvent {
    /// The index of its log, if this device had the log before the batch.
    var log: Int?
    /// The verified certificate that a log's first event carries, or that was sent apart.
    var certificate: Certificate?
    var event: Event
}

/// Events that authentic events name as previous, and for each how many events above it the next verified signature is.
private struct ExpectedEvents {
    private struct Place: Hashable {
        var log: LogID
        var sequence: UInt64
        var id: EventID
    }

    private var distances: [Place: Int] = [:]

    /// - Parameter event: the event that names `id` as previous. Of several branches the nearest signature counts.
    mutating func note(_ id: EventID, of event: Event, distance: Int) {
        let place = Place(log: event.log, sequence: event.sequence - 1, id: id)
        distances[place] = min(distance, distances[place] ?? distance)
    }

    mutating func remove(_ event: Event) -> Int? {
        distances.removeValue(forKey: Place(log: event.log, sequence: event.sequence, id: event.id))
    }
}

// Authenticating events (protocol 2.2-6, 2.3-3 to 2.3-5).
extension Replica {
    /// Authenticates events from the last to the first: one signature authenticates the run before it (protocol 2.3-3).
    ///
    /// Every signature that was sent is verified. Peers send as few as the run rule allows, and each is needed to pass
    /// the run on.
    ///
    /// - Parameter told: verified certificates of logs whose first events are not among these.
    mutating func authenticate(
        _ events: [Event], told: [LogID: Certificate], _ result: inout Ingestion,
        in batch: inout Batch<some Cryptography>
    ) throws(StoreError) -> [AuthenticEvent] {
        let certificates = verifiedCertificates(of: events, &result, using: batch.cryptography)
        var expected = ExpectedEvents()
        var authentic: [AuthenticEvent] = []
        authentic.reserveCapacity(events.count)
        /// Logs without a stored certificate, and whether their first event is among the authentic ones.
        var begun: [LogID: Bool] = [:]
        for var event in events.reversed() {
            let known = index(of: event)
            var certificate = known.flatMap { frontier.logs[$0].certificate }
            let own = event.sequence == 1 ? certificates[event.id] : nil
            if event.sequence == 1, own == nil { continue }
            if certificate == nil {
                certificate = certificates[event.log]
                if certificate != nil, begun[event.log] == nil { begun[event.log] = false }
            }
            // Where the sender has forgotten a log's beginning, the first event that comes does for its first.
            let isTold = certificate == nil
            if isTold { certificate = told[event.log] }
            guard let certificate else { continue }
            guard certificate.isStateLog == event.header.kind.isState else {
                result.refused = "event \(event.id) is in a log of another class"
                continue
            }
            var descendant = expected.remove(event)
            var isHeldDescendant = false
            if descendant == nil, event.signature == nil, let known {
                descendant = try heldDescendant(of: event, inLog: known, in: batch.store)
                isHeldDescendant = descendant != nil
            }
            var distance = descendant.map { $0 + 1 } ?? 0
            // A run is bounded, so that a device that passes it on need not wait long for a signed event.
            let isRunFull = distance >= Limits.runEvents
            if descendant == nil || isRunFull || event.signature != nil {
                let isSigned =
                    event.signature.map {
                        hashing.isValid(
                            $0, timestamp: event.timestamp, header: event.headerBytes, key: certificate.key,
                            using: batch.cryptography)
                    } ?? false
                if isSigned {
                    distance = 0
                } else if descendant != nil, !isRunFull {
                    event = event.signed(with: nil)  // the signature is wrong, the event is not
                } else if event.signature == nil, descendant == nil || isHeldDescendant {
                    continue  // pending: neither held nor refused
                } else {
                    result.refused = "the signature of event \(event.id) is missing or does not verify"
                    continue
                }
            }
            if let previous = event.header.previous {
                expected.note(previous.id, of: event, distance: distance)
            } else if begun[event.log] != nil {
                begun[event.log] = true
            }
            authentic.append(
                AuthenticEvent(log: known, certificate: own ?? (isTold ? certificate : nil), event: event))
        }
        // No peer could check a log without its first event: the log is taken together with it, or not yet.
        if begun.values.contains(false) { authentic.removeAll { begun[$0.event.log] == false } }
        authentic.reverse()
        return authentic
    }

    /// The verified certificates that first events of logs carry.
    ///
    /// The verdict is the same whether the log is known or not (law 8).
    private func verifiedCertificates(
        of events: [Event], _ result: inout Ingestion, using cryptography: some Cryptography
    ) -> CertificateTable {
        var table = CertificateTable()
        for event in events where event.sequence == 1 {
            let known = index(of: event).flatMap { frontier.logs[$0].certificate }
            guard let certificate = event.header.certificate,
                certificate == known || certificate == table[event.log]
                    || certificate.logID(in: id, using: cryptography) == event.log
                        && certificate.isStateLog == event.header.kind.isState
                        && certificate.isValid(in: id, using: cryptography)
            else {
                result.refused = "the certificate of log \(event.log) does not verify"
                continue
            }
            table.note(certificate, of: event)
        }
        return table
    }

    /// The distance from an event that fills a gap to the next signature above it, by what is held there.
    ///
    /// - Returns: nil if no held event names it as previous.
    private func heldDescendant(
        of event: Event, inLog log: Int, in store: any EventStore
    ) throws(StoreError) -> Int? {
        let state = frontier.logs[log]
        guard let start = state.starts.first(where: { $0.previous == event.id && $0.sequence == event.sequence + 1 })
        else { return nil }
        var distance = 0
        var wanted = start.id
        let last = start.sequence + UInt64(Limits.runEvents)
        let above = try store.headers(
            ofLog: state.reference, in: start.sequence...last, limit: Limits.runEvents * Limits.endsPerLog)
        var sequence = start.sequence
        while let found = above.first(where: { $0.header.sequence == sequence && $0.id == wanted }), !found.isSigned {
            distance += 1
            sequence += 1
            guard let next = above.first(where: { $0.header.sequence == sequence && $0.header.previous?.id == wanted })
            else { break }
            wanted = next.id
        }
        return distance
    }
}

/// Verified certificates, by the first events that carry them, and by their logs.
private struct CertificateTable {
    private var ofEvent: [EventID: Certificate] = [:]
    private var ofLog: [LogID: Certificate] = [:]

    subscript(event: EventID) -> Certificate? { ofEvent[event] }
    subscript(log: LogID) -> Certificate? { ofLog[log] }

    mutating func note(_ certificate: Certificate, of event: Event) {
        ofEvent[event.id] = certificate
        ofLog[event.log] = ofLog[event.log] ?? certificate
    }
}
