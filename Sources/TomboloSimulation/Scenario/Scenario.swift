/// A description of a simulation: participants, messages and faults. All times are in milliseconds of simulated time.
///
///     var scenario = Scenario(name: "my group", devices: 12, messages: 200)
///     scenario.conditions.linkBreaks = 0.5
///     let report = try Simulation.run(scenario, seed: 1)
public struct Scenario: Hashable, Sendable, Codable {
    public var name: String
    /// The purpose of the scenario, in one sentence.
    public var summary = ""
    /// The number of people's devices, all members of one group from the beginning; 2 to 10,000.
    public var devices: Int
    /// The total number of messages, at least 1.
    public var messages: Int
    /// The number of bytes in a message, 16 to 65,000.
    public var bodyBytes = 100
    /// The duration of the faults. Then all faults stop, all devices are online, and all must come to hold the same.
    public var duration: UInt64 = 600_000
    /// The part of the duration, from its beginning, in which messages are sent; nil for all of it.
    public var talk: UInt64?
    /// The longest time after the faults within which all devices must hold the same.
    public var patience: UInt64 = 600_000
    public var workload = Workload.scattered
    /// The lifetime after which every other message expires; nil for no expiry.
    public var lifetime: UInt64?
    /// The share of messages that their authors redact at some later time.
    public var redacted = 0.0
    /// Makes the group private: contents are sealed, and devices give each other the secrets.
    public var isPrivate = false
    /// The number of attempts to change roles or the group's state, by members that may lack the right.
    ///
    /// Members are promoted, demoted and removed. They leave, set keys, and remove devices of their own. A removed
    /// member stays out until another member promotes it.
    public var acts = 0
    /// The number of devices, the last ones, that are second devices of the first people.
    public var linked = 0
    /// The number of devices, the first ones, that send messages. The others only receive. Nil stands for all.
    public var speakers: Int?
    public var conditions = Conditions()
    /// The presence of people's devices; nil for always online.
    public var presence: Presence?
    /// The number of further devices that store and forward, and send no messages.
    public var helpers = 0
    /// The presence of helpers; nil for always online.
    public var helperPresence: Presence?
    /// The hostile members. Each entry adds one device that behaves in that way.
    public var hostile: [Hostility] = []
    /// The largest error of a clock, in either direction.
    public var clockSkew: UInt64 = 0
    public var strategy = Strategy.tombolo
    public var cryptography = CryptographyChoice.real

    public init(name: String, devices: Int, messages: Int) {
        self.name = name
        self.devices = devices
        self.messages = messages
    }

    /// The distribution of messages over people and time.
    public enum Workload: Hashable, Sendable, Codable {
        /// Any person at any time.
        case scattered
        /// Bursts: about three times in four, others answer a message within a minute.
        case chat
        /// A large room: a tenth of the speakers send half of the messages.
        case room
        /// Every device reports at equal intervals.
        case machines
        /// A recorded conversation. A message is sent when its time has come and its author has received the messages
        /// that it answers. The scenario's devices, messages and `talk` must match the conversation.
        case replayed([Utterance])
    }

    /// A message of a recorded conversation.
    public struct Utterance: Hashable, Sendable, Codable {
        /// The time since the beginning.
        public var time: UInt64
        public var device: Int
        /// The numbers of the messages that it answers, counted from 0 in the order of the conversation.
        public var parents: [Int]

        public init(time: UInt64, device: Int, parents: [Int]) {
            (self.time, self.device, self.parents) = (time, device, parents)
        }
    }

    /// The lengths of the windows in which a device is online, and of the gaps between them, both random.
    public struct Presence: Hashable, Sendable, Codable {
        public var online: ClosedRange<UInt64>
        public var offline: ClosedRange<UInt64>
        /// The hours of the day (0 to 23, by the simulation's clock) in which an offline device stays offline.
        public var night: ClosedRange<UInt64>?

        public init(
            online: ClosedRange<UInt64>, offline: ClosedRange<UInt64>, night: ClosedRange<UInt64>? = nil
        ) {
            (self.online, self.offline, self.night) = (online, offline, night)
        }

        /// The share of time for which a device is online, apart from nights.
        public var share: Double {
            let (on, off) = (online.lowerBound + online.upperBound, offline.lowerBound + offline.upperBound)
            return Double(on) / Double(max(1, on + off))
        }
    }

    /// The cryptography of the engines.
    public enum CryptographyChoice: String, Hashable, Sendable, Codable, CaseIterable {
        /// SHA-256 and Ed25519.
        case real
        /// A stand-in that is fast and deterministic, and protects nothing.
        case standIn
    }

    /// The behaviour of a hostile member. It lasts until the faults stop; then the member disappears.
    public enum Hostility: String, Hashable, Sendable, Codable, CaseIterable {
        /// Sends garbage, oversized payloads, and the same payload hundreds of times.
        case floods
        /// Claims to hold events and to know facts that it does not.
        case lies
        /// Writes two different events of one sequence, and sends one to some devices and the other to others.
        case forks
        /// States its holdings and never sends an event.
        case withholds
        /// Repeats payloads that it sent or received on other links.
        case replays
        /// Ignores events of others. Its own events and acts depend only on the part of the graph that existed when it
        /// joined.
        case clings
    }

    /// The reason why the scenario cannot be run; nil if it can.
    public var problem: String? {
        if !(2...10_000).contains(devices) { return "there must be 2 to 10,000 devices, not \(devices)" }
        if !(0...100).contains(helpers) { return "there must be at most 100 helpers, not \(helpers)" }
        if hostile.count > 100 { return "there must be at most 100 hostile devices, not \(hostile.count)" }
        if messages < 1 { return "at least one message must be sent" }
        if !(16...65_000).contains(bodyBytes) { return "a message has 16 to 65,000 bytes, not \(bodyBytes)" }
        if duration < 1_000 || patience < 1_000 { return "durations must be at least a second" }
        if let talk, talk < 1 || talk > duration { return "messages must be sent within the duration" }
        if let lifetime, lifetime < 1_000 { return "messages must live for at least a second" }
        if !(0...1).contains(redacted) { return "the share of redacted messages is between 0 and 1" }
        if strategy != .tombolo, lifetime != nil || redacted > 0 { return "only the strategy tombolo erases messages" }
        if strategy != .tombolo, isPrivate { return "only the strategy tombolo has private groups" }
        if !(0...100_000).contains(acts) { return "there can be at most 100,000 acts, not \(acts)" }
        if !(0...devices / 2).contains(linked) { return "at most half of the devices can be linked ones" }
        if strategy != .tombolo, acts > 0 || linked > 0 {
            return "only the strategy tombolo has acts and linked devices"
        }
        if let speakers, !(1...devices).contains(speakers) { return "there must be 1 to \(devices) speakers" }
        if case .replayed(let utterances) = workload {
            let isSound = utterances.enumerated().allSatisfy { number, said in
                (0..<devices).contains(said.device) && said.time <= duration
                    && said.parents.allSatisfy { (0..<number).contains($0) }
            }
            if utterances.count != messages || !isSound { return "the conversation does not fit the scenario" }
        }
        if strategy != .tombolo, !hostile.isEmpty { return "only the strategy tombolo runs with hostile devices" }
        return conditions.problem
    }
}
