import Foundation
import GRDB
import TomboloCore

// What contents are sealed under (protocol §2.8).
extension SQLiteTransaction {
    func secrets(inGroup group: Int64) throws(StoreError) -> [(rekey: EventID, isProven: Bool)] {
        try run {
            try Row.fetchAll(
                db, sql: "SELECT rekey, substr(nodes, 1, 1) = x'01' FROM secret WHERE replica = ? ORDER BY rekey",
                arguments: [group]
            ).compactMap { row in EventID(row[0] as Data).map { ($0, row[1]) } }
        }
    }

    func secret(of rekey: EventID, inGroup group: Int64) throws(StoreError) -> [UInt8]? {
        try run {
            try Data.fetchOne(
                db.cachedStatement(sql: "SELECT nodes FROM secret WHERE replica = ? AND rekey = ?"),
                arguments: [group, Data(rekey.bytes)]
            ).map { try cells.openedSecret($0, of: rekey) }
        }
    }

    func setSecret(_ secret: [UInt8], of rekey: EventID, inGroup group: Int64) throws(StoreError) {
        try run {
            try execute(
                "INSERT OR REPLACE INTO secret (replica, rekey, nodes) VALUES (?, ?, ?)",
                [group, Data(rekey.bytes), try cells.closed(secret, of: rekey)])
        }
    }
}
