import Foundation
import GRDB
import TomboloCore

/// Conversions from rows to values. A row without a valid value is reported as damage.
enum Rows {
    private static func damaged(_ what: String) -> StoreError { StoreError(.corrupt, "the row of \(what) is damaged") }

    /// The stored form of a value: encrypted if the value is secret and the store has a lock.
    static func value(_ key: String, _ db: Database) throws -> Data? {
        try Data.fetchOne(db, sql: "SELECT value FROM value WHERE key = ?", arguments: [key])
    }

    /// - Parameter isForRecovery: true to omit the key of the device's own log, which a new store cannot use.
    static func group(_ row: Row, _ cells: SecretCells, isForRecovery: Bool = false) throws -> GroupRecord {
        guard let id = Data.fromDatabaseValue(row["id"]).flatMap({ GroupID($0) }),
            let cell = Data.fromDatabaseValue(row["discovery"]),
            let discovery = Bytes32(try cells.opened(cell, .discovery(id))),
            let dialect = Dialect(rawValue: row["dialect"])
        else { throw damaged("a group") }
        var record = GroupRecord(
            id: id, dialect: dialect, statement: Array(row["statement"] as Data), discovery: discovery,
            name: row["name"])
        record.reference = row["reference"]
        if !isForRecovery, let cell = Data.fromDatabaseValue(row["ownSeed"]) {
            record.ownSeed = Bytes32(try cells.opened(cell, .ownSeed(id)))
        }
        record.ownLog = (row["ownLog"] as Data?).flatMap { LogID($0) }
        return record
    }

    static func log(_ row: Row) throws -> LogState {
        guard let id = LogID(row["id"] as Data) else { throw damaged("a log") }
        do {
            return try LogState(
                id: id, reference: row["reference"],
                certificate: try (row["certificate"] as Data?).map { try Certificate(decoding: Array($0)[...]) },
                storedForm: Array(row["state"] as Data)[...])
        } catch {
            throw damaged("log \(id) (\(error))")
        }
    }

    /// The event in a row of `SELECT * FROM event`.
    static func event(_ row: Row) throws -> StoredEvent {
        let ordinal: Int64 = row[0]
        let header = Array(row[9] as Data)[...]
        guard let id = EventID(row[8] as Data), let status = EventStatus(rawValue: row[6]) else {
            throw damaged("event number \(ordinal)")
        }
        do {
            return StoredEvent(
                ordinal: ordinal, log: row[2], status: status,
                event: Event(
                    id: id, timestamp: row[7], header: try EventHeader(decoding: header), headerBytes: header,
                    content: (row[12] as Data?).map { Array($0)[...] }, salt: (row[10] as Data?).map { Array($0)[...] },
                    signature: (row[11] as Data?).map { Array($0)[...] }))
        } catch {
            throw damaged("event \(id) (\(error))")
        }
    }

    /// The message in a row of `SELECT * FROM message`.
    static func message(_ row: Row) throws -> StoredMessage {
        let ordinal: Int64 = row[0]
        guard let id = EventID(row[5] as Data), let status = EventStatus(rawValue: row[4]),
            let message = try? Message(decoding: Array(row[6] as Data)[...])
        else { throw damaged("message number \(ordinal)") }
        return StoredMessage(ordinal: ordinal, group: row[1], status: status, id: id, message: message)
    }

    /// The record in a row of `SELECT * FROM record`.
    static func record(_ row: Row) throws -> SyncRecord {
        guard let peer = DeviceKey(row[0] as Data), let id = EventID(row[1] as Data),
            let kind = SyncRecord.Kind(rawValue: row[2])
        else { throw damaged("a record") }
        return SyncRecord(
            kind, of: id, with: peer, isOwn: row[3], sendCount: row[4], nextSend: UInt64(max(0, row[5] as Int64)))
    }

    static func peer(_ row: Row) throws -> PeerRecord {
        guard let device = DeviceKey(row["device"] as Data) else { throw damaged("a peer") }
        let addresses = (row["addresses"] as String).split(separator: "\n").map(String.init)
        guard let dialect = Dialect(rawValue: row["dialect"]) else { throw damaged("peer \(device)") }
        var peer = PeerRecord(
            device: device, dialect: dialect, addresses: addresses, incarnation: Array(row["incarnation"] as Data))
        // The database of an earlier version has no such column. A damaged store may be one.
        peer.member = (row["member"] as Data?).flatMap { MemberKey($0) }
        return peer
    }

    static func invitation(_ row: Row, _ cells: SecretCells) throws -> InvitationRecord {
        guard let group = GroupID(row["replica"] as Data) else { throw damaged("an invitation") }
        var invitation = InvitationRecord(
            id: Array(row["id"] as Data), secret: [], group: group,
            expiry: UInt64(clamping: row["expiry"] as Int64), role: Role(rawValue: row["role"]) ?? .none,
            mostUses: row["uses"],
            uses: uses(of: keys(row["usedBy"] as Data? ?? Data()), for: keys(row["usedFor"] as Data? ?? Data())))
        invitation.secret = try cells.opened(row["secret"], .invitation(invitation))
        return invitation
    }

    /// The uses of an invitation. Those of an earlier version name no member: zeros stand in for it, and admit nobody.
    private static func uses(of devices: [Bytes32], for members: [Bytes32]) -> [InvitationUse] {
        devices.enumerated().map { index, device in
            let member = index < members.count ? members[index] : .zero
            return InvitationUse(device: DeviceKey(device), member: MemberKey(member))
        }
    }

    /// The keys in a concatenation of keys.
    private static func keys(_ bytes: Data) -> [Bytes32] {
        let bytes = Array(bytes)
        return stride(from: 0, to: bytes.count, by: 32).compactMap { Bytes32(bytes[$0..<min($0 + 32, bytes.count)]) }
    }
}
