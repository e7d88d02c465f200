import Foundation
import GRDB
import TomboloCore

// Groups of the mvds dialect.
extension SQLiteTransaction {
    func peers(sharing group: Int64) throws(StoreError) -> [DeviceKey] {
        try run {
            try Data.fetchAll(db, sql: "SELECT peer FROM sharing WHERE replica = ? ORDER BY peer", arguments: [group])
                .compactMap { DeviceKey($0) }
        }
    }

    func share(_ group: Int64, with peer: DeviceKey) throws(StoreError) {
        try run { try execute("INSERT OR IGNORE INTO sharing VALUES (?, ?)", [group, Data(peer.bytes)]) }
    }

    // MARK: Messages

    func insert(_ messages: [StoredMessage]) throws(StoreError) -> Int64 {
        try run {
            let first = try Int64.fetchOne(db, sql: "SELECT coalesce(max(ordinal), 0) + 1 FROM message") ?? 1
            for (ordinal, stored) in zip(first..., messages) {
                try execute(
                    "INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?)",
                    [
                        ordinal, stored.group, stored.message.timestamp, stored.id.prefix,
                        Int64(stored.status.rawValue), Data(stored.id.bytes), Data(stored.message.encoded),
                    ])
                if stored.status == .delivered {
                    try addChanges(.delivered, from: ordinal, count: 1, inGroup: stored.group)
                }
            }
            return first
        }
    }

    func messages(ids: [EventID]) throws(StoreError) -> [StoredMessage?] {
        try run {
            let statement = try db.cachedStatement(sql: "SELECT * FROM message WHERE prefix = ?")
            return try ids.map { id in
                try Row.fetchAll(statement, arguments: [id.prefix]).lazy.map(Rows.message).first { $0.id == id }
            }
        }
    }

    func places(ofMessages ids: [EventID]) throws(StoreError) -> [MessagePlace?] {
        try run {
            let statement = try db.cachedStatement(sql: "SELECT replica, status, id FROM message WHERE prefix = ?")
            return try ids.map { id in
                let rows = try Row.fetchAll(statement, arguments: [id.prefix])
                guard let row = rows.first(where: { EventID($0[2] as Data) == id }) else { return nil }
                return MessagePlace(group: row[0], status: EventStatus(rawValue: row[1]) ?? .invalid)
            }
        }
    }

    func waitingMessages(inGroup group: Int64) throws(StoreError) -> [StoredMessage] {
        try run {
            try Row.fetchAll(
                db, sql: "SELECT * FROM message WHERE replica = ? AND status = 0 ORDER BY ordinal", arguments: [group]
            ).map(Rows.message)
        }
    }

    func deliverMessages(ordinals: [Int64], inGroup group: Int64) throws(StoreError) {
        try run {
            for ordinal in ordinals {
                try execute("UPDATE message SET status = 1 WHERE ordinal = ?", [ordinal])
                try addChanges(.delivered, from: ordinal, count: 1, inGroup: group)
            }
        }
    }

    func messageHeads(inGroup group: Int64, limit: Int) throws(StoreError) -> [EventID] {
        try run {
            let ids = try Data.fetchOne(db, sql: "SELECT ids FROM messageHead WHERE replica = ?", arguments: [group])
            let bytes = Array(ids ?? Data())
            let heads = stride(from: 0, to: bytes.count, by: 32).compactMap {
                EventID(bytes[$0..<min($0 + 32, bytes.count)])
            }
            return Array(heads.suffix(limit))
        }
    }

    func setMessageHeads(_ heads: [EventID], inGroup group: Int64) throws(StoreError) {
        try run {
            try execute("INSERT OR REPLACE INTO messageHead VALUES (?, ?)", [group, Data(heads.flatMap(\.bytes))])
        }
    }

    // MARK: Records

    func records(of ids: [EventID], with peer: DeviceKey) throws(StoreError) -> [SyncRecord] {
        try run {
            let statement = try db.cachedStatement(sql: "SELECT * FROM record WHERE peer = ? AND id = ?")
            return try ids.compactMap {
                try Row.fetchOne(statement, arguments: [Data(peer.bytes), Data($0.bytes)]).map(Rows.record)
            }
        }
    }

    func records(
        with peer: DeviceKey, dueAt time: UInt64, kinds: [SyncRecord.Kind], limit: Int
    ) throws(StoreError) -> [SyncRecord] {
        try run {
            let kinds = kinds.map { String($0.rawValue) }.joined(separator: ",")
            return try Row.fetchAll(
                db.cachedStatement(
                    sql: """
                        SELECT * FROM record WHERE peer = ? AND nextSend <= ? AND kind IN (\(kinds))
                        ORDER BY nextSend, id LIMIT ?
                        """),
                arguments: [Data(peer.bytes), Int64(clamping: time), limit]
            ).map(Rows.record)
        }
    }

