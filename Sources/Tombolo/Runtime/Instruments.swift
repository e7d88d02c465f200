import Metrics
import TomboloCore

/// The metrics of a node, by their labels in swift-metrics.
struct Instruments: Sendable {
    /// The number of committed transactions.
    private let batches = Counter(label: "tombolo.batches")
    /// The durations of transactions, including the engine's work.
    private let batchDuration = Timer(label: "tombolo.batch.duration")
    /// The bytes of payloads, before TLS and deflate.
    private let bytesReceived = Counter(label: "tombolo.payload.received.bytes")
    private let bytesSent = Counter(label: "tombolo.payload.sent.bytes")
    /// The number of times that both sides of a session were found to hold the same of a group.
    private let agreements = Counter(label: "tombolo.agreements")
    /// The agreements by the strategy of reconciliation, and its bytes, before TLS and deflate.
    private let reconciliations = ReconciliationReport.Strategy.allCases.map { strategy in
        let dimensions = [("strategy", strategy.rawValue)]
        return (
            count: Counter(label: "tombolo.reconciliations", dimensions: dimensions),
            bytes: Counter(label: "tombolo.reconciliation.bytes", dimensions: dimensions), strategy: strategy
        )
    }
    private let forks = Counter(label: "tombolo.forks")

    func note(
        _ duration: Duration, received: Int, sent: Int, _ reports: [ReconciliationReport], forks: Int
    ) {
        batches.increment()
        batchDuration.recordNanoseconds(Int64(duration / .nanoseconds(1)))
        if received > 0 { bytesReceived.increment(by: received) }
        if sent > 0 { bytesSent.increment(by: sent) }
        if !reports.isEmpty { agreements.increment(by: reports.count) }
        for report in reports {
            guard let counters = reconciliations.first(where: { $0.strategy == report.strategy }) else { continue }
            counters.count.increment()
            counters.bytes.increment(by: report.bytesSent + report.bytesReceived)
        }
        if forks > 0 { self.forks.increment(by: forks) }
    }
}
