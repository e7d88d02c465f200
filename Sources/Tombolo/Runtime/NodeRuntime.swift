import Foundation
import Logging
import TomboloCore
import TomboloCrypto
import TomboloNIO
import TomboloSQLite

/// The runner of the engine. It drains the queue as one batch into one transaction, commits, and only then performs the
/// engine's effects (law 1).
actor NodeRuntime {
    private let executor = RuntimeExecutor()
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    var engine: Engine<SwiftCryptography>
    let storage: SQLiteStorage
    private let queue: InputQueue
    let clock: any NodeClock
    private let logger: Logger
    private var requests: [RequestID: CheckedContinuation<EngineEffect, any Error>] = [:]
    private var nextRequest: RequestID = 1
    private(set) var failure: StoreError?
    private var wake: Task<Void, Never>?
    nonisolated let watchers = Watchers()
    /// The amounts exchanged since the node was opened.
    nonisolated let progress = LatestValue(SyncProgress())
    private let instruments = Instruments()
    /// The first forks that were found since the start.
    private(set) var forks: [(GroupID, EventID, EventID)] = []
    private static let mostForks = 1_024
    /// Tells whether the store's files may still hold erased data.
    private var mustPurge = false

    /// Purges the files again later, because a reader of an older snapshot has kept erased data in them.
    func purgeLater() {
        mustPurge = true
        purge()
    }

    init(
        storage: SQLiteStorage, queue: InputQueue, after start: StoreStart, clock: any NodeClock, logger: Logger
    ) throws {
        self.storage = storage
        self.queue = queue
        self.clock = clock
        self.logger = logger
        engine = try Self.openEngine(storage, after: start)
    }

    private static func openEngine(
        _ storage: SQLiteStorage, after start: StoreStart
    ) throws -> Engine<SwiftCryptography> {
        var opened: Engine<SwiftCryptography>?
        try storage.write(isDurable: true) { store in
            opened = try Engine(
                opening: store, cryptography: SwiftCryptography(), generator: SystemRandomNumberGenerator(),
                beginsIncarnation: start.mayHaveLost || start.isOlderCopy, beginsLogs: start.isOlderCopy)
        }
        guard let opened = opened.take() else { throw StoreError(.unavailable, "the engine did not open") }
        return opened
    }

    var device: DeviceKey { engine.device }
    var member: MemberKey { engine.member }

    // MARK: Requests

    /// Passes one request to the engine and waits until its answer is committed.
    ///
    /// - Throws: ``TomboloError``.
    func request(_ make: (RequestID) -> EngineInput) async throws -> EngineEffect {
        try await convertingErrors { try await answer(to: make) }
    }

    private func answer(to make: (RequestID) -> EngineInput) async throws -> EngineEffect {
        if let failure { throw failure }
        let id = nextRequest
        nextRequest += 1
        let input = make(id)
        return try await withCheckedThrowingContinuation { continuation in
            requests[id] = continuation
            queue.post([input])
        }
    }

    /// Processes one batch. If more inputs wait, other jobs have their turn first.
    func drain() {
        if drainBatch().hasMore { Task { drain() } }
    }

    /// Processes all inputs that were posted so far, and no later ones.
    func drainAll() throws {
        var left = queue.count
        while left > 0 { left -= max(1, drainBatch().taken) }
        if let failure { throw failure }
    }

    private func drainBatch() -> (taken: Int, hasMore: Bool) {
        let (inputs, consumed, hasMore) = queue.dequeueBatch()
        guard failure == nil, !inputs.isEmpty else { return (inputs.count, hasMore) }
        let start = ContinuousClock.now
        let now = clock.now
        do {
            let effects = try storage.write(isDurable: engine.mustBeSynced(inputs)) { store in
                try engine.process(inputs, now: now, in: store)
            }
            for (connection, bytes) in consumed { connection.consumed(bytes) }
            for effect in effects { perform(effect) }
            noteProgress(received: consumed.map(\.1), effects, since: start)
            scheduleWake(now: now)
            if mustPurge { purge() }
            exchangeWithOwnDevices(after: effects)
        } catch {
            fail(error)
        }
        return (inputs.count, hasMore)
    }

    private func noteProgress(
        received: [Int], _ effects: [EngineEffect], since start: ContinuousClock.Instant
    ) {
        let bytesReceived = received.reduce(0, +)
        var (bytesSent, forks) = (0, 0)
        var reconciliations: [ReconciliationReport] = []
        progress.update { progress in
            for effect in effects {
                switch effect {
                case .send(_, let payload): bytesSent += payload.count
                case .agreed(_, let group, let report):
                    reconciliations.append(report)
                    progress.groupsInSync.insert(group)
                case .changed(let group): progress.groupsInSync.remove(group)
                case .forked: forks += 1
                default: break
                }
            }
            progress.batches += 1
            progress.payloads += received.count
            progress.bytesReceived += bytesReceived
            progress.bytesSent += bytesSent
        }
        instruments.note(
            ContinuousClock.now - start, received: bytesReceived, sent: bytesSent, reconciliations, forks: forks)
    }

    /// Stops the runtime after an error of the store, because the engine may be ahead of the store.
    func fail(_ error: StoreError) {
        logger.critical("the store failed: \(error)")
        failure = error
        for continuation in requests.values { continuation.resume(throwing: error) }
        requests = [:]
        watchers.endChanges()
        queue.closeAll()
    }

    /// Removes erased data from the files, as soon as no reader uses an older snapshot.
    private func purge() {
        guard mustPurge, failure == nil else { return }
        do throws(StoreError) {
            mustPurge = try !storage.purge()
        } catch {
            return fail(error)
        }
        guard mustPurge else { return }
        Task { [clock] in
            guard (try? await clock.sleep(for: .seconds(1))) != nil else { return }
            purge()
        }
    }

    func scheduleWake(now: UInt64) {
        wake?.cancel()
        wake = nil
        guard let next = engine.nextWake else { return }
        // At most a day, since a user may set the clock meanwhile.
        let delay = Duration.milliseconds(next > now ? min(next - now, 86_400_000) : 1)
        wake = Task { [queue, clock] in
            guard (try? await clock.sleep(for: delay)) != nil else { return }
            queue.post([.timePassed])
        }
    }

    func perform(_ effect: EngineEffect) {
        switch effect {
        case .send(let session, let payload): queue.connection(session)?.send(payload)
        case .close(let session, let error):
            logger.warning("a link was closed: \(error)")
            queue.notify(session, .closed(error))
            queue.connection(session)?.close()
        case .appended(let id, _), .ingested(let id, _, _), .created(let id, _), .invited(let id, _), .done(let id),
            .removed(let id, _), .openedBundle(let id, _), .sealedSecrets(let id, _):
            requests.removeValue(forKey: id)?.resume(returning: effect)
        case .failed(let id, let error): requests.removeValue(forKey: id)?.resume(throwing: error)
        case .changed(let group): watchers.signal(.group(group))
        case .erased: mustPurge = true
        case .fileChanged(let file): watchers.signal(.file(file))
        case .transferring(let session, let isBusy): queue.notify(session, .transferring(isBusy))
        case .receivedEphemeral(let group, let log, let timestamp, let content):
            let time = log == nil ? Date(milliseconds: timestamp * 1_000) : Date(milliseconds: timestamp)
            watchers.deliver(EphemeralMessage(log: log, timestamp: time, bytes: content), to: group)
        case .forked(let group, let one, let other):
            guard forks.count < Self.mostForks else { break }
            logger.error("a log of group \(group) has forked: events \(one) and \(other)")
            forks.append((group, one, other))
        case .foundOlder(let group):
            logger.warning(
                """
                group \(group): peers hold events of this device that it lacks: the store is an older copy; this \
                device writes to a new log
                """
            )
        case .joined(let session, let group): queue.notify(session, .joined(group))
        case .agreed(let session, let group, let report): queue.notify(session, .agreed(group, report))
        case .differed(let session, let group):
            logger.warning("group \(group) differs from a peer's after both sent everything: they try again later")
            queue.notify(session, .differed(group))
        case .exchanged(let session, let group): queue.notify(session, .exchanged(group))
        case .peerReady(let session, _, let groups): queue.notify(session, .ready(groups))
        }
    }

    // MARK: Stopping

    /// Stops for good: no more inputs are processed.
    func close() {
        stop("the node is closed")
        watchers.finish()
        progress.finish()
    }

    /// Stops processing until ``resume(after:)``. Streams stay open.
    func suspend() { stop("the node is suspended: call resume() first") }

    private func stop(_ why: String) {
        try? drainAll()
        failure = failure ?? StoreError(.unavailable, why)
        wake?.cancel()
    }

    /// Stops like a killed process: uncommitted data is lost, and nothing is noted.
    func abandon() {
        failure = failure ?? StoreError(.unavailable, "the device has crashed")
        wake?.cancel()
        for continuation in requests.values {
            continuation.resume(throwing: StoreError(.unavailable, "the device has crashed"))
        }
        requests = [:]
        watchers.finish()
        progress.finish()
    }

    /// Erases contents that expired while the node was closed, before an application can read them.
    func processTime() throws {
        queue.post([.timePassed])
        try drainAll()
        exchangeWithOwnDevices()
    }

    /// Opens the engine again on the stored data.
    func resume(after start: StoreStart) throws {
        engine = try Self.openEngine(storage, after: start)
        failure = nil
        queue.clear()
        try processTime()
    }
}
