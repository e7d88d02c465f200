import Foundation
import Observation
import Testing
import Tombolo
import TomboloCore
import TomboloObservation
import TomboloTesting

@Suite("Nodes over a network in memory")
struct NetworkTests {
    /// Waits until the peer of a node is connected, or not.
    private func wait(_ node: Node, connected: Bool) async throws {
        for await states in try node.peerStates() where states.first?.isConnected ?? false == connected { return }
    }

    /// Waits until an event is delivered.
    private func wait(_ group: SyncGroup, for id: EventID) async throws {
        for try await change in group.changes() where change.entry.id == id { return }
    }

    @Test("running nodes find each other again after a cut, say who is connected and who holds what")
    func cutAndHeal() async throws {
        try await withDirectory { root in
            let network = MemoryNetwork()
            let a = try await network.openNode(at: root.appendingPathComponent("a"))
            let b = try await network.openNode(at: root.appendingPathComponent("b"))
            let crew = try await a.createGroup(named: "crew")
            try await a.listen(host: "a", port: 1)
            try await b.listen(host: "b", port: 1)
            let joined = try await b.join(try await crew.invite())
            try await a.addPeer(b.device, address: "b:1")
            // Both dial, maybe at once: one link stays.
            let running = [Task { try await a.run() }, Task { try await b.run() }]
            try await wait(a, connected: true)
            try await wait(b, connected: true)
            let id = try await crew.send(Text("live"))
            try await wait(joined, for: id)
            let entry = try #require(try crew.timeline(limit: 1).last)
            for await _ in try a.progress() where try crew.deliveryState(of: entry)?.reached == 2 { break }
            network.cut(a.device, b.device)
            try await wait(a, connected: false)
            try await wait(b, connected: false)
            let missed = try await crew.send(Text("while cut"))
            let unseen = try #require(try crew.timeline(limit: 1).last)
            let state = try #require(try crew.deliveryState(of: unseen))
            #expect(state.reached == 1 && state.devices == 2 && state.holders.isEmpty)
            network.heal(a.device, b.device)
            try await wait(joined, for: missed)
            for await states in try a.peerStates() {
                #expect(states.map(\.device) == [b.device])
                if states.first?.isConnected == true { break }
            }
            for await progress in try a.progress() {
                #expect(progress.batches > 0)
                break
            }
            for task in running { task.cancel() }
            try await a.close()
            try await b.close()
        }
    }

    @Test("a timeline shows the latest, pages back, and puts what comes late at its place")
    @MainActor func timeline() async throws {
        try await withDirectory { root in
            let network = MemoryNetwork()
            let a = try await network.openNode(at: root.appendingPathComponent("a"))
            let b = try await network.openNode(at: root.appendingPathComponent("b"))
            let crew = try await a.createGroup(named: "crew")
            try await a.listen(host: "a", port: 1)
            let joined = try await b.join(try await crew.invite())
            for number in 0..<25 { try await crew.send(Text("\(number)")) }
            let timeline = Timeline(of: crew, window: 10)
            #expect(timeline.entries.count == 10 && timeline.hasEarlier)
            timeline.loadEarlier()
            #expect(timeline.entries.count == 20)
            timeline.loadEarlier()
            #expect(timeline.entries.count == 25 && !timeline.hasEarlier)
            // Said without having seen any of the above: concurrent with the first.
            try await joined.send(Text("late"))
            _ = try await b.sync(within: .unlimited)
            while timeline.entries.count < 26 {
                await withCheckedContinuation { continuation in
                    withObservationTracking {
                        _ = timeline.entries
                    } onChange: {
                        continuation.resume()
                    }
                }
            }
            #expect(timeline.entries == timeline.entries.sorted())
            let texts = try timeline.entries.map { try $0.content(as: Text.self)?.string }
            #expect(texts.prefix(2).contains("late"))
            var passing: Timeline? = Timeline(of: crew)
            weak let released = passing
            passing = nil
            #expect(released == nil, "following must not keep a timeline alive")
            try await b.close()
            try await a.close()
        }
    }
}
