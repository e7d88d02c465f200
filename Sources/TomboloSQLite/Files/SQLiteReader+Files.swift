import Foundation
import GRDB
public import TomboloCore

// Files (protocol §2.9).
extension SQLiteReader {
    /// The record of a file that is held, in part or whole, or wanted; nil if there is none.
    public func file(_ id: FileID) throws -> FileRecord? { try FileRows.file(id, db) }

    /// The bytes by which files count towards the quota.
    public func fileBytes() throws -> UInt64 { try FileRows.bytes(db) }

    /// Tells whether an event refers to a file.
    public func isReferred(to file: FileID) throws -> Bool { try FileRows.isReferred(to: file, db) }

    /// The delivered events of a group that refer to files, in the order of arrival.
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
