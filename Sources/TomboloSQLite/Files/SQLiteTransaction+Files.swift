import Foundation
import GRDB
import TomboloCore

// Files (protocol §2.9). Their chunks are stored beside the database.
extension SQLiteTransaction {
    func file(_ id: FileID) throws(StoreError) -> FileRecord? { try run { try FileRows.file(id, db) } }

    func put(_ file: FileRecord) throws(StoreError) {
        try run {
            var held: [UInt8] = []
            file.held.append(to: &held)
            try execute(
                "INSERT OR REPLACE INTO file (id, charge, want, held) VALUES (?, ?, ?, ?)",
                [Data(file.id.bytes), Int64(file.charge), Int64(file.want.rawValue), Data(held)])
        }
    }

    func wantedFiles(
        _ want: FileRecord.Want, after file: FileID?, limit: Int
    ) throws(StoreError) -> [FileRecord] {
        try run {
            try Row.fetchAll(
                db.cachedStatement(sql: "SELECT * FROM file WHERE want = ? AND id > ? ORDER BY id LIMIT ?"),
                arguments: [Int64(want.rawValue), Data(file?.bytes ?? []), limit]
            ).compactMap(FileRows.file).filter { !$0.isComplete }
        }
    }

    func fileBytes() throws(StoreError) -> UInt64 { try run { try FileRows.bytes(db) } }

    func groups(referringTo file: FileID) throws(StoreError) -> [Int64] {
        try run {
            try Int64.fetchAll(
                db.cachedStatement(
                    sql: """
                        SELECT DISTINCT fileReference.replica FROM fileReference JOIN event ON ordinal = event
                        WHERE file = ? AND status = ? ORDER BY 1
                        """),
                arguments: [Data(file.bytes), Int64(EventStatus.delivered.rawValue)])
        }
    }

    func isReferred(to file: FileID) throws(StoreError) -> Bool { try run { try FileRows.isReferred(to: file, db) } }

    /// The files that are held or wanted although no event refers to them.
    func unreferencedFiles() throws -> [FileID] {
        let sql = "SELECT id FROM file WHERE NOT EXISTS (SELECT 1 FROM fileReference WHERE fileReference.file = id)"
        return try Data.fetchAll(db, sql: sql).compactMap { FileID(Array($0)[...]) }
    }

    func refer(to files: [FileID], from event: Int64, inGroup group: Int64) throws {
        for file in files {
            try execute(
                "INSERT OR IGNORE INTO fileReference (file, replica, event) VALUES (?, ?, ?)",
                [Data(file.bytes), group, event])
        }
    }

    func endReferences(to files: [FileID], from event: Int64, inGroup group: Int64) throws {
        for file in files {
            try execute(
                "DELETE FROM fileReference WHERE file = ? AND replica = ? AND event = ?",
                [Data(file.bytes), group, event])
        }
    }

    func chunk(_ position: Int, of file: FileID) -> [UInt8]? { (try? chunks.read(position, of: file)) ?? nil }

    func setChunk(_ bytes: Bytes, at position: Int, of file: FileID) throws(StoreError) {
        try chunks.write(bytes, at: position, of: file)
    }

    func removeFile(_ id: FileID) throws(StoreError) {
        try run { try execute("DELETE FROM file WHERE id = ?", [Data(id.bytes)]) }
        removedFiles.append(id)
    }
}

/// Conversions from rows to files.
enum FileRows {
    static func file(_ id: FileID, _ db: Database) throws -> FileRecord? {
        try Row.fetchOne(db.cachedStatement(sql: "SELECT * FROM file WHERE id = ?"), arguments: [Data(id.bytes)])
            .flatMap(file)
    }

    static func isReferred(to file: FileID, _ db: Database) throws -> Bool {
        try Bool.fetchOne(
            db.cachedStatement(sql: "SELECT 1 FROM fileReference WHERE file = ? LIMIT 1"),
            arguments: [Data(file.bytes)]) ?? false
    }

    /// The bytes by which files count towards the quota.
    static func bytes(_ db: Database) throws -> UInt64 {
        UInt64(clamping: try Int64.fetchOne(db, sql: "SELECT sum(charge) FROM file") ?? 0)
    }

    /// The record in a row; nil if the row is damaged.
    static func file(_ row: Row) -> FileRecord? {
        guard let id = FileID(Array(row["id"] as Data)[...]) else { return nil }
        var reader = WireReader(Array(row["held"] as Data)[...])
        guard let held = try? RangeSet(reading: &reader, below: FileShape(size: id.size).count) else { return nil }
        let want = FileRecord.Want(rawValue: row["want"]) ?? .none
        return FileRecord(id: id, want: want, held: held)
    }
}
