import Foundation
import TestSupport
import Testing
import Tombolo
import TomboloCore
import TomboloSQLite
import TomboloTesting

@Suite("What comes back after the store was lost or damaged")
struct RecoveryTests {
    /// Two devices that know the same 400 things; the second, `home`, is closed, and has said one thing more.
    private func pair(_ root: URL, _ network: MemoryNetwork) async throws -> (a: Node, home: URL, group: SyncGroup) {
        let a = try await network.openNode(at: root.appendingPathComponent("a"))
        let home = root.appendingPathComponent("b/store")
        let b = try await network.openNode(at: home)
        let group = try await a.createGroup(named: "crew")
        try await a.listen(host: "a", port: 1)
        let joined = try await b.join(try await group.invite(addresses: ["a:1"]))
        for number in 0..<200 {
            try await group.send(PlainText("from a, number \(number): \(String(repeating: "·", count: 200))"))
            try await joined.send(PlainText("from b, number \(number): \(String(repeating: "·", count: 200))"))
        }
        #expect(try await b.sync().failures == [:])
        try await joined.send(PlainText("nobody has this yet"))
        try await b.close()
        return (a, home, group)
    }

    private func overwrite(_ file: URL, _ share: ClosedRange<Double>) throws {
        let handle = try FileHandle(forUpdating: file)
        let size = Double(try handle.seekToEnd())
        try handle.seek(toOffset: UInt64(size * share.lowerBound))
        let count = Int(size * (share.upperBound - share.lowerBound))
        try handle.write(contentsOf: Data((0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }))
        try handle.close()
    }

    @Test(
        "of a store with damaged pages the rest is taken over, and peers bring what is missing; no log forks",
        arguments: [0.5...0.8, 0.9...1])
    func damagedPages(part: ClosedRange<Double>) async throws {
        try await withDirectory { root in
            let network = MemoryNetwork()
            let (a, home, group) = try await pair(root, network)
            #expect(try await Node.checkStore(at: home) == [])
            try overwrite(home.appendingPathComponent("tombolo.sqlite"), part)
            #expect(try await Node.checkStore(at: home) != [])
            let rebuilding = try await Node.rebuildStore(at: home)
            #expect(rebuilding.groups == 1)
            #expect(rebuilding.peers == 1)
            #expect(rebuilding.events > 0 && rebuilding.events < 401)
            #expect(FileManager.default.fileExists(atPath: rebuilding.damagedFile.path))
            #expect(try await Node.checkStore(at: home) == [])
            let b = try await network.openNode(at: home)
            #expect(try await b.sync().failures == [:])
            let restored = try #require(try await b.groups.first)
            try await restored.send(PlainText("goes on"))
            #expect(try await b.sync().failures == [:])
            #expect(try await restored.digest == group.digest)
            #expect(try await restored.status.held >= 401)
            #expect(try await restored.verify() == [])
            #expect(try await group.timeline(limit: 1).first?.content(as: PlainText.self)?.string == "goes on")
            try await b.close()
            try await a.close()
        }
    }

    @Test("a secret that is damaged is not taken over, and comes back from a peer")
    func damagedSecret() async throws {
        try await withDirectory { root in
            let network = MemoryNetwork()
            let a = try await network.openNode(at: root.appendingPathComponent("a"))
            let home = root.appendingPathComponent("b")
            let b = try await network.openNode(at: home)
            let group = try await a.createGroup(named: "crew", policy: .private)
            try await a.listen(host: "a", port: 1)
            _ = try await b.join(try await group.invite(addresses: ["a:1"]))
            try await group.send(PlainText("sealed"))
            for _ in 0..<2 { #expect(try await b.sync().failures == [:]) }
            try await b.close()
            let storage = try SQLiteStorage(directory: home)
            try storage.write(isDurable: true) { store in
                let secrets = try store.secrets(inGroup: 1)
                #expect(secrets.count == 1)
                for secret in secrets { try store.setSecret([7, 0, 0], of: secret.rekey, inGroup: 1) }
            }
            try storage.close()
            #expect(try await Node.rebuildStore(at: home).unreadable == ["a secret of group crew"])
            let again = try await network.openNode(at: home)
            for _ in 0..<2 { #expect(try await again.sync().failures == [:]) }
            let restored = try #require(try await again.groups.first)
            #expect(
                try await restored.timeline(limit: 10).compactMap { $0.content(as: PlainText.self)?.string } == [
                    "sealed"
                ])
            for node in [a, again] { try await node.close() }
        }
    }

    @Test("a store whose keys cannot be read is left as it is, with a word on what to do")
    func unreadableKeys() async throws {
        try await withDirectory { root in
            let network = MemoryNetwork()
            let (a, home, _) = try await pair(root, network)
            try overwrite(home.appendingPathComponent("tombolo.sqlite"), 0...1)
            let before = try Data(contentsOf: home.appendingPathComponent("tombolo.sqlite"))
            await #expect(throws: TomboloError.self) { try await Node.rebuildStore(at: home) }
            #expect(try Data(contentsOf: home.appendingPathComponent("tombolo.sqlite")) == before)
            let names = try FileManager.default.contentsOfDirectory(atPath: home.path)
            #expect(!names.contains { $0.contains("damaged") })
            try await a.close()
        }
    }

    @Test("a store that another process uses is not touched")
    func busy() async throws {
        try await withDirectory { root in
            let node = try await Node.open(at: root.appendingPathComponent("a"))
            await #expect(throws: TomboloError.self) {
                try await Node.rebuildStore(at: root.appendingPathComponent("a"))
            }
            _ = try await node.createGroup(named: "still there")
            try await node.close()
        }
    }

    @Test("a drill says what would come back, and what would not, and changes nothing")
    func drill() async throws {
        try await withDirectory { root in
            let network = MemoryNetwork()
            let (a, home, group) = try await pair(root, network)
            let drill = try await Node.drill(
                at: home, scratch: root.appendingPathComponent("scratch"),
                configuration: .init(transports: [network.provider]))
            #expect(!drill.isComplete)
            #expect(drill.groups.map(\.delivered) == [401])
            #expect(drill.groups.map(\.recovered) == [400])
            #expect(drill.groups.first?.missing.count == 1)
            let b = try await network.openNode(at: home)
            #expect(!b.isOlderCopy)
            #expect(try await b.groups.first?.status.held == 401)
            #expect(try await b.sync().failures == [:])
            #expect(try await b.groups.first?.digest == group.digest)
            let again = try await Node.drill(
                at: home, scratch: root.appendingPathComponent("scratch 2"),
                configuration: .init(transports: [network.provider]))
            #expect(again.isComplete)
            try await b.close()
            try await a.close()
        }
    }
}
