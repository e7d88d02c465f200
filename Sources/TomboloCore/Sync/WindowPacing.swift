/// Decides whether a window may begin, and how large it is (protocol 5.2-21).
///
/// Large windows need few signatures. Small windows lose little when a link breaks, and let the receiver begin while
/// the sender is still reading. At most two are under way, so that neither side is idle. Windows grow fourfold while
/// the peer processes them soon. Otherwise they shrink to what it processes in a quarter of a second.
struct WindowPacing: Sendable {
    private(set) var sentBytes: UInt64 = 0
    private(set) var processedBytes: UInt64 = 0
    private var target = smallest
    /// The windows under way: where each ends, counted in bytes sent, its size, and when it began.
    private var underWay: [(end: UInt64, size: UInt64, begunAt: UInt64)] = []
    /// The time at which the last window was processed. The next one's time counts from then.
    private var lastProcessedAt: UInt64 = 0

    private static let smallest = 65_536
    /// Milliseconds in which a window should be processed.
    private static let duration: UInt64 = 250
    private static let growth = 4

    /// Bytes that were sent and are not yet processed.
    var inFlight: UInt64 { sentBytes &- processedBytes }

    /// The size of a window that may begin now; nil if none may.
    ///
    /// - Parameter limit: the bytes that may be under way at once.
    func nextWindow(limit: Int) -> Int? {
        let size = min(target, limit / 2)
        guard underWay.isEmpty || (underWay.count < 2 && inFlight + UInt64(size) <= UInt64(limit)) else { return nil }
        return size
    }

    mutating func noteSent(_ bytes: Int) { sentBytes += UInt64(bytes) }

    /// Notes that all bytes since the last window were one window.
    mutating func noteWindow(at now: UInt64) {
        let size = sentBytes - (underWay.last?.end ?? processedBytes)
        underWay.append((sentBytes, size, now))
    }

    mutating func noteProcessed(_ bytes: UInt64, at now: UInt64) {
        processedBytes = bytes
        while let first = underWay.first, first.end <= bytes {
            underWay.removeFirst()
            let begun = max(first.begunAt, lastProcessedAt)
            lastProcessedAt = now
            let elapsed = now > begun ? now - begun : 1
            let worth = first.size * Self.duration / elapsed
            let largest = UInt64(min(Limits.inFlight / 2, target * Self.growth))
            target = Int(min(max(worth, UInt64(Self.smallest)), largest))
        }
    }
}
