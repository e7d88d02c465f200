import Foundation
import Synchronization
import TestSupport
import Testing
import Tombolo
import TomboloTesting

@Suite("Nodes over a simulated network and clock", .serialized)
struct NodeSimulationTests {
    /// A simulation whose first device has made a group that the others have joined.
    private func simulation(
        of count: Int, seed: UInt64, faults: Faults,
        running application: @escaping SimulatedDevice.Application = { _, _ in }
    ) async throws -> NodeSimulation {
        let simulation = try NodeSimulation(seed: seed, faults: faults)
        let first = try await simulation.addDevice("device 0", running: application)
        let group = try await first.node.createGroup(named: "crew")
        for number in 1..<count {
            let device = try await simulation.addDevice("device \(number)", running: application)
            let (node, link) = (try device.node, try await group.invite())
            _ = try await simulation.run { try await node.join(link) }
        }
        return simulation
    }

    @Test("links are cut and healed by script, and a cut outlasts the end of the faults")
    func scriptedCuts() async throws {
        var faults = Faults.none
        faults.partitions = 2
        let simulation = try await simulation(of: 3, seed: 8, faults: faults)
        let devices = await simulation.devices
        let group = try #require(try await devices[0].node.groups.first)
        await simulation.cut(devices[0], devices[1])
        try await group.send(PlainText("round the corner"))
        try await simulation.run(for: .seconds(120))
        // By way of the third.
        try await simulation.settle()
        let other = PeerID.device(try devices[1].node.device)
        #expect(try await devices[0].node.peers.contains { $0.id == other && $0.isConnected } == false)
        let alone = devices[2]
        await simulation.isolate(alone)
        try await group.send(PlainText("to nobody"))
        try await simulation.run(for: .seconds(60))
        await #expect(throws: NodeSimulationError.self) { try await simulation.settle(within: .seconds(60)) }
        let others = try #require(try await alone.node.groups.first)
        #expect(try await texts(others) == ["round the corner"])
        await simulation.rejoin(alone)
        try await simulation.settle()
        #expect(try await texts(others) == ["round the corner", "to nobody"])
        await simulation.heal(devices[0], devices[1])
        // Longer than a device waits before it dials again; the seed's partitions have ended.
        try await simulation.settle()
        let node = try devices[0].node
        try await simulation.run(within: .seconds(600)) {
            while try await node.peers.contains(where: { !$0.isConnected }) {
                try await node.clock.sleep(for: .seconds(1))
            }
        }
        let peers = try await devices[0].node.peers
        #expect(!peers.contains { !$0.isConnected }, "\(peers)")
        try await simulation.close()
    }

    private func texts(_ group: SyncGroup) async throws -> [String] {
        try await group.changes(after: .start, limit: 10_000).compactMap {
            $0.entry?.content(as: PlainText.self)?.string
        }
    }

    @Test(
        "whatever breaks, what was said is delivered to everyone once", arguments: Tier.seeds([1, 2, 3, 4], long: 40))
    func converge(seed: UInt64) async throws {
        print("seed \(seed)")
        let simulation = try await simulation(of: 4, seed: seed, faults: .rough)
        var said: Set<String> = []
        var downs = 0
        for minute in 0..<20 {
            for device in await simulation.devices {
                guard let node = try? device.node else {
                    downs += 1
                    continue
                }
                let text = "\(device.name) in minute \(minute)"
                try await #require(node.groups.first).send(PlainText(text))
                said.insert(text)
            }
            try await simulation.run(for: .seconds(60))
        }
        try await simulation.settle()
        for device in await simulation.devices {
            let texts = try await texts(try #require(try await device.node.groups.first))
            #expect(texts.count == said.count, "\(device.name)")
            #expect(Set(texts) == said, "\(device.name)")
            #expect(try await device.node.groups.first?.verify() == [])
        }
        #expect(said.count + downs == 80)
        try await simulation.close()
    }

    @Test("an application is started again after each crash, with its directory")
    func restarts() async throws {
        var faults = Faults.none
        faults.crashes = 4
        let simulation = try await simulation(of: 2, seed: 5, faults: faults) { _, directory in
            let log = directory.appendingPathComponent("starts")
            let before = (try? Data(contentsOf: log)) ?? Data()
            try (before + [UInt8(ascii: ".")]).write(to: log)
        }
        try await simulation.run(for: .seconds(600))
        try await simulation.settle()
        var starts = 0
        for device in await simulation.devices {
            starts += try Data(contentsOf: device.directory.appendingPathComponent("starts")).count
        }
        #expect(starts > 10, "40 crashes a device and 10 minutes are to be expected at most, and several at least")
        try await simulation.close()
    }

    @Test("the network's delays are the clock's: a far peer is in sync no sooner than its link allows")
    func latency() async throws {
        let simulation = try await simulation(of: 2, seed: 6, faults: .none)
        try await simulation.settle()
        var far = Faults.none
        far.latency = 3_000...3_000
        let slow = try NodeSimulation(seed: 6, faults: far)
        let a = try await slow.addDevice("a")
        let group = try await a.node.createGroup(named: "crew")
        let b = try await slow.addDevice("b").node
        let link = try await group.invite()
        await #expect(throws: NodeSimulationError.self, "a handshake takes longer on such a link") {
            _ = try await slow.run(within: .seconds(5)) { try await b.join(link, timeout: .seconds(3_600)) }
        }
        _ = try await slow.run(within: .seconds(3_600)) { try await b.join(link, timeout: .seconds(3_600)) }
        try await slow.settle()
        try await group.send(PlainText("far away"))
        await #expect(throws: NodeSimulationError.self) { try await slow.settle(within: .seconds(2)) }
        try await slow.settle()
        #expect(try await texts(try #require(try await b.groups.first)) == ["far away"])
        try await simulation.close()
        try await slow.close()
    }

    @Test("an application that fails fails the test")
    func failingApplication() async throws {
        struct Oops: Error {}
        let simulation = try await simulation(of: 1, seed: 7, faults: .none) { node, _ in
            try await node.clock.sleep(for: .seconds(30))
            throw Oops()
        }
        try await simulation.run(for: .seconds(20))
        await #expect(throws: NodeSimulationError.self) { try await simulation.run(for: .seconds(20)) }
        try await simulation.close()
    }
}
