import Foundation
import TestSupport
import Testing
import Tombolo
import TomboloCore

@Suite("Nodes with real stores and sockets")
struct NodeTests {
    @Test("an invitation is joined, what was said before and after comes over, and it survives a restart")
    func joinAndSync() async throws {
        try await withDirectory { root in
            let a = try await Node.open(at: root.appendingPathComponent("a"))
            let b = try await Node.open(at: root.appendingPathComponent("b"))
            let crew = try await a.createGroup(named: "crew")
            for number in 0..<100 { try await crew.send(PlainText("before \(number)")) }
            let port = try await a.listen()
            let joined = try await b.join(try await crew.invite())
            #expect(joined.name == "crew")
            #expect(try await joined.status.delivered == 100)
            try await joined.send(PlainText("from b"))
            let report = try await b.sync(with: a.device, at: "127.0.0.1:\(port)")
            #expect(report.groups == [crew.id])
            #expect(try await crew.timeline(limit: 1).last?.content(as: PlainText.self) == PlainText("from b"))
            #expect(try await crew.digest == joined.digest)
            #expect(try await crew.verify().isEmpty)
            #expect(try await joined.verify().isEmpty)
            try await a.close()
            try await b.close()
            let again = try await Node.open(at: root.appendingPathComponent("b"))
            #expect(try await again.groups.first?.status.delivered == 101)
            #expect(again.device == b.device)
            try await again.close()
        }
    }

    @Test("changes come once each, from a bookmark on, and go on with what comes live")
    func changes() async throws {
        try await withDirectory { root in
            let node = try await Node.open(at: root)
            let group = try await node.createGroup(named: "notes")
            for number in 0..<10 { try await group.send(PlainText("\(number)")) }
            let bookmark = try #require(try await group.changes(after: .start, limit: 4).last?.bookmark)
            let reading = Task {
                var texts: [String] = []
                for try await change in group.changes(after: bookmark) {
                    texts.append(change.entry?.content(as: PlainText.self)?.string ?? "")
                    if texts.count == 8 { break }
                }
                return texts
            }
            try await group.send(PlainText("10"))
            try await group.send(PlainText("11"))
            #expect(try await reading.value == (4..<12).map(String.init))
            try await node.close()
        }
    }

    @Test("an invitation works for one device only, and a damaged one not at all")
    func invitations() async throws {
        try await withDirectory { root in
            let a = try await Node.open(at: root.appendingPathComponent("a"))
            let group = try await a.createGroup(named: "crew")
            try await a.listen()
            let link = try await group.invite()
            #expect(throws: TomboloError.self) { try InvitationLink(String(link.description.dropLast(9))) }
            let b = try await Node.open(at: root.appendingPathComponent("b"))
            let c = try await Node.open(at: root.appendingPathComponent("c"))
            _ = try await b.join(InvitationLink(link.description))
            await #expect(throws: TomboloError.self) { _ = try await c.join(link) }
            #expect(try await c.groups.isEmpty)
            #expect(try await group.invitations.isEmpty)
            let several = try await group.invite(as: .reader, uses: 2)
            _ = try await c.join(several)
            let left = try #require(try await group.invitations.first)
            #expect(left.uses == 2 && left.users == [c.device] && left.role == .reader)
            try await group.revoke(left)
            #expect(try await group.invitations.isEmpty)
            await #expect(throws: TomboloError.self) { try await group.revoke(left) }
            for node in [a, b, c] { try await node.close() }
        }
    }

    @Test("a second process-like opener is told that the directory is in use")
    func locked() async throws {
        try await withDirectory { root in
            let node = try await Node.open(at: root)
            await #expect(throws: TomboloError.self) { _ = try await Node.open(at: root) }
            try await node.close()
        }
    }

    @Test(
        "two nodes exchange a group of the mvds dialect over plain TCP, each message once, with nothing left outstanding"
    )
    func plainMVDS() async throws {
        try await withDirectory { root in
            let a = try await Node.open(at: root.appendingPathComponent("a"))
            let b = try await Node.open(at: root.appendingPathComponent("b"))
            let talk = try await a.createMVDSGroup(named: "talk")
            let same = try await b.createMVDSGroup(named: "talk", id: talk.id)
            // a knows b by the host that it comes from.
            try await a.addMVDSPeer(at: "127.0.0.1:1", sharing: talk)
            let port = try await a.listenMVDS()
            try await b.addMVDSPeer(at: "127.0.0.1:\(port)", sharing: same)
            for number in 0..<50 {
                try await talk.send(bytes: Data("a \(number)".utf8))
                try await same.send(bytes: Data("b \(number)".utf8))
            }
            try await talk.send(bytes: Data(repeating: 7, count: 65_536))
            let report = try await b.sync(withMVDSPeerAt: "127.0.0.1:\(port)")
            #expect(report.groups == [talk.id])
            #expect(try await talk.status.delivered == 101)
            #expect(try await talk.digest == same.digest)
            #expect(try await talk.verify().isEmpty)
            #expect(try await same.verify().isEmpty)
            #expect(try await same.changes(after: .start, limit: 200).count == 101)
            let order = try await same.timeline(limit: 200).map(\.id)
            #expect(try await talk.timeline(limit: 200).map(\.id) == order)
            try await a.close()
            try await b.close()
        }
    }
}
