import Foundation
import TestSupport
import Testing
import Tombolo
import TomboloCore
import TomboloSQLite
import TomboloTesting

/// Forgetting what has gone away, as an application, a disk and a carrier of bundles see it.
@Suite("Checkpoints of a group")
struct GroupCheckpointTests {
    /// Two members, and one who only reads and has met nobody since it joined; forty things said by each member, half of which were taken back.
    private func withGroup(
        _ policy: Policy = .private,
        _ body: (URL, MemoryNetwork, _ a: Node, _ b: Node, _ reader: Node, _ group: SyncGroup) async throws -> Void
    ) async throws {
        try await withDirectory { root in
            let network = MemoryNetwork()
            let a = try await network.openNode(at: root.appendingPathComponent("a"))
            let group = try await a.createGroup(named: "crew", policy: policy)
            try await a.listen(host: "a", port: 1)
            var others: [Node] = []
            for (name, role) in [("b", Role.member), ("reader", .reader)] {
                let node = try await network.openNode(at: root.appendingPathComponent(name))
                _ = try await node.join(try await group.invite(as: role, addresses: ["a:1"]))
                #expect(try await node.sync().failures == [:])
                others.append(node)
            }
            let joined = try #require(try await others[0].groups.first)
            for text in (0..<20).map({ "goes \($0)" }) + (0..<20).map({ "stays \($0)" }) {
                for group in [group, joined] {
                    try await group.send(PlainText(text))
                    guard text.hasPrefix("goes") else { continue }
                    try await group.redact(try #require(try await group.timeline(limit: 1).first))
                }
            }
            for _ in 0..<2 { #expect(try await others[0].sync().failures == [:]) }
            try await body(root, network, a, others[0], others[1], group)
        }
    }

    private func texts(_ group: SyncGroup) async throws -> [String] {
        try await group.timeline(limit: 1_000).map { $0.content(as: PlainText.self)?.string ?? "(gone)" }.sorted()
    }

    /// The headers of what has gone, which nothing else contains.
    private func commitments(_ root: URL) throws -> [Data] {
        let storage = try SQLiteStorage(directory: root, isReadOnly: true)
        defer { try? storage.close() }
        return try storage.read { reader in
            let group = try #require(try reader.groups().first)
            return try reader.events(of: group, after: 0, limit: 1_000).map(\.event)
                .filter { $0.header.kind == .message && $0.content == nil }.map { Data($0.header.commitment.bytes) }
        }
    }

    private func isAnywhere(_ bytes: [Data], in directory: URL) throws -> Bool {
        let files = try FileManager.default.contentsOfDirectory(at: directory, includingPropertiesForKeys: nil)
        return try files.contains { file in
            let data = try Data(contentsOf: file)
            return bytes.contains { data.range(of: $0) != nil }
        }
    }

    @Test("what is forgotten leaves the files, and applications are told", arguments: [Policy.open, .private])
    func forgotten(policy: Policy) async throws {
        try await withGroup(policy) { root, network, a, b, _, group in
            let joined = try #require(try await b.groups.first)
            let directories = [root.appendingPathComponent("a"), root.appendingPathComponent("b")]
            let headers = try commitments(directories[0])
            #expect(headers.count == 40)
            #expect(try isAnywhere(headers, in: directories[1]))
            // One that looks at what it is told has got to somewhere in the middle.
            let before = try await joined.changes(after: .start, including: .everything, limit: 1_000)
            let middle = try #require(before.dropFirst(before.count / 2).first)
            await #expect(throws: TomboloError.self) { try await joined.proposeCheckpoint() }
            let made = try await group.proposeCheckpoint()
            #expect(made.passed == [a.member])
            #expect(made.awaited == [b.member])
            #expect(made.logs == 2)
            #expect(!made.isPassed)
            #expect(try await group.forgottenEvents == 0)
            for _ in 0..<2 { #expect(try await b.sync().failures == [:]) }
            #expect(try await group.checkpoints.map(\.isPassed) == [true])
            for group in [group, joined] {
                #expect(try await group.forgottenEvents >= 40)
                #expect(try await group.timeline(limit: 100).map(\.isErased).contains(true) == false)
                #expect(try await group.verify() == [])
                let told = try await group.changes(after: .start, including: .everything, limit: 1_000)
                #expect(told.count { $0.name == "forgotten" } == 2 && !told.contains { $0.name.hasPrefix("erased") })
                #expect(told.map(\.bookmark.description) == told.map(\.bookmark.description).uniqued())
            }
            #expect(try await texts(group) == texts(joined))
            #expect(try await texts(group).count == 40)
            #expect(try await group.digest == joined.digest)
            let after = try await joined.changes(after: middle.bookmark, including: .everything, limit: 1_000)
            let known = Set(before.suffix(from: before.count / 2 + 1).map(\.entryID))
            #expect(after.count { $0.name == "delivered" } >= 10)
            // And what devices say by themselves: the pass, and that they have erased.
            #expect(
                after.allSatisfy {
                    $0.name == "forgotten" || known.contains($0.entryID) || $0.entry?.kind == .state
                        || $0.entry?.kind == .merge
                })
            let collected = try #require(after.last { $0.name == "forgotten" })
            guard case .forgotten(_, let sequence, _) = collected else { return }
            #expect(sequence >= 20)
            // What comes next has numbers of its own, also after a start.
            try await b.close()
            let again = try await network.openNode(at: directories[1])
            let reopened = try #require(try await again.groups.first)
            try await reopened.send(PlainText("on"))
            let last = try #require(try await reopened.changes(after: collected.bookmark, limit: 10).last)
            #expect(last.entry?.content(as: PlainText.self)?.string == "on")
            #expect(try await again.sync().failures == [:])
            #expect(try await reopened.digest == group.digest)
            #expect(try await reopened.verify() == [])
            try await again.close()
            try await a.close()
            for directory in directories { #expect(try !isAnywhere(headers, in: directory)) }
        }
    }

    @Test("a bundle brings what is left to who was away, and the forgotten does not come back by one that is older")
    func bundles() async throws {
        try await withGroup { root, _, a, b, reader, group in
            let (old, new) = (root.appendingPathComponent("old"), root.appendingPathComponent("new"))
            _ = try await group.writeBundle(to: old)
            try await group.proposeCheckpoint()
            for _ in 0..<2 { #expect(try await b.sync().failures == [:]) }
            let held = try await group.status.held
            let reading = try await a.readBundle(at: old)
            #expect(reading.newEvents == 0)
            #expect(try await group.status.held == held)
            _ = try await group.writeBundle(to: new)
            _ = try await reader.readBundle(at: new)
            let followed = try #require(try await reader.groups.first)
            #expect(try await followed.digest == group.digest)
            #expect(try await followed.verify() == [])
            #expect(try await followed.forgottenEvents == group.forgottenEvents)
            _ = try await reader.readBundle(at: old)
            #expect(try await followed.digest == group.digest)
            #expect(try await followed.verify() == [])
            // What an answer is to have follows from it.
            let (asked, answer) = (root.appendingPathComponent("asked"), root.appendingPathComponent("answer"))
            try await group.send(PlainText("new"))
            _ = try await followed.writeBundle(to: asked)
            let summary = try await group.writeBundle(to: answer, answering: asked)
            #expect(summary.events < 8)
            _ = try await reader.readBundle(at: answer)
            #expect(try await texts(followed) == texts(group))
        }
    }

    @Test("a store that is made anew has what is left, and forgets the same")
    func rebuilt() async throws {
        try await withGroup { root, network, a, b, _, group in
            try await group.proposeCheckpoint()
            for _ in 0..<2 { #expect(try await b.sync().failures == [:]) }
            try await b.close()
            let home = root.appendingPathComponent("b")
            _ = try await Node.rebuildStore(at: home)
            let again = try await network.openNode(at: home)
            let restored = try #require(try await again.groups.first)
            #expect(try await texts(restored).count == 40)
            #expect(try await restored.verify() == [])
            #expect(try await restored.forgottenEvents == group.forgottenEvents)
            #expect(try await again.sync().failures == [:])
            #expect(try await restored.digest == group.digest)
            try await again.close()
            try await a.close()
        }
    }
}

extension Bookmark {
    fileprivate var description: String { "\(self)" }
}

extension [String] {
    fileprivate func uniqued() -> [String] {
        var seen: Set<String> = []
        return filter { seen.insert($0).inserted }
    }
}
