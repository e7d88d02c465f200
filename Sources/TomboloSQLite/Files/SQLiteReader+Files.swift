import Foundation
import GRDB
public import TomboloCore

// Files (protocol §2.9).
extension SQLiteReader {
    /// What is here, or wanted, of a file; nil if nothing.
    public func file(_ id: FileID) throws -> FileRecord? { try FileRows.file(id, db) }

    /// All files that are here, or wanted.
    public func files() throws -> [FileRecord] {
        try Row.fetchAll(db, sql: "SELECT * FROM file").compactMap(FileRows.file)
    }

    /// Whether an event refers to a file.
    public func isReferred(to file: FileID) throws -> Bool {
        try Bool.fetchOne(
            db.cachedStatement(sql: "SELECT 1 FROM fileReference WHERE file = ? LIMIT 1"),
            arguments: [Data(file.bytes)]) ?? false
    }

    /// Delivered events of a group that refer to files, in the order of arrival.
    public func eventsWithFiles(of group: GroupRecord) throws -> [StoredEvent] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT * FROM event WHERE status = ? AND ordinal IN (SELECT event FROM fileReference WHERE replica = ?)
                ORDER BY ordinal
                """, arguments: [Int64(EventStatus.delivered.rawValue), group.reference]
        ).map(Rows.event)
    }
}
