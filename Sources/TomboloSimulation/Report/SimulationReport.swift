/// What a run came to. Times are simulated milliseconds, bytes those of payloads, before TLS, deflate and the headers of packets.
public struct SimulationReport: Hashable, Sendable, Codable {
    public let scenario: Scenario
    public let seed: UInt64
    /// From the first word on, and from the end of faults until all held the same.
    public let duration: UInt64
    public let convergence: UInt64
    /// What was said, and the events that all hold: merges included.
    public let messages: Int
    public let events: Int
    /// The share of deliveries (every message on every other person's device) that came about at all, and while things went wrong.
    public let delivered: Double
    public let deliveredInTime: Double
    /// Things that happened, batches that devices took, and what came to them in these: payloads, links, times.
    public let steps: Int
    public let batches: Int
    public let inputs: Int
    /// Links that were opened.
    public let links: Int
    /// What left people's devices and helpers.
    public let bytes: Bytes
    public let latency: Latency
    /// A person's device: the median one, and the one with the most.
    public let device: PerDevice
    /// All that helpers sent.
    public let helperBytes: Int
    /// SHA-256 over everything that was delivered, where and when: equal for equal runs.
    public let digest: String

    /// Bytes that left, by what they are for.
    public struct Bytes: Hashable, Sendable, Codable {
        /// What was said, towards each receiver for the first time.
        public internal(set) var bodies = 0
        /// Again.
        public internal(set) var repeatedBodies = 0
        /// Of events: headers, certificates, signatures; and what frames them.
        public internal(set) var headers = 0
        /// Finding out who lacks what: offers, requests, frontiers, coded symbols, filters.
        public internal(set) var reconciliation = 0
        public internal(set) var acknowledgements = 0
        /// Hello, introductions, roots.
        public internal(set) var sessions = 0
        /// Packets that were lost and sent again by streams.
        public internal(set) var retransmissions = 0

        /// Each kind, with what it is called.
        public var kinds: [(name: String, bytes: Int)] {
            [
                ("bodies", bodies), ("bodies again", repeatedBodies), ("headers", headers),
                ("finding differences", reconciliation), ("acknowledgements", acknowledgements),
                ("sessions", sessions), ("retransmissions", retransmissions),
            ]
        }

        public var all: Int {
            bodies + repeatedBodies + headers + reconciliation + acknowledgements + sessions + retransmissions
        }
    }

    /// From a message's writing to its delivery on each other device.
    public struct Latency: Hashable, Sendable, Codable {
        public let p50: UInt64
        public let p90: UInt64
        public let p99: UInt64
        /// How many deliveries took less than so many milliseconds, for a chart: powers of two, ascending.
        public let histogram: [Bar]

        public struct Bar: Hashable, Sendable, Codable {
            public let milliseconds: UInt64
            public let count: Int
        }
    }

    public struct PerDevice: Hashable, Sendable, Codable {
        public let medianBytes: Int
        public let mostBytes: Int
        /// Batches that it took.
        public let medianWakeUps: Int
        public let mostWakeUps: Int
        /// Events that it held at once.
        public let mostHeld: Int
    }

    /// Bytes that left by the bytes of the messages' bodies, for each receiver: 1 would be bodies alone, each once.
    public var multiplier: Double {
        Double(bytes.all) / Double(max(1, messages * scenario.bodyBytes * (scenario.devices - 1)))
    }

    init(
        scenario: Scenario, seed: UInt64, duration: UInt64, convergence: UInt64, messages: Int, events: Int,
        deliveredInTime: Int, devices: [SimulatedDevice], measured: Measurements, digest: String
    ) {
        self.scenario = scenario
        self.seed = seed
        self.duration = duration
        self.convergence = convergence
        self.messages = messages
        self.events = events
        let all = Double(max(1, messages * (scenario.devices - 1)))
        delivered = Double(measured.deliveries) / all
        self.deliveredInTime = Double(deliveredInTime) / all
        steps = measured.steps
        batches = measured.batches
        inputs = measured.inputs
        links = measured.links
        bytes = measured.bytes
        latency = Latency(measured.latencies)
        let people = devices.filter { $0.role == .person }
        let (sent, wakeUps) = (people.map(\.bytesSent).sorted(), people.map(\.wakeUps).sorted())
        device = PerDevice(
            medianBytes: sent[sent.count / 2], mostBytes: sent[sent.count - 1],
            medianWakeUps: wakeUps[wakeUps.count / 2], mostWakeUps: wakeUps[wakeUps.count - 1],
            mostHeld: people.map(\.mostHeld).max() ?? 0)
        helperBytes = devices.filter { $0.role == .helper }.reduce(0) { $0 + $1.bytesSent }
        self.digest = digest
    }
}

extension SimulationReport.Latency {
    init(_ counts: [UInt64: Int]) {
        let sorted = counts.sorted { $0.key < $1.key }
        let all = counts.values.reduce(0, +)
        func percentile(_ share: Int) -> UInt64 {
            var below = 0
            for (latency, count) in sorted {
                below += count
                if below * 100 > all * share { return latency }
            }
            return sorted.last?.key ?? 0
        }
        (p50, p90, p99) = (percentile(50), percentile(90), percentile(99))
        var histogram: [Bar] = []
        for (latency, count) in sorted {
            let edge: UInt64 = 1 << UInt64(64 - latency.leadingZeroBitCount)
            let before = histogram.last?.milliseconds == edge ? histogram.removeLast().count : 0
            histogram.append(Bar(milliseconds: edge, count: before + count))
        }
        self.histogram = histogram
    }
}
