import TomboloCore
import TomboloSQLite

// The changes of a group, and signals of them.
extension SyncGroup {
    /// The changes after `bookmark`, then all later ones, until the task is cancelled or the node is closed.
    ///
    /// Changes are read from the store on demand: a slow consumer holds nothing up and misses nothing.
    /// Several consumers can read at once, each from a bookmark of its own.
    ///
    /// The sequence throws ``TomboloError`` of the store.
    public func changes(
        after bookmark: Bookmark = .start, including scope: ChangeScope = .messages
    ) -> some AsyncSequence<Change, TomboloError> & Sendable {
        PullSequence<Change, TomboloError> {
            let cursor = ChangeCursor(group: self, after: bookmark, including: scope)
            return { () async throws(TomboloError) in try await cursor.next() }
        }
    }

    /// The changes after `bookmark` up to now, at most `limit`; none if there are no more.
    ///
    /// - Throws: ``TomboloError`` of the store.
    public func changes(
        after bookmark: Bookmark, including scope: ChangeScope = .messages, limit: Int
    ) async throws -> [Change] {
        var changes: [Change] = []
        var bookmark = bookmark
        while changes.count < limit {
            let batch = try readChanges(after: bookmark, including: scope, limit: limit - changes.count)
            changes += batch.changes
            bookmark = batch.bookmark
            if batch.isAtEnd { break }
        }
        return changes
    }

    /// Signals that the group has changed, until the task is cancelled or the node is closed. A slow reader gets one
    /// signal for several changes.
    public func updates() -> some AsyncSequence<Void, Never> & Sendable { signals() }

    func signals() -> AsyncStream<Void> {
        if let runtime = node.components?.runtime { return runtime.watchers.changes(of: .group(id)) }
        return AsyncStream { [clock = node.clock] in
            // Another process writes the store, and cannot signal to this one.
            try? await clock.sleep(for: .seconds(1))
            return Task.isCancelled ? nil : ()
        }
    }

    /// The messages that members broadcast from now on, which no device stores. At most 64 wait for a slow reader; the
    /// oldest are dropped. A node that was opened for reading only receives none.
    public func ephemeralMessages() -> some AsyncSequence<EphemeralMessage, Never> & Sendable {
        node.components?.runtime.watchers.ephemeralMessages(of: id) ?? AsyncStream { $0.finish() }
    }
}
