import Foundation
import TestSupport
import Testing
import Tombolo
import TomboloTesting

@Suite("A model that follows a group")
struct ProjectionTests {
    private struct Note: EventContent, Codable, Hashable {
        static let type = "note"
        static let version = 1
        var text: String
    }

    private typealias Notes = LiveContents<Note>

    private func texts(_ notes: Notes) -> Set<String> { Set(notes.items.values.map(\.content.text)) }

    @Test("it is kept with its bookmark, continues after a restart, and loses what is erased")
    func keeps() async throws {
        try await withDirectory { root in
            let node = try await Node.open(at: root.appendingPathComponent("node"))
            let file = root.appendingPathComponent("notes.json")
            let group = try await node.createGroup(named: "crew")
            try await group.send(Note(text: "stays"))
            let gone = try await group.send(Note(text: "goes"))
            let first = Projection<Notes>(of: group, in: file)
            try await first.update()
            #expect(texts(await first.model) == ["stays", "goes"])
            #expect(await first.model[gone] == Note(text: "goes"))
            try await group.redact(try #require(try await group.entry(ofID: "\(gone)")))
            try await group.send(Note(text: "comes"))
            // Another start of the application.
            let second = Projection<Notes>(of: group, in: file)
            #expect(texts(await second.model) == ["stays", "goes"])
            #expect(await second.bookmark == first.bookmark)
            try await second.update()
            #expect(texts(await second.model) == ["stays", "comes"])
            #expect(try String(contentsOf: file, encoding: .utf8).contains("goes") == false)
            // A file that cannot be read is made anew from the beginning.
            try Data("{}".utf8).write(to: file)
            let third = Projection<Notes>(of: group, in: file)
            try await third.update()
            #expect(await third.model == second.model)
            try await node.close()
        }
    }

    @Test("it follows until the node is closed, and shows the latest")
    func follows() async throws {
        try await withDirectory { root in
            let node = try await Node.open(at: root)
            let group = try await node.createGroup(named: "crew")
            let projection = Projection<Notes>(of: group)
            let models = projection.models
            let following = Task { try await projection.follow() }
            for number in 0..<20 { try await group.send(Note(text: "\(number)")) }
            for await model in models where model.count == 20 { break }
            #expect(texts(await projection.model) == Set((0..<20).map(String.init)))
            try await node.close()
            try await following.value
        }
    }

    @Test("it forgets the beginning of a log")
    func forgets() async throws {
        try await withDirectory { root in
            let node = try await Node.open(at: root)
            let group = try await node.createGroup(named: "crew")
            for number in 0..<4 { try await group.send(Note(text: "\(number)")) }
            var notes = Notes()
            var last: Change?
            for change in try await group.changes(after: .start, limit: 10) {
                notes.apply(change)
                last = change
            }
            let entry = try #require(last?.entry)
            let log = try #require(entry.log)
            notes.apply(.forgotten(log: log, through: entry.sequence - 1, at: .start))
            #expect(texts(notes) == ["3"])
            notes.apply(.withdrawn(entry.id, at: .start))
            #expect(notes.isEmpty)
            try await node.close()
        }
    }

    @Test("a place where nothing can be written is an error that says so")
    func unwritable() async throws {
        try await withDirectory { root in
            let node = try await Node.open(at: root.appendingPathComponent("node"))
            let group = try await node.createGroup(named: "crew")
            try await group.send(Note(text: "one"))
            let projection = Projection<Notes>(of: group, in: root.appendingPathComponent("nowhere/notes.json"))
            #expect(await code { try await projection.update() } == .fileUnusable)
            #expect(await projection.bookmark == .start)
            try await node.close()
        }
    }
}
