import Foundation
import GRDB
import TomboloCore

/// The engine's view of one transaction of a ``SQLiteStorage``.
final class SQLiteTransaction: EventStore {
    let db: Database
    let chunks: ChunkFiles
    let cells: SecretCells
    /// The files whose chunks are removed after the commit.
    var removedFiles: [FileID] = []

    init(_ db: Database, _ chunks: ChunkFiles, _ cells: SecretCells) {
        self.db = db
        self.chunks = chunks
        self.cells = cells
    }

    func run<Result>(_ body: () throws -> Result) throws(StoreError) -> Result {
        do { return try body() } catch { throw .from(error) }
    }

    func execute(_ sql: String, _ arguments: StatementArguments) throws {
        try db.cachedStatement(sql: sql).execute(arguments: arguments)
    }

    // MARK: Values, groups, logs

    func value(forKey key: String) throws(StoreError) -> [UInt8]? {
        try run { try Rows.value(key, db).map { try cells.value($0, forKey: key) } }
    }

    func setValue(_ value: [UInt8]?, forKey key: String) throws(StoreError) {
        try run {
            if let value {
                try execute("INSERT OR REPLACE INTO value VALUES (?, ?)", [key, try cells.cell(value, forKey: key)])
            } else {
                try execute("DELETE FROM value WHERE key = ?", [key])
            }
        }
    }

    func groups() throws(StoreError) -> [GroupRecord] {
        try run {
            try Row.fetchAll(db, sql: "SELECT * FROM replica ORDER BY reference").map { try Rows.group($0, cells) }
        }
    }

    func put(_ group: inout GroupRecord) throws(StoreError) {
        let record = group
        group.reference = try run {
            try execute(
                """
                INSERT INTO replica (id, dialect, statement, discovery, name, ownSeed, ownLog) VALUES (?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (id) DO UPDATE SET name = excluded.name, ownSeed = excluded.ownSeed, ownLog = excluded.ownLog
                """,
                [
                    Data(record.id.bytes), Int64(record.dialect.rawValue), Data(record.statement),
                    try cells.closed(record.discovery.bytes, .discovery(record.id)), record.name,
                    try record.ownSeed.map { try cells.closed($0.bytes, .ownSeed(record.id)) },
                    record.ownLog.map { Data($0.bytes) },
                ])
            return try Int64.fetchOne(
                db, sql: "SELECT reference FROM replica WHERE id = ?", arguments: [Data(record.id.bytes)]) ?? 0
        }
    }

    func logs(inGroup group: Int64) throws(StoreError) -> [LogState] {
        try run {
            try Row.fetchAll(db, sql: "SELECT * FROM log WHERE replica = ? ORDER BY reference", arguments: [group])
                .map(Rows.log)
        }
    }

    func put(_ logs: inout [LogState], inGroup group: Int64) throws(StoreError) {
        for index in logs.indices {
            let log = logs[index]
            let certificate = log.certificate.map { Data($0.encoded) }
            logs[index].reference = try run {
                if log.reference != 0 {
                    try execute(
                        "UPDATE log SET certificate = ?, state = ? WHERE reference = ?",
                        [certificate, Data(log.storedForm), log.reference])
                    return log.reference
                }
                try execute(
                    "INSERT INTO log (replica, id, certificate, state) VALUES (?, ?, ?, ?)",
                    [group, Data(log.id.bytes), certificate, Data(log.storedForm)])
                return db.lastInsertedRowID
            }
        }
    }

    // MARK: Events

    func changes(after ordinal: Int64, inGroup group: Int64) throws(StoreError) -> [LogChange] {
        try run {
            // The plus signs stop SQLite from using an index over all events. Few events are that new.
            try Row.fetchAll(
                db,
                sql: """
                    SELECT log, min(sequence), max(sequence) FROM event WHERE ordinal > ? AND +replica = ?
                    GROUP BY +log ORDER BY 1
                    """, arguments: [ordinal, group]
            ).map { LogChange(log: $0[0], first: UInt64($0[1] as Int64), last: UInt64($0[2] as Int64)) }
        }
    }

    func setStatus(
        _ status: EventStatus, ordinals: [Int64], noting change: ChangeKind?, inGroup group: Int64
    ) throws(StoreError) {
        try run {
            let update = try db.cachedStatement(sql: "UPDATE event SET status = ? WHERE ordinal = ?")
            for ordinal in ordinals { try update.execute(arguments: [Int64(status.rawValue), ordinal]) }
            if let change { try addChanges(change, of: ordinals, inGroup: group) }
        }
    }

    func addChanges(_ kind: ChangeKind, of ordinals: [Int64], inGroup group: Int64) throws {
        var run = 0
        for (index, ordinal) in ordinals.enumerated() {
            run += 1
            guard index + 1 == ordinals.count || ordinals[index + 1] != ordinal + 1 else { continue }
            try addChanges(kind, from: ordinal + 1 - Int64(run), count: run, inGroup: group)
            run = 0
        }
    }

    func addWaiting(_ waiting: [(missing: EventID, waiter: Int64)], inGroup group: Int64) throws(StoreError) {
        try run {
            let statement = try db.cachedStatement(sql: "INSERT OR IGNORE INTO waiting VALUES (?, ?, ?)")
            for (missing, waiter) in waiting {
                try statement.execute(arguments: [group, Data(missing.bytes), waiter])
            }
        }
    }

