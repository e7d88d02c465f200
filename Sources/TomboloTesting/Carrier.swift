import Synchronization
import TomboloCore
import TomboloSimulation

/// The delivery of payloads: it decides when they arrive.
protocol Carrier: Sendable {
    /// Schedules a delivery. Payloads from one device to another arrive in the order in which they were sent.
    func carry(from: DeviceKey, to: DeviceKey, _ deliver: @escaping @Sendable () -> Void)
    /// Returns when two devices have proved their keys to each other.
    func waitForHandshake() async throws
}

struct ImmediateCarrier: Carrier {
    func carry(from: DeviceKey, to: DeviceKey, _ deliver: @escaping @Sendable () -> Void) { deliver() }
    func waitForHandshake() {}
}

/// A carrier that delivers by a virtual clock, after a random delay for each payload.
final class DelayingCarrier: Carrier {
    private struct Direction: Hashable {
        let from: DeviceKey
        let to: DeviceKey
    }

    private struct State {
        var generator: SeededGenerator
        /// The time when the last payload sent in a direction arrives.
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
        // Scheduled under the lock, so that payloads of two senders keep their order.
        state.withLock { state in
            let direction = Direction(from: from, to: to)
            let arrival = max(clock.now + state.generator.any(latency), state.last[direction] ?? 0)
            state.last[direction] = arrival
            clock.schedule(at: arrival, deliver)
        }
    }

    /// Waits for a round trip of the transport's handshake and one of TLS's.
    func waitForHandshake() async throws {
        let delay = state.withLock { state in (0..<4).reduce(0) { sum, _ in sum + state.generator.any(latency) } }
        try await clock.sleep(for: .milliseconds(delay))
    }
}
