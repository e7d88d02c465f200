import Logging
import TomboloCore

extension Node {
    /// Stays connected to every peer whose address is known, until the task is cancelled. It dials a peer that it does
    /// not reach again after growing delays. It has the shape of a ServiceLifecycle `Service`.
    ///
    /// Peers that are added meanwhile are dialled too.
    /// - Throws: ``TomboloError`` `readOnly`, or of the store.
    public func run() async throws {
        var backoffs: [DeviceKey: Backoff] = [:]
        let queue = try queue
        let signal = queue.linkSignal()
        while !Task.isCancelled {
            let connected = Set(queue.connectedPeers)
            let now = clock.uptime
            let absent = try peerRecords.filter { !$0.addresses.isEmpty && !connected.contains($0.device) }
            let due = absent.filter { (backoffs[$0.device]?.next ?? now) <= now }
            await withTaskGroup(of: Void.self) { group in
                for peer in due.prefix(max(1, limits.dials)) { group.addTask { await self.dial(peer) } }
            }
            for peer in due { backoffs[peer.device, default: Backoff()].tried(at: clock.uptime) }
            // An open link shows that the peer is reachable, so its delays begin again.
            for peer in connected { backoffs[peer] = nil }
            let next = absent.compactMap { backoffs[$0.device]?.next }.min() ?? now + .seconds(3_600)
            await signal.next(within: next - clock.uptime, by: clock)
        }
    }

    private func dial(_ peer: PeerRecord) async {
        for address in peer.dialAddresses {
            do {
                if peer.dialect == .native { try queue.keep(peer.device, for: device) }
                try await transports.dial(address, expecting: peer.device)
                return try confirm(address, of: peer)
            } catch {
                logger.debug("\(error)")
            }
        }
    }
}

/// The time of the next dial to a peer: 1, 2, 4… seconds after the last one, up to a minute. A random half to all of
/// that passes, so that devices that lost each other do not dial in step.
private struct Backoff {
    private var count = 0
    /// The time of the next dial, by the clock's uptime.
    private(set) var next = Duration.zero

    mutating func tried(at now: Duration) {
        let longest = min(60_000, 1_000 << min(count, 6))
        count += 1
        next = now + .milliseconds(Int.random(in: longest / 2...longest))
    }
}
