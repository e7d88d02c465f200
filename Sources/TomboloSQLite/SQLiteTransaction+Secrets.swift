import Foundation
import GRDB
import TomboloCore

// The secrets that seal contents (protocol §2.8).
extension SQLiteTransaction {
    func secrets(inGroup group: Int64) throws(StoreError) -> [(rekey: EventID, extent: SecretExtent)] {
        try run {
            try Row.fetchAll(
                db, sql: "SELECT rekey, substr(nodes, 1, 1) FROM secret WHERE replica = ? ORDER BY rekey",
                arguments: [group]
            ).compactMap { row in
                // A damaged first byte counts as unproven. The damage is reported when the secret itself is read.
                let extent = (row[1] as Data?)?.first.flatMap { SecretExtent(rawValue: $0) } ?? .unproven
                return EventID(row[0] as Data).map { ($0, extent) }
            }
        }
    }

    func secret(of rekey: EventID, inGroup group: Int64) throws(StoreError) -> [UInt8]? {
        try run {
            try Data.fetchOne(
                db.cachedStatement(sql: "SELECT nodes FROM secret WHERE replica = ? AND rekey = ?"),
                arguments: [group, Data(rekey.bytes)]
            ).map { try cells.openedSecret($0, of: rekey, in: try id(ofGroup: group)) }
        }
    }

    func setSecret(_ secret: [UInt8], of rekey: EventID, inGroup group: Int64) throws(StoreError) {
        try run {
            try execute(
                "INSERT OR REPLACE INTO secret (replica, rekey, nodes) VALUES (?, ?, ?)",
                [group, Data(rekey.bytes), try cells.closed(secret, of: rekey, in: try id(ofGroup: group))])
        }
    }

    /// The id of a group. Secrets are bound to the id, because an attacker can change the group's number in the file.
    private func id(ofGroup group: Int64) throws -> GroupID {
        let statement = try db.cachedStatement(sql: "SELECT id FROM replica WHERE reference = ?")
        guard let id = try Data.fetchOne(statement, arguments: [group]).flatMap({ GroupID($0) }) else {
            throw StoreError(.corrupt, "the store has no group number \(group)")
        }
        return id
    }
}
