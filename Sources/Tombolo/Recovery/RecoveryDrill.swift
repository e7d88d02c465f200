public import Foundation
public import TomboloCore
import TomboloSQLite

/// The part of a device's events that its peers would bring back if its store were lost now.
public struct RecoveryDrill: Sendable {
    /// The outcome for one group.
    public struct Group: Sendable, Hashable {
        /// The group's id.
        public let id: GroupID
        /// The group's name.
        public let name: String
        /// The number of events that were delivered here when the drill began.
        public let delivered: Int
        /// The number of them that came back.
        public let recovered: Int
        /// The first missing events by id, at most 16.
        public let missing: [EventID]
    }

    /// The outcome for each group.
    public let groups: [Group]
    /// The report of the sync that tried to bring everything back.
    public let sync: SyncReport
    /// Tells whether everything came back.
    public var isComplete: Bool { groups.allSatisfy { $0.recovered == $0.delivered } }
}

extension Node {
    /// Tests how this device would recover: makes a scratch store with only its keys, its groups and its peers, syncs
    /// it, and compares. The device itself is only read, and may be used meanwhile. To its peers, the scratch store is
    /// the device after it lost everything.
    ///
    /// - Parameters:
    ///   - directory: the device's directory.
    ///   - scratch: an empty directory, which the caller removes afterwards.
    ///   - budget: the most that the sync may cost.
    ///   - configuration: as for ``open(at:configuration:)``. Its lock opens the device, and locks the scratch store.
    /// - Throws: ``TomboloError`` of either store.
    public static func drill(
        at directory: URL, scratch: URL, within budget: SyncBudget = .unlimited,
        configuration: Configuration = Configuration()
    ) async throws -> RecoveryDrill {
        let original = try await openReadOnly(at: directory, configuration: configuration)
        var before: [(group: SyncGroup, ids: Set<EventID>)] = []
        for group in try original.readGroups() { before.append((group, try await group.deliveredIDs())) }
        try await original.close()
        try await onOwnThread { try makeScratchStore(at: scratch, of: directory, lock: configuration.lock) }
        let node = try await open(at: scratch, configuration: configuration)
        do {
            let report = try await node.sync(within: budget)
            var groups: [RecoveryDrill.Group] = []
            for (group, ids) in before {
                let recovered = try await node.group(group.id)?.deliveredIDs() ?? []
                let missing = ids.subtracting(recovered).sorted()
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

    private static func makeScratchStore(at scratch: URL, of directory: URL, lock: (any StoreLock)?) throws {
        try convertingErrors {
            let database = directory.appendingPathComponent(SQLiteStorage.fileName)
            var essentials = try DamagedStore(at: database, lock: lock).essentials()
            essentials.secrets = [:]
            let storage = try SQLiteStorage(directory: scratch, lock: lock)
            do {
                try storage.install(essentials)
                try storage.close()
            } catch {
                try? storage.close()
                throw error
            }
        }
    }
}

extension SyncGroup {
    /// The ids of all events that were ever delivered here and are not forgotten.
    fileprivate func deliveredIDs() async throws -> Set<EventID> {
        var ids: Set<EventID> = []
        var bookmark = Bookmark.start
        while true {
            let batch = try readChanges(after: bookmark, including: .everything, limit: 1_000)
            for change in batch.changes {
                switch change {
                case .delivered(let entry, _), .restored(let entry, _): ids.insert(entry.id)
                case .withdrawn(let id, _), .erased(let id, _, _): ids.insert(id)
                case .forgotten: break
                }
            }
            bookmark = batch.bookmark
            if batch.isAtEnd { return ids }
        }
    }
}
