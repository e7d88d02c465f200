import Foundation
import GRDB
public import TomboloCore

// Files (protocol §2.9).
extension SQLiteReader {
    /// What is here, or wanted, of a file; nil if nothing.
    public func file(_ id: FileID) throws -> FileRecord? { try FileRows.file(id, db) }

    /// What files count for towards the quota, in bytes.
    public func fileBytes() throws -> UInt64 { try FileRows.bytes(db) }

    /// Whether an event refers to a file.
    public func isReferred(to file: FileID) throws -> Bool { try FileRows.isReferred(to: file, db) }

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
