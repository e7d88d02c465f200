import Synchronization

/// A value that is set once: the first one counts, from any task.
final class Latch<Value: Sendable>: Sendable {
    private let state = Mutex<Value?>(nil)

    var value: Value? { state.withLock { $0 } }
    func set(_ value: Value) { state.withLock { $0 = $0 ?? value } }
}
