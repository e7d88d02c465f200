import TomboloCore
import TomboloCrypto

/// One run of a scenario: real engines, a virtual clock and network, everything from one seed. The same scenario and seed are the same
/// run, event for event, on every platform.
public struct Simulation {
    private enum Happening {
        case arrives(link: UInt64, to: Int, bytes: [UInt8])
        case linkEnds(link: UInt64, at: Int)
        case linkBreaks(link: UInt64)
        case drains(Int)
        case wakes(Int)
        case says(Int)
        case dials(Int)
        case changesPresence(Int)
        case crashes(Int)
        case losesPower(Int)
        case starts(Int, afterPowerCut: Bool)
        case partitions
        case heals
    }

    private struct Link {
        let dialler: Int
        let listener: Int
        /// When the last payload towards the dialler and the listener leaves and arrives.
        var busyUntil: [UInt64] = [0, 0]
        var lastArrival: [UInt64] = [0, 0]

        func other(than device: Int) -> Int { device == dialler ? listener : dialler }
        func direction(to device: Int) -> Int { device == dialler ? 0 : 1 }
    }

    private let scenario: Scenario
    private let mutant: Mutant?
    private var generator: SeededGenerator
    private var devices: [SimulatedDevice] = []
    private var agenda = Agenda<Happening>()
    private var links: [UInt64: Link] = [:]
    private var linkCount: UInt64 = 0
    private var now: UInt64 = 1_760_000_000_000
    private let begin: UInt64 = 1_760_000_000_000
    private var group = GroupID(Bytes32.zero)
    /// Devices on the one side of a partition.
    private var severed: Set<Int>?
    /// At the beginning, while everyone joins, and at the end.
    private var isFaultless = true
    /// Messages that are still to be said.
    private var unsaid = 0
    /// What was said, when, and by whom.
    private var said: [EventID: (time: UInt64, device: Int)] = [:]
    private var measured = Measurements()

    /// Runs a scenario to its end.
    ///
    /// - Throws: ``Violation`` if a promise was not kept; ``SimulationError`` if the scenario makes no sense.
    public static func run(_ scenario: Scenario, seed: UInt64) throws -> SimulationReport {
        try run(scenario, seed: seed, mutant: nil)
    }

    package static func run(_ scenario: Scenario, seed: UInt64, mutant: Mutant?) throws -> SimulationReport {
        if let problem = scenario.problem { throw SimulationError(problem) }
        var simulation = try Simulation(scenario, seed: seed, mutant)
        return try simulation.run(seed: seed)
    }

    private init(_ scenario: Scenario, seed: UInt64, _ mutant: Mutant?) throws {
        self.scenario = scenario
        self.mutant = mutant
        generator = SeededGenerator(seed: seed)
        for number in 0..<scenario.devices {
            let skew = Int64(generator.any(0...2 * scenario.clockSkew)) - Int64(scenario.clockSkew)
            devices.append(
                try SimulatedDevice(
                    number: number, skew: skew, keepsDurable: scenario.conditions.powerCuts > 0, mutant: mutant,
                    seed: generator.next())
            )
        }
    }

    private mutating func run(seed: UInt64) throws -> SimulationReport {
        try assemble()
        isFaultless = false
        let end = now + scenario.duration
        unsaid = scenario.messages
        for _ in 0..<scenario.messages {
            agenda.add(.says(Int(generator.any(0...UInt64(devices.count - 1)))), at: generator.any(now...end))
        }
        for number in devices.indices {
            schedule(.dials(number), in: generator.any(scenario.conditions.dialling))
            if let presence = scenario.presence {
                devices[number].isOnline = generator.any(0...1) == 0
                schedule(.changesPresence(number), in: generator.any(presence.online))
            }
            schedule(.crashes(number), in: generator.wait(scenario.conditions.crashes))
            schedule(.losesPower(number), in: generator.wait(scenario.conditions.powerCuts))
        }
        schedule(.partitions, in: generator.wait(scenario.conditions.partitions))
        try advance(until: end) { _ in false }
        endFaults()
        let hasConverged = try advance(until: now + scenario.patience) { $0.isConverged }
        guard hasConverged else { throw divergence() }
        for number in devices.indices { try checkNothingIsLost(on: number) }
        return SimulationReport(
            scenario: scenario, seed: seed, duration: now - begin, convergence: now - end,
            messages: said.count, events: devices[0].view.order.count, measured: measured, digest: digest)
    }

