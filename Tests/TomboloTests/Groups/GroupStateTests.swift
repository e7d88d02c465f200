import Foundation
import Testing
import Tombolo
import TomboloCore

/// Members and state as an application sees them.
struct GroupStateTests {
    private struct Mood: Codable, Hashable {
        var level: Int
    }

    @Test func whatIsSetIsThereForTheNextStartAndForWhoeverWatches() async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("state-\(UUID())")
        defer { try? FileManager.default.removeItem(at: directory) }
        let node = try await Node.open(at: directory)
        let group = try await node.createGroup(named: "crew", policy: .private)
        var states = group.stateUpdates().makeAsyncIterator()
        #expect(try await states.next()?.keys == [])
        try await group.setState("title", to: Data("The crew".utf8))
        #expect(try await states.next()?.title == "The crew")
        try await group.setState("mood", encoding: Mood(level: 3))
        let state = try await states.next()
        #expect(try state?.value(of: "mood", as: Mood.self) == Mood(level: 3))
        #expect(state?.keys == ["mood", "title"])
        try await group.setState("title", to: nil)
        #expect(try await states.next()?.title == nil)
        #expect(try await group.members.map(\.id) == [node.member])
        #expect(try await group.role(of: node.member) == .owner)
        try await node.close()

        let again = try await Node.open(at: directory)
        let same = try #require(try await again.groups.first)
        #expect(try same.policy == .private)
        #expect(try await same.state.keys == ["mood"])
        #expect(try await same.verify() == [])
        // Bounds, from both sides.
        try await same.setState(String(repeating: "k", count: 255), to: Data(count: 4_068))
        await #expect(throws: TomboloError.self) {
            try await same.setState(String(repeating: "k", count: 256), to: Data())
        }
        await #expect(throws: TomboloError.self) { try await same.setState("", to: Data()) }
        #expect(await code { try await same.setState("k", to: Data(count: 4_069)) } == .contentTooLarge)
        #expect(try await same.state[String(repeating: "k", count: 255)] == Data(count: 4_068))
        // The only admin leaves if it insists. A member that has left writes and broadcasts no more.
        #expect(await code { try await same.leave() } == .lastAdmin)
        #expect(await code { try await same.setRole(.reader, of: again.member) } == .lastAdmin)
        try await same.setRole(.admin, of: again.member)
        #expect(await code { try await same.leave() } == .lastAdmin)
        try await same.leave(allowsAbandoning: true)
        await #expect(throws: TomboloError.self) { try await same.send(PlainText("one more thing")) }
        await #expect(throws: TomboloError.self) { try await same.broadcast(PlainText("psst")) }
        #expect(try await same.role(of: again.member) == .none)
        try await again.close()
    }
}
