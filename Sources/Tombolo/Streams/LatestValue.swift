import Foundation
import Synchronization

/// A value that any number of readers follow. Each gets the latest value at once, and the latest again after changes.
final class LatestValue<Value: Sendable & Equatable>: Sendable {
    private struct State {
        var value: Value
        var readers: [UUID: AsyncStream<Value>.Continuation] = [:]
        var isFinished = false
    }

    private let state: Mutex<State>

    init(_ value: Value) { state = Mutex(State(value: value)) }

    func update(_ change: (inout Value) -> Void) {
        let (value, readers) = state.withLock { state -> (Value, [AsyncStream<Value>.Continuation]) in
            var value = state.value
            change(&value)
            guard value != state.value else { return (value, []) }
            state.value = value
            return (value, Array(state.readers.values))
        }
        for reader in readers { reader.yield(value) }
    }

    var current: Value { state.withLock { $0.value } }

    func values() -> AsyncStream<Value> {
        let (stream, continuation) = AsyncStream.makeStream(of: Value.self, bufferingPolicy: .bufferingNewest(1))
        let id = UUID()
        let isFinished = state.withLock { state in
            continuation.yield(state.value)
            if !state.isFinished { state.readers[id] = continuation }
            return state.isFinished
        }
        if isFinished { continuation.finish() }
        continuation.onTermination = { [weak self] _ in self?.state.withLock { $0.readers[id] = nil } }
        return stream
    }

    func finish() {
        let readers = state.withLock { state in
            defer { state.readers = [:] }
            state.isFinished = true
            return state.readers.values
        }
        for reader in readers { reader.finish() }
    }
}
