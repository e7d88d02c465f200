// Builds the state of a group from its stored events.
extension StateGraph {
    /// Builds the state of a group from its statement and its stored events.
    ///
    /// - Throws: `StoreError` `corrupt` if the statement or a held event cannot be decoded, since the engine never
    ///   stores such.
    package init(of record: GroupRecord, logs: [LogState], in store: any EventStore) throws(StoreError) {
        guard let statement = try? GroupStatement(decoding: record.statement[...]) else {
            throw StoreError(.corrupt, "the statement of group \(record.id) is damaged")
        }
        self.init(owner: statement.owner, policy: statement.policy)
        var events: [(LogAuthor, StoredEvent)] = []
        for log in logs {
            guard let certificate = log.certificate, certificate.isStateLog, log.lastSequence > 0 else { continue }
            events += try store.events(
                ofLog: log.reference, in: 1...log.lastSequence, limit: .max, bytes: .max
            ).map { (certificate.author, $0) }
        }
        insert(events)
    }

    /// Inserts stored events in any order. Values of settings, which only readers need, are left out.
    package mutating func insert(_ events: [(LogAuthor, StoredEvent)]) {
        reserve(events.count)
        for place in Self.order(of: events) { insert(events[place].1, by: events[place].0) { $0.withoutValue } }
        _ = resolve()
    }

    /// Inserts stored events with the values of settings.
    ///
    /// - Parameter value: decrypts the value in an event; nil if it cannot.
    package mutating func insert(
        _ events: [(LogAuthor, StoredEvent)], value: (Event, [UInt8]) throws -> [UInt8]?
    ) rethrows {
        reserve(events.count)
        for place in Self.order(of: events) {
            let (author, stored) = events[place]
            try insert(stored, by: author) { action in
                guard case .set(let key, let bytes?) = action else { return action }
                return .set(key: key, value: try value(stored.event, bytes))
            }
        }
        _ = resolve()
    }

    /// The positions of valid events, in the order in which they are inserted.
    private static func order(of events: [(LogAuthor, StoredEvent)]) -> [Int] {
        let places = events.indices.filter { events[$0].1.status.isValid }.map { (events[$0].1.event.place, $0) }
        return places.sorted { $0.0 < $1.0 }.map(\.1)
    }

    private mutating func insert(
        _ stored: StoredEvent, by author: LogAuthor, _ action: (StateAction) throws -> StateAction
    ) rethrows {
        let header = stored.event.header
        _ = insert(
            stored.event.reference, ordinal: stored.ordinal, by: author,
            try action(StateAction(of: header, stored.event.content) ?? .join), previous: header.previous?.id,
            parents: header.ancestors)
    }
}

extension Event {
    fileprivate var place: Seniority { Seniority(lamport: header.lamport, id: id) }
}
