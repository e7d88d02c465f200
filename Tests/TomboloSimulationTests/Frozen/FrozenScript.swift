import TomboloCore
@testable import TomboloSimulation

/// A random script of one seed: it has devices join a group, does what the scenario's weights say, and lets all devices meet in the end.
final class FrozenScript {
    let scenario: FrozenScenario
    let network: FrozenNetwork
    var generator: SeededGenerator
    /// Native groups; the first is everybody's.
    var groups: [GroupID] = []
    let talk: GroupID
    /// The devices that take part; the last of all is linked to one of them later.
    var active: [Int]
    private var lastRequest: RequestID = 0

    init(_ scenario: FrozenScenario, seed: UInt64) throws {
        self.scenario = scenario
        generator = SeededGenerator(seed: seed &* 0x2545_f491_4f6c_dd1d ^ 0x746f_6d62_6f6c_6f)
        network = try FrozenNetwork(
            scenario.devices + 1, seed: generator.next(),
            recordMode: scenario.recordModes[Int(seed) % scenario.recordModes.count], faults: scenario.faults,
            hostile: scenario.hostileDevices(seed: seed))
        talk = GroupID(StandInCryptography().sha256(Array("talk \(seed)".utf8)))
        active = Array(0..<scenario.devices)
        try begin(policy: scenario.policies[Int(seed) % scenario.policies.count])
    }

    /// Runs a script to its end.
    ///
    /// - Returns: the digest of the run, and what it has reached.
    static func run(_ scenario: FrozenScenario, seed: UInt64) throws -> (digest: String, counts: FrozenCounts) {
        let script = try FrozenScript(scenario, seed: seed)
        for _ in 0..<scenario.steps { try script.step() }
        try script.end()
        var digest = FrozenDigest()
        try script.network.add(to: &digest)
        var counts = script.network.counts
        for device in script.network.devices { counts.add(device.counts) }
        return (digest.text, counts)
    }

    // MARK: Choosing

    /// A number below another one.
    func below(_ count: Int) -> Int { Int(generator.any(0...UInt64(max(1, count) - 1))) }
    func any<Element>(of elements: [Element]) -> Element? { elements.isEmpty ? nil : elements[below(elements.count)] }
    func chance(_ share: Double) -> Bool { generator.chance(share) }
    func anyDevice() -> FrozenDevice { network.devices[any(of: active) ?? 0] }
    func request() -> RequestID {
        lastRequest += 1
        return lastRequest
    }

    /// Two devices that take part.
    func anyPair() -> (Int, Int) {
        let one = below(active.count)
        return (active[one], active[(one + 1 + below(active.count - 1)) % active.count])
    }

    // MARK: The course of a run

    private func begin(policy: Policy) throws {
        network.devices[0].inbox.append(.createGroup(request(), name: "crew", policy: policy))
        try network.tick()
        groups = network.devices[0].created
        let weights = scenario.weights
        for device in active.dropFirst() {
            try join(device, invitedBy: 0, to: groups[0], as: device == 1 ? .admin : .member)
        }
        guard weights[.post] != nil else { return }
        for device in active {
            network.devices[device].inbox.append(.createMVDSGroup(request(), talk, name: "talk"))
            for other in active where other != device {
                network.devices[device].inbox += [
                    .addPeer(network.devices[other].engine.device, addresses: []),
                    .addPeer(FrozenDevice.address(of: other), dialect: .mvds, addresses: []),
                ]
            }
        }
        try network.tick()
    }

    func join(_ device: Int, invitedBy other: Int, to group: GroupID, as role: Role) throws {
        let inviter = network.devices[other]
        let count = inviter.invitations.count
        inviter.inbox.append(
            .invite(request(), group: group, addresses: [], expiry: network.now + 1_000_000, role: role))
        try network.tick()
        guard inviter.invitations.count > count, let invitation = inviter.invitations.last else { return }
        let link = network.connect(device, other, invitation: invitation)
        try network.run(for: 1_500)
        network.cut(link)
        try network.tick()
    }

    private func step() throws {
        let all = FrozenCommand.allCases.map { ($0, scenario.weights[$0] ?? 0) }
        repeat {
            var place = below(all.reduce(0) { $0 + $1.1 })
            for (command, weight) in all {
                if place < weight {
                    try perform(command)
                    break
                }
                place -= weight
            }
        } while chance(0.3)
        try network.tick()
        switch below(20) {
        case 0: try network.run(for: generator.any(10_000...40_000))
        case 1..<5: try network.run(for: generator.any(1_000...4_000))
        default: try network.run(for: generator.any(1...400))
        }
    }

    /// All devices meet, with links as they ought to be; and once more after what has gone away may be forgotten.
    private func end() throws {
        try meet()
        if scenario.weights[.checkpoint] != nil {
            try network.run(for: 172_800_000)
            try meet()
            network.devices[0].inbox.append(.proposeCheckpoint(request(), group: groups[0]))
            try network.tick()
            try meet()
        }
        try meet()
    }

    private func meet() throws {
        for link in network.openLinks { network.cut(link) }
        try network.tick()
        let links = active.dropFirst().map { network.connect($0, active[0]) }
        try network.run(for: 12_000)
        for link in links { network.cut(link) }
        try network.tick()
    }
}
