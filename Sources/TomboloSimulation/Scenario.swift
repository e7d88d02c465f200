/// What is simulated: who takes part, what is said, and what goes wrong. All times in milliseconds of simulated time.
///
///     var scenario = Scenario(name: "my group", devices: 12, messages: 200)
///     scenario.conditions.linkBreaks = 0.5
///     let report = try Simulation.run(scenario, seed: 1)
public struct Scenario: Hashable, Sendable, Codable {
    public var name: String
    /// What it is for, in a sentence.
    public var summary = ""
    /// Devices, all members of one group from the beginning; 2 to 10,000.
    public var devices: Int
    /// What is said in all, by devices that are online, at random times; at least 1.
    public var messages: Int
    /// Bytes of each.
    public var bodyBytes = 100
    /// While things go wrong. Then all faults stop, everyone is online, and all must come to hold the same.
    public var duration: UInt64 = 600_000
    /// After so long without faults at the latest.
    public var patience: UInt64 = 600_000
    public var conditions = Conditions()
    /// When devices are online; nil for always.
    public var presence: Presence?
    /// How far clocks are off, at most, either way.
    public var clockSkew: UInt64 = 0

    public init(name: String, devices: Int, messages: Int) {
        self.name = name
        self.devices = devices
        self.messages = messages
    }

    /// Streams between devices, and what befalls them.
    public struct Conditions: Hashable, Sendable, Codable {
        /// One way, for each payload; a stream keeps the order.
        public var latency: ClosedRange<UInt64> = 5...80
        public var bytesPerSecond = 1_000_000
        /// How long a device collects what comes before it takes it as one batch, at most.
        public var batching: UInt64 = 20
        /// How long a device waits before it dials another one that is online, by chance.
        public var dialling: ClosedRange<UInt64> = 500...20_000
        /// With so many links a device dials no more; it takes those that dial it.
        public var links = 4
        /// How often a link breaks, on average, a minute. What is under way is lost, and each side learns of it at a time of its own.
        public var linkBreaks = 0.0
        /// How often a process is killed, on average, a minute and device. Its store is as the last commit left it.
        public var crashes = 0.0
        /// How often the power goes, on average, a minute and device: what was not synced to the disk is lost.
        public var powerCuts = 0.0
        /// How often the devices are cut in two parts that cannot reach each other, on average, a minute; for 10 to 60 s.
        public var partitions = 0.0

        public init() {}
    }

    /// Windows in which a device is online, and the time in between, by chance.
    public struct Presence: Hashable, Sendable, Codable {
        public var online: ClosedRange<UInt64>
        public var offline: ClosedRange<UInt64>

        public init(online: ClosedRange<UInt64>, offline: ClosedRange<UInt64>) {
            self.online = online
            self.offline = offline
        }
    }

    /// Why the scenario cannot be run; nil if it can.
    public var problem: String? {
        let rates = [conditions.linkBreaks, conditions.crashes, conditions.powerCuts, conditions.partitions]
        if !(2...10_000).contains(devices) { return "there must be 2 to 10,000 devices, not \(devices)" }
        if messages < 1 { return "at least one message must be said" }
        if !(0...65_000).contains(bodyBytes) { return "a message has 0 to 65,000 bytes, not \(bodyBytes)" }
        if duration < 1_000 || patience < 1_000 { return "durations must be at least a second" }
        if conditions.bytesPerSecond < 100 || conditions.links < 1 { return "a link must carry something" }
        if !rates.allSatisfy({ $0 >= 0 && $0 <= 60 }) { return "what goes wrong does so 0 to 60 times a minute" }
        return nil
    }
}

extension Scenario {
    /// Those that come with the library.
    public static let all: [Scenario] = [calm, intermittent, faults, crowd]

    /// A group of five, always online.
    public static var calm: Scenario {
        var scenario = Scenario(name: "calm", devices: 5, messages: 100)
        scenario.summary = "five devices that are always online, and nothing goes wrong"
        return scenario
    }

    /// The research's first question: short windows, rarely at the same time.
    public static var intermittent: Scenario {
        var scenario = Scenario(name: "intermittent", devices: 6, messages: 60)
        scenario.summary = "six devices that are online a tenth of the time, in windows of 30 s to 5 min"
        scenario.duration = 12 * 3_600_000
        scenario.presence = Presence(online: 30_000...300_000, offline: 270_000...2_700_000)
        return scenario
    }

    /// Everything at once.
    public static var faults: Scenario {
        var scenario = Scenario(name: "faults", devices: 5, messages: 80)
        scenario.summary = "five devices, links that break, crashes, power cuts, partitions, clocks that are off"
        scenario.conditions.linkBreaks = 3
        scenario.conditions.crashes = 0.5
        scenario.conditions.powerCuts = 0.3
        scenario.conditions.partitions = 0.5
        scenario.presence = Presence(online: 20_000...180_000, offline: 5_000...60_000)
        scenario.clockSkew = 90_000
        return scenario
    }

    /// A room of many.
    public static var crowd: Scenario {
        var scenario = Scenario(name: "crowd", devices: 40, messages: 200)
        scenario.summary = "forty devices, each with at most four links, some of which break"
        scenario.conditions.linkBreaks = 0.5
        return scenario
    }
}
