import Foundation
import GRDB
import TomboloCore

// Files (protocol §2.9): their chunks stand beside the database.
extension SQLiteTransaction {
    func file(_ id: FileID) throws(StoreError) -> FileRecord? { try run { try FileRows.file(id, db) } }

    func put(_ file: FileRecord) throws(StoreError) {
        try run {
            var held: [UInt8] = []
            file.held.append(to: &held)
            let wanted = file.isWanted && !file.isComplete
            try execute(
                "INSERT OR REPLACE INTO file (id, size, wanted, held) VALUES (?, ?, ?, ?)",
                [Data(file.id.bytes), Int64(file.id.size), wanted, Data(held)])
        }
    }

    func wantedFiles() throws(StoreError) -> [FileRecord] {
        try run {
            try Row.fetchAll(db, sql: "SELECT * FROM file WHERE wanted").compactMap(FileRows.file)
                .sorted { $0.id < $1.id }
        }
    }

    func unreferencedFiles() throws(StoreError) -> [FileID] {
        try run {
            try Data.fetchAll(db, sql: "SELECT id FROM file WHERE id NOT IN (SELECT file FROM fileReference)")
                .compactMap { FileID(Array($0)[...]) }
        }
    }

    func fileBytes() throws(StoreError) -> UInt64 {
        try run { UInt64(clamping: try Int64.fetchOne(db, sql: "SELECT sum(size) FROM file") ?? 0) }
    }

    func groups(referringTo file: FileID) throws(StoreError) -> [Int64] {
        try run {
            try Int64.fetchAll(
                db.cachedStatement(sql: "SELECT DISTINCT replica FROM fileReference WHERE file = ? ORDER BY replica"),
                arguments: [Data(file.bytes)])
        }
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

    func chunk(_ position: Int, of file: FileID) throws(StoreError) -> [UInt8]? { try chunks.read(position, of: file) }

    func setChunk(_ bytes: Bytes, at position: Int, of file: FileID) throws(StoreError) {
        try chunks.write(bytes, at: position, of: file)
    }

    func removeFile(_ id: FileID) throws(StoreError) {
        try run { try execute("DELETE FROM file WHERE id = ?", [Data(id.bytes)]) }
        removedFiles.append(id)
    }
}

/// How a row becomes a file.
enum FileRows {
    static func file(_ id: FileID, _ db: Database) throws -> FileRecord? {
        try Row.fetchOne(db.cachedStatement(sql: "SELECT * FROM file WHERE id = ?"), arguments: [Data(id.bytes)])
            .flatMap(file)
    }

    /// Nil where the row is damaged.
    static func file(_ row: Row) -> FileRecord? {
        guard let id = FileID(Array(row["id"] as Data)[...]) else { return nil }
        var reader = WireReader(Array(row["held"] as Data)[...])
        guard let held = try? RangeSet(reading: &reader, below: FileShape(size: id.size).count) else { return nil }
        return FileRecord(id: id, isWanted: row["wanted"], held: held)
    }
}
