import Foundation
public import Tombolo
import TomboloCore
import TomboloSimulation

/// An application's nodes over a simulated network and a virtual clock, with seeded faults, for its own tests.
///
///     let simulation = try NodeSimulation(seed: 7, faults: .rough)
///     let anna = try await simulation.addDevice("anna") { node, directory in try await Notes(node, directory).follow() }
///     …
///     try await simulation.run(for: .seconds(600))     // ten minutes of faults, in a few seconds
///     try await simulation.settle()                    // the faults end, and all devices come to hold the same
///     try await simulation.close()
///
/// The nodes are the real ones, with real stores in a temporary directory. The clock stands still while any task works,
/// and then jumps to the next scheduled time. A seed determines the latencies and the faults with their times. The
/// machine's scheduler determines the order of events at one time, so a test should expect only facts that hold in
/// every order. (`TomboloSimulation` repeats runs bit for bit.)
public actor NodeSimulation {
    private enum Fault {
        case linkBreak, crash, partition
        case start(SimulatedDevice)
        case heal

        /// The faults that occur at random.
        static let strikes = [Fault.linkBreak, .crash, .partition]

        /// The rate a minute.
        func rate(_ faults: Faults) -> Double {
            switch self {
            case .linkBreak: faults.linkBreaks
            case .crash: faults.crashes
            case .partition: faults.partitions
            case .start, .heal: 0
            }
        }
    }

    /// The first of January 2026, in milliseconds since 1970.
    private static let start: UInt64 = 1_767_225_600_000

    /// The devices, in the order in which they were added.
    public private(set) var devices: [SimulatedDevice] = []
    private let faults: Faults
    private let root: URL
    private let network: MemoryNetwork
    private let clock = VirtualClock(start: start)
    private var generator: SeededGenerator
    private var agenda = Agenda<Fault>()
    private let executor = CountingExecutor()
    private let failure = Latch<NodeSimulationError>()
    /// The numbers of batches that the devices had committed at the last check.
    private var seen: [Int] = []

    /// - Parameters:
    ///   - seed: determines latencies and faults.
    ///   - faults: the faults that occur during ``run(for:)``.
    /// - Throws: an error of the file system if there is no room for temporary files.
    public init(seed: UInt64, faults: Faults = .none) throws {
        self.faults = faults
        generator = SeededGenerator(seed: seed)
        root = FileManager.default.temporaryDirectory.appendingPathComponent("tombolo-simulation-\(UUID())")
        try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
        network = MemoryNetwork(
            carrier: DelayingCarrier(clock: clock, latency: faults.latency, seed: generator.seed(of: 1)))
        for fault in Fault.strikes {
            if let wait = generator.wait(fault.rate(faults)) { agenda.add(fault, at: Self.start + wait) }
        }
    }

    /// Adds a device and starts it. All devices know each other's keys and addresses. They join groups by invitation.
    ///
    /// - Parameters:
    ///   - name: the name of the device, and its host.
    ///   - application: runs at every start, is cancelled by a crash, and must continue from the data in its directory
    ///     and in the node. Without one, the node alone runs.
    /// - Throws: `StoreError` if there is no room; ``NodeSimulationError`` if the name is taken.
    @discardableResult
    public func addDevice(
        _ name: String, running application: @escaping SimulatedDevice.Application = { _, _ in }
    ) async throws -> SimulatedDevice {
        guard !devices.contains(where: { $0.name == name }) else {
            throw NodeSimulationError("there is a device \(name) already")
        }
        let skew = Int64(clamping: generator.any(0...2 * faults.clockSkew)) - Int64(clamping: faults.clockSkew)
        let device = try SimulatedDevice(
            name: name, in: root, clock: DeviceClock(world: clock, start: Self.start, skew: skew),
            application: application)
        devices.append(device)
        try await start(device)
        return device
    }

    private func start(_ device: SimulatedDevice) async throws {
        try await device.start(over: network, on: executor) { [failure] in
            failure.set(NodeSimulationError("the application on \(device.name) has failed: \($0)"))
        }
        let node = try device.node
        for other in devices where other !== device {
            guard let peer = other.running else { continue }
            try await node.addPeer(peer.device, address: other.address)
            try await peer.addPeer(node.device, address: device.address)
        }
    }

    // MARK: Links

    /// Closes the links between two devices, and refuses new ones until ``heal(_:_:)``. Random cuts end by themselves;
    /// this one also outlasts ``settle(within:)``.
    public func cut(_ one: SimulatedDevice, _ other: SimulatedDevice) {
        guard let keys = keys(one, other) else { return }
        network.cut(keys.0, keys.1, by: .script)
    }

    /// Lets two devices reach each other again after ``cut(_:_:)``.
    public func heal(_ one: SimulatedDevice, _ other: SimulatedDevice) {
        guard let keys = keys(one, other) else { return }
        network.heal(keys.0, keys.1, by: .script)
    }

    /// Cuts a device off from all present devices, until ``rejoin(_:)``.
    public func isolate(_ device: SimulatedDevice) {
        for other in devices where other !== device { cut(device, other) }
    }

    /// Lets a device reach all others again.
    public func rejoin(_ device: SimulatedDevice) {
        for other in devices where other !== device { heal(device, other) }
    }

    /// Breaks the links between two devices. Payloads in flight are lost. The devices can connect again at once.
    public func breakLinks(_ one: SimulatedDevice, _ other: SimulatedDevice) {
        guard let keys = keys(one, other) else { return }
        network.interrupt(keys.0, keys.1)
    }

    /// The keys of two devices, which they have from their first start on.
    private func keys(_ one: SimulatedDevice, _ other: SimulatedDevice) -> (DeviceKey, DeviceKey)? {
        guard let first = one.key, let second = other.key else { return nil }
        return (first, second)
    }

    // MARK: Time

    /// Lets the duration pass, with faults.
    ///
    /// - Throws: the first error that an application has thrown on a device that was not being killed.
    public func run(for duration: Duration) async throws {
        try await advance(to: clock.now + duration.roundedMilliseconds, strikes: true)
    }

    /// Lets time pass, without faults, until work is done.
    ///
    /// - Parameters:
    ///   - patience: the longest time that it may take.
    ///   - work: an action of a user that needs the network, such as `node.join(link)`.
    /// - Throws: the error of `work`; ``NodeSimulationError`` if it takes longer.
    public func run<Outcome: Sendable>(
        within patience: Duration = .seconds(600), until work: @escaping @Sendable () async throws -> Outcome
    ) async throws -> Outcome {
        let deadline = clock.now + patience.roundedMilliseconds
        let outcome = Latch<Result<Outcome, any Error>>()
        let task = Task(executorPreference: executor) {
            do {
                outcome.set(.success(try await work()))
            } catch {
                outcome.set(.failure(error))
            }
        }
        while true {
            try await letTasksRun()
            if let outcome = outcome.value { return try outcome.get() }
            if let failure = failure.value { throw failure }
            guard clock.now < deadline else {
                task.cancel()
                throw NodeSimulationError("the work was not done within \(patience)")
            }
            _ = clock.step(to: deadline)
        }
    }

    /// Ends the faults, starts the devices that are down, and lets time pass until all devices of each group hold the
    /// same, and no event waits for ancestors. Cuts of the test (``cut(_:_:)``) stay.
    ///
    /// - Throws: ``NodeSimulationError`` if that takes longer than `patience`.
    public func settle(within patience: Duration = .seconds(3_600)) async throws {
        while let fault = agenda.popFirst() {
            switch fault {
            case .start, .heal: try await perform(fault)
            case .linkBreak, .crash, .partition: break
            }
        }
        for fault in Fault.strikes { scheduleNext(fault) }
        let deadline = clock.now + patience.roundedMilliseconds
        while true {
            try await advance(to: clock.now + 1_000, strikes: false)
            guard let difference = try await firstDifference() else { return }
            guard clock.now < deadline else { throw NodeSimulationError("after \(patience), \(difference)") }
        }
    }

    private func advance(to end: UInt64, strikes: Bool) async throws {
        while true {
            try await letTasksRun()
            if let failure = failure.value { throw failure }
            let next = strikes ? min(end, max(agenda.nextTime ?? .max, clock.now)) : end
            if clock.step(to: next) { continue }
            if strikes, let time = agenda.nextTime, time <= clock.now, let fault = agenda.popFirst() {
                try await perform(fault)
            } else if next == end {
                return
            }
        }
    }

    /// Waits until no task seems to work any more: no job of an application is left, and nothing is committed, sent or
    /// scheduled while every other task had its turn several times.
    ///
    /// - Throws: ``NodeSimulationError`` if an application works without end and never waits.
    private func letTasksRun() async throws {
        var (rounds, quietRounds) = (0, 0)
        while quietRounds < 3 {
            rounds += 1
            guard rounds < Self.mostRounds else {
                throw NodeSimulationError("an application works without end, and never waits for the clock or a peer")
            }
            let scheduled = clock.scheduled
            await Self.yieldToOthers()
            var now: [Int] = []
            for device in devices { now.append((try? await device.running?.settled()) ?? 0) }
            let isQuiet = now == seen && clock.scheduled == scheduled && executor.count == 0
            quietRounds = isQuiet ? quietRounds + 1 : 0
            seen = now
        }
    }

    private static let mostRounds = 100_000

    /// Yields to other tasks. It runs off the actor, since a yield on an actor lets only the actor's own jobs run.
    @concurrent private nonisolated static func yieldToOthers() async {
        for _ in 0..<8 { await Task.yield() }
    }

    private func firstDifference() async throws -> String? {
        var known: [GroupID: (device: String, digest: String)] = [:]
        for device in devices {
            for group in try await device.node.groups {
                if try await group.status.waiting > 0 {
                    return "events of \(group.name) wait for ancestors on \(device.name)"
                }
                let digest = try await group.digest
                let (other, otherDigest) = known[group.id] ?? (device.name, digest)
                known[group.id] = (other, otherDigest)
                if digest != otherDigest { return "\(device.name) and \(other) hold different events of \(group.name)" }
            }
        }
        return nil
    }

    /// Closes all nodes and removes their directories.
    public func close() async throws {
        for device in devices { try await device.close() }
        try FileManager.default.removeItem(at: root)
    }

    // MARK: Faults

    private func scheduleNext(_ fault: Fault) {
        if let wait = generator.wait(fault.rate(faults)) { agenda.add(fault, at: clock.now + wait) }
    }

    private func perform(_ fault: Fault) async throws {
        switch fault {
        case .linkBreak:
            let running = devices.compactMap(\.running)
            if running.count > 1 {
                let first = Int(generator.any(0...UInt64(running.count - 1)))
                let second = (first + 1 + Int(generator.any(0...UInt64(running.count - 2)))) % running.count
                network.interrupt(running[first].device, running[second].device)
            }
        case .crash:
            guard !devices.isEmpty else { break }
            let device = devices[Int(generator.any(0...UInt64(devices.count - 1)))]
            let pause = generator.any(1_000...30_000)
            guard device.running != nil else { break }
            try await device.crash(on: network)
            agenda.add(.start(device), at: clock.now + pause)
        case .partition:
            let part = Set(devices.filter { _ in generator.chance(0.5) }.compactMap(\.key))
            let others = devices.compactMap(\.key).filter { !part.contains($0) }
            for (one, other) in part.flatMap({ one in others.map { (one, $0) } }) {
                network.cut(one, other, by: .chance)
            }
            agenda.add(.heal, at: clock.now + generator.any(10_000...60_000))
        case .start(let device): try await start(device)
        case .heal: network.healPartitions()
        }
        scheduleNext(fault)
    }
}
