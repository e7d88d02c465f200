import Foundation
import TestSupport
import Testing
import Tombolo
import TomboloTesting

@Suite("Changes of a group")
struct ChangeTests {
    private struct Note: EventContent, Codable, Hashable {
        static let type = "note"
        static let version = 1
        var text: String
    }

    /// Bytes under the type of notes that are none: what any member can send.
    private struct BadNote: EventContent {
        static let type = "note"
        static let version = 1
        func encodeContent() -> Data { Data("{\"text\": 7".utf8) }
        init() {}
        init(decodingContent data: Data, version: Int) {}
    }

    /// The changes of notes that are there now.
    private func changes(_ group: SyncGroup, after bookmark: Bookmark = .start) async throws -> [ContentChange<Note>] {
        let last = try await group.changes(after: bookmark, limit: 1_000).last?.bookmark
        var found: [ContentChange<Note>] = []
        guard let last else { return [] }
        for try await change in group.changes(of: Note.self, after: bookmark) {
            found.append(change)
            if change.bookmark == last { break }
        }
        return found
    }

    @Test("entries name their author's member and device, the same on every device")
    func authors() async throws {
        try await withDirectory { root in
            let network = MemoryNetwork()
            let a = try await network.openNode(at: root.appendingPathComponent("a"))
            let b = try await network.openNode(at: root.appendingPathComponent("b"))
            let group = try await a.createGroup(named: "crew")
            try await a.listen(host: "a", port: 1)
            let joined = try await b.join(try await group.invite())
            try await group.send(Note(text: "from a"))
            try await joined.send(Note(text: "from b"))
            #expect(try await b.sync().isComplete)
            for group in [group, joined] {
                var authors: [String: EntryAuthor] = [:]
                for entry in try await group.timeline(limit: 10) {
                    authors[try #require(entry.content(as: Note.self)).text] = entry.author
                }
                #expect(
                    authors == [
                        "from a": EntryAuthor(member: a.member, device: a.device),
                        "from b": EntryAuthor(member: b.member, device: b.device),
                    ])
            }
            try await a.close()
            try await b.close()
        }
    }

    @Test("a content that cannot be decoded is a value, and the next one comes")
    func undecodable() async throws {
        try await withDirectory { root in
            let node = try await Node.open(at: root)
            let group = try await node.createGroup(named: "crew")
            try await group.send(Note(text: "before"))
            let bad = try await group.send(BadNote())
            try await group.send(PlainText("of another type"))
            try await group.setState("title", encoding: "The crew")
            let last = try await group.send(Note(text: "after"))
            let found = try await changes(group)
            try #require(found.count == 3)
            guard case .undecodable(let entry, let error, _) = found[1], case .delivered(let note, _) = found[2] else {
                Issue.record("\(found)")
                return
            }
            #expect(entry.id == bad && error.code == .undecodableContent && error.underlying is DecodingError)
            #expect(note.id == last && note.content.text == "after" && note.author?.member == node.member)
            #expect(entry.content(as: Note.self) == nil && entry.decodedContent(as: Note.self) != nil)
            #expect(entry.decodedContent(as: PlainText.self) == nil)
            try await node.close()
        }
    }

    @Test("state events and merges are told of only to those who ask for everything")
    func scopes() async throws {
        try await withDirectory { root in
            let node = try await Node.open(at: root)
            let group = try await node.createGroup(named: "crew")
            try await group.setState("title", encoding: "The crew")
            for number in 0..<20 { try await group.setState("number", encoding: number) }
            let said = try await group.send(Note(text: "at last"))
            let messages = try await group.changes(after: .start, limit: 5)
            #expect(messages.map(\.entryID) == [said])
            let all = try await group.changes(after: .start, including: .everything, limit: 1_000)
            #expect(all.count { $0.entry?.kind == .state } >= 21 && all.last?.entryID == said)
            // More is left out than is read at once: the cursor passes it.
            for try await change in group.changes() {
                #expect(change.entryID == said)
                break
            }
            #expect(try await group.changes(after: messages[0].bookmark, limit: 5).isEmpty)
            try await node.close()
        }
    }

    @Test("a withdrawn entry comes back as restored, and a dropped one says that it is not kept")
    func withdrawn() async throws {
        try await withDirectory { root in
            let network = MemoryNetwork()
            let a = try await network.openNode(at: root.appendingPathComponent("a"))
            let b = try await network.openNode(at: root.appendingPathComponent("b"))
            let group = try await a.createGroup(named: "crew")
            try await a.listen(host: "a", port: 1)
            let joined = try await b.join(try await group.invite())
            try await group.send(Note(text: "first"))
            let late = try await joined.send(Note(text: "late"))
            // A removal that does not know of it withdraws it where it had been delivered.
            try await group.remove(b.member)
            #expect(try await b.sync().failures.isEmpty)
            #expect(try await changes(joined).contains { if case .withdrawn(late, _) = $0 { true } else { false } })
            try await group.setRetention(Retention(count: 1))
            try await a.close()
            try await b.close()
        }
    }

    @Test("streams are handed out at once, and end when the node is closed")
    func streams() async throws {
        try await withDirectory { root in
            let node = try await Node.open(at: root)
            let group = try await node.createGroup(named: "crew")
            func elements<Element, Failure>(_ stream: some AsyncSequence<Element, Failure> & Sendable) -> Task<
                Int, any Error
            > {
                Task {
                    var count = 0
                    for try await _ in stream { count += 1 }
                    return count
                }
            }
            let tasks = [
                elements(group.changes()), elements(group.changes(of: Note.self)), elements(group.updates()),
                elements(group.ephemeralMessages()), elements(group.stateUpdates()), elements(node.peerUpdates()),
                elements(node.progress()),
            ]
            try await group.send(Note(text: "the tide is out"))
            try await node.close()
            for task in tasks { _ = try await task.value }
            for await _ in group.updates() { Issue.record("a closed node signals nothing") }
        }
    }
}
