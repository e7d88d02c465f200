import Foundation
import TestSupport
import Testing
import Tombolo
import TomboloCore
import TomboloTesting

@Suite("A store that is put back from a backup")
struct RestoredStoreTests {
    /// How the backup comes back.
    enum Way: CaseIterable {
        /// The files are made anew.
        case newFiles
        /// The old bytes are written over the files that are there.
        case overFiles
        /// The directory is gone, or another machine's, and the backup is all there is.
        case elsewhere
    }

    private func copy(_ source: URL, to target: URL, over: Bool) throws {
        try FileManager.default.createDirectory(at: target, withIntermediateDirectories: true)
        for name in try FileManager.default.contentsOfDirectory(atPath: source.path) {
            let (from, to) = (source.appendingPathComponent(name), target.appendingPathComponent(name))
            if over, let file = try? FileHandle(forWritingTo: to) {
                try file.truncate(atOffset: 0)
                try file.write(contentsOf: Data(contentsOf: from))
                try file.close()
            } else {
                try? FileManager.default.removeItem(at: to)
                try FileManager.default.copyItem(at: from, to: to)
            }
        }
    }

    @Test("it is noticed, nothing forks, and what was written since comes back from a peer", arguments: Way.allCases)
    func restore(way: Way) async throws {
        try await withDirectory { root in
            let network = MemoryNetwork()
            let (home, backup) = (root.appendingPathComponent("a/store"), root.appendingPathComponent("backup"))
            var a = try await network.openNode(at: home)
            let b = try await network.openNode(at: root.appendingPathComponent("b"))
            let group = try await a.createGroup(named: "crew")
            try await a.listen(host: "a", port: 1)
            let joined = try await b.join(try await group.invite())
            try await group.send(PlainText("before"))
            _ = try await b.sync(with: a.device, at: "a:1")
            try await a.close()
            #expect(!a.isOlderCopy)
            try copy(home, to: backup, over: false)

            a = try await network.openNode(at: home)
            #expect(!a.isOlderCopy, "a start like any other")
            try await #require(a.groups.first).send(PlainText("since"))
            try await a.listen(host: "a", port: 1)
            _ = try await b.sync(with: a.device, at: "a:1")
            try await a.close()

            var place = home
            if way == .elsewhere { place = root.appendingPathComponent("elsewhere/store") }
            try copy(backup, to: place, over: way == .overFiles)
            a = try await network.openNode(at: place)
            #expect(a.isOlderCopy)
            let restored = try #require(try await a.groups.first)
            #expect(try await restored.timeline(limit: 10).count == 1)
            // It even writes before it meets anybody.
            try await restored.send(PlainText("after"))
            try await a.listen(host: "a", port: 1)
            _ = try await b.sync(with: a.device, at: "a:1")
            for group in [restored, joined] {
                let texts = try await group.timeline(limit: 10).compactMap { $0.content(as: PlainText.self)?.string }
                #expect(Set(texts) == ["before", "since", "after"])
                #expect(try await group.status.logs == 2)
                #expect(try await group.status.waiting == 0)
            }

            try await a.close()
            a = try await network.openNode(at: place)
            #expect(!a.isOlderCopy, "once")
            try await a.close()
            try await b.close()
        }
    }

    @Test("a crash, at whatever moment, is no restore")
    func crash() async throws {
        try await withDirectory { root in
            let home = root.appendingPathComponent("a/store")
            for _ in 0..<3 {
                let node = try await Node.open(at: home)
                #expect(!node.isOlderCopy)
                try await node.abandon()
            }
        }
    }
}
