public import Foundation
import GRDB
public import TomboloCore

extension SQLiteStorage {
    /// Encrypts the store's secrets anew, under a new key that a lock keeps; without a lock they stand there as they are from now on.
    ///
    /// What was there before is overwritten, and leaves the WAL: only copies of the files have it still.
    /// - Throws: `StoreError`; everything is as it was then.
    public func relock(with lock: (any StoreLock)?) throws(StoreError) {
        var generator = SystemRandomNumberGenerator()
        let key = lock == nil ? nil : Bytes32((0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) })
        let new = SecretCells(key: key)
        var kept: [UInt8]?
        if let lock, let key { kept = try lock.close(over: key) }
        try exchangeCells(for: new, lock) { db, old in
            for key in SecretCells.values {
                guard
                    let cell = try Data.fetchOne(db, sql: "SELECT value FROM value WHERE key = ?", arguments: [key])
                else { continue }
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
            for row in try Row.fetchAll(db, sql: "SELECT replica, rekey, nodes FROM secret") {
                guard let rekey = EventID(row[1] as Data) else { continue }
                let secret = try old.openedSecret(row[2], of: rekey)
                try db.execute(
                    sql: "UPDATE secret SET nodes = ? WHERE replica = ? AND rekey = ?",
                    arguments: [try new.closed(secret, of: rekey), row[0] as Int64, row[1] as Data])
            }
            for row in try Row.fetchAll(db, sql: "SELECT * FROM invitation") {
                let invitation = try Rows.invitation(row, old)
                try db.execute(
                    sql: "UPDATE invitation SET secret = ? WHERE id = ?",
                    arguments: [
                        try new.closed(invitation.secret, .invitation(invitation.id)), Data(invitation.id),
                    ])
            }
            try db.execute(sql: "DELETE FROM value WHERE key = ?", arguments: [SecretCells.lockKey])
            if let kept {
                try db.execute(
                    sql: "INSERT INTO value VALUES (?, ?)", arguments: [SecretCells.lockKey, Data(kept)])
            }
        }
        _ = try purge()
    }

    /// Whether the store in a directory takes a lock to be opened; false if there is none.
    public static func isLocked(in directory: URL) throws(StoreError) -> Bool {
        guard exists(in: directory) else { return false }
        do {
            var configuration = Configuration()
            configuration.readonly = true
            let path = directory.appendingPathComponent(fileName).path
            return try DatabaseQueue(path: path, configuration: configuration).read { try SecretCells.kept($0) != nil }
        } catch let error as DatabaseError where error.resultCode == .SQLITE_ERROR {
            return false  // it has no tables yet
        } catch {
            throw .from(error)
        }
    }
}
