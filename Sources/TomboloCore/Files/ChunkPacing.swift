/// Decides how many chunks this device requests from a peer at once: as many as arrive within a quarter of a second, so
/// that messages do not wait long behind them.
struct ChunkPacing: Sendable {
    private(set) var limit = 4
    private var lastShrink: UInt64 = 0
    static let most = 64
    /// Milliseconds in which the requested chunks should arrive.
    private static let duration: UInt64 = 250

    /// Notes that a requested chunk has arrived.
    mutating func noteArrival(askedAt asked: UInt64, now: UInt64) {
        let elapsed = now > asked ? now - asked : 0
        if elapsed <= Self.duration {
            limit = min(limit + 1, Self.most)
        } else if elapsed > 2 * Self.duration, asked >= lastShrink {
            // Once for all chunks that were on their way together.
            limit = max(1, limit / 2)
            lastShrink = now
        }
    }

    /// Notes that the peer has sent nothing for long.
    mutating func noteStall() { limit = 1 }
}
