import TomboloSQLite
public import TomboloCore

extension SyncGroup {
    /// The bounds of other members' contents that this device keeps; by default it keeps everything.
    ///
    /// - Throws: ``TomboloError`` of the store.
    public var retention: Retention {
        get async throws { try node.read { try kept($0).retention } }
    }

    func kept(_ reader: SQLiteReader) throws -> KeptContents {
        try KeptContents(decoding: reader.value(forKey: KeptContents.key(of: id)))
    }

    /// Sets the bounds of other members' contents that this device keeps (protocol §2.10).
    ///
    /// Contents beyond the bounds are dropped within about a minute, the first to arrive first. Applications receive
    /// ``Change/erased(_:_:at:)`` with the reason ``ErasureReason/notKept``. The device stays in sync, and does not
    /// fetch dropped contents. It keeps its own contents. Keeping everything again brings back what peers have.
    ///
    /// - Throws: ``TomboloError`` `unknownGroup`, `wrongDialect`, or `notAllowed` if the bounds keep nothing.
    public func setRetention(_ retention: Retention) async throws {
        _ = try await node.runtime.request { .setRetention($0, group: id, retention) }
    }
}
