import Synchronization

/// Takes one value, the first, from whichever task has it.
final class Latch<Value: Sendable>: Sendable {
    private let state = Mutex<Value?>(nil)

    var value: Value? { state.withLock { $0 } }
    func set(_ value: Value) { state.withLock { $0 = $0 ?? value } }
}
