import Foundation
import GRDB
public import TomboloCore

extension SQLiteStorage {
    /// Removes everything that is kept of a peer: its addresses, agreements with it, groups of the mvds dialect that are
    /// shared with it, and records outstanding towards it.
    public func removePeer(_ peer: DeviceKey) throws(StoreError) {
        do {
            try pool.write { db in
                for table in ["agreement", "acknowledged", "sharing", "record"] {
                    try db.execute(sql: "DELETE FROM \(table) WHERE peer = ?", arguments: [Data(peer.bytes)])
                }
                try db.execute(sql: "DELETE FROM peer WHERE device = ?", arguments: [Data(peer.bytes)])
            }
        } catch {
            throw .from(error)
        }
    }
}
