import Foundation
import GRDB
public import TomboloCore

/// A view of a snapshot of the store, for applications. It reads beside the engine.
public struct SQLiteReader {
    let db: Database
    let cells: SecretCells

    init(_ db: Database, _ cells: SecretCells) { (self.db, self.cells) = (db, cells) }

    public func groups() throws -> [GroupRecord] {
        try Row.fetchAll(db, sql: "SELECT * FROM replica ORDER BY reference").map { try Rows.group($0, cells) }
    }

    public func logs(of group: GroupRecord) throws -> [LogState] {
        try Row.fetchAll(
            db, sql: "SELECT * FROM log WHERE replica = ? ORDER BY reference", arguments: [group.reference]
        )
        .map(Rows.log)
    }

    public func peers() throws -> [PeerRecord] {
        try Row.fetchAll(db, sql: "SELECT * FROM peer ORDER BY device").map(Rows.peer)
    }

    public func sharers(of group: GroupRecord) throws -> [DeviceKey] {
        try Data.fetchAll(db, sql: "SELECT peer FROM sharing WHERE replica = ?", arguments: [group.reference])
            .compactMap { DeviceKey($0) }
    }

    /// The secret of a rekey event, or its remainder after punctures.
    public func secret(of rekey: EventID, in group: GroupRecord) throws -> [UInt8]? {
        try Data.fetchOne(
            db.cachedStatement(sql: "SELECT nodes FROM secret WHERE replica = ? AND rekey = ?"),
            arguments: [group.reference, Data(rekey.bytes)]
        ).map { try cells.openedSecret($0, of: rekey, in: group.id) }
    }

    /// The invitations to a group that this device has created, ordered by expiry.
    public func invitations(to group: GroupRecord) throws -> [InvitationRecord] {
        try Row.fetchAll(
            db, sql: "SELECT * FROM invitation WHERE replica = ? ORDER BY expiry, id", arguments: [Data(group.id.bytes)]
        ).map { try Rows.invitation($0, cells) }
    }

    public func value(forKey key: String) throws -> [UInt8]? {
        try Rows.value(key, db).map { try cells.value($0, forKey: key) }
    }

    /// The SQL to count delivered rows of a table after a number of the change log: `change CROSS JOIN table` and its
    /// condition. The arguments are the group and, twice, the number.
    static func delivered(_ table: String) -> String {
        """
        change CROSS JOIN \(table) ON \(table).ordinal BETWEEN change.event AND change.event + change.count - 1
        WHERE change.replica = ? AND change.number + \(table).ordinal - change.event > ?
            AND change.number >= coalesce((SELECT max(number) FROM change WHERE number <= ?), 0)
        """
    }

    /// Rows of a table in the order of delivery, each with its number in the change log. For a forgotten beginning, the
    /// row is that of the log.
    ///
    /// - Throws: `StoreError` `corrupt` if a row is missing. Damaged database pages may show in no other way.
    private func delivered(
        from table: String, after number: Int64, of group: GroupRecord, limit: Int
    ) throws -> [(number: Int64, kind: ChangeKind, row: Row)] {
        let log = try db.cachedStatement(sql: "SELECT * FROM log WHERE reference = ?")
        let runs = try Row.fetchCursor(
            db,
            sql: """
                SELECT number, event, count, kind FROM change
                WHERE replica = ? AND number >= coalesce((SELECT max(number) FROM change WHERE number <= ?), 0)
                ORDER BY number
                """, arguments: [group.reference, number])
        let rows = try db.cachedStatement(
            sql: "SELECT * FROM \(table) WHERE ordinal BETWEEN ? AND ? ORDER BY ordinal LIMIT ?")
        var found: [(number: Int64, kind: ChangeKind, row: Row)] = []
        while found.count < limit, let run = try runs.next() {
            let (first, event, count): (Int64, Int64, Int64) = (run[0], run[1], run[2])
            guard let kind = ChangeKind(rawValue: run[3]) else {
                throw StoreError(.corrupt, "the change log has a row of an unknown kind")
            }
            let skipped = max(0, number + 1 - first)
            guard skipped < count else { continue }
            if kind == .forgotten {
                guard let row = try Row.fetchOne(log, arguments: [event]) else {
                    throw StoreError(.corrupt, "a log with forgotten events is missing")
                }
                found.append((first, kind, row))
                continue
            }
            let wanted = min(Int(clamping: count - skipped), limit - found.count)
            let part = try Row.fetchAll(rows, arguments: [event + skipped, event + count - 1, wanted])
            guard part.count == wanted, part.last?[0] == event + skipped + Int64(wanted) - 1 else {
                throw StoreError(
                    .corrupt, "\(wanted - part.count) of \(wanted) rows of delivered events are missing")
            }
            for (offset, row) in part.enumerated() { found.append((first + skipped + Int64(offset), kind, row)) }
        }
        return found
    }

