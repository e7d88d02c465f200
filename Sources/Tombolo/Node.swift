public import Foundation
public import Logging
import Synchronization
public import TomboloCore
import TomboloCrypto
import TomboloNIO
import TomboloSQLite

/// This device: its store, its groups, its links to peers.
///
/// Usable offline at once; a handle that can be passed around freely.
public final class Node: Sendable {
    /// What a node that may write consists of.
    struct Runtime: Sendable {
        let replica: Replica
        let mailbox: Mailbox
        let transport: any Transport
        let mvdsTransport: MVDSTransport
    }

    let storage: SQLiteStorage
    let logger: Logger
    /// The time that this device lives by.
    public let clock: any NodeClock
    /// Where this device listens.
    let addresses = Mutex<[String]>([])
    private let runtime: Runtime?
    /// This device's key.
    public let device: DeviceKey
    /// The key of the member whose device this is.
    public let member: MemberKey
    /// Whether the store was found to be an older copy that was put back (or was moved here): from this start on the device writes to
    /// new logs, and asks its peers for what it wrote since.
    public let isOlderCopy: Bool

    /// Opens the device's store in `directory`, making its identity on first use. Peers are reached by TCP with TLS 1.3.
    ///
    /// - Parameters:
    ///   - directory: made if it is not there.
    ///   - lock: what its keys are locked by, if they are (``changeLock(to:)``); a new device's are from the beginning. Refused
    ///     where they are not.
    ///   - logger: told of what nobody asked for.
    /// - Throws: `StoreError`: `busy` if another process uses it, `locked` if it takes another lock, `newer`, `corrupt` or `unavailable`.
    public static func open(
        at directory: URL, lock: (any StoreLock)? = nil, logger: Logger = Logger(label: "tombolo")
    ) async throws -> Node {
        try await open(at: directory, lock: lock, logger: logger) { try TCPTransport(identity: $0, handler: $1) }
    }

    /// Opens the device's store in `directory`, with a transport of the caller's own.
    ///
    /// - Parameters:
    ///   - directory: the device's own.
    ///   - lock: what its keys are locked by, as above.
    ///   - logger: what is told of links that were closed and of a store that failed.
    ///   - clock: the system's, except in tests.
    ///   - makeTransport: what carries payloads to peers.
    /// - Throws: `StoreError` as above, and what `makeTransport` throws.
    public static func open(
        at directory: URL, lock: (any StoreLock)? = nil, logger: Logger = Logger(label: "tombolo"),
        clock: any NodeClock = SystemClock(),
        over makeTransport: (TransportIdentity, any ConnectionHandler) throws -> any Transport
    ) async throws -> Node {
        let storage = try await aside { try SQLiteStorage(directory: directory, lock: lock) }
        let box = ReplicaBox()
        let mailbox = Mailbox { Task { await box.replica.withLock { $0 }?.drain() } }
        let start = try StoreStart(in: storage)
        let replica = try Replica(storage: storage, mailbox: mailbox, after: start, clock: clock, logger: logger)
        box.replica.withLock { $0 = replica }
        try storage.sweepFiles()
        try await replica.attendToTime()
        let seed = try storage.read { try $0.value(forKey: IdentityKeys.deviceSeed) }
        guard let seed = seed.flatMap({ Bytes32($0) }) else { throw StoreError(.corrupt, "the device has no key") }
        let transport = try makeTransport(TransportIdentity(device: await replica.device, seed: seed), mailbox)
        let runtime = Runtime(
            replica: replica, mailbox: mailbox, transport: transport, mvdsTransport: MVDSTransport(handler: mailbox))
        return Node(
            storage, logger, clock, runtime, device: await replica.device, member: await replica.member,
            isOlderCopy: start.isOlderCopy)
    }

    /// Opens the store for reading beside the process that writes it: for widgets, notification extensions, tools.
    ///
    /// Whatever would write or reach peers throws; `SyncGroup.changes(after:)` looks for news once a second.
    /// - Throws: `StoreError` `unavailable` if there is no store yet, `locked` if it takes another lock, `newer` or `corrupt`.
    public static func openReadOnly(
        at directory: URL, lock: (any StoreLock)? = nil, logger: Logger = Logger(label: "tombolo")
    ) throws -> Node {
        let storage = try SQLiteStorage(directory: directory, isReadOnly: true, lock: lock)
        let identity = try storage.read { reader in
            (
                try reader.value(forKey: IdentityKeys.deviceSeed).flatMap { Bytes32($0) },
                try reader.value(forKey: IdentityKeys.member).flatMap { MemberKey($0) }
            )
        }
        guard case (let seed?, let member?) = identity else {
            throw StoreError(
                .corrupt, "the device has no key, or was last opened by an earlier version: open it for writing")
        }
        let cryptography = SwiftCryptography()
        let device = DeviceKey(cryptography.publicKey(of: cryptography.signingKey(seed: seed)))
        return Node(storage, logger, SystemClock(), nil, device: device, member: member)
    }

    private init(
        _ storage: SQLiteStorage, _ logger: Logger, _ clock: any NodeClock, _ runtime: Runtime?, device: DeviceKey,
        member: MemberKey, isOlderCopy: Bool = false
    ) {
        self.storage = storage
        self.logger = logger
        self.clock = clock
        self.runtime = runtime
        self.device = device
        self.member = member
        self.isOlderCopy = isOlderCopy
    }

