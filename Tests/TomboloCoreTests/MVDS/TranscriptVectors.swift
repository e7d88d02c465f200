import TestSupport
import Testing
import TomboloCore
import TomboloCrypto

/// Payloads that nodes of the reference exchanged, played to an engine that stands in for one of them.
@Suite("MVDS transcripts of the reference implementation")
struct MVDSTranscriptVectors {
    @Test("our engine plays the part of each node")
    func transcripts() throws {
        let file = try TestVectors.load("mvds-transcripts.json", as: TranscriptFile.self)
        #expect(!file.scenarios.isEmpty)
        for scenario in file.scenarios {
            for node in scenario.nodes {
                let player = try TranscriptPlayer(scenario, standingInFor: String(node))
                try player.play()
                player.check()
            }
        }
    }
}

/// A player of the other nodes' payloads that were not lost.
private final class TranscriptPlayer {
    let scenario: TranscriptFile.Scenario
    let node: String
    let group: GroupID
    let store = MemoryStore()
    var engine: Engine<SwiftCryptography>
    var now: UInt64 = 1_700_000_000_000
    var sessions: [String: SessionID] = [:]
    /// The payloads in the order in which they were sent and received.
    var events: [Happening] = []
    var said: Set<EventID> = []

    enum Happening {
        case received(peer: String, Payload)
        case sent(peer: String, Payload)
    }

    func isMember(_ peer: String) -> Bool { scenario.members[node]?.contains(peer) ?? false }
    var place: String { "\(scenario.name), as \(node)" }

    init(_ scenario: TranscriptFile.Scenario, standingInFor node: String) throws {
        self.scenario = scenario
        self.node = node
        group = try #require(GroupID(hex: scenario.group))
        engine = try Engine(
            opening: store, cryptography: SwiftCryptography(), generator: SeededGenerator(seed: 1),
            beginsIncarnation: false, recordMode: scenario.mode == "batch" ? .batch : .interactive)
        if scenario.members[node] != nil {
            try step([.createMVDSGroup(1, group, name: "transcript")])
            for peer in scenario.members[node] ?? "" { try step([.share(2, group: group, with: key(String(peer)))]) }
        }
        for (number, peer) in ["A", "B", "C", "X"].enumerated() where peer != node {
            let session = SessionID(rawValue: UInt64(number + 1))
            sessions[peer] = session
            try step([
                .linkOpened(
                    PeerLink(session: session, peer: key(peer), isDialler: true, binding: .zero, dialect: .mvds))
            ])
        }
    }

    func key(_ peer: String) -> DeviceKey { DeviceKey(SwiftCryptography().sha256(Array(peer.utf8))) }

    func step(_ inputs: [EngineInput]) throws {
        for effect in try engine.process(inputs, now: now, in: store) {
            switch effect {
            case .send(let session, let bytes):
                #expect(!bytes.isEmpty && bytes.count <= Limits.payload, "\(place)")
                let peer = try #require(sessions.first { $0.value == session }?.key)
                events.append(.sent(peer: peer, try Payload(decoding: bytes[...])))
            case .close(_, let error): Issue.record("\(place): \(error)")
            default: break
            }
        }
    }

    func play() throws {
        for tick in scenario.ticks {
            for action in tick.actions {
                if action.do == "append", action.node == node, let message = action.message {
                    let decoded = try Message(decoding: Vectors.bytes(message.wire)[...])
                    said.insert(decoded.id(using: SwiftCryptography()))
                    try step([.ingest(3, group: group, [decoded])])
                } else if action.do == "inject", action.to == node, let from = action.from, let wire = action.wire {
                    try receive(wire, from: from)
                }
            }
            for payload in tick.sends where payload.to == node && !payload.lost {
                try receive(payload.wire, from: payload.from)
            }
            now += 1_000
            try step([.timePassed])
        }
    }

    func receive(_ wire: String, from peer: String) throws {
        let bytes = Vectors.bytes(wire)
        events.append(.received(peer: peer, try Payload(decoding: bytes[...])))
        try step([.payloadReceived(try #require(sessions[peer]), bytes[...])])
    }

    func check() {
        var expected = said
        var acknowledged: Set<[String]> = []
        for (position, event) in events.enumerated() {
            guard case .received(let peer, let payload) = event else { continue }
            let answers = events[position...].compactMap { event -> Payload? in
                if case .sent(peer, let answer) = event { return answer }
                return nil
            }
            let acks = Set(answers.flatMap(\.acks))
            let messages = Set(answers.flatMap(\.messages).map { $0.id(using: SwiftCryptography()) })
            for message in payload.messages {
                let id = message.id(using: SwiftCryptography())
                let isOurs = isMember(peer) && Array(message.groupID) == group.bytes
                #expect(acks.contains(id.bytes[...]) == isOurs, "\(place): ack of \(id) to \(peer)")
                if isOurs { expected.insert(id) }
            }
            for request in payload.requests {
                guard let id = EventID(request), expected.contains(id), isMember(peer) else { continue }
                #expect(messages.contains(id), "\(place): answer to the request of \(id) by \(peer)")
            }
            for offer in payload.offers {
                guard let id = EventID(offer), expected.contains(id), isMember(peer) else { continue }
                #expect(acks.contains(offer), "\(place): ack of what is held and was offered")
            }
            for ack in payload.acks { acknowledged.insert([peer, hexadecimal(ack)]) }
        }
        let delivered = store.deliveredMessages(in: group).map(\.id)
        #expect(Set(delivered) == expected, "\(place): what is delivered")
        #expect(delivered.count == expected.count, "\(place): nothing is delivered twice")
        for pair in acknowledged {
            guard let id = EventID(hex: pair[1]) else { continue }
            #expect(store.records(of: [id], with: key(pair[0])).isEmpty, "\(place): \(id) is acknowledged")
        }
    }
}

struct TranscriptFile: Decodable {
    struct Scenario: Decodable {
        let name: String
        let mode: String
        let group: String
        let nodes: String
        let members: [String: String]
        let ticks: [Tick]
    }

    struct Tick: Decodable {
        let actions: [Action]
        let sends: [Send]
    }

    struct Action: Decodable {
        struct Appended: Decodable { let wire: String }
        let `do`: String
        let node: String?
        let message: Appended?
        let from: String?
        let to: String?
        let wire: String?
    }

    struct Send: Decodable {
        let from: String
        let to: String
        let lost: Bool
        let wire: String
    }

    let scenarios: [Scenario]
}
