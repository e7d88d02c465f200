import Foundation
import Synchronization
import TomboloCore

/// The subscriptions to a node: to changes of groups and files, and to ephemeral messages.
///
/// Subscribing takes only a lock, so that streams are returned without waiting.
final class Watchers: Sendable {
    /// The subject of a stream of changes.
    enum Subject: Hashable {
        case group(GroupID)
        case file(FileID)
    }

    private struct State {
        var changes: [UUID: (subject: Subject, continuation: AsyncStream<Void>.Continuation)] = [:]
        var ephemeral: [UUID: (group: GroupID, continuation: AsyncStream<EphemeralMessage>.Continuation)] = [:]
        var isFinished = false
    }

    private let state = Mutex(State())
    /// The most ephemeral messages that wait for a slow reader. The oldest are dropped.
    private static let mostEphemeral = 64

    /// Signals of each change of a subject. At most one unread signal is kept.
    func changes(of subject: Subject) -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let id = UUID()
        let isFinished = state.withLock { state in
            if !state.isFinished { state.changes[id] = (subject, continuation) }
            return state.isFinished
        }
        if isFinished { continuation.finish() }
        continuation.onTermination = { [weak self] _ in self?.remove(id) }
        return stream
    }

    func ephemeralMessages(of group: GroupID) -> AsyncStream<EphemeralMessage> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: EphemeralMessage.self, bufferingPolicy: .bufferingNewest(Self.mostEphemeral))
        let id = UUID()
        let isFinished = state.withLock { state in
            if !state.isFinished { state.ephemeral[id] = (group, continuation) }
            return state.isFinished
        }
        if isFinished { continuation.finish() }
        continuation.onTermination = { [weak self] _ in self?.remove(id) }
        return stream
    }

    private func remove(_ id: UUID) {
        // Continuations must be released outside of the lock.
        _ = state.withLock { state in
            (state.changes.removeValue(forKey: id)?.continuation, state.ephemeral.removeValue(forKey: id)?.continuation)
        }
    }

    func signal(_ subject: Subject) {
        let found = state.withLock { state in
            state.changes.values.filter { $0.subject == subject }.map(\.continuation)
        }
        for continuation in found { continuation.yield() }
    }

    func deliver(_ message: EphemeralMessage, to group: GroupID) {
        let found = state.withLock { state in
            state.ephemeral.values.filter { $0.group == group }.map(\.continuation)
        }
        for continuation in found { continuation.yield(message) }
    }

    /// Ends the streams of changes after the store has failed.
    func endChanges() {
        let ended = state.withLock { state in
            defer { state.changes = [:] }
            return state.changes.values.map(\.continuation)
        }
        for continuation in ended { continuation.finish() }
    }

    /// Ends all streams, including those that are requested later.
    func finish() {
        let ephemeral = state.withLock { state in
            defer { state.ephemeral = [:] }
            state.isFinished = true
            return state.ephemeral.values.map(\.continuation)
        }
        endChanges()
        for continuation in ephemeral { continuation.finish() }
    }
}