    /// The latest number of a group's change log; 0 if nothing was delivered.
    public func lastChange(of group: GroupRecord) throws -> Int64 {
        try Int64.fetchOne(
            db, sql: "SELECT number + count - 1 FROM change WHERE replica = ? ORDER BY number DESC LIMIT 1",
            arguments: [group.reference]) ?? 0
    }

    /// The event with this log, sequence and id.
    public func event(of group: GroupRecord, log: LogID, sequence: UInt64, id: EventID) throws -> StoredEvent? {
        try Row.fetchAll(
            db,
            sql: """
                SELECT event.* FROM log JOIN event ON event.log = log.reference
                WHERE log.replica = ? AND log.id = ? AND event.sequence = ?
                """, arguments: [group.reference, Data(log.bytes), Int64(clamping: sequence)]
        ).map(Rows.event).first { $0.event.id == id }
    }

    /// The event that a reference in another event names.
    public func event(of group: GroupRecord, at place: EventReference) throws -> StoredEvent? {
        try event(of: group, log: place.log, sequence: place.sequence, id: place.id)
    }

    /// The event of a log at a sequence. If there are several, the first to arrive is returned.
    public func event(ofLog log: LogState, at sequence: UInt64) throws -> StoredEvent? {
        try Row.fetchOne(
            db.cachedStatement(sql: "SELECT * FROM event WHERE log = ? AND sequence = ? ORDER BY ordinal LIMIT 1"),
            arguments: [log.reference, Int64(clamping: sequence)]
        ).map(Rows.event)
    }

    /// The sequence of a log's first waiting event whose content is not held; nil if there is none.
    public func firstWithheld(ofLog log: LogState) throws -> UInt64? {
        try Int64.fetchOne(
            db, sql: "SELECT min(sequence) FROM event WHERE log = ? AND status = 0 AND content IS NULL",
            arguments: [log.reference]
        ).map { UInt64(clamping: $0) }
    }

    /// The events whose ids begin with eight bytes in this range. The query uses the index of the group's order.
    public func events(
        of group: GroupRecord, idsFrom first: UInt64, through last: UInt64, limit: Int
    ) throws -> [StoredEvent] {
        func signed(_ word: UInt64) -> Int64 { Int64(bitPattern: word ^ (1 << 63)) }
        return try Row.fetchAll(
            db, sql: "SELECT * FROM event WHERE replica = ? AND prefix BETWEEN ? AND ? LIMIT ?",
            arguments: [group.reference, signed(first), signed(last), limit]
        ).map(Rows.event)
    }

    /// The peers that are known to hold an event. A peer is known to hold it if it acknowledged the event, or agreed on
    /// the whole group after the event arrived.
    public func holders(of stored: StoredEvent, in group: GroupRecord) throws -> [DeviceKey] {
        try Data.fetchAll(
            db,
            sql: """
                SELECT peer FROM acknowledged WHERE log = ? AND sequence >= ?
                UNION SELECT peer FROM agreement WHERE replica = ? AND ordinal >= ?
                """,
            arguments: [stored.log, Int64(clamping: stored.event.sequence), group.reference, stored.ordinal]
        ).compactMap { DeviceKey($0) }
    }