    func nextRecord(with peer: DeviceKey) throws(StoreError) -> UInt64? {
        try run {
            try Int64.fetchOne(
                db.cachedStatement(sql: "SELECT min(nextSend) FROM record WHERE peer = ?"),
                arguments: [Data(peer.bytes)]
            ).map { UInt64(max(0, $0)) }
        }
    }

    func requestCount(with peer: DeviceKey) throws(StoreError) -> Int {
        try run {
            try Int.fetchOne(
                db.cachedStatement(sql: "SELECT count(*) FROM record WHERE peer = ? AND kind = 2"),
                arguments: [Data(peer.bytes)]) ?? 0
        }
    }

    func put(_ records: [SyncRecord]) throws(StoreError) {
        try run {
            for record in records {
                try execute(
                    "INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?, ?)",
                    [
                        Data(record.peer.bytes), Data(record.id.bytes), Int64(record.kind.rawValue),
                        record.isOwn ? 1 : 0, record.sendCount, Int64(clamping: record.nextSend),
                    ])
            }
        }
    }

    func removeRecords(of ids: [EventID], with peer: DeviceKey) throws(StoreError) {
        try run {
            for id in ids {
                try execute("DELETE FROM record WHERE peer = ? AND id = ?", [Data(peer.bytes), Data(id.bytes)])
            }
        }
    }

    func removeRequests(of ids: [EventID]) throws(StoreError) {
        try run {
            for id in ids { try execute("DELETE FROM record WHERE id = ? AND kind = 2", [Data(id.bytes)]) }
        }
    }

    func replaceRecords(
        with peer: DeviceKey, inGroup group: Int64, upTo ordinal: Int64, by records: [SyncRecord]
    ) throws(StoreError) {
        try run {
            let outstanding = try Data.fetchAll(
                db.cachedStatement(sql: "SELECT id FROM record WHERE peer = ? AND kind <> 2"),
                arguments: [Data(peer.bytes)])
            let messages = try db.cachedStatement(
                sql: "SELECT id FROM message WHERE prefix = ? AND replica = ? AND ordinal <= ?")
            for id in outstanding {
                guard let prefix = EventID(id)?.prefix,
                    try Data.fetchAll(messages, arguments: [prefix, group, ordinal]).contains(id)
                else { continue }
                try execute("DELETE FROM record WHERE peer = ? AND id = ?", [Data(peer.bytes), id])
            }
        }
        try put(records)
    }

    // MARK: Sets

    func lastMessage() throws(StoreError) -> Int64 {
        try run { try Int64.fetchOne(db, sql: "SELECT coalesce(max(ordinal), 0) FROM message") ?? 0 }
    }

    func messageTimes(inGroup group: Int64, after ordinal: Int64, limit: Int) throws(StoreError) -> [MessageTime] {
        try run {
            try Row.fetchAll(
                db,
                sql: """
                    SELECT ordinal, id, timestamp FROM message WHERE replica = ? AND ordinal > ? ORDER BY ordinal LIMIT ?
                    """, arguments: [group, ordinal, limit]
            ).compactMap { row in
                EventID(row[1] as Data).map { MessageTime(ordinal: row[0], id: $0, timestamp: row[2]) }
            }
        }
    }

    func messageIDs(withPrefixes prefixes: [UInt64], inGroup group: Int64) throws(StoreError) -> [EventID] {
        try run {
            let statement = try db.cachedStatement(
                sql: "SELECT id FROM message WHERE prefix BETWEEN ? AND ? AND replica = ?")
            return try prefixes.flatMap { prefix in
                let first = Int64(bitPattern: prefix << 24 ^ 1 << 63)
                return try Data.fetchAll(statement, arguments: [first, first | 0xff_ffff, group]).compactMap {
                    EventID($0)
                }
            }
        }
    }

    func page(_ number: Int, inGroup group: Int64) throws(StoreError) -> [UInt8]? {
        try run {
            try Data.fetchOne(
                db.cachedStatement(sql: "SELECT bytes FROM messagePage WHERE replica = ? AND number = ?"),
                arguments: [group, number]
            ).map { Array($0) }
        }
    }

    func put(_ pages: [(number: Int, bytes: [UInt8])], inGroup group: Int64) throws(StoreError) {
        try run {
            for page in pages {
                try execute(
                    "INSERT OR REPLACE INTO messagePage VALUES (?, ?, ?)", [group, page.number, Data(page.bytes)])
            }
        }
    }

    func restartRecords(with peer: DeviceKey, at time: UInt64) throws(StoreError) {
        try run {
            try execute(
                "UPDATE record SET nextSend = ?, sendCount = 0 WHERE peer = ?",
                [Int64(clamping: time), Data(peer.bytes)])
        }
    }
}
