import Foundation
import TestSupport
import Testing
import Tombolo
import TomboloTesting

@Suite("Where a node listens, and what its invitations name")
struct ListeningTests {
    private func hosts(_ link: InvitationLink) -> [String] {
        link.invitation.addresses.compactMap { PeerAddress($0)?.endpoint?.host }
    }

    @Test("a resumed node listens where it did, and its invitations can be used")
    func resume() async throws {
        try await withDirectory { root in
            let a = try await Node.open(at: root.appendingPathComponent("a"))
            let b = try await Node.open(at: root.appendingPathComponent("b"))
            let group = try await a.createGroup(named: "crew")
            let port = try await a.listen()
            try await a.suspend()
            try await a.resume()
            let link = try await group.invite()
            #expect(link.invitation.addresses == ["127.0.0.1:\(port)"])
            #expect(try await b.join(link).name == "crew")
            try await a.close()
            try await b.close()
        }
    }

    @Test("a node whose port was taken meanwhile says so, and goes on")
    func portTaken() async throws {
        try await withDirectory { root in
            let network = MemoryNetwork()
            let a = try await network.openNode(at: root.appendingPathComponent("a"))
            let b = try await network.openNode(at: root.appendingPathComponent("b"))
            let group = try await a.createGroup(named: "crew")
            try await a.listen(host: "a", port: 1)
            try await a.suspend()
            try await b.listen(host: "a", port: 1)
            #expect(await code { try await a.resume() } == .notListening)
            try await group.send(PlainText("still here"))
            #expect(await code { try await group.invite() } == .notListening)
            try await a.listen(host: "a", port: 2)
            #expect(try await group.invite().invitation.addresses == ["a:2"])
            try await a.close()
            try await b.close()
        }
    }

    @Test("an invitation without an address is refused where it is made")
    func noAddress() async throws {
        try await withDirectory { root in
            let node = try await Node.open(at: root)
            let group = try await node.createGroup(named: "crew")
            #expect(await code { try await group.invite() } == .notListening)
            #expect(await code { try await node.linkDevice() } == .notListening)
            for address in ["0.0.0.0:1", "[::]:1", "nowhere", "host:0"] {
                #expect(await code { try await group.invite(addresses: [address]) } == .invalidArgument, "\(address)")
            }
            #expect(try await group.invite(addresses: ["a:1"]).invitation.addresses == ["a:1"])
            try await node.close()
        }
    }

    @Test(
        "a wildcard stands for the device's addresses, loopback only where there is no other",
        arguments: ["0.0.0.0", "::"])
    func wildcard(host: String) async throws {
        try await withDirectory { root in
            let node = try await Node.open(at: root)
            let group = try await node.createGroup(named: "crew")
            do {
                try await node.listen(host: host)
            } catch {
                // A machine without IPv6.
                return try await node.close()
            }
            try await node.listen(host: "127.0.0.1")
            let hosts = hosts(try await group.invite())
            #expect(!hosts.isEmpty && !hosts.contains("0.0.0.0") && !hosts.contains("::"))
            let loopback = hosts.filter { $0.hasPrefix("127.") || $0 == "::1" }
            #expect(loopback.isEmpty || loopback == hosts, "\(hosts)")
            // A caller's own addresses come first and stay, whatever they are.
            let given = try await group.invite(addresses: ["127.0.0.1:7", "boat.example:4711"]).invitation.addresses
            #expect(given.prefix(2) == ["127.0.0.1:7", "boat.example:4711"])
            try await node.close()
        }
    }

    @Test("an invitation is text, a URL and JSON") func links() async throws {
        try await withDirectory { root in
            let node = try await Node.open(at: root)
            let group = try await node.createGroup(named: "crew")
            let link = try await group.invite(addresses: ["boat.example:4711"])
            let url = try #require(link.url)
            #expect(url.scheme == "tombolo" && url.absoluteString == link.description)
            #expect(try InvitationLink(url: url) == link)
            let data = try JSONEncoder().encode([link])
            #expect(try JSONDecoder().decode([InvitationLink].self, from: data) == [link])
            #expect(throws: DecodingError.self) {
                try JSONDecoder().decode([InvitationLink].self, from: Data("[\"tombolo:join?AAAA\"]".utf8))
            }
            #expect(await code { _ = try InvitationLink(url: URL(fileURLWithPath: "/tmp")) } == .invalidLink)
            try await node.close()
        }
    }

    @Test("a removed peer is not dialled, reported or listed, and is known again when it calls")
    func removePeer() async throws {
        try await withDirectory { root in
            let network = MemoryNetwork()
            let a = try await network.openNode(at: root.appendingPathComponent("a"))
            let b = try await network.openNode(at: root.appendingPathComponent("b"))
            let group = try await a.createGroup(named: "crew")
            try await a.listen(host: "a", port: 1)
            let joined = try await b.join(try await group.invite())
            #expect(try await b.peers.map(\.id) == [.device(a.device)])
            try await b.connect(to: a.device, at: "a:1")
            try await b.removePeer(.device(a.device))
            #expect(try await b.peers.isEmpty)
            #expect(try await b.sync().peers.isEmpty)
            try await joined.send(PlainText("later"))
            #expect(try await b.sync(with: a.device, at: "a:1").isComplete)
            #expect(try await group.timeline(limit: 1).first?.content(as: PlainText.self)?.string == "later")
            #expect(try await b.peers.map(\.id) == [.device(a.device)])
            try await a.close()
            try await b.close()
        }
    }

    @Test("what a sync failed with is an error with a code and a way out") func failures() async throws {
        try await withDirectory { root in
            let network = MemoryNetwork()
            let node = try await network.openNode(at: root)
            try await node.addPeer(DeviceKey(.zero), address: "nowhere:1")
            let report = try await node.sync()
            #expect(report.failures[.device(DeviceKey(.zero))]?.code == .unreachable)
            #expect(!report.isComplete)
            let spent = try await node.sync(within: .budget(bytes: 0)).failures.values.first
            #expect(spent?.code == .budgetSpent && spent?.recovery != nil)
            #expect(await code { try await node.addPeer(DeviceKey(.zero), address: "x") } == .invalidArgument)
            try await node.close()
        }
    }
}
