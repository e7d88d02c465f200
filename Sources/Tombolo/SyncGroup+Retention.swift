import TomboloSQLite
public import TomboloCore

extension SyncGroup {
    /// How much of what is said here this device keeps: everything, where nothing else was set.
    public var retention: Retention {
        get throws { try node.storage.read { try kept($0).retention } }
    }

    func kept(_ reader: SQLiteReader) throws -> KeptContents {
        try KeptContents(decoding: reader.value(forKey: KeptContents.key(of: id)))
    }

    /// Of some events, those whose contents are not here although nobody took them back.
    func dropped(among events: [StoredEvent], _ reader: SQLiteReader) throws -> Set<EventID> {
        let contentless = events.map(\.event).filter { $0.content == nil && $0.header.isErasable }
        guard !contentless.isEmpty else { return [] }
        let (horizon, now) = (try kept(reader).horizon, node.clock.now)
        let dropped = contentless.filter { $0.lamport <= horizon && $0.header.expiry ?? .max > now }
        guard !dropped.isEmpty else { return [] }
        let graph = try graph(reader)
        let authors = Dictionary(
            try reader.logs(of: record).compactMap { log in log.certificate.map { (log.id, $0.member) } },
            uniquingKeysWith: { first, _ in first })
        return Set(
            dropped.filter { event in
                guard let author = authors[event.log] else { return false }
                return graph.redactions(
                    of: LogPosition(log: event.log, sequence: event.sequence, id: event.id), by: author
                ).isEmpty
            }.map(\.id))
    }

    /// Says how much of what others say here this device keeps (protocol §2.10). What is more than that is dropped, the first to come first, within a
    /// minute or so: applications are told that it is erased. The device knows of it as before, stays in sync, and asks nobody for it. What it has
    /// said itself it keeps. To keep everything again brings back what peers have.
    ///
    /// - Throws: `EngineError` `unknownGroup`, `notNative`, or `notAllowed` if it were to keep nothing.
    public func setRetention(_ retention: Retention) async throws {
        _ = try await node.replica.request { .setRetention($0, group: id, retention) }
    }
}
