import Foundation
import Observation
import TestSupport
import Testing
import Tombolo
import TomboloCore
import TomboloObservation
import TomboloTesting

@Suite("Nodes over a network in memory")
struct NetworkTests {
    /// Waits until the peer of a node is connected, or not.
    private func wait(_ node: Node, connected: Bool) async throws {
        for try await states in node.peerUpdates() where states.first?.isConnected ?? false == connected { return }
    }

    /// Waits until an event is delivered.
    private func wait(_ group: SyncGroup, for id: EventID) async throws {
        for try await change in group.changes() where change.entryID == id { return }
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
            let id = try await crew.send(PlainText("live"))
            try await wait(joined, for: id)
            let entry = try #require(try await crew.timeline(limit: 1).last)
            for await _ in a.progress() where try await crew.deliveryState(of: entry)?.reached == 2 { break }
            network.cut(a.device, b.device)
            try await wait(a, connected: false)
            try await wait(b, connected: false)
            let missed = try await crew.send(PlainText("while cut"))
            let unseen = try #require(try await crew.timeline(limit: 1).last)
            let state = try #require(try await crew.deliveryState(of: unseen))
            #expect(state.reached == 1 && state.devices == 2 && state.holders.isEmpty)
            network.heal(a.device, b.device)
            try await wait(joined, for: missed)
            for try await states in a.peerUpdates() {
                #expect(states.map(\.id) == [.device(b.device)])
                if states.first?.isConnected == true { break }
            }
            for await progress in a.progress() {
                #expect(progress.batches > 0)
                break
            }
            for task in running { task.cancel() }
            try await a.close()
            try await b.close()
        }
    }

    /// Waits until a timeline shows something.
    @MainActor private func wait(_ timeline: Timeline, until isShown: (Timeline) -> Bool) async {
        while !isShown(timeline) {
            await withCheckedContinuation { continuation in
                withObservationTracking {
                    _ = timeline.entries
                } onChange: {
                    continuation.resume()
                }
            }
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
            for number in 0..<25 { try await crew.send(PlainText("\(number)")) }
            let timeline = Timeline(of: crew, window: 10)
            #expect(timeline.entries.isEmpty, "nothing is read on the main actor")
            await wait(timeline) { $0.entries.count == 10 }
            #expect(timeline.entries.count == 10 && timeline.hasEarlier)
            await timeline.loadEarlier()
            #expect(timeline.entries.count == 20)
            await timeline.loadEarlier()
            #expect(timeline.entries.count == 25 && !timeline.hasEarlier)
            // Said without having seen any of the above: concurrent with the first.
            try await joined.send(PlainText("late"))
            _ = try await b.sync(within: .unlimited)
            await wait(timeline) { $0.entries.count == 26 }
            #expect(timeline.entries == timeline.entries.sorted())
            let texts = timeline.entries.map { $0.content(as: PlainText.self)?.string }
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