    /// The peers that are known to have the group.
    public func peers(of group: GroupRecord) throws -> [DeviceKey] {
        try Data.fetchAll(
            db,
            sql: """
                SELECT DISTINCT peer FROM agreement WHERE replica = ?
                UNION SELECT DISTINCT peer FROM acknowledged JOIN log ON log.reference = acknowledged.log
                WHERE log.replica = ?
                """, arguments: [group.reference, group.reference]
        ).compactMap { DeviceKey($0) }
    }

    /// The peers that are known to hold a message: they share the group, and no offer or message to them is
    /// outstanding.
    public func holders(ofMessage id: EventID, in group: GroupRecord) throws -> [DeviceKey] {
        try Data.fetchAll(
            db,
            sql: """
                SELECT peer FROM sharing WHERE replica = ?
                EXCEPT SELECT peer FROM record WHERE id = ? AND kind != 2
                """, arguments: [group.reference, Data(id.bytes)]
        ).compactMap { DeviceKey($0) }
    }

    // MARK: Groups of the mvds dialect

    /// The delivered messages in the order of delivery, each with its number in the change log.
    public func messageChanges(
        after number: Int64, of group: GroupRecord, limit: Int
    ) throws -> [(Int64, StoredMessage)] {
        try delivered(from: "message", after: number, of: group, limit: limit).map {
            ($0.number, try Rows.message($0.row))
        }
    }

    /// The latest `limit` delivered messages below a place in the order of (timestamp, id), ascending.
    public func messageTimeline(
        of group: GroupRecord, before place: (timestamp: Int64, id: EventID)?, limit: Int
    ) throws -> [StoredMessage] {
        let rows = try Row.fetchCursor(
            db,
            sql: """
                SELECT * FROM message WHERE replica = ? AND timestamp <= ? AND status = 1
                ORDER BY timestamp DESC, prefix DESC, id DESC
                """, arguments: [group.reference, place?.timestamp ?? .max])
        var messages: [StoredMessage] = []
        while messages.count < limit, let row = try rows.next() {
            let stored = try Rows.message(row)
            if let place, (stored.message.timestamp, stored.id) >= place { continue }
            messages.append(stored)
        }
        return messages.reversed()
    }

    /// The next messages of a group after an ordinal, at most `limit`, in the order of arrival.
    public func messages(of group: GroupRecord, after ordinal: Int64, limit: Int) throws -> [StoredMessage] {
        try Row.fetchAll(
            db, sql: "SELECT * FROM message WHERE replica = ? AND ordinal > ? ORDER BY ordinal LIMIT ?",
            arguments: [group.reference, ordinal, limit]
        ).map(Rows.message)
    }

    public func messageCount(of group: GroupRecord, status: EventStatus? = nil) throws -> Int {
        let filter = status.map { " AND status = \($0.rawValue)" } ?? ""
        return try Int.fetchOne(
            db, sql: "SELECT count(*) FROM message WHERE replica = ?\(filter)", arguments: [group.reference]) ?? 0
    }

    /// The number of messages in all groups of the mvds dialect.
    public func messageCount() throws -> Int { try Int.fetchOne(db, sql: "SELECT count(*) FROM message") ?? 0 }

    /// The number of records outstanding towards a peer.
    public func recordCount(with peer: DeviceKey) throws -> Int {
        try Int.fetchOne(
            db, sql: "SELECT count(*) FROM record WHERE peer = ?", arguments: [Data(peer.bytes)]) ?? 0
    }

    // MARK: Native groups

