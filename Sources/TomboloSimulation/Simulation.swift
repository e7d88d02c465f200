import TomboloCore
import TomboloCrypto

/// A run of a scenario, with real engines, a virtual clock and a virtual network, all from one seed. The same scenario
/// and seed give the same run, event for event, on every platform.
public struct Simulation {
    enum Happening {
        case arrives(link: UInt64, to: Int, bytes: [UInt8])
        case datagramArrives(from: Int, to: Int, bytes: [UInt8])
        case linkEnds(link: UInt64, at: Int)
        case linkBreaks(link: UInt64)
        case linkIsOver(link: UInt64)
        case drains(Int)
        case wakes(Int)
        case says(Int)
        case redacts(Int, message: Int)
        case acts(Int, Act)
        case dials(Int)
        case changesPresence(Int)
        case stops(Int, Stop)
        case starts(Int, after: Stop)
        case isInvited(Int)
        case partitions
        case heals
    }

    let scenario: Scenario
    let mutant: Mutant?
    var generator: SeededGenerator
    let history = History()
    let directory = Directory()
    /// The messages of strategies other than the engine.
    let conversation = Conversation()
    var devices: [SimulatedDevice] = []
    /// The honest device that was last found behind the others.
    let straggler = Straggler()
    /// The devices that can be dialled, for random draws.
    let online = OnlineDevices()
    var agenda = Agenda<Happening>()
    var links: [UInt64: Link] = [:]
    var linkCount: UInt64 = 0
    var now: UInt64 = Simulation.begin
    static let begin: UInt64 = 1_760_000_000_000
    /// The devices on one side of a partition, and whether existing links still carry payloads to them.
    var severed: (Set<Int>, isOneWay: Bool)?
    /// Tells whether there are no faults: at the beginning, while all devices join, and at the end.
    var isFaultless = true
    /// The planned messages. `unsaid` counts those that are still to be sent.
    var plan: [Scenario.Utterance] = []
    var unsaid = 0
    /// The number in ``history`` of each planned message that was sent.
    var numberOfUtterance: [Int: Int] = [:]
    /// The planned messages that each device is about to send. A device sends one after the other.
    var saying: [Int: [Int]] = [:]
    /// The planned messages that are redacted, with the delays after they were sent.
    var redactions: [Int: UInt64] = [:]
    var measured = Measurements()
    /// The mark at the beginning of every text, by which texts are found on the wire.
    let textMark: UInt64

    /// Runs a scenario to its end.
    ///
    /// - Throws: ``Violation`` if a promise was broken; ``SimulationError`` if the scenario is invalid.
    public static func run(_ scenario: Scenario, seed: UInt64) throws -> SimulationReport {
        try run(scenario, seed: seed, mutant: nil)
    }

    package static func run(_ scenario: Scenario, seed: UInt64, mutant: Mutant?) throws -> SimulationReport {
        if let problem = scenario.problem { throw SimulationError(problem) }
        var simulation = try Simulation(scenario, seed: seed, mutant)
        return try simulation.run(seed: seed)
    }

    private init(_ scenario: Scenario, seed: UInt64, _ mutant: Mutant?) throws {
        var scenario = scenario
        if mutant == .namesNoCauses { scenario.strategy = .range }
        self.scenario = scenario
        self.mutant = mutant
        generator = SeededGenerator(seed: seed)
        textMark = generator.next()
        let count = scenario.devices + scenario.helpers + scenario.hostile.count
        for number in 0..<count {
            let role: SimulatedDevice.Role =
                number < scenario.devices ? .person : number < scenario.devices + scenario.helpers ? .helper : .hostile
            let node = try makeNode(number, role, of: count)
            let isNatted = role == .person && generator.chance(scenario.conditions.natted)
            let presence = SeededGenerator(seed: SeededGenerator(seed: ~seed).seed(of: UInt64(number)))
            devices.append(
                SimulatedDevice(
                    number: number, role: role, node: node, isNatted: isNatted, presenceGenerator: presence))
            online.add(number)
        }
    }

