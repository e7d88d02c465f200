/// What is simulated: who takes part, what is said, and what goes wrong. All times in milliseconds of simulated time.
///
///     var scenario = Scenario(name: "my group", devices: 12, messages: 200)
///     scenario.conditions.linkBreaks = 0.5
///     let report = try Simulation.run(scenario, seed: 1)
public struct Scenario: Hashable, Sendable, Codable {
    public var name: String
    /// What it is for, in a sentence.
    public var summary = ""
    /// People's devices, all members of one group from the beginning; 2 to 10,000.
    public var devices: Int
    /// What is said in all; at least 1.
    public var messages: Int
    /// Bytes of each, 16 to 65,000.
    public var bodyBytes = 100
    /// While things go wrong. Then all faults stop, everyone is online, and all must come to hold the same.
    public var duration: UInt64 = 600_000
    /// Messages are said in the beginning of it, for so long; nil for all of it.
    public var talk: UInt64?
    /// After so long without faults at the latest.
    public var patience: UInt64 = 600_000
    public var workload = Workload.scattered
    /// After so long every other message goes away; nil for never.
    public var lifetime: UInt64?
    /// The share of messages that their authors take back, at some time later.
    public var redacted = 0.0
    /// Whether the group is private: its contents are sealed, and its devices hand each other the secrets.
    public var isPrivate = false
    /// How often somebody tries to change who may do what, or the group's state, whether or not it may: members are raised, lowered and
    /// removed, leave, set keys, and remove devices of their own. Who is removed does not come back unless somebody raises it.
    public var acts = 0
    /// The last so many of the devices are second ones of the first people.
    public var linked = 0
    /// The first so many devices speak, the others listen; nil for all.
    public var speakers: Int?
    public var conditions = Conditions()
    /// When devices are online; nil for always.
    public var presence: Presence?
    /// Further devices that store and forward, and say nothing.
    public var helpers = 0
    /// When helpers are online; nil for always.
    public var helperPresence: Presence?
    /// Further devices, one for each, that are members and do this.
    public var hostile: [Hostility] = []
    /// How far clocks are off, at most, either way.
    public var clockSkew: UInt64 = 0
    public var strategy = Strategy.tombolo
    public var cryptography = CryptographyChoice.real

    public init(name: String, devices: Int, messages: Int) {
        self.name = name
        self.devices = devices
        self.messages = messages
    }

    /// Who says something when.
    public enum Workload: Hashable, Sendable, Codable {
        /// Anyone at any time.
        case scattered
        /// Bursts: what is said is answered by others within a minute, about three times in four.
        case chat
        /// A large room: half of it is said by a tenth of those who speak.
        case room
        /// Each device reports at equal intervals.
        case machines
        /// What was once said, by whom, when, and after what: each is said when its time has come and its speaker has been
        /// delivered what it answers. Devices, messages and `talk` must be as many, and as long.
        case replayed([Utterance])
    }

    /// One message of a conversation that is replayed.
    public struct Utterance: Hashable, Sendable, Codable {
        /// Since the beginning.
        public var time: UInt64
        public var device: Int
        /// Numbers of the messages that it answers, counted from 0 in the order of the conversation.
        public var parents: [Int]

        public init(time: UInt64, device: Int, parents: [Int]) {
            (self.time, self.device, self.parents) = (time, device, parents)
        }
    }

    /// Windows in which a device is online, and the time in between, by chance.
    public struct Presence: Hashable, Sendable, Codable {
        public var online: ClosedRange<UInt64>
        public var offline: ClosedRange<UInt64>
        /// Hours of the day (0 to 23, by the simulation's clock) in which devices that are offline stay so.
        public var night: ClosedRange<UInt64>?

        public init(
            online: ClosedRange<UInt64>, offline: ClosedRange<UInt64>, night: ClosedRange<UInt64>? = nil
        ) {
            (self.online, self.offline, self.night) = (online, offline, night)
        }

        /// The share of the time that a device is online, nights aside.
        public var share: Double {
            let (on, off) = (online.lowerBound + online.upperBound, offline.lowerBound + offline.upperBound)
            return Double(on) / Double(max(1, on + off))
        }
    }

    /// Which hashes and signatures engines use.
    public enum CryptographyChoice: String, Hashable, Sendable, Codable, CaseIterable {
        /// SHA-256 and Ed25519.
        case real
        /// Fast, deterministic, and worth nothing.
        case standIn
    }

    /// What a member does that wants no good. It does so until faults stop, and is gone then.
    public enum Hostility: String, Hashable, Sendable, Codable, CaseIterable {
        /// Sends rubbish, oversized things and the same thing hundreds of times over.
        case floods
        /// Says that it holds what it does not, and knows what it does not.
        case lies
        /// Writes two different events of one sequence, and shows one to some and the other to others.
        case forks
        /// Says what it holds, and never sends an event.
        case withholds
        /// Sends again what was sent on other links, by itself or others.
        case replays
        /// Takes nothing that others write: what it says and does hangs on to the part of the graph that was there when it joined.
        case clings
    }

    /// Why the scenario cannot be run; nil if it can.
    public var problem: String? {
        if !(2...10_000).contains(devices) { return "there must be 2 to 10,000 devices, not \(devices)" }
        if !(0...100).contains(helpers) { return "there must be at most 100 helpers, not \(helpers)" }
        if hostile.count > 100 { return "there must be at most 100 hostile devices, not \(hostile.count)" }
        if messages < 1 { return "at least one message must be said" }
        if !(16...65_000).contains(bodyBytes) { return "a message has 16 to 65,000 bytes, not \(bodyBytes)" }
        if duration < 1_000 || patience < 1_000 { return "durations must be at least a second" }
        if let talk, talk < 1 || talk > duration { return "messages must be said within the duration" }
        if let lifetime, lifetime < 1_000 { return "messages must stay for at least a second" }
        if !(0...1).contains(redacted) { return "the share of messages that are taken back is between 0 and 1" }
        if strategy != .tombolo, lifetime != nil || redacted > 0 { return "only Tombolo erases" }
        if strategy != .tombolo, isPrivate { return "only Tombolo seals" }
        if !(0...100_000).contains(acts) { return "there can be at most 100,000 acts, not \(acts)" }
        if !(0...devices / 2).contains(linked) { return "at most half of the devices can be second ones" }
        if strategy != .tombolo, acts > 0 || linked > 0 { return "only Tombolo knows members" }
        if let speakers, !(1...devices).contains(speakers) { return "there must be 1 to \(devices) speakers" }
        if case .replayed(let utterances) = workload {
            let isSound = utterances.enumerated().allSatisfy { number, said in
                (0..<devices).contains(said.device) && said.time <= duration
                    && said.parents.allSatisfy { (0..<number).contains($0) }
            }
            if utterances.count != messages || !isSound { return "the conversation does not fit the scenario" }
        }
        if strategy != .tombolo, !hostile.isEmpty { return "only Tombolo is tried against hostile devices" }
        return conditions.problem
    }
}