    /// Everyone joins, over a network without faults.
    private mutating func assemble() throws {
        for case .created(_, let id) in try devices[0].process([.createGroup(1, name: scenario.name)], now: now) {
            group = id
        }
        for number in devices.indices.dropFirst() {
            var invitation: Invitation?
            for case .invited(_, let made) in try devices[0].process(
                [.invite(1, group: group, addresses: [], expiry: devices[0].clock(now) + 86_400_000)], now: now)
            { invitation = made }
            let link = try open(from: number, to: 0, joining: invitation)
            let hasJoined = try advance(until: now + 60_000) { simulation in
                simulation.devices[number].store.groups().contains { $0.id == simulation.group }
            }
            guard hasJoined else { throw Violation(.diverged, number, "it could not join") }
            links[link] = nil
            try end(link, at: [number, 0])
            try advance(until: now + 1_000) { _ in false }
        }
        measured = Measurements()
    }

    // MARK: Time

    private mutating func schedule(_ happening: Happening, in delay: UInt64?) {
        if let delay { agenda.add(happening, at: now + delay) }
    }

    /// Lets things happen until `end`, or until `isDone`.
    ///
    /// - Returns: whether it was done.
    @discardableResult
    private mutating func advance(until end: UInt64, _ isDone: (Simulation) -> Bool) throws -> Bool {
        while let time = agenda.nextTime, time <= end {
            now = max(now, time)
            if try happen(agenda.removeFirst()), isDone(self) { return true }
        }
        now = end
        return isDone(self)
    }

    /// - Returns: whether a device took something.
    private mutating func happen(_ happening: Happening) throws -> Bool {
        measured.steps += 1
        switch happening {
        case .arrives(let link, let number, let bytes):
            if links[link] != nil, devices[number].links.contains(link) {
                post(.payloadReceived(SessionID(rawValue: link), bytes[...]), to: number)
            }
        case .linkEnds(let link, let number): try end(link, at: [number])
        case .linkBreaks(let link):
            guard !isFaultless, let broken = links.removeValue(forKey: link) else { break }
            for number in [broken.dialler, broken.listener] {
                agenda.add(.linkEnds(link: link, at: number), at: now + generator.any(0...15_000))
            }
        case .drains(let number): return try drain(number)
        case .wakes(let number):
            guard devices[number].wake == now else { break }
            devices[number].wake = nil
            post(.timePassed, to: number)
        case .says(let number): try say(number)
        case .dials(let number): try dial(number)
        case .changesPresence(let number): try changePresence(number)
        case .crashes(let number), .losesPower(let number):
            var isPowerCut = false
            if case .losesPower = happening { isPowerCut = true }
            try stop(number, isPowerCut: isPowerCut)
        case .starts(let number, let afterPowerCut):
            try devices[number].restart(afterPowerCut: afterPowerCut)
            try checkNothingIsLost(on: number)
            _ = try devices[number].readChanges(in: group)
            post(.timePassed, to: number)
        case .partitions:
            guard !isFaultless else { break }
            severed = Set(devices.indices.filter { _ in generator.any(0...1) == 0 })
            breakSevered()
            schedule(.heals, in: generator.any(10_000...60_000))
        case .heals:
            severed = nil
            if !isFaultless { schedule(.partitions, in: generator.wait(scenario.conditions.partitions)) }
        }
        return false
    }

    // MARK: Devices

    private mutating func post(_ input: EngineInput, to number: Int) {
        guard devices[number].isUp else { return }
        devices[number].inbox.append(input)
        guard !devices[number].isDraining else { return }
        devices[number].isDraining = true
        schedule(.drains(number), in: generator.any(0...scenario.conditions.batching))
    }

