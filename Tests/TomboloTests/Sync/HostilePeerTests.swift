import Foundation
import NIOCore
import NIOPosix
import Synchronization
import TestSupport
import Testing
import Tombolo
import TomboloCore
import TomboloCrypto
import TomboloNIO

/// A peer that proves its key and then sends what it likes.
private final class HostilePeer: ConnectionHandler {
    private let state = Mutex<(any Connection)?>(nil)
    let closings: AsyncStream<Void>
    private let closing: AsyncStream<Void>.Continuation
    let identity: TransportIdentity

    init(seed: UInt8) {
        (closings, closing) = AsyncStream.makeStream(of: Void.self)
        let seed = Bytes32([UInt8](repeating: seed, count: 32)) ?? .zero
        let cryptography = SwiftCryptography()
        identity = TransportIdentity(
            device: DeviceKey(cryptography.publicKey(of: cryptography.signingKey(seed: seed))), seed: seed)
    }

    func opened(_ connection: any Connection) { state.withLock { $0 = connection } }
    func received(_ payload: [UInt8], on connection: any Connection) { connection.consumed(payload.count) }
    func closed(_ connection: any Connection) { closing.yield() }
    var connection: (any Connection)? { state.withLock { $0 } }
}

@Suite("Hostile peers over real sockets")
struct HostilePeerTests {
    /// Dials a node, sends these payloads, and expects the link to be closed by the node.
    private func attack(_ node: Node, port: Int, _ what: String, _ payloads: [[UInt8]]) async throws {
        let peer = HostilePeer(seed: 9)
        let transport = try TCPTransport(identity: peer.identity, handler: peer)
        let address = try #require(PeerAddress("127.0.0.1:\(port)"))
        try await transport.dial(address, expecting: node.device)
        for payload in payloads { peer.connection?.send(payload) }
        var closings = peer.closings.makeAsyncIterator()
        #expect(await closings.next() != nil, "\(what)")
    }

    @Test("garbage, oversized frames and absurd order end the link of who sends them; everyone else's sync goes on")
    func garbage() async throws {
        try await withDirectory { root in
            let a = try await Node.open(at: root.appendingPathComponent("a"))
            let b = try await Node.open(at: root.appendingPathComponent("b"))
            let crew = try await a.createGroup(named: "crew")
            let port = try await a.listen()
            let joined = try await b.join(try await crew.invite())
            try await b.connect(to: a.device, at: "127.0.0.1:\(port)")
            try await attack(a, port: port, "garbage", [[UInt8](repeating: 0xff, count: 1_000)])
            try await attack(a, port: port, "an oversized frame", [[UInt8](repeating: 7, count: 500_000)])
            try await attack(a, port: port, "no hello first", [Payload.text(ack: 1)])
            try await attack(a, port: port, "a truncated field", [[0xea, 0xbe, 0x02, 0x50, 1, 2, 3]])
            let id = try await joined.send(PlainText("still here"))
            for try await change in crew.changes() where change.entryID == id { break }
            #expect(try await crew.verify().isEmpty)
            try await b.close()
            try await a.close()
        }
    }

    @Test("silent connections of strangers keep out no peer", arguments: [0, 7, 300])
    func silentConnections(count: Int) async throws {
        try await withDirectory { root in
            let a = try await Node.open(at: root.appendingPathComponent("a"))
            let b = try await Node.open(at: root.appendingPathComponent("b"))
            let crew = try await a.createGroup(named: "crew")
            let port = try await a.listen()
            let link = try await crew.invite()
            let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            var silent: [any Channel] = []
            for _ in 0..<count { silent.append(try await bootstrap.connect(host: "127.0.0.1", port: port).get()) }
            let joined = try await b.join(link)
            try await joined.send(PlainText("aboard"))
            #expect(try await b.sync(with: a.device, at: "127.0.0.1:\(port)").isComplete)
            #expect(try await crew.timeline(limit: 1).first?.content(as: PlainText.self)?.string == "aboard")
            // All but the eight latest were closed.
            #expect(silent.filter { !$0.isActive }.count >= count - 8)
            for channel in silent { try? await channel.close() }
            try await b.close()
            try await a.close()
        }
    }

    @Test("a sync with a peer that answers with empty payloads for ever ends")
    func emptyPayloads() async throws {
        try await withDirectory { root in
            let node = try await Node.open(at: root)
            let talk = try await node.createMVDSGroup(named: "talk")
            let listener = try PlainListener()
            try await node.addMVDSPeer(at: "127.0.0.1:\(listener.port)", sharing: talk)
            listener.sendEmptyFrames()
            let report = try await node.sync(
                withMVDSPeerAt: "127.0.0.1:\(listener.port)", within: .budget(time: .seconds(60)))
            #expect(report.isComplete && report.bytesReceived >= 8)
            try await node.close()
        }
    }

    @Test("offers without end from a peer of the mvds dialect take no more than their bound")
    func offers() async throws {
        try await withDirectory { root in
            let node = try await Node.open(at: root)
            let talk = try await node.createMVDSGroup(named: "talk")
            try await node.addMVDSPeer(at: "127.0.0.1:1", sharing: talk)
            let port = try await node.listenMVDS()
            let peer = HostilePeer(seed: 9)
            let transport = MVDSTransport(handler: peer) { [] }
            let address = try #require(PeerAddress("mvds://127.0.0.1:\(port)"))
            try await transport.dial(address, expecting: peer.identity.device)
            let count = 100_000
            for first in stride(from: 0, to: count, by: 1_000) {
                var payload = Payload()
                payload.offers = (first..<first + 1_000).map {
                    SwiftCryptography().sha256(Array("\($0)".utf8)).bytes[...]
                }
                peer.connection?.send(payload.encoded)
            }
            // What is said after all that shows that it was dealt with.
            let message = Message(groupID: talk.id.bytes[...], timestamp: 1, body: Array("after".utf8)[...])
            var payload = Payload()
            payload.messages = [message]
            peer.connection?.send(payload.encoded)
            for try await change in talk.changes() where change.entry?.data == Data("after".utf8) { break }
            let known = try #require(try await node.peers.first)
            let outstanding = try await node.outstandingRecords(with: known.id)
            #expect(outstanding > 60_000 && outstanding <= 65_536)
            try await node.close()
        }
    }
}

extension Payload {
    fileprivate static func text(ack byte: UInt8) -> [UInt8] {
        var payload = Payload()
        payload.acks = [[UInt8](repeating: byte, count: 32)[...]]
        return payload.encoded
    }
}

/// A plain TCP listener that speaks the reference's frames: four bytes of length, big endian, then the payload.
private final class PlainListener: Sendable {
    private let socketNumber: Int32
    let port: UInt16

    init() throws {
        socketNumber = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let socketNumber = socketNumber
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socketNumber, $0, length) == 0 && listen(socketNumber, 1) == 0
                    && getsockname(socketNumber, $0, &length) == 0
            }
        }
        try #require(bound)
        port = UInt16(bigEndian: address.sin_port)
    }

    /// Accepts one connection and sends an empty payload ten times a second until it is closed.
    func sendEmptyFrames() {
        Thread.detachNewThread { [socketNumber] in
            let connection = accept(socketNumber, nil, nil)
            while send(connection, [UInt8](repeating: 0, count: 4), 4, Int32(MSG_NOSIGNAL)) == 4 {
                usleep(100_000)
            }
            close(connection)
            close(socketNumber)
        }
    }
}
