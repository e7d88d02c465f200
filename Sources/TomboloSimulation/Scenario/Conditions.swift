extension Scenario {
    /// The network, and the faults of the network and the devices. Chances are between 0 and 1. Rates are averages a
    /// minute.
    public struct Conditions: Hashable, Sendable, Codable {
        /// The latency of a payload in one direction. A stream keeps the order of payloads.
        public var latency: ClosedRange<UInt64> = 5...80
        public var bytesPerSecond = 1_000_000
        /// The most bytes in a packet. A larger payload travels in several.
        public var mtu = 1_280
        /// The chance that a packet is lost. A stream sends it again after 200 ms, then 400 ms and so on, and breaks
        /// after the sixth retry. A datagram is lost if any of its packets is.
        public var loss = 0.0
        /// The chance that a datagram arrives twice.
        public var duplication = 0.0
        /// The chance that a datagram is overtaken by datagrams of the next two seconds.
        public var reordering = 0.0
        /// The chance that one bit of a payload arrives flipped and no transport notices. TLS prevents that on real
        /// links. Here an engine must detect it by itself.
        public var corruption = 0.0
        /// Allows multicast: a payload to the group's topic reaches every online device at the cost of one. Only the
        /// strategy `multicast` uses it.
        public var multicast = false
        /// The share of devices behind a NAT. Other devices cannot reach them, except where a hole is punched.
        public var natted = 0.0
        /// The share of pairs behind NATs that can punch a hole. Dispersy measured 77 of 100.
        public var punctured = 0.77
        /// The longest time for which a device collects inputs before it processes them as one batch.
        public var batching: UInt64 = 20
        /// The random wait before a device dials another one that is online.
        public var dialling: ClosedRange<UInt64> = 500...20_000
        /// The number of links from which on a device dials no more. It still accepts links.
        public var links = 4
        /// The duration after which a link is closed in order; nil for never.
        public var linkDuration: UInt64?
        /// The rate at which a link breaks. Payloads in flight are lost, and each side learns of it at a time of its
        /// own.
        public var linkBreaks = 0.0
        /// The rate at which a process is killed. Its store is left in the state of the last commit.
        public var crashes = 0.0
        /// The rate of power cuts. Data that was not synced to disk is lost.
        public var powerCuts = 0.0
        /// The rate at which a device is restored from an old copy of itself. The device knows that it was.
        public var restores = 0.0
        /// The rate at which a device loses everything. It is invited again, as another device.
        public var wipes = 0.0
        /// The rate at which the devices are split in two parts that cannot reach each other, for 10 to 60 s.
        public var partitions = 0.0
        /// The share of partitions that still let one direction through on existing links.
        public var oneWay = 0.0

        public init() {}

        /// The number of packets in which this many bytes travel.
        func packets(of bytes: Int) -> Int { max(1, (bytes + mtu - 1) / mtu) }

        var problem: String? {
            let rates = [linkBreaks, crashes, powerCuts, restores, wipes, partitions]
            let chances = [loss, duplication, reordering, corruption, natted, punctured, oneWay]
            if bytesPerSecond < 100 || links < 1 || mtu < 64 {
                return "a device needs a link, of at least 100 bytes a second and packets of 64"
            }
            if let linkDuration, linkDuration < 1_000 { return "a link must last for at least a second" }
            if !rates.allSatisfy({ $0 >= 0 && $0 <= 60 }) { return "a rate must be between 0 and 60 a minute" }
            if !chances.allSatisfy({ $0 >= 0 && $0 <= 1 }) { return "a chance is between 0 and 1" }
            if loss > 0.5 { return "at most half of the packets can be lost" }
            return nil
        }
    }
}
