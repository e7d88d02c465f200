/// The result of a run. Times are in simulated milliseconds. Bytes are those of payloads, before TLS, deflate and
/// packet headers.
public struct SimulationReport: Hashable, Sendable, Codable {
    public let scenario: Scenario
    public let seed: UInt64
    /// The time from the first message on. `convergence` is the time from the end of faults until all devices held the
    /// same.
    public let duration: UInt64
    public let convergence: UInt64
    /// The number of messages sent. `events` is the number of events that all devices hold, including merges.
    public let messages: Int
    public let events: Int
    /// The share of deliveries that took place; all would be every message on every other person's device.
    /// `deliveredInTime` is the share before the faults ended.
    public let delivered: Double
    public let deliveredInTime: Double
    /// The number of happenings in the simulation. `batches` counts the batches of all devices, `inputs` the payloads,
    /// links and wake-ups in them.
    public let steps: Int
    public let batches: Int
    public let inputs: Int
    /// The number of links that were opened.
    public let links: Int
    /// The bytes sent by people's devices and helpers.
    public let bytes: Bytes
    public let latency: Latency
    /// The figures of people's devices: the median, and the highest.
    public let device: PerDevice
    /// The bytes that all helpers sent.
    public let helperBytes: Int
    /// The SHA-256 of all deliveries, with device and time. Equal runs have equal digests.
    public let digest: String

    /// The sent bytes, by purpose.
    public struct Bytes: Hashable, Sendable, Codable {
        /// Texts of messages, sent to each receiver for the first time.
        public internal(set) var bodies = 0
        /// Texts of messages, sent to a receiver again.
        public internal(set) var repeatedBodies = 0
        /// Headers, certificates and signatures of events, and their framing.
        public internal(set) var headers = 0
        /// Reconciliation: offers, requests, frontiers, coded symbols and filters.
        public internal(set) var reconciliation = 0
        public internal(set) var acknowledgements = 0
        /// Hello, introductions and roots.
        public internal(set) var sessions = 0
        /// Packets that were lost and sent again by streams.
        public internal(set) var retransmissions = 0

        /// The purposes with their names.
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

    /// The time from the creation of a message to its delivery on another device.
    public struct Latency: Hashable, Sendable, Codable {
        public let p50: UInt64
        public let p90: UInt64
        public let p99: UInt64
        /// The number of deliveries below each latency, for a chart. The latencies are ascending powers of two.
        public let histogram: [Bar]

        public struct Bar: Hashable, Sendable, Codable {
            public let milliseconds: UInt64
            public let count: Int
        }
    }

    public struct PerDevice: Hashable, Sendable, Codable {
        public let medianBytes: Int
        public let mostBytes: Int
        /// The number of batches that the median device processed.
        public let medianWakeUps: Int
        public let mostWakeUps: Int
        /// The most events that a device held at once.
        public let mostHeld: Int
    }

    /// The sent bytes divided by the bytes of the messages' bodies for each receiver. A value of 1 means bodies alone,
    /// each sent once.
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
