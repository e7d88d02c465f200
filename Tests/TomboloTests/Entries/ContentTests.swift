import Foundation
import TestSupport
import Testing
import Tombolo
import TomboloTesting

@Suite("What an application sends")
struct ContentTests {
    private struct Photo: EventContent, Codable {
        static let type = "photo"
        static let version = 1
        var files: [FileReference]
    }

    @Test("a content that refers to files has to name them, so that they are kept")
    func files() async throws {
        try await withDirectory { root in
            let node = try await Node.open(at: root.appendingPathComponent("node"))
            let group = try await node.createGroup(named: "crew")
            let url = root.appendingPathComponent("tide.jpg")
            try Data("tide".utf8).write(to: url)
            let (one, other) = (try await group.add(file: url), try await group.add(file: url))
            let photo = Photo(files: [one, other])
            #expect(await code { try await group.send(photo) } == .unnamedFiles)
            #expect(await code { try await group.send(photo, files: [one]) } == .unnamedFiles)
            #expect(await code { try await group.broadcast(photo) } == .unnamedFiles)
            #expect(try await group.timeline(limit: 10).isEmpty)
            try await group.send(photo, files: [one, other])
            let entry = try #require(try await group.timeline(limit: 1).first)
            #expect(Set(entry.files) == [one.id, other.id] && entry.content(as: Photo.self)?.files == [one, other])
            // A file may be named that the content refers to in another way.
            try await group.send(PlainText("look"), files: [one])
            try await node.close()
        }
    }

    @Test("a string that is set reads back as the same string", arguments: ["The crew", "\"quoted\"", "", "7", "潮"])
    func strings(text: String) async throws {
        try await withDirectory { root in
            let node = try await Node.open(at: root)
            let group = try await node.createGroup(named: "crew")
            try await group.setState("title", encoding: text)
            try await group.setState("count", encoding: 7)
            let state = try await group.state
            #expect(state.title == text)
            #expect(try state.value(of: "title", as: String.self) == text)
            #expect(try state.value(of: "count", as: Int.self) == 7)
            #expect(try state.value(of: "nothing", as: String.self) == nil)
            #expect(await code { _ = try state.value(of: "count", as: [String].self) } == .undecodableContent)
            try await node.close()
        }
    }

    @Test("a group of the mvds dialect carries bytes, whatever they look like")
    func bytes() async throws {
        try await withDirectory { root in
            let a = try await Node.open(at: root.appendingPathComponent("a"))
            let b = try await Node.open(at: root.appendingPathComponent("b"))
            let talk = try await a.createMVDSGroup(named: "talk")
            let same = try await b.createMVDSGroup(named: "talk", id: talk.id)
            try await a.addMVDSPeer(at: "127.0.0.1:1", sharing: talk)
            let port = try await a.listenMVDS()
            try await b.addMVDSPeer(at: "127.0.0.1:\(port)", sharing: same)
            // The first byte was read as the length of a type's name.
            let texts = ["Hello everybody, the tide is out and the boats lie dry on the sand.", "\u{4}text\u{1}x", ""]
            for text in texts { try await talk.send(bytes: Data(text.utf8)) }
            #expect(await code { try await talk.send(PlainText("typed")) } == .wrongDialect)
            #expect(await code { try await talk.broadcast(PlainText("typing")) } == .wrongDialect)
            let report = try await b.sync(withMVDSPeerAt: "127.0.0.1:\(port)")
            #expect(report.isComplete && report.peer == .mvds(address: "127.0.0.1:\(port)"))
            for group in [talk, same] {
                let entries = try await group.timeline(limit: 10)
                #expect(Set(entries.map(\.data)) == Set(texts.map { Data($0.utf8) }))
                #expect(entries.allSatisfy { $0.type == nil && $0.author == nil && $0.version == 0 })
                #expect(entries.allSatisfy { $0.content(as: PlainText.self) == nil })
            }
            try await a.close()
            try await b.close()
        }
    }

    @Test("a peer of the mvds dialect is named by its address, and can be removed")
    func peers() async throws {
        try await withDirectory { root in
            let node = try await Node.open(at: root)
            let talk = try await node.createMVDSGroup(named: "talk")
            try await node.addMVDSPeer(at: "127.0.0.1:1", sharing: talk)
            try await node.addMVDSPeer(at: "127.0.0.1:2", sharing: talk)
            let peers: [PeerID] = [.mvds(address: "127.0.0.1:1"), .mvds(address: "127.0.0.1:2")]
            #expect(Set(try await node.peers.map(\.id)) == Set(peers))
            try await talk.send(bytes: Data("hello".utf8))
            for peer in peers { #expect(try await node.outstandingRecords(with: peer) == 1) }
            let entry = try #require(try await talk.timeline(limit: 1).first)
            #expect(try await talk.deliveryState(of: entry)?.devices == 3)
            try await node.removePeer(peers[0])
            #expect(try await node.peers.map(\.id) == [peers[1]])
            try await talk.send(bytes: Data("again".utf8))
            #expect(try await node.outstandingRecords(with: peers[0]) == 0)
            #expect(try await node.outstandingRecords(with: peers[1]) == 2)
            try await node.close()
        }
    }
}
