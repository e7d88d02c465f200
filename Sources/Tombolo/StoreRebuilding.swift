public import Foundation
public import TomboloCore
import TomboloCrypto
import TomboloSQLite

/// The outcome of making a damaged store anew.
public struct StoreRebuilding: Sendable, Hashable {
    /// The damaged database, which is kept.
    public let damagedFile: URL
    /// The number of groups that were taken over.
    public let groups: Int
    /// The number of peers that were taken over.
    public let peers: Int
    /// The number of events and messages that could still be read, and verify.
    public let events: Int
    /// A sentence for each part that could not be read.
    public let unreadable: [String]
}

extension Node {
    /// Checks the store in a directory.
    ///
    /// - Returns: a sentence for each defect; empty if SQLite finds none.
    /// - Throws: ``TomboloError`` `storeUnavailable` if there is no store, `storeBusy` if another process writes it.
    public static func checkStore(at directory: URL, lock: (any StoreLock)? = nil) async throws -> [String] {
        try await convertingErrors { try await aside { try problems(at: directory, lock: lock) } }
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

    /// Makes a damaged store anew, with the device's keys, its groups, its peers, and every event that can still be read and
    /// verifies. Missing events come back from peers with the next sync. The device writes to new logs.
    ///
    /// The damaged file is kept beside the new one.
    /// - Parameters:
    ///   - directory: the device's.
    ///   - lock: what locked the device's keys, if anything did. It locks them in the new store.
    /// - Throws: ``TomboloError`` `storeCorrupt` if the device's keys cannot be read, `storeFull`; nothing has changed then.
    public static func rebuildStore(at directory: URL, lock: (any StoreLock)? = nil) async throws -> StoreRebuilding {
        try await convertingErrors { try await aside { try rebuild(at: directory, lock: lock) } }
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
            try takeOverFiles(of: storage)
            try StoreStart.noteStop(storage)
            return StoreRebuilding(
                damagedFile: aside, groups: essentials.groups.count, peers: essentials.peers.count, events: events,
                unreadable: essentials.unreadable)
        } catch {
            try SQLiteStorage.putBack(aside, in: directory)
            throw error
        }
    }

    /// The chunks of files are beside the damaged store, whatever it knew of them: those that are what they must be are taken over.
    private static func takeOverFiles(of storage: SQLiteStorage) throws {
        for file in storage.chunks.files where try storage.read({ try $0.isReferred(to: file) }) {
            let held = try FileVerification(file, storage.chunks).run()
            try storage.write(isDurable: false) { store in
                try store.put(FileRecord(id: file, want: try store.file(file)?.want ?? .none, held: held))
            }
        }
    }

    /// - Returns: how many events were taken.
    private static func ingest(
        from damaged: DamagedStore, into storage: SQLiteStorage, _ groups: [GroupRecord]
    ) throws -> Int {
        let now = SystemClock().now
        var engine: Engine<SwiftCryptography>?
        var taken = 0
        /// Takes messages, by halves where one of them is damaged.
        func take(
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
                case .ingested(_, let accepted, _): taken += accepted
                case .failed where messages.count > 1:
                    try take(Array(messages.prefix(messages.count / 2)), of: group, horizon: horizon, certificates)
                    try take(Array(messages.dropFirst(messages.count / 2)), of: group, horizon: horizon, certificates)
                default: break
                }
            }
        }
        for group in groups {
            let kept = try storage.read { try $0.value(forKey: KeptContents.key(of: group.id)) }
            let horizon = KeptContents(recovering: kept).horizon
            let certificates = damaged.forgottenBeginnings(of: group)
            try damaged.forEachRun(of: group) { try take($0, of: group.id, horizon: horizon, certificates) }
        }
        return taken
    }
}

extension SQLiteStorage {
    /// Writes what makes a device into a store that has nothing yet.
    ///
    /// Its incarnation is a new one, since what it has received is gone, and so are its logs, since it may not have all of them.
    func install(_ essentials: DamagedStore.Essentials) throws {
        let keys = [IdentityKeys.deviceSeed, IdentityKeys.member, IdentityKeys.admission]
        guard keys.allSatisfy({ essentials.values[$0] != nil }),
            essentials.values[IdentityKeys.deviceSeed]?.count == 32
        else {
            throw StoreError(
                .corrupt,
                "the device's keys cannot be read any more: begin as a new device (in another directory) and let a peer invite it"
            )
        }
        try write(isDurable: true) { store in
            let notes = essentials.values.keys.filter(DeviceVisibility.isNote)
            for key in keys + [IdentityKeys.ownGroup, FileLimits.key] + notes {
                try store.setValue(essentials.values[key], forKey: key)
            }
            for peer in essentials.peers {
                // The peer's incarnation belongs to agreements, which are gone.
                var peer = peer
                peer.incarnation = []
                try store.put(peer)
            }
            for group in essentials.groups {
                var group = group.forAnotherStore
                try store.put(&group)
                let kept = KeptContents(recovering: essentials.values[KeptContents.key(of: group.id)])
                try store.setValue(kept.forAnotherStore.encoded, forKey: KeptContents.key(of: group.id))
                // Also where the rest is lost, nobody is to be shown what was hidden from them.
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
