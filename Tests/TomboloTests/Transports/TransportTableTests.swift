import Testing
import TomboloCore

@testable import Tombolo

/// A transport that notes the addresses it was asked to dial.
private actor NotedDials {
    private(set) var addresses: [String] = []
    func note(_ address: String) { addresses.append(address) }
}

private struct NotingTransport: Transport {
    let scheme: String
    var dialect = Dialect.native
    var delivery = PayloadDelivery.stream
    var isReachable = true
    let dials: NotedDials

    func listen(host: String, port: Int) async throws -> Int { port }

    func dial(_ address: PeerAddress, expecting peer: DeviceKey) async throws {
        await dials.note("\(scheme) \(address.location)")
        if !isReachable { throw TransportError("nobody listens there") }
    }

    func stopListening() async {}
}

@Suite("The transports of a node")
struct TransportTableTests {
    private let peer = DeviceKey(.zero)
    private let dials = NotedDials()

    private func address(_ text: String) throws -> PeerAddress { try #require(PeerAddress(text)) }

    private func code(_ body: () async throws -> Void) async -> TomboloError.Code? {
        do {
            try await body()
            return nil
        } catch { return (error as? TomboloError)?.code }
    }

    @Test("an address is dialled by the transports of its scheme, in their order, until one reaches the peer")
    func schemes() async throws {
        let table = try TransportTable([
            NotingTransport(scheme: "quic", dials: dials),
            NotingTransport(scheme: "tcp", isReachable: false, dials: dials),
            NotingTransport(scheme: "tcp", dials: dials),
        ])
        try await table.dial(try address("a:1"), expecting: peer)
        try await table.dial(try address("quic://b"), expecting: peer)
        #expect(await dials.addresses == ["tcp a:1", "tcp a:1", "quic b"])
    }

    @Test("an address of an unknown scheme is an error with a way out")
    func unknownScheme() async throws {
        let table = try TransportTable([NotingTransport(scheme: "tcp", dials: dials)])
        let place = try address("quic://b")
        #expect(await code { try await table.dial(place, expecting: peer) } == .invalidArgument)
        #expect(await code { _ = try await table.listen(host: "", port: 1, scheme: "quic") } == .invalidArgument)
        #expect(await dials.addresses.isEmpty)
    }

    @Test(
        "the native dialect needs whole payloads in order; the mvds dialect does not",
        arguments: [
            PayloadDelivery(isOrdered: false, isReliable: true), PayloadDelivery(isOrdered: true, isReliable: false),
            PayloadDelivery(isOrdered: true, isReliable: true, mtu: Limits.frame - 1),
        ])
    func delivery(_ delivery: PayloadDelivery) async throws {
        let native = NotingTransport(scheme: "udp", delivery: delivery, dials: dials)
        #expect(await code { _ = try TransportTable([native]) } == .invalidArgument)
        _ = try TransportTable([NotingTransport(scheme: "udp", dialect: .mvds, delivery: delivery, dials: dials)])
        let whole = PayloadDelivery(isOrdered: true, isReliable: true, mtu: Limits.frame)
        _ = try TransportTable([NotingTransport(scheme: "udp", delivery: whole, dials: dials)])
    }

    @Test("a peer that speaks MVDS alone is dialled by its transport, whatever its name says")
    func mvds() throws {
        let record = PeerRecord(device: peer, dialect: .mvds, addresses: ["a:1", "waku://b"])
        #expect(record.dialAddresses.map(\.description) == ["mvds://a:1", "waku://b"])
        #expect(PeerRecord(device: peer, addresses: ["a:1"]).dialAddresses.map(\.scheme) == ["tcp"])
    }
}
