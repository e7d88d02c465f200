import Foundation
import Logging
import TomboloCore
import TomboloCrypto
import TomboloNIO
import TomboloSQLite

/// Runs the engine: drains the mailbox as one batch into one transaction, commits, and only then carries out what the
/// engine said (law 1).
actor Replica {
    private let executor = ReplicaExecutor()
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    var engine: Engine<SwiftCryptography>
    let storage: SQLiteStorage
    private let mailbox: Mailbox
    let clock: any NodeClock
    private let logger: Logger
    private var requests: [RequestID: CheckedContinuation<EngineEffect, any Error>] = [:]
    private var nextRequest: RequestID = 1
    private(set) var failure: StoreError?
    private var wake: Task<Void, Never>?
    /// What somebody wants to hear of.
    enum Subject: Hashable {
        case group(GroupID)
        case file(FileID)
    }
    private var watchers: [UUID: (subject: Subject, continuation: AsyncStream<Void>.Continuation)] = [:]
    private var ephemeral: [UUID: (group: GroupID, continuation: AsyncStream<EphemeralMessage>.Continuation)] = [:]
    /// What has come and gone.
    nonisolated let progress = LatestValue(SyncProgress())
    private let instruments = Instruments()
    /// The first that were seen since the start.
    private(set) var forks: [(GroupID, EventID, EventID)] = []
    private static let mostForks = 1_024
    /// Whether something was erased that the store's files may still hold.
    private var mustPurge = false

    /// Somebody has read an older snapshot of what is to leave the files.
    func purgeLater() {
        mustPurge = true
        purge()
    }

    init(
        storage: SQLiteStorage, mailbox: Mailbox, after start: StoreStart, clock: any NodeClock, logger: Logger
    ) throws {
        self.storage = storage
        self.mailbox = mailbox
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
    func request(_ make: (RequestID) -> EngineInput) async throws -> EngineEffect {
        if let failure { throw failure }
        let id = nextRequest
        nextRequest += 1
        let input = make(id)
        return try await withCheckedThrowingContinuation { continuation in
            requests[id] = continuation
            mailbox.post([input])
        }
    }

    /// Takes one batch; where more is left, others have their turn first.
    func drain() {
        if drainBatch().hasMore { Task { drain() } }
    }

    /// Takes everything that was posted so far, and no more.
    func drainAll() throws {
        var left = mailbox.count
        while left > 0 { left -= max(1, drainBatch().taken) }
        if let failure { throw failure }
    }

    private func drainBatch() -> (taken: Int, hasMore: Bool) {
        let (inputs, consumed, hasMore) = mailbox.takeBatch()
        guard failure == nil, !inputs.isEmpty else { return (inputs.count, hasMore) }
        let start = ContinuousClock.now
        let now = clock.now
        do {
            let effects = try storage.write(isDurable: engine.mustBeSynced(inputs)) { store in
                try engine.process(inputs, now: now, in: store)
            }
            for (connection, bytes) in consumed { connection.consumed(bytes) }
            for effect in effects { carryOut(effect) }
            noteProgress(received: consumed.map(\.1), effects, since: start)
            scheduleWake(now: now)
            if mustPurge { purge() }
            tendDevices(after: effects)
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

    /// The replica stops: its engine may be ahead of its store.
    func fail(_ error: StoreError) {
        logger.critical("the store failed: \(error)")
        failure = error
        for continuation in requests.values { continuation.resume(throwing: error) }
        requests = [:]
        endWatching()
        watchers = [:]
        mailbox.closeAll()
    }

    /// What was erased leaves the files, as soon as nobody reads an older snapshot.
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
        wake = Task { [mailbox, clock] in
            guard (try? await clock.sleep(for: delay)) != nil else { return }
            mailbox.post([.timePassed])
        }
    }

    func carryOut(_ effect: EngineEffect) {
        switch effect {
        case .send(let session, let payload): mailbox.connection(session)?.send(payload)
        case .close(let session, let error):
            logger.warning("a link was closed: \(error)")
            mailbox.tell(session, .closed(error))
            mailbox.connection(session)?.close()
        case .appended(let id, _), .ingested(let id, _, _), .created(let id, _), .invited(let id, _), .done(let id),
            .removed(let id, _), .openedBundle(let id, _), .sealedSecrets(let id, _):
            requests.removeValue(forKey: id)?.resume(returning: effect)
        case .failed(let id, let error): requests.removeValue(forKey: id)?.resume(throwing: error)
        case .changed(let group): tellWatchers(of: .group(group))
        case .erased: mustPurge = true
        case .fileChanged(let file): tellWatchers(of: .file(file))
        case .transferring(let session, let isBusy): mailbox.tell(session, .transferring(isBusy))
        case .receivedEphemeral(let group, let log, let timestamp, let content):
            let message = EphemeralMessage(log: log, timestamp: timestamp, content: content)
            for watcher in ephemeral.values where watcher.group == group { watcher.continuation.yield(message) }
        case .forked(let group, let one, let other):
            guard forks.count < Self.mostForks else { break }
            logger.error("a log of group \(group) has forked: events \(one) and \(other)")
            forks.append((group, one, other))
        case .foundOlder(let group):
            logger.warning(
                "group \(group): peers hold what this device wrote and does not: its store is an older copy; it goes on in a new log"
            )
        case .joined(let session, let group): mailbox.tell(session, .joined(group))
        case .agreed(let session, let group, let report): mailbox.tell(session, .agreed(group, report))
        case .differed(let session, let group):
            logger.warning("group \(group) differs from a peer's although both have said everything: tried again later")
            mailbox.tell(session, .differed(group))
        case .exchanged(let session, let group): mailbox.tell(session, .exchanged(group))
        case .peerReady(let session, _, let groups): mailbox.tell(session, .ready(groups))
        }
    }

    // MARK: Watching

    private func tellWatchers(of subject: Subject) {
        for watcher in watchers.values where watcher.subject == subject { watcher.continuation.yield() }
    }

    /// Says when there is something new in a group, or more of a file, or less. Holds at most one unread notice.
    func notices(of subject: Subject) -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let id = UUID()
        watchers[id] = (subject, continuation)
        continuation.onTermination = { _ in Task { await self.unwatch(id) } }
        return stream
    }

    func ephemeralMessages(of group: GroupID) -> AsyncStream<EphemeralMessage> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: EphemeralMessage.self, bufferingPolicy: .bufferingNewest(64))
        let id = UUID()
        ephemeral[id] = (group, continuation)
        continuation.onTermination = { _ in Task { await self.unwatch(id) } }
        return stream
    }

    private func unwatch(_ id: UUID) {
        watchers[id] = nil
        ephemeral[id] = nil
    }

    private func endWatching() {
        for watcher in watchers.values { watcher.continuation.finish() }
    }

    /// Takes nothing any more.
    func close() {
        stop("the node is closed")
        endWatching()
        for watcher in ephemeral.values { watcher.continuation.finish() }
        progress.finish()
    }

    /// Takes nothing until ``resume(beginsIncarnation:)``; whoever watches keeps watching.
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
        endWatching()
        for watcher in ephemeral.values { watcher.continuation.finish() }
        progress.finish()
    }

    /// What has expired while nobody ran goes before anybody reads it.
    func attendToTime() throws {
        mailbox.post([.timePassed])
        try drainAll()
        tendDevices()
    }

    /// Opens the engine anew on what is stored.
    func resume(after start: StoreStart) throws {
        engine = try Self.openEngine(storage, after: start)
        failure = nil
        mailbox.clear()
        try attendToTime()
    }
}
