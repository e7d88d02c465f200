import Foundation
import GRDB
import Tombolo

/// Full-text search over a group: SQLite's FTS5, fed by the group's changes.
///
///     swift run Search DIRECTORY WORDS…
///
/// DIRECTORY is a device's, as `tombolo init` makes it; it is opened beside whatever else uses it. The index is a database of
/// the application's own. Bookmark and text go into it in one transaction: however it is stopped, nothing is indexed twice
/// and nothing is missed.
@main struct Search {
    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        guard arguments.count >= 2, let path = arguments.first else {
            print("usage: Search DIRECTORY WORDS…")
            exit(2)
        }
        let directory = URL(fileURLWithPath: path, isDirectory: true)
        let node = try Node.openReadOnly(at: directory)
        let index = try SearchIndex(at: directory.appendingPathComponent("search.sqlite"))
        for group in try node.groups { try index.update(from: group) }
        for hit in try index.search(arguments.dropFirst().joined(separator: " ")) { print(hit) }
        try await node.close()
    }
}

struct SearchIndex {
    private let database: DatabaseQueue

    init(at url: URL) throws {
        // What has gone away goes from here as well.
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

    /// Takes what was delivered since the last time.
    func update(from group: SyncGroup) throws {
        while true {
            let isAtEnd = try database.write { db in
                let kept = try Data.fetchOne(
                    db, sql: "SELECT bookmark FROM bookmark WHERE groupID = ?", arguments: ["\(group.id)"])
                let bookmark = try kept.map { try JSONDecoder().decode(Bookmark.self, from: $0) } ?? .start
                let changes = try group.changes(after: bookmark, limit: 1_000)
                for change in changes {
                    // What is forgotten may never have been told of as gone, if nobody has looked for long.
                    if change.kind == .forgotten, let log = change.entry.log {
                        try db.execute(
                            sql: "DELETE FROM entry WHERE log = ? AND sequence <= ?",
                            arguments: ["\(log)", Int64(change.entry.sequence)])
                        continue
                    }
                    // Whose author was removed without knowing of it, and what has gone away, is not to be found.
                    guard change.kind != .withdrawn, change.kind != .erased else {
                        try db.execute(sql: "DELETE FROM entry WHERE id = ?", arguments: ["\(change.entry.id)"])
                        continue
                    }
                    guard let text = try text(of: change.entry) else { continue }
                    try db.execute(
                        sql: "INSERT INTO entry VALUES (?, ?, ?, ?, ?)",
                        arguments: [
                            text, "\(change.entry.id)", change.entry.timestamp, change.entry.log.map { "\($0)" },
                            Int64(change.entry.sequence),
                        ])
                }
                guard let last = changes.last else { return true }
                try db.execute(
                    sql: "INSERT OR REPLACE INTO bookmark VALUES (?, ?)",
                    arguments: ["\(group.id)", try JSONEncoder().encode(last.bookmark)])
                return false
            }
            if isAtEnd { return }
        }
    }

    private func text(of entry: Entry) throws -> String? {
        try entry.content(as: Text.self)?.string ?? entry.content(as: Said.self)?.text
    }

    /// The best hits, a line each.
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
