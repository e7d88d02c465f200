import Foundation
import TestSupport
import Testing
import Tombolo

/// What a new developer writes first, with `import Tombolo` alone.
@Suite("The README's example")
struct ReadmeTests {
    struct Note: EventContent, Codable {
        static let type = "note"
        static let version = 1
        var text: String
    }

    /// The fifteen lines of the README, but for `print`.
    private func example(_ directory: URL, bookmark: Bookmark, show: (String) -> Void) async throws {
        let node = try await Node.open(at: directory)  // makes an identity on first use; usable offline at once
        let crew = try await node.createGroup(named: "crew")
        try await crew.send(Note(text: "the tide is out"))  // returns once it is on disk
        changes: for try await change in crew.changes(of: Note.self, after: bookmark) {
            switch change {
            case .delivered(let note, _), .restored(let note, _): show("\(note.id): \(note.content.text)")
            case .withdrawn(let id, _), .erased(let id, _, _): show("\(id) is gone")
            case .undecodable(_, let error, _): show("\(error)")
            case .forgotten: break
            }
            break changes  // the README follows until its task is cancelled
        }
        try await node.close()
    }

    @Test("prints what is sent") func prints() async throws {
        try await withDirectory { root in
            var lines: [String] = []
            try await example(root, bookmark: .start) { lines.append($0) }
            #expect(lines.count == 1 && lines[0].hasSuffix(": the tide is out"))
        }
    }

    @Test("does not print an erased text, and names the entry that is gone") func erased() async throws {
        try await withDirectory { root in
            let node = try await Node.open(at: root)
            let crew = try await node.createGroup(named: "crew")
            let kept = try await crew.send(Note(text: "the tide is out"))
            let gone = try await crew.send(Note(text: "the code is 4711"))
            try await crew.redact(try #require(try await crew.entry(ofID: "\(gone)")))
            var shown: [EventID: String] = [:]
            var erased: [EventID: ErasureReason] = [:]
            for try await change in crew.changes(of: Note.self) {
                switch change {
                case .delivered(let note, _), .restored(let note, _): shown[note.id] = note.content.text
                case .erased(let id, let reason, _): erased[id] = reason
                case .withdrawn, .undecodable, .forgotten: Issue.record("nothing of that happened")
                }
                // The redaction is told twice: in the place of the delivery, and where it came.
                if change.bookmark == (try await crew.changes(after: .start, limit: 10).last?.bookmark) { break }
            }
            #expect(shown == [kept: "the tide is out"])
            #expect(erased == [gone: .redacted(by: node.member)])
            try await node.close()
        }
    }

    @Test("names everything with one import, members included") func names() async throws {
        let policies: [Policy] = [.open, .private, .privateFromJoining, .feed, .public]
        let roles = [Role](Role.allCases)
        let ids = (EventID(.zero), GroupID(.zero), LogID(.zero), DeviceKey(.zero), MemberKey(.zero))
        #expect(policies.count == 5 && roles.contains(.owner))
        #expect(ids.0.description.count == 64 && ids.3.bytes.count == 32)
        #expect(Contact.device(ids.3) != Contact.member(ids.4))
        #expect(PeerAddress("[::1]:4711")?.endpoint?.port == 4_711)
        #expect(Dialect.native != .mvds && ids.1.bytes == ids.2.bytes)
    }

    @Test("stores ids as text, also as the keys of a dictionary") func codable() throws {
        let id = try #require(EventID(hex: String(repeating: "0f", count: 32)))
        let data = try JSONEncoder().encode([id: [id]])
        #expect(String(decoding: data, as: UTF8.self) == "{\"\(id)\":[\"\(id)\"]}")
        #expect(try JSONDecoder().decode([EventID: [EventID]].self, from: data) == [id: [id]])
        #expect(throws: DecodingError.self) { try JSONDecoder().decode([EventID].self, from: Data("[\"0f\"]".utf8)) }
        let mark = try JSONDecoder().decode(Bookmark.self, from: JSONEncoder().encode(Bookmark.start))
        #expect(mark == .start)
    }
}
