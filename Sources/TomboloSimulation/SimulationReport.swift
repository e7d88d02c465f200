import TomboloCore

/// What a run came to.
public struct SimulationReport: Hashable, Sendable, Codable {
    public let scenario: Scenario
    public let seed: UInt64
    /// Simulated milliseconds in all, and from the end of faults until all held the same.
    public let duration: UInt64
    public let convergence: UInt64
    /// What was said, and the events that all hold: merges included.
    public let messages: Int
    public let events: Int
    /// Things that happened, and batches that engines took.
    public let steps: Int
    public let batches: Int
    /// Bytes of payloads that left, before TLS and deflate.
    public let bytes: Bytes
    /// Milliseconds from a message's writing to its delivery on each other device.
    public let latency: Latency
    /// SHA-256 over everything that was delivered, where and when: equal for equal runs.
    public let digest: String

    public struct Bytes: Hashable, Sendable, Codable {
        public internal(set) var events = 0
        /// Frontiers, coded symbols, acknowledgements, requests.
        public internal(set) var reconciliation = 0
        /// Hello, introductions, roots.
        public internal(set) var sessions = 0

        public var all: Int { events + reconciliation + sessions }
    }

    public struct Latency: Hashable, Sendable, Codable {
        public let p50: UInt64
        public let p90: UInt64
        public let p99: UInt64
    }

    /// Bytes that left by the bytes of the messages' bodies, for each receiver: 1 would be bodies alone, each once.
    public var multiplier: Double {
        Double(bytes.all) / Double(max(1, messages * scenario.bodyBytes * (scenario.devices - 1)))
    }

    init(
        scenario: Scenario, seed: UInt64, duration: UInt64, convergence: UInt64, messages: Int, events: Int,
        measured: Measurements, digest: String
    ) {
        self.scenario = scenario
        self.seed = seed
        self.duration = duration
        self.convergence = convergence
        self.messages = messages
        self.events = events
        steps = measured.steps
        batches = measured.batches
        bytes = measured.bytes
        let sorted = measured.latencies.sorted()
        func percentile(_ share: Int) -> UInt64 {
            sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, sorted.count * share / 100)]
        }
        latency = Latency(p50: percentile(50), p90: percentile(90), p99: percentile(99))
        self.digest = digest
    }
}

/// What is measured while a run goes on.
struct Measurements {
    var steps = 0
    var batches = 0
    var bytes = SimulationReport.Bytes()
    var latencies: [UInt64] = []

    /// Counts a payload by what it carries.
    mutating func note(_ payload: [UInt8]) {
        guard let decoded = try? Payload(decoding: payload[...]) else { return }
        var (events, reconciliation) = (0, 0)
        for group in decoded.groups {
            events += group.events?.count ?? 0
            for part in [group.frontier, group.have, group.want, group.coded, group.reconcile] {
                reconciliation += part?.count ?? 0
            }
        }
        bytes.events += events
        bytes.reconciliation += reconciliation
        bytes.sessions += payload.count - events - reconciliation
    }
}
