import Metrics

/// What a node tells swift-metrics, under these labels.
struct Instruments: Sendable {
    /// Transactions that were committed.
    private let batches = Counter(label: "tombolo.batches")
    /// How long they took, the engine's work included.
    private let batchDuration = Timer(label: "tombolo.batch.duration")
    /// Bytes of payloads, before TLS and deflate.
    private let bytesReceived = Counter(label: "tombolo.payload.received.bytes")
    private let bytesSent = Counter(label: "tombolo.payload.sent.bytes")
    /// Meetings in which both sides were found to know the same of a group.
    private let agreements = Counter(label: "tombolo.agreements")
    private let forks = Counter(label: "tombolo.forks")

    func note(_ duration: Duration, received: Int, sent: Int, agreements: Int, forks: Int) {
        batches.increment()
        batchDuration.recordNanoseconds(Int64(duration / .nanoseconds(1)))
        if received > 0 { bytesReceived.increment(by: received) }
        if sent > 0 { bytesSent.increment(by: sent) }
        if agreements > 0 { self.agreements.increment(by: agreements) }
        if forks > 0 { self.forks.increment(by: forks) }
    }
}
