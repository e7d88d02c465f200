import TomboloSQLite
public import TomboloCore

extension SyncGroup {
    /// How much of other members' contents this device keeps: everything, unless something else was set.
    ///
    /// - Throws: ``TomboloError`` of the store.
    public var retention: Retention {
        get async throws { try node.read { try kept($0).retention } }
    }

    func kept(_ reader: SQLiteReader) throws -> KeptContents {
        try KeptContents(decoding: reader.value(forKey: KeptContents.key(of: id)))
    }

    /// Sets how much of other members' contents this device keeps (protocol §2.10).
    ///
    /// Contents beyond that are dropped, in the order in which they came, within about a minute. Applications are told
    /// ``Change/erased(_:_:at:)`` with the reason ``ErasureReason/notKept``. The device stays in sync, and does not fetch
    /// them. It keeps what it has written itself. Setting it to keep everything again brings back what peers have.
    ///
    /// - Throws: ``TomboloError`` `unknownGroup`, `wrongDialect`, or `notAllowed` if it were to keep nothing.
    public func setRetention(_ retention: Retention) async throws {
        _ = try await node.runtime.request { .setRetention($0, group: id, retention) }
    }
}
