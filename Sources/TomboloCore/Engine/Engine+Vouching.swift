/// An event whose log's key has signed it or a descendant of its log.
struct Authentic {
    /// The index of its log, if that was there before the batch.
    var log: Int?
    /// The certificate that a log's first event carries, or that has come by itself, verified.
    var certificate: Certificate?
    var event: Event
}

/// What authentic events say of those before them in their logs: how many events above it the next verified signature is.
private struct ExpectedEvents {
    private struct Place: Hashable {
        var log: LogID
        var sequence: UInt64
        var id: EventID
    }

    private var distances: [Place: Int] = [:]

    /// - Parameter event: the one whose previous `id` is. Of branches the nearest signature counts.
    mutating func note(_ id: EventID, of event: Event, distance: Int) {
        let place = Place(log: event.log, sequence: event.sequence - 1, id: id)
        distances[place] = min(distance, distances[place] ?? distance)
    }

    mutating func take(_ event: Event) -> Int? {
        distances.removeValue(forKey: Place(log: event.log, sequence: event.sequence, id: event.id))
    }
}

// Finding out which events are authentic (protocol §2.2, §2.3).
extension Engine {
    /// Goes back from the end: one signature vouches for the run before it (protocol §2.3). Every signature that was
    /// sent is verified: peers send as few as the run rule allows, and each is needed to pass the run on.
    ///
    /// - Parameter told: verified certificates of logs whose first events are not among these.
    mutating func vouch(
        for events: [Event], group: Int, _ told: [LogID: Certificate], _ result: inout Admission,
        _ store: any EventStore
    ) throws(StoreError) -> [Authentic] {
        let certificates = verifiedCertificates(events, group: group, &result)
        var expected = ExpectedEvents()
        var authentic: [Authentic] = []
        authentic.reserveCapacity(events.count)
        /// Logs of which no certificate is stored yet, and whether their first event is among the authentic ones.
        var begun: [LogID: Bool] = [:]
        for var event in events.reversed() {
            let known = index(of: event, group)
            var certificate = known.flatMap { groups[group].frontier.logs[$0].certificate }
            let own = event.sequence == 1 ? certificates[event.id] : nil
            if event.sequence == 1, own == nil { continue }
            if certificate == nil {
                certificate = certificates[event.log]
                if certificate != nil, begun[event.log] == nil { begun[event.log] = false }
            }
            // Of a log whose beginning is forgotten elsewhere the first event that comes is as good as its first.
            let isTold = certificate == nil
            if isTold { certificate = told[event.log] }
            guard let certificate else { continue }
            guard certificate.isStateLog == event.header.kind.isState else {
                result.refused = "event \(event.id) stands in a log of another class"
                continue
            }
            var descendant = expected.take(event)
            var isHeldDescendant = false
            if descendant == nil, event.signature == nil, let known {
                descendant = try heldDescendant(of: event, inLog: known, group: group, store)
                isHeldDescendant = descendant != nil
            }
            var distance = descendant.map { $0 + 1 } ?? 0
            // A run is at most so long, so that who passes it on need not wait long for a signed event.
            let isRunFull = distance >= Limits.runEvents
            if descendant == nil || isRunFull || event.signature != nil {
                let isSigned =
                    event.signature.map {
                        groups[group].hashing.isValid(
                            $0, timestamp: event.timestamp, header: event.headerBytes, key: certificate.key,
                            using: cryptography)
                    } ?? false
                if isSigned {
                    distance = 0
                } else if descendant != nil, !isRunFull {
                    event = event.signed(with: nil)  // a spoilt signature spoils no event
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
                Authentic(log: known, certificate: own ?? (isTold ? certificate : nil), event: event))
        }
        // Nobody could check a log of which the first event is missing: it is taken with that, or not yet.
        if begun.values.contains(false) { authentic.removeAll { begun[$0.event.log] == false } }
        authentic.reverse()
        return authentic
    }

    /// The certificates that the logs' first events in this batch carry, verified: by the event, and for a new log by the log.
    ///
    /// The verdict is the same whether the log is known or not (law 8).
    private func verifiedCertificates(
        _ events: [Event], group: Int, _ result: inout Admission
    ) -> CertificateTable {
        var table = CertificateTable()
        let id = groups[group].id
        for event in events where event.sequence == 1 {
            let known = index(of: event, group).flatMap { groups[group].frontier.logs[$0].certificate }
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

    /// What is held of a log right above an event that fills a gap vouches for it as well.
    ///
    /// - Returns: how far above the next signature is, if there is such an event.
    private func heldDescendant(
        of event: Event, inLog log: Int, group: Int, _ store: any EventStore
    ) throws(StoreError) -> Int? {
        let state = groups[group].frontier.logs[log]
        guard let start = state.starts.first(where: { $0.previous == event.id && $0.sequence == event.sequence + 1 })
        else { return nil }
        // How far above the next signature is.
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

/// Verified certificates, by the first events that carry them and by their logs.
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
