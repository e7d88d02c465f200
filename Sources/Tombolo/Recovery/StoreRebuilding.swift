public import Foundation
public import TomboloCore
import TomboloCrypto
import TomboloSQLite

/// The outcome of rebuilding a damaged store.
public struct StoreRebuilding: Sendable, Hashable {
    /// The damaged database, which is not deleted.
    public let damagedFile: URL
    /// The number of groups that were saved.
    public let groups: Int
    /// The number of peers that were saved.
    public let peers: Int
    /// The number of events and messages that are readable and verify.
    public let events: Int
    /// A description of each part that could not be read.
    public let unreadable: [String]
}

extension Node {
    /// Checks the store in a directory.
    ///
    /// - Returns: a sentence for each defect; empty if SQLite finds none.
    /// - Throws: ``TomboloError`` `storeUnavailable` if there is no store, `storeBusy` if another process writes it.
    public static func checkStore(at directory: URL, lock: (any StoreLock)? = nil) async throws -> [String] {
        try await convertingErrors { try await onOwnThread { try problems(at: directory, lock: lock) } }
    }

    private static func problems(at directory: URL, lock: (any StoreLock)?) throws -> [String] {
        guard SQLiteStorage.exists(in: directory) else {
            throw StoreError(.unavailable, "there is no store in \(directory.path)")
        }
        do {
            let storage = try SQLiteStorage(directory: directory, lock: lock)
            let problems = try storage.integrityProblems()
            try storage.close()
            return problems
        } catch {
            guard error.code == .corrupt else { throw error }
            return ["\(error)"]
        }
    }

    /// Rebuilds a damaged store with the device's keys, its groups, its peers, and every event that is readable and
    /// verifies. Missing events come back from peers with the next sync. The device writes to new logs.
    ///
    /// The damaged file is kept beside the new one.
    /// - Parameters:
    ///   - directory: the device's directory.
    ///   - lock: the lock of the device's keys; nil if there is none. It locks them in the new store.
    /// - Throws: ``TomboloError`` `storeCorrupt` if the device's keys cannot be read, `storeFull`; the store is
    ///   unchanged then.
    public static func rebuildStore(at directory: URL, lock: (any StoreLock)? = nil) async throws -> StoreRebuilding {
        try await convertingErrors { try await onOwnThread { try rebuild(at: directory, lock: lock) } }
    }

    private static func rebuild(at directory: URL, lock: (any StoreLock)?) throws -> StoreRebuilding {
        let aside = try SQLiteStorage.setAside(in: directory)
        do {
            let damaged = try DamagedStore(at: aside, lock: lock)
            let essentials = damaged.essentials()
            let storage = try SQLiteStorage(directory: directory, lock: lock)
            defer { try? storage.close() }
            try storage.install(essentials)
            let events = try ingest(from: damaged, into: storage, essentials.groups)
            try adoptFiles(of: storage)
            try StoreStart.noteStop(storage)
            return StoreRebuilding(
                damagedFile: aside, groups: essentials.groups.count, peers: essentials.peers.count, events: events,
                unreadable: essentials.unreadable)
        } catch {
            try SQLiteStorage.putBack(aside, in: directory)
            throw error
        }
    }

    /// Adopts the chunks of files that lie beside the damaged store and verify.
    private static func adoptFiles(of storage: SQLiteStorage) throws {
        for file in storage.chunks.files where try storage.read({ try $0.isReferred(to: file) }) {
            let held = try FileVerification(file, storage.chunks).run()
            try storage.write(isDurable: false) { store in
                try store.put(FileRecord(id: file, want: try store.file(file)?.want ?? .none, held: held))
            }
        }
    }

    /// - Returns: the number of ingested events.
    private static func ingest(
        from damaged: DamagedStore, into storage: SQLiteStorage, _ groups: [GroupRecord]
    ) throws -> Int {
        let now = SystemClock().now
        var engine: Engine<SwiftCryptography>?
        var ingested = 0
        /// Ingests a run of messages. A run with a damaged message is halved and tried again.
        func ingestRun(
            _ messages: [Message], of group: GroupID, horizon: UInt64, _ certificates: [Certificate]
        ) throws {
            let effects = try storage.write(isDurable: false) { store in
                if engine == nil {
                    engine = try Engine(
                        opening: store, cryptography: SwiftCryptography(), generator: SystemRandomNumberGenerator(),
                        beginsIncarnation: false)
                }
                return try engine?.process(
                    [.ingest(1, group: group, messages, horizon: horizon, certificates: certificates)], now: now,
                    in: store) ?? []
            }
            for effect in effects {
                switch effect {
                case .ingested(_, let accepted, _): ingested += accepted
                case .failed where messages.count > 1:
                    let middle = messages.count / 2
                    try ingestRun(Array(messages.prefix(middle)), of: group, horizon: horizon, certificates)
                    try ingestRun(Array(messages.dropFirst(middle)), of: group, horizon: horizon, certificates)
                default: break
                }
            }
        }
        for group in groups {
            let kept = try storage.read { try $0.value(forKey: KeptContents.key(of: group.id)) }
            let horizon = KeptContents(recovering: kept).horizon
            let certificates = damaged.forgottenBeginnings(of: group)
            try damaged.forEachRun(of: group) { try ingestRun($0, of: group.id, horizon: horizon, certificates) }
        }
        return ingested
    }
}

extension SQLiteStorage {
    /// Writes the keys, groups and peers of a device into an empty store.
    ///
    /// The device begins a new incarnation, since received data is gone. It also begins new logs, since it may lack the
    /// ends of its old ones.
    func install(_ essentials: DamagedStore.Essentials) throws {
        let keys = [IdentityKeys.deviceSeed, IdentityKeys.member, IdentityKeys.admission]
        guard keys.allSatisfy({ essentials.values[$0] != nil }),
            essentials.values[IdentityKeys.deviceSeed]?.count == 32
        else {
            throw StoreError(
                .corrupt,
                "the device's keys cannot be read: make a new device in another directory, and let a peer invite it"
            )
        }
        try write(isDurable: true) { store in
            let notes = essentials.values.keys.filter(DeviceVisibility.isNote)
            for key in keys + [IdentityKeys.ownGroup, FileLimits.key] + notes {
                try store.setValue(essentials.values[key], forKey: key)
            }
            for peer in essentials.peers {
                // The peer's incarnation belongs to agreements, which are lost.
                var peer = peer
                peer.incarnation = []
                try store.put(peer)
            }
            for group in essentials.groups {
                var group = group.forAnotherStore
                try store.put(&group)
                let kept = KeptContents(recovering: essentials.values[KeptContents.key(of: group.id)])
                try store.setValue(kept.forAnotherStore.encoded, forKey: KeptContents.key(of: group.id))
                // Even if the rest is lost, a group must stay hidden from the contacts from which it was.
                let visibility = GroupVisibility(recovering: essentials.values[GroupVisibility.key(of: group.id)])
                try store.setValue(visibility.encoded, forKey: GroupVisibility.key(of: group.id))
                for peer in essentials.sharers[group.id] ?? [] { try store.share(group.reference, with: peer) }
                for (rekey, secret) in essentials.secrets[group.id] ?? [:] {
                    try store.setSecret(secret, of: rekey, inGroup: group.reference)
                }
            }
        }
    }
}
