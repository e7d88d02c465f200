public import Foundation
import Logging
import Synchronization
public import TomboloCore
import TomboloCrypto
import TomboloSQLite

/// This device with its store, its groups and its links to peers.
///
/// It is usable offline at once. The value is a handle that can be passed around freely.
public final class Node: Sendable {
    /// The parts of a node that may write.
    struct Components: Sendable {
        let runtime: NodeRuntime
        let queue: InputQueue
        let transports: TransportTable
    }

    let storage: SQLiteStorage
    let logger: Logger
    let limits: NodeLimits
    /// The device's clock.
    public let clock: any NodeClock
    /// The hosts and ports on which this device listens.
    let listening = Mutex<[ListeningPlace]>([])
    /// The hosts and ports on which it listened when it was suspended.
    private let suspendedListening = Mutex<[ListeningPlace]>([])
    let components: Components?
    /// This device's key.
    public let device: DeviceKey
    /// The key of this device's member.
    public let member: MemberKey
    /// Tells whether the store is an older copy that was put back, or was moved here. From this start on the device
    /// writes to new logs, and requests its own missing events from peers.
    public let isOlderCopy: Bool

    /// Opens the device's store in `directory`, making the directory and the device's identity on first use.
    ///
    /// - Throws: ``TomboloError``: `storeBusy` if another process uses the store, `storeLocked` if it needs another
    ///   lock, `storeNewer`, `storeCorrupt` or `storeUnavailable`; the error of a transport that cannot be made.
    public static func open(at directory: URL, configuration: Configuration = Configuration()) async throws -> Node {
        try await convertingErrors { try await opened(at: directory, configuration) }
    }

    private static func opened(at directory: URL, _ configuration: Configuration) async throws -> Node {
        let storage = try await onOwnThread { try SQLiteStorage(directory: directory, lock: configuration.lock) }
        do {
            return try await opened(storage, configuration)
        } catch {
            // Otherwise the store stays in use until the last reference to it is gone.
            try? storage.close()
            throw error
        }
    }

    private static func opened(_ storage: SQLiteStorage, _ configuration: Configuration) async throws -> Node {
        let box = RuntimeBox()
        let queue = InputQueue(limits: configuration.limits) { Task { await box.runtime.withLock { $0 }?.drain() } }
        let start = try StoreStart(in: storage)
        let runtime = try NodeRuntime(
            storage: storage, queue: queue, after: start, clock: configuration.clock, logger: configuration.logger)
        box.runtime.withLock { $0 = runtime }
        try storage.sweepFiles()
        try await runtime.processTime()
        let seed = try storage.read { try $0.value(forKey: IdentityKeys.deviceSeed) }
        guard let seed = seed.flatMap({ Bytes32($0) }) else { throw StoreError(.corrupt, "the device has no key") }
        let context = TransportContext(
            identity: TransportIdentity(device: await runtime.device, seed: seed), handler: queue,
            knownPeers: { try storage.read { try $0.peers() } })
        let transports = try TransportTable(try configuration.transports.map { try $0.make(context) })
        let components = Components(runtime: runtime, queue: queue, transports: transports)
        return Node(
            storage, configuration, components, device: await runtime.device, member: await runtime.member,
            isOlderCopy: start.isOlderCopy)
    }