    func takeWaiting(for ids: [EventID], inGroup group: Int64) throws(StoreError) -> [Int64] {
        try run {
            let select = try db.cachedStatement(sql: "SELECT waiter FROM waiting WHERE replica = ? AND missing = ?")
            let delete = try db.cachedStatement(sql: "DELETE FROM waiting WHERE replica = ? AND missing = ?")
            var waiters: [Int64] = []
            for id in ids {
                let arguments: StatementArguments = [group, Data(id.bytes)]
                let found = try Int64.fetchAll(select, arguments: arguments)
                if !found.isEmpty { try delete.execute(arguments: arguments) }
                waiters += found
            }
            return waiters
        }
    }

    func heads(inGroup group: Int64) throws(StoreError) -> [StoredHeader] {
        try headers(
            ordinals: run {
                try Int64.fetchAll(
                    db, sql: "SELECT event FROM head WHERE replica = ? ORDER BY event", arguments: [group])
            })
    }

    func changeHeads(adding: [Int64], removing: [Int64], inGroup group: Int64) throws(StoreError) {
        try run {
            for event in removing { try execute("DELETE FROM head WHERE replica = ? AND event = ?", [group, event]) }
            for event in adding { try execute("INSERT OR IGNORE INTO head VALUES (?, ?)", [group, event]) }
        }
    }

    // MARK: Peers

    func peers() throws(StoreError) -> [PeerRecord] {
        try run { try Row.fetchAll(db, sql: "SELECT * FROM peer ORDER BY device").map(Rows.peer) }
    }

    func peer(_ device: DeviceKey) throws(StoreError) -> PeerRecord? {
        try run {
            try Row.fetchOne(
                db.cachedStatement(sql: "SELECT * FROM peer WHERE device = ?"), arguments: [Data(device.bytes)]
            ).map(Rows.peer)
        }
    }

    func put(_ peer: PeerRecord) throws(StoreError) {
        try run {
            try execute(
                "INSERT OR REPLACE INTO peer VALUES (?, ?, ?, ?, ?)",
                [
                    Data(peer.device.bytes), peer.addresses.joined(separator: "\n"), Data(peer.incarnation),
                    Int64(peer.dialect.rawValue), peer.member.map { Data($0.bytes) },
                ])
        }
    }

    func removePeer(_ peer: DeviceKey) throws(StoreError) {
        try run {
            for table in ["agreement", "acknowledged", "sharing", "record"] {
                try execute("DELETE FROM \(table) WHERE peer = ?", [Data(peer.bytes)])
            }
            try execute("DELETE FROM peer WHERE device = ?", [Data(peer.bytes)])
        }
    }

    func agreements(with peer: DeviceKey, inGroup group: Int64) throws(StoreError) -> [Agreement] {
        try run {
            try Row.fetchAll(
                db,
                sql: """
                    SELECT token, ordinal, lastLog FROM agreement WHERE peer = ? AND replica = ? ORDER BY number DESC LIMIT ?
                    """,
                arguments: [Data(peer.bytes), group, Limits.agreements]
            ).map { Agreement(token: UInt64(bitPattern: $0[0]), ordinal: $0[1], lastLog: $0[2]) }
        }
    }

    func putAgreement(_ agreement: Agreement, with peer: DeviceKey, inGroup group: Int64) throws(StoreError) {
        try run {
            let key = Data(peer.bytes)
            try execute(
                "INSERT INTO agreement (peer, replica, token, ordinal, lastLog) VALUES (?, ?, ?, ?, ?)",
                [key, group, Int64(bitPattern: agreement.token), agreement.ordinal, agreement.lastLog])
            try execute(
                """
                DELETE FROM agreement WHERE peer = ? AND replica = ? AND number NOT IN (
                    SELECT number FROM agreement WHERE peer = ? AND replica = ? ORDER BY number DESC LIMIT ?)
                """, [key, group, key, group, Limits.agreements])
        }
    }

    func forgetPeer(_ peer: DeviceKey) throws(StoreError) {
        try run {
            try execute("DELETE FROM agreement WHERE peer = ?", [Data(peer.bytes)])
            try execute("DELETE FROM acknowledged WHERE peer = ?", [Data(peer.bytes)])
        }
    }

    func acknowledge(_ logs: [(log: Int64, sequence: UInt64)], by peer: DeviceKey) throws(StoreError) {
        try run {
            for (log, sequence) in logs {
                try execute(
                    """
                    INSERT INTO acknowledged VALUES (?, ?, ?)
                    ON CONFLICT DO UPDATE SET sequence = max(sequence, excluded.sequence)
                    """, [Data(peer.bytes), log, Int64(sequence)])
            }
        }
    }

    func invitation(id: [UInt8]) throws(StoreError) -> InvitationRecord? {
        try run {
            try Row.fetchOne(db, sql: "SELECT * FROM invitation WHERE id = ?", arguments: [Data(id)])
                .map { try Rows.invitation($0, cells) }
        }
    }

    func put(_ invitation: InvitationRecord) throws(StoreError) {
        try run {
            try execute(
                """
                INSERT OR REPLACE INTO invitation (id, secret, replica, expiry, usedBy, usedFor, role, uses)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """,
                [
                    Data(invitation.id), try cells.closed(invitation.secret, .invitation(invitation)),
                    Data(invitation.group.bytes),
                    Int64(clamping: invitation.expiry), Data(invitation.uses.flatMap(\.device.bytes)),
                    Data(invitation.uses.flatMap(\.member.bytes)), Int64(invitation.role.rawValue), invitation.mostUses,
                ])
        }
    }

    func removeInvitation(id: [UInt8]) throws(StoreError) {
        try run { try execute("DELETE FROM invitation WHERE id = ?", [Data(id)]) }
    }
}
