import Synchronization
import Tombolo
import TomboloCore
import TomboloSimulation

/// A clock that stands still until the simulation moves it.
final class VirtualClock: Sendable {
    private enum Waiter {
        case sleeper(CheckedContinuation<Void, any Error>)
        case action(@Sendable () -> Void)
    }

    private struct State {
        var now: UInt64
        var agenda = Agenda<UInt64>()
        var waiters: [UInt64: Waiter] = [:]
        /// The tasks that were cancelled before they slept.
        var cancelled: Set<UInt64> = []
        var count: UInt64 = 0
    }

    private let state: Mutex<State>

    /// - Parameter start: milliseconds since 1970.
    init(start: UInt64) { state = Mutex(State(now: start)) }

    var now: UInt64 { state.withLock { $0.now } }

    /// The number of actions and sleeps ever scheduled. It grows while tasks work.
    var scheduled: UInt64 { state.withLock { $0.count } }

    func schedule(at time: UInt64, _ action: @escaping @Sendable () -> Void) {
        state.withLock { state in
            state.count += 1
            state.waiters[state.count] = .action(action)
            state.agenda.add(state.count, at: time)
        }
    }

    func sleep(for duration: Duration) async throws {
        let number = state.withLock { state in
            state.count += 1
            return state.count
        }
        let delay = duration.roundedMilliseconds
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let isCancelled = state.withLock { state in
                    if state.cancelled.remove(number) != nil { return true }
                    state.waiters[number] = .sleeper(continuation)
                    state.agenda.add(number, at: state.now + delay)
                    return false
                }
                if isCancelled { continuation.resume(throwing: CancellationError()) }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                let waiter = state.waiters.removeValue(forKey: number)
                if waiter == nil { state.cancelled.insert(number) }
                return waiter
            }
            if case .sleeper(let continuation) = waiter { continuation.resume(throwing: CancellationError()) }
        }
    }

    /// Advances to the next time at which a task or action waits, at most to `limit`, and runs those that are due.
    ///
    /// - Returns: true if any were due.
    func step(to limit: UInt64) -> Bool {
        let due = state.withLock { state in
            var due: [Waiter] = []
            while let time = state.agenda.nextTime, time <= limit {
                guard due.isEmpty || time <= state.now else { break }
                guard let number = state.agenda.popFirst(), let waiter = state.waiters.removeValue(forKey: number)
                else { continue }
                state.now = max(state.now, time)
                due.append(waiter)
            }
            if due.isEmpty { state.now = max(state.now, limit) }
            return due
        }
        for waiter in due {
            switch waiter {
            case .sleeper(let continuation): continuation.resume()
            case .action(let action): action()
            }
        }
        return !due.isEmpty
    }
}

/// The clock of one device. It may be fast or slow by a constant.
struct DeviceClock: NodeClock {
    let world: VirtualClock
    let start: UInt64
    /// The error in milliseconds.
    let skew: Int64

    var now: UInt64 { UInt64(clamping: Int64(clamping: world.now) + skew) }
    var uptime: Duration { .milliseconds(Int64(clamping: world.now - start)) }
    func sleep(for duration: Duration) async throws { try await world.sleep(for: duration) }
}