    private mutating func drain(_ number: Int) throws -> Bool {
        devices[number].isDraining = false
        guard devices[number].isUp, !devices[number].inbox.isEmpty else { return false }
        let inputs = devices[number].inbox
        devices[number].inbox = []
        measured.batches += 1
        try carryOut(try devices[number].process(inputs, now: now), of: number)
        return true
    }

    private mutating func carryOut(_ effects: [EngineEffect], of number: Int) throws {
        for effect in effects {
            switch effect {
            case .send(let session, let bytes): send(bytes, over: session.rawValue, from: number)
            case .close(let session, let error):
                // Of a link that is broken it knows nothing yet: it may well give up waiting.
                guard links[session.rawValue] == nil else { throw Violation(.blamed, number, "\(error)") }
                devices[number].links.remove(session.rawValue)
            case .appended(_, let id): said[id] = (now, number)
            case .failed(_, let error): throw Violation(.lost, number, "\(error)")
            case .forked(_, let one, _): throw Violation(.forked, number, one)
            case .changed:
                for event in try devices[number].readChanges(in: group) {
                    guard let origin = said[event.id], origin.device != number else { continue }
                    measured.latencies.append(now - origin.time)
                }
            default: break
            }
        }
        if let wake = devices[number].nextWake, devices[number].wake.map({ wake < $0 }) ?? true {
            devices[number].wake = max(wake, now)
            agenda.add(.wakes(number), at: max(wake, now))
        }
    }

    private mutating func say(_ number: Int) throws {
        guard devices[number].isUp else { return schedule(.says(number), in: 5_000) }
        unsaid -= 1
        let text = "\(said.count) by \(number) " + String(repeating: "x", count: scenario.bodyBytes)
        post(
            .append(
                1, group: group, kind: .message, content: Array(text.utf8.prefix(max(8, scenario.bodyBytes))),
                expiry: nil),
            to: number)
    }

    private mutating func changePresence(_ number: Int) throws {
        guard let presence = scenario.presence, !isFaultless else { return }
        devices[number].isOnline.toggle()
        if !devices[number].isOnline { try breakLinks(of: number) }
        schedule(
            .changesPresence(number), in: generator.any(devices[number].isOnline ? presence.online : presence.offline))
    }

    private mutating func stop(_ number: Int, isPowerCut: Bool) throws {
        guard !isFaultless, devices[number].isUp else { return }
        devices[number].isUp = false
        devices[number].inbox = []
        devices[number].wake = nil
        try breakLinks(of: number)
        devices[number].links = []
        schedule(.starts(number, afterPowerCut: isPowerCut), in: generator.any(1_000...30_000))
        let rate = isPowerCut ? scenario.conditions.powerCuts : scenario.conditions.crashes
        schedule(isPowerCut ? .losesPower(number) : .crashes(number), in: generator.wait(rate).map { $0 + 30_000 })
    }

    // MARK: Links

    private mutating func dial(_ number: Int) throws {
        schedule(.dials(number), in: generator.any(scenario.conditions.dialling))
        guard isReachable(number), devices[number].links.count < scenario.conditions.links else { return }
        let met = Set(devices[number].links.compactMap { links[$0]?.other(than: number) })
        let others = devices.indices.filter { other in
            other != number && isReachable(other) && !met.contains(other) && !isSevered(number, other)
        }
        guard let other = others.randomElement(using: &generator) else { return }
        _ = try open(from: number, to: other, joining: nil)
    }

    private func isSevered(_ one: Int, _ other: Int) -> Bool {
        severed.map { $0.contains(one) != $0.contains(other) } ?? false
    }

    private func isReachable(_ number: Int) -> Bool { devices[number].isUp && devices[number].isOnline }