    private mutating func run(seed: UInt64) throws -> SimulationReport {
        if scenario.strategy == .tombolo { try assemble() }
        measured = Measurements()
        for device in devices { device.bytesSent = 0; device.wakeUps = 0 }
        isFaultless = false
        let start = now
        plan = planned(by: SeededGenerator(seed: seed ^ 0x706c_616e))
        unsaid = plan.count
        redactions = plannedRedactions(by: SeededGenerator(seed: seed ^ 0x7265_6461_6374))
        for (number, utterance) in plan.enumerated() { agenda.add(.says(number), at: start + utterance.time) }
        for planned in plannedActs(by: SeededGenerator(seed: seed ^ 0x6163_7473)) {
            agenda.add(.acts(planned.device, planned.act), at: start + planned.time)
        }
        scheduleFaults()
        try advance(until: start + scenario.duration) { _ in false }
        let delivered = measured.deliveries
        endFaults()
        let hasConverged = try advance(until: now + scenario.patience) { $0.isConverged }
        guard hasConverged || !promisesConvergence else { throw divergence() }
        for device in devices where device.role != .hostile { try checkNothingIsLost(on: device) }
        try checkWritesFollowReads()
        try checkErasure()
        try checkReading()
        try checkViews()
        return SimulationReport(
            scenario: scenario, seed: seed, duration: now - start, convergence: now - start - scenario.duration,
            messages: history.said.count, events: devices[0].view.order.count, deliveredInTime: delivered,
            devices: devices, measured: measured, digest: digest)
    }

    /// Tells whether the strategy promises that all devices come to hold the same. A strategy with random partners does
    /// not.
    private var promisesConvergence: Bool { scenario.strategy != .randomPartners }

    // MARK: Time

    mutating func schedule(_ happening: Happening, in delay: UInt64?) {
        if let delay { agenda.add(happening, at: now + delay) }
    }

    /// Advances to a time, or until `isDone` holds. It is asked whenever a device has processed a batch.
    @discardableResult
    mutating func advance(until end: UInt64, _ isDone: (Simulation) -> Bool) throws -> Bool {
        if isDone(self) { return true }
        while let time = agenda.nextTime, time <= end {
            now = max(now, time)
            guard let next = agenda.popFirst() else { break }
            if try happen(next), isDone(self) { return true }
        }
        now = end
        return isDone(self)
    }

    /// - Returns: true if a device processed a batch.
    private mutating func happen(_ happening: Happening) throws -> Bool {
        measured.steps += 1
        switch happening {
        case .arrives(let link, let number, let bytes):
            if links[link] != nil, devices[number].links.contains(link) {
                post(.received(link: link, bytes[...]), to: number)
            }
        case .datagramArrives(let from, let number, let bytes):
            if devices[number].isReachable { post(.datagram(from: from, bytes[...]), to: number) }
        case .linkEnds(let link, let number): end(link, at: number)
        case .linkBreaks(let link): if !isFaultless { breakLink(link, within: 15_000) }
        case .linkIsOver(let link): breakLink(link, within: 200)
        case .drains(let number): return try drain(number)
        case .wakes(let number):
            guard devices[number].wake == now else { break }
            devices[number].wake = nil
            post(.timePassed, to: number)
        case .says(let number): say(number)
        case .redacts(let number, let message): redact(message, by: number)
        case .acts(let number, let act): self.act(act, by: number)
        case .dials(let number): try dial(number)
        case .changesPresence(let number): changePresence(number)
        case .stops(let number, let stop): self.stop(number, stop)
        case .starts(let number, let stop): try start(number, after: stop)
        case .isInvited(let number): invite(number)
        case .partitions: partition()
        case .heals:
            severed = nil
            if !isFaultless { schedule(.partitions, in: generator.wait(scenario.conditions.partitions)) }
        }
        return false
    }
}

final class Straggler {
    var number = 0
}

/// The reason why a scenario cannot be run.
public struct SimulationError: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String
    init(_ description: String) { self.description = description }
}
