import TomboloCore
import TomboloSQLite

/// Changes that were read together.
struct ChangeBatch: Sendable {
    var changes: [Change] = []
    /// The bookmark after all rows that were read, also those outside of the scope.
    var bookmark: Bookmark
    /// Tells whether the change log had no more rows.
    var isAtEnd: Bool
}

extension SyncGroup {
    /// Reads one stretch of the change log: at most `limit` of its rows.
    func readChanges(after bookmark: Bookmark, including scope: ChangeScope, limit: Int) throws -> ChangeBatch {
        try node.read { reader in
            if dialect == .mvds {
                let found = try reader.messageChanges(after: bookmark.number, of: record, limit: limit)
                return ChangeBatch(
                    changes: found.map { .delivered(Entry($1), at: Bookmark(number: $0)) },
                    bookmark: found.last.map { Bookmark(number: $0.0) } ?? bookmark, isAtEnd: found.count < limit)
            }
            let rows = try reader.changes(after: bookmark.number, of: record, limit: limit)
            var batch = ChangeBatch(
                bookmark: rows.last.map { Bookmark(number: $0.number) } ?? bookmark, isAtEnd: rows.count < limit)
            let wanted = rows.filter { row in
                guard case .event(_, let stored) = row.change, scope == .messages else { return true }
                return stored.event.header.kind == .message
            }
            var entries = try entries(
                wanted.compactMap { if case .event(_, let stored) = $0.change { stored } else { nil } }, reader
            ).makeIterator()
            for (number, change) in wanted {
                let bookmark = Bookmark(number: number)
                switch change {
                case .forgotten(let log, let sequence):
                    batch.changes.append(.forgotten(log: log, through: sequence, at: bookmark))
                case .event(let kind, _):
                    guard let entry = entries.next() else { continue }
                    batch.changes.append(Change(kind, entry, at: bookmark))
                }
            }
            return batch
        }
    }
}

extension Change {
    /// A row of the change log, given its entry as it is now.
    fileprivate init(_ kind: ChangeKind, _ entry: Entry, at bookmark: Bookmark) {
        // A content that was erased since is not delivered.
        switch (kind, entry.erasure) {
        case (.withdrawn, _): self = .withdrawn(entry.id, at: bookmark)
        case (_, let reason?): self = .erased(entry.id, reason, at: bookmark)
        case (.restored, nil): self = .restored(entry, at: bookmark)
        case (.erased, nil):
            // The content has returned since. The log reports that later.
            self = .erased(entry.id, .notKept, at: bookmark)
        case (.delivered, nil), (.forgotten, nil): self = .delivered(entry, at: bookmark)
        }
    }
}

/// Reads a group's change log as it grows.
actor ChangeCursor {
    private let group: SyncGroup
    private let scope: ChangeScope
    private var bookmark: Bookmark
    /// The changes that were read and not returned yet, in reverse order.
    private var read: [Change] = []
    private var signals: AsyncStream<Void>.Iterator?
    private static let batch = 256

    init(group: SyncGroup, after bookmark: Bookmark, including scope: ChangeScope) {
        self.group = group
        self.bookmark = bookmark
        self.scope = scope
    }

    func next() async throws(TomboloError) -> Change? {
        do {
            while read.isEmpty {
                if Task.isCancelled { return nil }
                // Listening begins before reading, so that nothing falls in between.
                if signals == nil { signals = group.signals().makeAsyncIterator() }
                let batch = try group.readChanges(after: bookmark, including: scope, limit: Self.batch)
                bookmark = batch.bookmark
                read = batch.changes.reversed()
                if read.isEmpty, batch.isAtEnd {
                    var iterator = signals
                    guard await iterator?.next(isolation: self) != nil else { return nil }
                    signals = iterator
                }
            }
            return read.removeLast()
        } catch {
            throw TomboloError(error)
        }
    }
}
