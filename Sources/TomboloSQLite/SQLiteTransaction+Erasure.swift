import Foundation
import GRDB
import TomboloCore

// Erasure (protocol §2.7).
extension SQLiteTransaction {
    func erase(
        _ events: [StoredHeader], forGood isForGood: Bool, inGroup group: Int64
    ) throws(StoreError) {
        try run {
            let select = try db.cachedStatement(
                sql: "SELECT 1 FROM event WHERE ordinal = ? AND content IS NOT NULL AND status IN (?, ?)")
            let (delivered, withdrawn) = (Int64(EventStatus.delivered.rawValue), Int64(EventStatus.withdrawn.rawValue))
            var reported: [Int64] = []
            for event in events {
                if try Bool.fetchOne(select, arguments: [event.ordinal, delivered, withdrawn]) != nil {
                    reported.append(event.ordinal)
                }
                try execute("UPDATE event SET salt = NULL, content = NULL WHERE ordinal = ?", [event.ordinal])
                try endReferences(to: event.header.files, from: event.ordinal, inGroup: group)
                if isForGood, let expiry = event.header.expiry {
                    try execute(
                        "DELETE FROM expiry WHERE replica = ? AND time = ? AND event = ?",
                        [group, Int64(clamping: expiry), event.ordinal])
                }
            }
            try addChanges(.erased, of: reported, inGroup: group)
        }
    }

    func setContent(_ content: Bytes, salt: Bytes, ofEvent ordinal: Int64) throws(StoreError) {
        try run {
            try execute(
                "UPDATE event SET salt = ?, content = ? WHERE ordinal = ?", [Data(salt), Data(content), ordinal])
            let group = try Int64.fetchOne(db, sql: "SELECT replica FROM event WHERE ordinal = ?", arguments: [ordinal])
            for event in try headers(ordinals: [ordinal]) {
                try refer(to: event.header.files, from: ordinal, inGroup: group ?? 0)
                // An erasure for good removed the expiry. The content is held again, so it must expire again.
                guard let expiry = event.header.isErasable ? event.header.expiry : nil else { continue }
                try execute(
                    "INSERT OR IGNORE INTO expiry VALUES (?, ?, ?)", [group, Int64(clamping: expiry), ordinal])
            }
        }
    }

    func contentSizes(
        inGroup group: Int64, after ordinal: Int64, limit: Int
    ) throws(StoreError) -> [ContentSize] {
        try run {
            try Row.fetchAll(
                db,
                sql: """
                    SELECT ordinal, log, length(content) FROM event
                    WHERE +replica = ? AND ordinal > ? AND status = 1 AND length(salt) > 0 AND length(content) > 0
                    ORDER BY ordinal LIMIT ?
                    """, arguments: [group, ordinal, limit]
            ).map { ContentSize(ordinal: $0[0], log: $0[1], bytes: $0[2]) }
        }
    }

    func withoutContent(
        inGroup group: Int64, lamports: ClosedRange<UInt64>, after ordinal: Int64, limit: Int
    ) throws(StoreError) -> [Int64] {
        try run {
            try Int64.fetchAll(
                db,
                sql: """
                    SELECT ordinal FROM event WHERE +replica = ? AND ordinal > ? AND content IS NULL
                    AND +lamport BETWEEN ? AND ? ORDER BY ordinal LIMIT ?
                    """,
                arguments: [
                    group, ordinal, Int64(clamping: lamports.lowerBound), Int64(clamping: lamports.upperBound), limit,
                ])
        }
    }

    func expired(by time: UInt64, inGroup group: Int64, limit: Int) throws(StoreError) -> [Int64] {
        try run {
            try Int64.fetchAll(
                db, sql: "SELECT event FROM expiry WHERE replica = ? AND time <= ? ORDER BY time, event LIMIT ?",
                arguments: [group, Int64(clamping: time), limit])
        }
    }

    func nextExpiry(inGroup group: Int64) throws(StoreError) -> UInt64? {
        try run {
            try Int64.fetchOne(db, sql: "SELECT min(time) FROM expiry WHERE replica = ?", arguments: [group])
                .map { UInt64(clamping: $0) }
        }
    }

    func contentless(inGroup group: Int64) throws(StoreError) -> [StoredHeader] {
        try headers(
            ordinals: run {
                try Int64.fetchAll(
                    db,
                    sql: """
                        SELECT DISTINCT waiter FROM waiting JOIN event ON event.ordinal = waiter
                        WHERE waiting.replica = ? AND event.content IS NULL ORDER BY waiter
                        """, arguments: [group])
            })
    }
}