    /// Opens the store for reading beside the process that writes it: for widgets, notification extensions, tools.
    ///
    /// Functions that write or reach peers throw `readOnly`. ``SyncGroup/changes(after:including:)`` looks for new
    /// changes once a second.
    /// - Throws: ``TomboloError``: `storeUnavailable` if there is no store yet, `storeLocked` if it needs another lock,
    ///   `storeNewer` or `storeCorrupt`.
    public static func openReadOnly(
        at directory: URL, configuration: Configuration = Configuration()
    ) async throws -> Node {
        try await convertingErrors {
            try await onOwnThread {
                let storage = try SQLiteStorage(directory: directory, isReadOnly: true, lock: configuration.lock)
                let (seed, member) = try storage.read { reader in
                    (
                        try reader.value(forKey: IdentityKeys.deviceSeed).flatMap { Bytes32($0) },
                        try reader.value(forKey: IdentityKeys.member).flatMap { MemberKey($0) }
                    )
                }
                guard let seed, let member else {
                    throw StoreError(
                        .corrupt,
                        "the device has no key, or was last opened by an earlier version: open it for writing")
                }
                let cryptography = SwiftCryptography()
                let device = DeviceKey(cryptography.publicKey(of: cryptography.signingKey(seed: seed)))
                return Node(storage, configuration, nil, device: device, member: member)
            }
        }
    }

    private init(
        _ storage: SQLiteStorage, _ configuration: Configuration, _ components: Components?, device: DeviceKey,
        member: MemberKey, isOlderCopy: Bool = false
    ) {
        self.storage = storage
        logger = configuration.logger
        clock = configuration.clock
        limits = configuration.limits
        self.components = components
        self.device = device
        self.member = member
        self.isOlderCopy = isOlderCopy
    }

    /// Syncs the store to disk, notes the clean stop, and closes the store. It is closed even if the other steps fail.
    private func noteStop() throws {
        let noting = Result {
            try StoreStart.noteStop(storage)
        }
        try storage.close()
        try noting.get()
    }

    /// Tells whether the device's keys in a directory are locked; false if there is no device.
    ///
    /// - Throws: ``TomboloError`` if the store cannot be read.
    public static func isLocked(at directory: URL) async throws -> Bool {
        try await convertingErrors { try await onOwnThread { try SQLiteStorage.isLocked(in: directory) } }
    }

    /// Encrypts the device's keys, and the secrets of its private groups, under a key that a lock keeps: a
    /// ``PassphraseLock``, the Keychain, or a lock of the application's own. With nil they are stored unencrypted.
    ///
    /// From then on the store's files alone do not suffice to act as this device, or to read its private groups. The
    /// threat model lists the data that stays readable. Earlier copies of the files are not affected.
    ///
    /// - Returns: true if the unencrypted keys have left the files. They stay while another process reads the store.
    ///   The node then tries again every second, and at the next start.
    /// - Throws: ``TomboloError`` of the store; the keys are unchanged then.
    @discardableResult
    public func changeLock(to lock: (any StoreLock)?) async throws -> Bool {
        let runtime = try runtime
        return try await convertingErrors {
            let isPurged = try await Self.onOwnThread { [storage] in try storage.relock(with: lock) }
            if !isPurged { await runtime.purgeLater() }
            return isPurged
        }
    }

