import Foundation
import TestSupport
import Testing
import Tombolo
import TomboloCore
import TomboloTesting

/// Private groups, as an application and a thief see them.
@Suite("What is said in a private group")
struct GroupSealingTests {
    private func texts(_ group: SyncGroup) async throws -> [String] {
        try await group.timeline(limit: 100).map { $0.content(as: PlainText.self)?.string ?? "" }
    }

    /// Two devices that know the same, and what was said on each.
    private func pair(
        _ root: URL, _ network: MemoryNetwork
    ) async throws -> (a: Node, b: Node, group: SyncGroup, joined: SyncGroup, said: [String]) {
        let a = try await network.openNode(at: root.appendingPathComponent("a"))
        let b = try await network.openNode(at: root.appendingPathComponent("b"))
        let group = try await a.createGroup(named: "crew", policy: .private)
        try await a.listen(host: "a", port: 1)
        let joined = try await b.join(try await group.invite(addresses: ["a:1"]))
        let said = (0..<8).map { secret($0, bytes: 300) }
        for text in said.prefix(4) { try await group.send(PlainText(text)) }
        #expect(try await b.sync().failures == [:])
        for text in said.suffix(4) { try await joined.send(PlainText(text)) }
        #expect(try await b.sync().failures == [:])
        return (a, b, group, joined, said)
    }

    @Test("is read by its members, also from another process, and stands in no file")
    func files() async throws {
        try await withDirectory { root in
            let (a, b, group, joined, said) = try await pair(root, MemoryNetwork())
            #expect(try await texts(group).map { $0.prefix(9) } == said.map { $0.prefix(9) })
            #expect(try await texts(joined).map { $0.prefix(9) } == said.map { $0.prefix(9) })
            #expect(try await joined.unreadCount == 4)
            let changes = try await joined.changes(after: .start, limit: 100)
            #expect(changes.map { $0.entry?.content(as: PlainText.self)?.string } == said)
            let reader = try await Node.openReadOnly(at: root.appendingPathComponent("b"))
            #expect(try await texts(try #require(try await reader.groups.first)) == said)
            try await reader.close()
            #expect(try await group.verify() == [])
            #expect(try await joined.verify() == [])
            try await a.close()
            try await b.close()
            #expect(try traces(of: said, in: root).isEmpty)
        }
    }

    @Test("is not read by who was removed before")
    func removal() async throws {
        try await withDirectory { root in
            let (a, b, group, joined, said) = try await pair(root, MemoryNetwork())
            try await group.remove(b.member)
            let sent = try await group.send(PlainText("among us"))
            #expect(try await b.sync().failures == [:])
            #expect(try await texts(group) == said + ["among us"])
            #expect(try await texts(joined) == said)
            let history = try #require(try await joined.history(ofID: "\(sent)"))
            #expect(history.status == .waiting && history.lacksSecret)
            #expect(try await joined.digest == group.digest)
            await #expect(throws: TomboloError.self) { try await joined.send(PlainText("me too")) }
            // Admitted again, it is told all of it.
            try await group.setRole(.reader, of: b.member)
            #expect(try await b.sync().failures == [:])
            #expect(try await texts(joined) == said + ["among us"])
            try await a.close()
            try await b.close()
        }
    }

    @Test("is not shown to who joins later, where the group's policy says so; what the group is called is")
    func joining() async throws {
        try await withDirectory { root in
            let network = MemoryNetwork()
            let a = try await network.openNode(at: root.appendingPathComponent("a"))
            let b = try await network.openNode(at: root.appendingPathComponent("b"))
            let group = try await a.createGroup(named: "crew", policy: .privateFromJoining)
            try await group.setState("title", to: Data("Low tide".utf8))
            let before = try await group.send(PlainText("before"))
            try await a.listen(host: "a", port: 1)
            let joined = try await b.join(try await group.invite(addresses: ["a:1"]))
            try await group.send(PlainText("after"))
            #expect(try await b.sync().failures == [:])
            #expect(try await texts(joined) == ["after"])
            #expect(try await joined.unreadCount == 1)
            #expect(try await joined.state["title"] == Data("Low tide".utf8))
            #expect(try await joined.digest == group.digest)
            #expect(try await joined.verify() == [])
            #expect(try await joined.status.waiting == 0)
            let history = try #require(try await joined.history(ofID: "\(before)"))
            #expect(history.status == .heldBack && history.lacksSecret)
            try await joined.send(PlainText("thank you"))
            #expect(try await b.sync().failures == [:])
            #expect(try await texts(group) == ["before", "after", "thank you"])
            // Made anew out of what is in a damaged store, it is the same.
            try await b.close()
            _ = try await Node.rebuildStore(at: root.appendingPathComponent("b"))
            let rebuilt = try await network.openNode(at: root.appendingPathComponent("b"))
            #expect(try await texts(try #require(try await rebuilt.groups.first)) == ["after", "thank you"])
            try await rebuilt.close()
            try await a.close()
        }
    }

    @Test("is handed to a device that has lost everything, and is there at once after a damaged store was made anew")
    func recovery() async throws {
        try await withDirectory { root in
            let network = MemoryNetwork()
            let (a, b, _, _, said) = try await pair(root, network)
            try await b.close()
            let home = root.appendingPathComponent("b")
            let drill = try await Node.drill(
                at: home, scratch: root.appendingPathComponent("scratch"),
                configuration: .init(transports: [network.provider]))
            #expect(drill.isComplete)
            _ = try await Node.rebuildStore(at: home)
            let rebuilt = try await network.openNode(at: home)
            #expect(try await texts(try #require(try await rebuilt.groups.first)) == said)
            try await rebuilt.close()
            try await a.close()
        }
    }
}