    private mutating func open(from dialler: Int, to listener: Int, joining invitation: Invitation?) throws -> UInt64 {
        linkCount += 1
        let link = linkCount
        links[link] = Link(dialler: dialler, listener: listener)
        let binding = Array("link \(link)".utf8).withUnsafeBytes { SwiftCryptography().sha256($0) }
        for (number, other) in [(listener, dialler), (dialler, listener)] {
            devices[number].links.insert(link)
            post(
                .linkOpened(
                    TomboloCore.Link(
                        session: SessionID(rawValue: link), peer: devices[other].key, isDialler: number == dialler,
                        binding: binding, invitation: number == dialler ? invitation : nil)), to: number)
        }
        if !isFaultless { schedule(.linkBreaks(link: link), in: generator.wait(scenario.conditions.linkBreaks)) }
        return link
    }

    private mutating func send(_ bytes: [UInt8], over link: UInt64, from number: Int) {
        guard var carrier = links[link] else { return }
        if mutant == .losesPayloads, !isFaultless, generator.any(0...29) == 0 { return }
        measured.note(bytes)
        let to = carrier.other(than: number)
        let direction = carrier.direction(to: to)
        let leaves =
            max(now, carrier.busyUntil[direction]) + UInt64(bytes.count * 1_000 / scenario.conditions.bytesPerSecond)
        carrier.busyUntil[direction] = leaves
        let arrives = max(carrier.lastArrival[direction], leaves + generator.any(scenario.conditions.latency))
        carrier.lastArrival[direction] = arrives
        links[link] = carrier
        agenda.add(.arrives(link: link, to: to, bytes: bytes), at: arrives)
    }

    private mutating func end(_ link: UInt64, at numbers: [Int]) throws {
        for number in numbers where devices[number].links.remove(link) != nil {
            post(.linkClosed(SessionID(rawValue: link)), to: number)
        }
    }

    private mutating func breakLinks(of number: Int) throws {
        for link in devices[number].links.sorted() {
            guard let broken = links.removeValue(forKey: link) else { continue }
            try end(link, at: [number])
            agenda.add(.linkEnds(link: link, at: broken.other(than: number)), at: now + generator.any(100...30_000))
        }
    }

    private mutating func breakSevered() {
        for (link, ends) in links.sorted(by: { $0.key < $1.key }) where isSevered(ends.dialler, ends.listener) {
            links[link] = nil
            for number in [ends.dialler, ends.listener] {
                agenda.add(.linkEnds(link: link, at: number), at: now + generator.any(100...30_000))
            }
        }
    }

    // MARK: The end

    private mutating func endFaults() {
        isFaultless = true
        severed = nil
        for number in devices.indices { devices[number].isOnline = true }
    }

    /// Whether everything that was said is delivered everywhere.
    private var isConverged: Bool {
        let first = devices[0].view.ids
        return devices.allSatisfy { $0.isUp && $0.inbox.isEmpty && $0.view.ids.count == first.count }
            && unsaid == 0 && said.keys.allSatisfy(first.contains)
            && devices.allSatisfy { $0.view.ids == first }
    }

    private func divergence() -> Violation {
        let counts = devices.map { "\($0.view.ids.count)" }.joined(separator: ", ")
        let missing = said.keys.filter { id in devices.contains { !$0.view.ids.contains(id) } }
        return Violation(
            .diverged, 0,
            "after \(scenario.patience) ms without faults \(missing.count) of \(said.count) messages are not everywhere; delivered: \(counts)"
        )
    }

    /// What a device said, and was told to be on disk, is in its store whatever has befallen it (law 1).
    private func checkNothingIsLost(on number: Int) throws(Violation) {
        let held = Set(devices[number].store.delivered(in: group).map(\.event.id))
        for (id, origin) in said where origin.device == number && !held.contains(id) {
            throw Violation(.lost, number, id)
        }
    }

    /// Over all that was delivered, everywhere, in its order: equal for equal runs.
    private var digest: String {
        var bytes: [UInt8] = []
        for device in devices { for id in device.view.order { bytes += id.bytes } }
        for latency in measured.latencies { withUnsafeBytes(of: latency.littleEndian) { bytes += $0 } }
        return bytes.withUnsafeBytes { SwiftCryptography().sha256($0) }.description
    }
}

/// Why a scenario cannot be run.
public struct SimulationError: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String
    init(_ description: String) { self.description = description }
}