    /// Runs a body that computes long or waits for the disk on a thread of its own, since tasks share few threads.
    static func onOwnThread<Result: Sendable>(
        _ body: @escaping @Sendable () throws -> Result
    ) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(with: Swift.Result(catching: body)) }
        }
    }

    var isReadOnly: Bool { components == nil }

    private func writable() throws -> Components {
        guard let components else {
            throw TomboloError(.readOnly, "the node was opened for reading only", recovery: "open it with Node.open")
        }
        return components
    }

    /// Reads a snapshot of the store.
    ///
    /// It runs on the calling task's executor. Callers are `async` and not isolated, so that no actor waits for the
    /// disk.
    func read<Result>(_ body: (SQLiteReader) throws -> Result) throws -> Result {
        try convertingErrors {
            try storage.read { reader -> Swift.Result<Result, any Error> in
                do {
                    return .success(try body(reader))
                } catch  where error is TomboloError || error is EngineError || error is CancellationError {
                    return .failure(error)
                }
            }.get()
        }
    }

    var runtime: NodeRuntime { get throws { try writable().runtime } }
    var queue: InputQueue { get throws { try writable().queue } }
    var transports: TransportTable { get throws { try writable().transports } }

    // MARK: Groups

    /// Makes a group whose owner is this device's member. A public group has no owner: every device that makes one of
    /// this name makes the same group.
    ///
    /// - Parameters:
    ///   - name: shown to members; at most 256 bytes of UTF-8. A public group's name has 1 to 256, in their composed
    ///     form (Unicode NFC).
    ///   - policy: the rights of members without a role, and whether contents are encrypted; it never changes.
    /// - Throws: ``TomboloError`` `groupExists`, `notAllowed`, or of the store.
    public func createGroup(named name: String, policy: Policy = .open) async throws -> SyncGroup {
        let name = policy == .public ? name.precomposedStringWithCanonicalMapping : name
        let effect = try await runtime.request { .createGroup($0, name: name, policy: policy) }
        guard case .created(_, let id) = effect, let group = try await group(id) else { throw TomboloError.noAnswer }
        return group
    }

    /// The groups on this device.
    ///
    /// - Throws: ``TomboloError`` of the store.
    public var groups: [SyncGroup] {
        get async throws { try readGroups() }
    }

    func readGroups() throws -> [SyncGroup] {
        let own = try read { try $0.value(forKey: IdentityKeys.ownGroup).flatMap { GroupID($0) } }
        return try allGroups.filter { $0.id != own }
    }

    /// The groups, including that of the member's devices.
    var allGroups: [SyncGroup] {
        get throws { try read { try $0.groups() }.map { SyncGroup($0, self) } }
    }

    /// A group on this device; nil if there is none with this id.
    public func group(_ id: GroupID) async throws -> SyncGroup? { try readGroups().first { $0.id == id } }

    // MARK: Stopping

    /// Stops listening, closes all links and syncs the store to disk.
    ///
    /// - Throws: ``TomboloError`` of the store. The store is closed then as well.
    public func close() async throws {
        try await convertingErrors {
            guard let components else { return try storage.close() }
            _ = await stopLinks(components)
            await components.runtime.close()
            components.queue.finish()
            try noteStop()
        }
    }

    /// Releases everything that a suspended process must not hold: closes all links, syncs the store to disk and
    /// releases its locks. Until ``resume()`` all other functions throw.
    ///
    /// - Throws: ``TomboloError`` `readOnly`, or of the store.
    public func suspend() async throws {
        let components = try writable()
        try await convertingErrors {
            let places = await stopLinks(components)
            suspendedListening.withLock { $0 += places }
            await components.runtime.suspend()
            try noteStop()
        }
    }

    /// Stops like a killed process: uncommitted data is lost, and nothing is noted, synced or sent.
    package func abandon() async throws {
        let components = try writable()
        await components.runtime.abandon()
        try storage.close()
    }

    /// Processes and commits all inputs that were posted so far.
    ///
    /// - Returns: the number of batches committed since the node was opened.
    package func settled() async throws -> Int {
        let components = try writable()
        try await components.runtime.drainAll()
        return components.runtime.progress.current.batches
    }

    /// Continues after ``suspend()``, and listens again where the node listened before.
    ///
    /// - Throws: ``TomboloError`` `storeBusy` if another process uses the directory meanwhile; `notListening` if a port
    ///   is taken. The node is resumed then, and does not listen there.
    public func resume() async throws {
        let components = try writable()
        try await convertingErrors {
            try storage.resume()
            try await components.runtime.resume(after: try StoreStart(in: storage))
            let places = suspendedListening.withLock { places in
                defer { places = [] }
                return places
            }
            try await listenAgain(at: places)
        }
    }

    /// - Returns: the hosts and ports on which the node listened.
    private func stopLinks(_ components: Components) async -> [ListeningPlace] {
        await components.transports.stopListening()
        components.queue.closeAll()
        return listening.withLock { places in
            defer { places = [] }
            return places
        }
    }
}

private final class RuntimeBox: Sendable {
    let runtime = Mutex<NodeRuntime?>(nil)
}
