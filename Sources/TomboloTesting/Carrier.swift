import Synchronization
import TomboloCore
import TomboloSimulation

/// Decides when what was sent arrives.
protocol Carrier: Sendable {
    /// Has something delivered. What goes from one device to another arrives in the order in which it was sent.
    func carry(from: DeviceKey, to: DeviceKey, _ deliver: @escaping @Sendable () -> Void)
    /// Returns when two devices have proved to each other who they are.
    func shakeHands() async throws
}

struct ImmediateCarrier: Carrier {
    func carry(from: DeviceKey, to: DeviceKey, _ deliver: @escaping @Sendable () -> Void) { deliver() }
    func shakeHands() {}
}

/// Delivers by a virtual clock, after a delay that is drawn for each payload.
final class DelayingCarrier: Carrier {
    private struct Direction: Hashable {
        let from: DeviceKey
        let to: DeviceKey
    }

    private struct State {
        var generator: SeededGenerator
        /// When the last that was sent arrives.
        var last: [Direction: UInt64] = [:]
    }

    private let clock: VirtualClock
    private let latency: ClosedRange<UInt64>
    private let state: Mutex<State>

    init(clock: VirtualClock, latency: ClosedRange<UInt64>, seed: UInt64) {
        self.clock = clock
        self.latency = latency
        state = Mutex(State(generator: SeededGenerator(seed: seed)))
    }

    func carry(from: DeviceKey, to: DeviceKey, _ deliver: @escaping @Sendable () -> Void) {
        // Scheduled under the lock: two senders' payloads must not change places.
        state.withLock { state in
            let direction = Direction(from: from, to: to)
            let arrival = max(clock.now + state.generator.any(latency), state.last[direction] ?? 0)
            state.last[direction] = arrival
            clock.schedule(at: arrival, deliver)
        }
    }

    /// A round trip for the transport's handshake, and one for TLS's.
    func shakeHands() async throws {
        let delay = state.withLock { state in (0..<4).reduce(0) { sum, _ in sum + state.generator.any(latency) } }
        try await clock.sleep(for: .milliseconds(delay))
    }
}
