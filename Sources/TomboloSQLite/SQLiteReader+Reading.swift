import Foundation
import GRDB
public import TomboloCore

// Reading positions.
extension SQLiteReader {
    /// The number of unread entries: delivered, written by other members, and not read on another device of `member`.
    /// Merges do not count.
    ///
    /// - Parameters:
    ///   - group: the group's record in this store.
    ///   - number: the number of the change log after which entries count; 0 for all.
    ///   - member: the member. Its own entries do not count, on whichever device they were written.
    public func unreadCount(of group: GroupRecord, after number: Int64, by member: MemberKey) throws -> Int {
        if group.dialect == .mvds {
            return try Int.fetchOne(
                db, sql: "SELECT count(*) FROM \(Self.delivered("message"))",
                arguments: [group.reference, number, number]) ?? 0
        }
        // The second byte of a header is the kind of event. The second to 33rd bytes of a certificate are the member's
        // key (protocol §2.1, §2.2).
        return try Int.fetchOne(
            db,
            sql: """
                SELECT count(*) FROM \(Self.delivered("event")) AND change.kind = 0 AND event.status = 1
                    AND event.content IS NOT NULL
                    AND substr(event.header, 2, 1) = x'00'
                    AND event.sequence > coalesce((
                        SELECT CASE substr(log.certificate, 2, 32) WHEN ? THEN \(Int64.max) ELSE readMark.sequence END
                        FROM log LEFT JOIN readMark ON readMark.replica = ? AND readMark.log = log.id
                        WHERE log.reference = event.log), 0)
                """,
            arguments: [group.reference, number, number, Data(member.bytes), Data(group.id.bytes)]) ?? 0
    }

    /// The highest delivered sequence of each log, from after `number` to `last` in the change log.
    public func lastEvents(
        of group: GroupRecord, after number: Int64, through last: Int64
    ) throws -> [LogID: UInt64] {
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT log.id, max(delivered.sequence) FROM (
                    SELECT event.log, event.sequence FROM \(Self.delivered("event")) AND change.kind = 0
                        AND substr(event.header, 2, 1) = x'00' AND change.number + event.ordinal - change.event <= ?
                ) AS delivered JOIN log ON log.reference = delivered.log GROUP BY log.reference
                """, arguments: [group.reference, number, number, last])
        var found: [LogID: UInt64] = [:]
        for row in rows {
            guard let log = LogID(row[0] as Data) else { continue }
            found[log] = UInt64(clamping: row[1] as Int64)
        }
        return found
    }

    /// The timestamp of a log's last event, by its author's clock, in milliseconds since 1970; 0 if the log has no
    /// event.
    public func lastTimestamp(of log: LogState) throws -> UInt64 {
        UInt64(
            clamping: try Int64.fetchOne(
                db, sql: "SELECT timestamp FROM event WHERE log = ? ORDER BY sequence DESC LIMIT 1",
                arguments: [log.reference]) ?? 0)
    }
}

extension SQLiteStorage {
    /// Stores how far the member's other devices have read each log. A mark never moves back.
    public func noteRead(_ marks: [(group: GroupID, log: LogID, sequence: UInt64)]) throws(StoreError) {
        guard !marks.isEmpty else { return }
        do {
            try pool.write { db in
                let statement = try db.cachedStatement(
                    sql: """
                        INSERT INTO readMark (replica, log, sequence) VALUES (?, ?, ?)
                        ON CONFLICT (replica, log) DO UPDATE SET sequence = max(sequence, excluded.sequence)
                        """)
                for mark in marks {
                    try statement.execute(
                        arguments: [Data(mark.group.bytes), Data(mark.log.bytes), Int64(clamping: mark.sequence)])
                }
            }
        } catch {
            throw .from(error)
        }
    }
}
