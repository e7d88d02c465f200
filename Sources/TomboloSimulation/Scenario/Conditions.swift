extension Scenario {
    /// The network, and what befalls it and the devices. Chances are shares of 1; rates are averages a minute.
    public struct Conditions: Hashable, Sendable, Codable {
        /// One way, for each payload; a stream keeps the order.
        public var latency: ClosedRange<UInt64> = 5...80
        public var bytesPerSecond = 1_000_000
        /// The most bytes of a packet: what is larger travels in several.
        public var mtu = 1_280
        /// The chance that a packet is lost. A stream sends it again after 200 ms, then 400 ms…, and breaks after the sixth time; a
        /// datagram is lost with any of its packets.
        public var loss = 0.0
        /// The chance that a datagram comes twice.
        public var duplication = 0.0
        /// The chance that a datagram is overtaken by what is sent in the next two seconds.
        public var reordering = 0.0
        /// The chance that one bit of a payload arrives flipped, and no transport notices. The links that TLS protects have none;
        /// here an engine must notice by itself.
        public var corruption = 0.0
        /// Whether what is sent to the group's topic reaches everyone who is online, at the cost of being sent once. Only the
        /// strategy `multicast` makes use of it.
        public var multicast = false
        /// The share of devices behind a NAT: they are not reached by those who dial, except where a hole is punched.
        public var natted = 0.0
        /// The share of pairs behind NATs that punch a hole: 77 of 100, as Dispersy measured.
        public var punctured = 0.77
        /// How long a device collects what comes before it takes it as one batch, at most.
        public var batching: UInt64 = 20
        /// How long a device waits before it dials another one that is online, by chance.
        public var dialling: ClosedRange<UInt64> = 500...20_000
        /// With so many links a device dials no more; it takes those that dial it.
        public var links = 4
        /// A link ends in order after so long; nil for never.
        public var linkDuration: UInt64?
        /// How often a link breaks. What is under way is lost, and each side learns of it at a time of its own.
        public var linkBreaks = 0.0
        /// How often a process is killed. Its store is as the last commit left it.
        public var crashes = 0.0
        /// How often the power goes: what was not synced to the disk is lost.
        public var powerCuts = 0.0
        /// How often a device is put back to an old copy of itself, and knows that it was.
        public var restores = 0.0
        /// How often a device loses everything. It is invited again, as another device.
        public var wipes = 0.0
        /// How often the devices are cut in two parts that cannot reach each other, for 10 to 60 s.
        public var partitions = 0.0
        /// The share of partitions that let one direction through on links that stand.
        public var oneWay = 0.0

        public init() {}

        /// How many packets so many bytes travel in.
        func packets(of bytes: Int) -> Int { max(1, (bytes + mtu - 1) / mtu) }

        var problem: String? {
            let rates = [linkBreaks, crashes, powerCuts, restores, wipes, partitions]
            let chances = [loss, duplication, reordering, corruption, natted, punctured, oneWay]
            if bytesPerSecond < 100 || links < 1 || mtu < 64 { return "a link must carry something" }
            if let linkDuration, linkDuration < 1_000 { return "a link must last for a second" }
            if !rates.allSatisfy({ $0 >= 0 && $0 <= 60 }) { return "what goes wrong does so 0 to 60 times a minute" }
            if !chances.allSatisfy({ $0 >= 0 && $0 <= 1 }) { return "a chance is between 0 and 1" }
            if loss > 0.5 { return "more than half of the packets lost is no network" }
            return nil
        }
    }
}
