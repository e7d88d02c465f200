import Foundation
import Logging
import TomboloCore
import TomboloCrypto
import TomboloNIO
import TomboloSQLite

/// Runs the engine: drains the queue as one batch into one transaction, commits, and only then carries out what the
/// engine said (law 1).
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
    /// Everything that was exchanged since the node was opened.
    nonisolated let progress = LatestValue(SyncProgress())
    private let instruments = Instruments()
    /// The first that were seen since the start.
    private(set) var forks: [(GroupID, EventID, EventID)] = []
    private static let mostForks = 1_024
    /// Whether something was erased that the store's files may still hold.
    private var mustPurge = false

    /// Somebody has read an older snapshot of data that must leave the files.
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

    /// Hands the engine one request and waits until its answer is committed.
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

    /// Takes one batch; where more is left, others have their turn first.
    func drain() {
        if drainBatch().hasMore { Task { drain() } }
    }

    /// Takes everything that was posted so far, and no more.
    func drainAll() throws {
        var left = queue.count
        while left > 0 { left -= max(1, drainBatch().taken) }
        if let failure { throw failure }
    }

    private func drainBatch() -> (taken: Int, hasMore: Bool) {
        let (inputs, consumed, hasMore) = queue.takeBatch()
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

    /// The runtime stops: its engine may be ahead of its store.
    func fail(_ error: StoreError) {
        logger.critical("the store failed: \(error)")
        failure = error
        for continuation in requests.values { continuation.resume(throwing: error) }
        requests = [:]
        watchers.endChanges()
        queue.closeAll()
    }

    /// Erased data leaves the files as soon as nobody reads an older snapshot.
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
        // Not longer than a day: somebody may set the clock meanwhile.
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
            queue.tell(session, .closed(error))
            queue.connection(session)?.close()
        case .appended(let id, _), .ingested(let id, _, _), .created(let id, _), .invited(let id, _), .done(let id),
            .removed(let id, _), .openedBundle(let id, _), .sealedSecrets(let id, _):
            requests.removeValue(forKey: id)?.resume(returning: effect)
        case .failed(let id, let error): requests.removeValue(forKey: id)?.resume(throwing: error)
        case .changed(let group): watchers.signal(.group(group))
        case .erased: mustPurge = true
        case .fileChanged(let file): watchers.signal(.file(file))
        case .transferring(let session, let isBusy): queue.tell(session, .transferring(isBusy))
        case .receivedEphemeral(let group, let log, let timestamp, let content):
            let time = log == nil ? Date(milliseconds: timestamp * 1_000) : Date(milliseconds: timestamp)
            watchers.deliver(EphemeralMessage(log: log, timestamp: time, bytes: content), to: group)
        case .forked(let group, let one, let other):
            guard forks.count < Self.mostForks else { break }
            logger.error("a log of group \(group) has forked: events \(one) and \(other)")
            forks.append((group, one, other))
        case .foundOlder(let group):
            logger.warning(
                "group \(group): peers hold what this device wrote and does not: its store is an older copy; it goes on in a new log"
            )
        case .joined(let session, let group): queue.tell(session, .joined(group))
        case .agreed(let session, let group, let report): queue.tell(session, .agreed(group, report))
        case .differed(let session, let group):
            logger.warning("group \(group) differs from a peer's although both have said everything: tried again later")
            queue.tell(session, .differed(group))
        case .exchanged(let session, let group): queue.tell(session, .exchanged(group))
        case .peerReady(let session, _, let groups): queue.tell(session, .ready(groups))
        }
    }

    // MARK: Stopping

    /// Takes nothing any more.
    func close() {
        stop("the node is closed")
        watchers.finish()
        progress.finish()
    }

    /// Processes nothing until ``resume(after:)``; streams stay open.
    func suspend() { stop("the node is suspended: call resume() first") }

    private func stop(_ why: String) {
        try? drainAll()
        failure = failure ?? StoreError(.unavailable, why)
        wake?.cancel()
    }

    /// Stops as a killed process does: what was not committed is lost, and nothing is noted.
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

    /// Erases contents that expired while the node was closed, before anybody reads them.
    func processTime() throws {
        queue.post([.timePassed])
        try drainAll()
        exchangeWithOwnDevices()
    }

    /// Opens the engine anew on what is stored.
    func resume(after start: StoreStart) throws {
        engine = try Self.openEngine(storage, after: start)
        failure = nil
        queue.clear()
        try processTime()
    }
}