    /// Syncs the store to disk, notes that it was, and lets go of it; the last even where the disk does not take the others.
    private func noteStop() throws {
        let noting = Result {
            try StoreStart.noteStop(storage)
        }
        try storage.close()
        try noting.get()
    }

    /// Whether the device's keys in a directory are locked; false if there is no device.
    public static func isLocked(at directory: URL) throws -> Bool { try SQLiteStorage.isLocked(in: directory) }

    /// Encrypts the device's keys, and all that its private groups are sealed under, by a key that a lock keeps: ``PassphraseLock``, the
    /// Keychain, or one of the application's own. Without a lock they stand in the store as they are from now on.
    ///
    /// From then on who has the store's files alone can be this device no more, and reads no private group; see the threat model for what
    /// else is in them. What was there before is overwritten: copies that were made of the files have it still.
    ///
    /// - Returns: whether what was there before has left the files. If somebody reads the store meanwhile, it has not: it is tried again now and
    ///   then, and at the next start.
    /// - Throws: `StoreError`: everything is as it was then.
    @discardableResult
    public func changeLock(to lock: (any StoreLock)?) async throws -> Bool {
        let replica = try replica
        let isPurged = try await Self.aside { [storage] in try storage.relock(with: lock) }
        if !isPurged { await replica.purgeLater() }
        return isPurged
    }

    /// Runs what computes for long, as a passphrase's lock does, on a thread of which there are more than of the ones that tasks share.
    static func aside<Result: Sendable>(
        _ body: @escaping @Sendable () throws -> Result
    ) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(with: Swift.Result(catching: body)) }
        }
    }

    var isReadOnly: Bool { runtime == nil }

    private func writable() throws -> Runtime {
        guard let runtime else { throw TomboloError("the node was opened for reading only: open it with Node.open") }
        return runtime
    }

    var replica: Replica { get throws { try writable().replica } }
    var mailbox: Mailbox { get throws { try writable().mailbox } }
    var transport: any Transport { get throws { try writable().transport } }
    var mvdsTransport: MVDSTransport { get throws { try writable().mvdsTransport } }

    // MARK: Groups

    /// Makes a group whose owner is this device's member; a public one nobody owns, and it is the one of this name, whoever else is in it.
    ///
    /// - Parameters:
    ///   - name: at most 256 bytes of it are shown to who joins. A public group's has 1 to 256, in their composed form (Unicode NFC).
    ///   - policy: who writes without having been made a member; for good.
    public func createGroup(named name: String, policy: Policy = .open) async throws -> SyncGroup {
        let name = policy == .public ? name.precomposedStringWithCanonicalMapping : name
        let effect = try await replica.request { .createGroup($0, name: name, policy: policy) }
        guard case .created(_, let id) = effect, let group = try group(id) else {
            throw TomboloError("the engine gave no answer")
        }
        return group
    }

    public var groups: [SyncGroup] {
        get throws {
            let own = try storage.read { try $0.value(forKey: IdentityKeys.ownGroup).flatMap { GroupID($0) } }
            return try allGroups.filter { $0.id != own }
        }
    }

    /// With the one of the member's devices.
    var allGroups: [SyncGroup] {
        get throws { try storage.read { try $0.groups() }.map { SyncGroup($0, self) } }
    }

    public func group(_ id: GroupID) throws -> SyncGroup? { try groups.first { $0.id == id } }

    // MARK: Stopping

    /// Stops listening, closes all links and syncs the store to disk.
    public func close() async throws {
        guard let runtime else { return try storage.close() }
        await stopLinks(runtime)
        await runtime.replica.close()
        try noteStop()
    }

    /// Lets go of everything that the system takes amiss of a suspended process: closes all links, syncs the store to disk and
    /// releases its locks. Until ``resume()`` everything throws.
    public func suspend() async throws {
        let runtime = try writable()
        await stopLinks(runtime)
        await runtime.replica.suspend()
        try noteStop()
    }

    /// Stops as a killed process does: what was not committed is lost, and nothing is noted, synced or said.
    package func abandon() async throws {
        let runtime = try writable()
        await runtime.replica.abandon()
        try storage.close()
    }

    /// Has everything that was posted so far taken and committed.
    ///
    /// - Returns: how many batches were committed since the node was opened.
    package func settled() async throws -> Int {
        let runtime = try writable()
        try await runtime.replica.drainAll()
        return runtime.replica.progress.current.batches
    }

    /// Goes on after ``suspend()``. Listening and dialling begin anew.
    ///
    /// - Throws: `StoreError` `busy` if another process has taken the directory meanwhile.
    public func resume() async throws {
        let runtime = try writable()
        try storage.resume()
        try await runtime.replica.resume(after: try StoreStart(in: storage))
    }

    private func stopLinks(_ runtime: Runtime) async {
        await runtime.transport.stopListening()
        await runtime.mvdsTransport.stopListening()
        addresses.withLock { $0 = [] }
        runtime.mailbox.closeAll()
    }
}

private final class ReplicaBox: Sendable {
    let replica = Mutex<Replica?>(nil)
}