    /// The entries of the change log after a number, in order.
    public func changes(
        after number: Int64, of group: GroupRecord, limit: Int
    ) throws -> [(number: Int64, change: StoredChange)] {
        try delivered(from: "event", after: number, of: group, limit: limit).map { number, kind, row in
            guard kind == .forgotten else { return (number, .event(kind, try Rows.event(row))) }
            let log = try Rows.log(row)
            return (number, .forgotten(log.id, through: log.floor))
        }
    }

    /// The latest `limit` delivered events below a place in the total order, ascending. Without a place, the latest of
    /// all.
    public func timeline(
        of group: GroupRecord, before place: (lamport: UInt64, id: EventID)?, limit: Int
    ) throws -> [StoredEvent] {
        let lamport = place.map { Int64(clamping: $0.lamport) } ?? .max
        let rows = try Row.fetchCursor(
            db,
            sql: """
                SELECT * FROM event WHERE replica = ? AND lamport <= ? AND status = 1
                ORDER BY lamport DESC, prefix DESC, id DESC
                """, arguments: [group.reference, lamport])
        var events: [StoredEvent] = []
        while events.count < limit, let row = try rows.next() {
            let stored = try Rows.event(row)
            if let place, (stored.event.lamport, stored.event.id) >= place { continue }
            events.append(stored)
        }
        return events.reversed()
    }

    /// The next events of a group after an ordinal, at most `limit`, in the order of arrival.
    public func events(of group: GroupRecord, after ordinal: Int64, limit: Int) throws -> [StoredEvent] {
        try Row.fetchAll(
            db.cachedStatement(sql: "SELECT * FROM event WHERE +replica = ? AND ordinal > ? ORDER BY ordinal LIMIT ?"),
            arguments: [group.reference, ordinal, limit]
        ).map(Rows.event)
    }

    public func count(of group: GroupRecord, status: EventStatus? = nil) throws -> Int {
        let filter = status.map { " AND status = \($0.rawValue)" } ?? ""
        return try Int.fetchOne(
            db, sql: "SELECT count(*) FROM event WHERE replica = ?\(filter)", arguments: [group.reference]) ?? 0
    }

    /// The bytes of content in all events of a group, except the first `count` to arrive.
    public func contentBytes(of group: GroupRecord, skipping count: Int) throws -> Int {
        try Int.fetchOne(
            db,
            sql: """
                SELECT coalesce(sum(length(content)), 0) FROM (
                    SELECT content FROM event WHERE +replica = ? ORDER BY ordinal LIMIT -1 OFFSET ?)
                """, arguments: [group.reference, count]) ?? 0
    }

    /// The events of a group's state logs, each with its author. Some may no longer be part of the state.
    public func stateEvents(of group: GroupRecord) throws -> [(LogAuthor, StoredEvent)] {
        var events: [(LogAuthor, StoredEvent)] = []
        for log in try logs(of: group) {
            guard let certificate = log.certificate, certificate.isStateLog else { continue }
            let author = certificate.author
            events += try Row.fetchAll(
                db.cachedStatement(sql: "SELECT * FROM event WHERE log = ? ORDER BY sequence"),
                arguments: [log.reference]
            ).map { (author, try Rows.event($0)) }
        }
        return events
    }

    /// The ids of events that were delivered and are no longer wanted.
    public func withdrawnEvents(of group: GroupRecord) throws -> [EventID] {
        try Data.fetchAll(
            db, sql: "SELECT id FROM event WHERE replica = ? AND status = ?",
            arguments: [group.reference, Int64(EventStatus.withdrawn.rawValue)]
        ).compactMap { EventID($0) }
    }

    public func firstEvent(of group: GroupRecord, log: LogID) throws -> StoredEvent? {
        try Row.fetchOne(
            db,
            sql: """
                SELECT event.* FROM log JOIN event ON event.log = log.reference
                WHERE log.replica = ? AND log.id = ? AND event.sequence = 1
                """, arguments: [group.reference, Data(log.bytes)]
        ).map(Rows.event)
    }
}
