public import Foundation
public import TomboloCore
import TomboloSQLite

/// What of a device would come back from its peers if its store were lost now.
public struct RecoveryDrill: Sendable {
    public struct Group: Sendable, Hashable {
        public let id: GroupID
        public let name: String
        /// What was delivered here when the drill began.
        public let delivered: Int
        /// What of it came back.
        public let recovered: Int
        /// The first of what did not, at most 16.
        public let missing: [EventID]
    }

    public let groups: [Group]
    public let sync: SyncReport
    /// Whether everything came back.
    public var isComplete: Bool { groups.allSatisfy { $0.recovered == $0.delivered } }
}

extension Node {
    /// Tries out how this device would recover: makes a scratch store that knows its keys, its groups and its peers and nothing else,
    /// syncs it, and compares. The device itself is read only, and may go on meanwhile; to its peers the scratch store is the device
    /// after it lost everything.
    ///
    /// - Parameters:
    ///   - directory: the device's.
    ///   - scratch: an empty directory, to be removed by the caller.
    ///   - budget: what the sync may cost.
    ///   - lock: what the device's keys were locked by, if they were. So they are in the scratch store.
    ///   - makeTransport: as for ``Node/open(at:lock:logger:clock:over:)``; TCP with TLS if nil.
    /// - Throws: `StoreError` if either store cannot be used.
    public static func drill(
        at directory: URL, scratch: URL, within budget: SyncBudget = .unlimited, lock: (any StoreLock)? = nil,
        over makeTransport: ((TransportIdentity, any ConnectionHandler) throws -> any Transport)? = nil
    ) async throws -> RecoveryDrill {
        let original = try openReadOnly(at: directory, lock: lock)
        let before = try original.groups.map { ($0, try $0.deliveredIDs()) }
        let database = directory.appendingPathComponent(SQLiteStorage.fileName)
        var essentials = try DamagedStore(at: database, lock: lock).essentials()
        essentials.secrets = [:]
        try await original.close()
        let storage = try SQLiteStorage(directory: scratch, lock: lock)
        do {
            try storage.install(essentials)
            try storage.close()
        } catch {
            try? storage.close()
            throw error
        }
        let node =
            if let makeTransport {
                try await open(at: scratch, lock: lock, over: makeTransport)
            } else {
                try await open(at: scratch, lock: lock)
            }
        do {
            let report = try await node.sync(within: budget)
            var groups: [RecoveryDrill.Group] = []
            for (group, ids) in before {
                let recovered = Set(try node.group(group.id)?.deliveredIDs() ?? [])
                let missing = ids.filter { !recovered.contains($0) }
                groups.append(
                    RecoveryDrill.Group(
                        id: group.id, name: group.name, delivered: ids.count, recovered: ids.count - missing.count,
                        missing: Array(missing.prefix(16))))
            }
            try await node.close()
            return RecoveryDrill(groups: groups, sync: report)
        } catch {
            try? await node.close()
            throw error
        }
    }
}

extension SyncGroup {
    fileprivate func deliveredIDs() throws -> [EventID] {
        var ids: [EventID] = []
        // What was withdrawn, restored or erased is told of several times.
        var seen: Set<EventID> = []
        var bookmark = Bookmark.start
        while true {
            let changes = try changes(after: bookmark, limit: 1_000)
            guard let last = changes.last else { return ids }
            ids += changes.map(\.entry.id).filter { seen.insert($0).inserted }
            bookmark = last.bookmark
        }
    }
}
