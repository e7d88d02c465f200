import Foundation
import GRDB
import Tombolo
import TomboloImport

/// Full-text search over a group with SQLite's FTS5. The group's changes keep the index up to date.
///
///     swift run Search DIRECTORY WORDS…
///
/// DIRECTORY is that of a device, as `tombolo init` makes it. Other processes may use it at the same time. The index is
/// a database of the application's own. Bookmark and text are stored in one transaction: whenever the program is
/// stopped, no entry is indexed twice and none is missed.
@main struct Search {
    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        guard arguments.count >= 2, let path = arguments.first else {
            print("usage: Search DIRECTORY WORDS…")
            exit(2)
        }
        let directory = URL(fileURLWithPath: path, isDirectory: true)
        let node = try await Node.openReadOnly(at: directory)
        let index = try SearchIndex(at: directory.appendingPathComponent("search.sqlite"))
        for group in try await node.groups { try await index.update(from: group) }
        for hit in try index.search(arguments.dropFirst().joined(separator: " ")) { print(hit) }
        try await node.close()
    }
}

struct SearchIndex {
    private let database: DatabaseQueue

    init(at url: URL) throws {
        // Erased text leaves this file as well.
        var configuration = Configuration()
        configuration.prepareDatabase { try $0.execute(sql: "PRAGMA secure_delete = ON") }
        database = try DatabaseQueue(path: url.path, configuration: configuration)
        try database.write { db in
            try db.execute(
                sql: """
                    CREATE VIRTUAL TABLE IF NOT EXISTS entry USING fts5(
                        text, id UNINDEXED, time UNINDEXED, log UNINDEXED, sequence UNINDEXED);
                    CREATE TABLE IF NOT EXISTS bookmark (groupID TEXT PRIMARY KEY, bookmark BLOB NOT NULL);
                    """)
        }
    }

    /// Indexes the changes since the last time.
    func update(from group: SyncGroup) async throws {
        var bookmark = try await database.read { db in
            try Data.fetchOne(
                db, sql: "SELECT bookmark FROM bookmark WHERE groupID = ?", arguments: ["\(group.id)"]
            ).map { try JSONDecoder().decode(Bookmark.self, from: $0) } ?? .start
        }
        while true {
            let changes = try await group.changes(after: bookmark, limit: 1_000)
            guard let last = changes.last else { return }
            try await database.write { db in
                for change in changes { try Self.apply(change, db) }
                try db.execute(
                    sql: "INSERT OR REPLACE INTO bookmark VALUES (?, ?)",
                    arguments: ["\(group.id)", try JSONEncoder().encode(last.bookmark)])
            }
            bookmark = last.bookmark
        }
    }

    private static func apply(_ change: Change, _ db: Database) throws {
        switch change {
        case .delivered(let entry, _), .restored(let entry, _):
            guard let text = text(of: entry) else { return }
            try db.execute(
                sql: "INSERT INTO entry VALUES (?, ?, ?, ?, ?)",
                arguments: [
                    text, "\(entry.id)", entry.timestamp, entry.log.map { "\($0)" }, Int64(entry.sequence),
                ])
        case .withdrawn(let id, _), .erased(let id, _, _):
            try db.execute(sql: "DELETE FROM entry WHERE id = ?", arguments: ["\(id)"])
        case .forgotten(let log, let sequence, _):
            // The erasure of these entries may not have been reported before.
            try db.execute(
                sql: "DELETE FROM entry WHERE log = ? AND sequence <= ?", arguments: ["\(log)", Int64(sequence)])
        }
    }

    private static func text(of entry: Entry) -> String? {
        entry.content(as: PlainText.self)?.string ?? entry.content(as: Said.self)?.text
    }

    /// The best hits, one line each.
    func search(_ words: String) throws -> [String] {
        try database.read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT time, snippet(entry, 0, '[', ']', '…', 12) FROM entry WHERE entry MATCH ? ORDER BY rank LIMIT 20
                    """, arguments: [FTS5Pattern(matchingAllTokensIn: words)]
            ).map { "\($0[0] as String)  \($0[1] as String)" }
        }
    }
}
