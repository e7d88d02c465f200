public import Foundation
import GRDB
public import TomboloCore

extension SQLiteStorage {
    /// Encrypts the store's secrets again, under a new key that the lock keeps. Without a lock, they are stored in
    /// plain form.
    ///
    /// The old form is overwritten and removed from the WAL. Only copies of the files still contain it.
    ///
    /// - Returns: true if the old form has left the files. It has not if an older snapshot is being read, or if the
    ///   disk is full. Then call ``purge()`` again; the next start does so too.
    /// - Throws: `StoreError`; the store is then unchanged.
    public func relock(with lock: (any StoreLock)?) throws(StoreError) -> Bool {
        var generator: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()
        let key = lock == nil ? nil : Bytes32.random(using: &generator)
        let new = SecretCells(key: key)
        var kept: [UInt8]?
        if let lock, let key { kept = try lock.close(over: key) }
        if let kept, kept.count > Self.mostKept {
            throw StoreError(.unavailable, "the lock's record is larger than \(Self.mostKept) bytes")
        }
        try exchangeCells(for: new, lock) { db, old in
            for key in SecretCells.values {
                guard let cell = try Rows.value(key, db) else { continue }
                let value = try old.value(cell, forKey: key)
                try db.execute(
                    sql: "UPDATE value SET value = ? WHERE key = ?", arguments: [try new.cell(value, forKey: key), key])
            }
            for row in try Row.fetchAll(db, sql: "SELECT * FROM replica") {
                let group = try Rows.group(row, old)
                try db.execute(
                    sql: "UPDATE replica SET discovery = ?, ownSeed = ? WHERE reference = ?",
                    arguments: [
                        try new.closed(group.discovery.bytes, .discovery(group.id)),
                        try group.ownSeed.map { try new.closed($0.bytes, .ownSeed(group.id)) }, group.reference,
                    ])
            }
            for row in try Row.fetchAll(db, sql: Self.secretRows) {
                let (group, rekey) = try Self.place(row)
                let secret = try old.openedSecret(row["nodes"], of: rekey, in: group)
                try db.execute(
                    sql: "UPDATE secret SET nodes = ? WHERE replica = ? AND rekey = ?",
                    arguments: [try new.closed(secret, of: rekey, in: group), row[0] as Int64, row[1] as Data])
            }
            for row in try Row.fetchAll(db, sql: "SELECT * FROM invitation") {
                let invitation = try Rows.invitation(row, old)
                try db.execute(
                    sql: "UPDATE invitation SET secret = ? WHERE id = ?",
                    arguments: [
                        try new.closed(invitation.secret, .invitation(invitation)), Data(invitation.id),
                    ])
            }
            try db.execute(sql: "DELETE FROM value WHERE key = ?", arguments: [SecretCells.lockKey])
            if let kept {
                try db.execute(
                    sql: "INSERT INTO value VALUES (?, ?)", arguments: [SecretCells.lockKey, Data(kept)])
            }
        }
        // The change is committed: the new lock holds even if the purge fails.
        return (try? purge()) ?? false
    }

    /// The group and the rekey event in a row of ``secretRows``.
    private static func place(_ row: Row) throws -> (GroupID, EventID) {
        guard let group = (row["id"] as Data?).flatMap({ GroupID($0) }), let rekey = EventID(row["rekey"] as Data)
        else {
            throw StoreError(.corrupt, "the store has a secret without a group")
        }
        return (group, rekey)
    }

    private static let secretRows =
        "SELECT replica, rekey, nodes, id FROM secret LEFT JOIN replica ON reference = replica"

    /// The most bytes that a store keeps for a lock.
    private static var mostKept: Int { 1_024 }

    /// Descriptions of the secrets that cannot be decrypted.
    func unopenedSecrets(_ db: Database) throws -> [String] {
        let cells = try cells
        var problems: [String] = []
        func look(_ what: String, _ body: () throws -> Void) { do { try body() } catch { problems.append(what) } }
        for key in SecretCells.values {
            if let cell = try Rows.value(key, db) {
                look("the device's \(key) does not decrypt") { _ = try cells.value(cell, forKey: key) }
            }
        }
        for row in try Row.fetchAll(db, sql: "SELECT * FROM replica") {
            look("a group's keys do not decrypt") { _ = try Rows.group(row, cells) }
        }
        for row in try Row.fetchAll(db, sql: "SELECT * FROM invitation") {
            look("an invitation does not decrypt") { _ = try Rows.invitation(row, cells) }
        }
        for row in try Row.fetchAll(db, sql: Self.secretRows) {
            look("a secret of a group does not decrypt") {
                let (group, rekey) = try Self.place(row)
                _ = try cells.openedSecret(row["nodes"], of: rekey, in: group)
            }
        }
        return problems
    }

    /// Tells whether the store in a directory needs a lock; false if there is no store.
    public static func isLocked(in directory: URL) throws(StoreError) -> Bool {
        guard exists(in: directory) else { return false }
        do {
            var configuration = Configuration()
            configuration.readonly = true
            configuration.busyMode = .timeout(5)
            let path = directory.appendingPathComponent(fileName).path
            return try DatabaseQueue(path: path, configuration: configuration).read { try SecretCells.kept($0) != nil }
        } catch let error as DatabaseError where error.resultCode == .SQLITE_ERROR {
            return false  // it has no tables yet
        } catch {
            throw .from(error)
        }
    }
}
