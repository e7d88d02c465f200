import Testing
import TomboloCore

@Suite("Addresses of peers")
struct PeerAddressTests {
    private let peer = DeviceKey(.zero)

    private func kept(afterAdding numbers: some Sequence<Int>) throws -> [String] {
        let devices = try Devices(1, seed: 7)
        for number in numbers { try devices.step(0, [.addPeer(peer, addresses: ["host:\(number)"])]) }
        return try #require(devices.devices[0].store.peer(peer)?.addresses)
    }

    private func hosts(_ numbers: some Sequence<Int>) -> [String] { numbers.map { "host:\($0)" } }

    @Test("are all kept up to the bound, the latest first")
    func upToTheBound() throws {
        let numbers = 1...Limits.peerAddresses
        #expect(try kept(afterAdding: numbers) == hosts(numbers.reversed()))
    }

    @Test("beyond the bound leave the latest")
    func beyondTheBound() throws {
        let count = 3 * Limits.peerAddresses
        #expect(try kept(afterAdding: 1...count) == hosts((count - Limits.peerAddresses + 1...count).reversed()))
    }

    @Test("that are confirmed stay, and are not kept twice")
    func confirmed() throws {
        let numbers = (2...3 * Limits.peerAddresses).flatMap { [$0, 1] }
        let kept = try kept(afterAdding: numbers)
        #expect(kept.first == "host:1" && kept.count == Limits.peerAddresses)
        #expect(Set(kept).count == kept.count)
    }

    @Test("that are malformed are not kept, so that none stands for several")
    func malformed() throws {
        let devices = try Devices(1, seed: 7)
        try devices.step(0, [.addPeer(peer, addresses: ["a:1\nb:2", "a", "", "a:1"])])
        #expect(devices.devices[0].store.peer(peer)?.addresses == ["a:1"])
    }

    @Test("are removed one by one, and with the peer")
    func removed() throws {
        let devices = try Devices(1, seed: 7)
        try devices.step(0, [.addPeer(peer, addresses: ["a:1", "b:2"])])
        try devices.step(0, [.removeAddress(1, "a:1", of: peer)])
        #expect(devices.devices[0].store.peer(peer)?.addresses == ["b:2"])
        try devices.step(0, [.removeAddress(2, "a:1", of: peer)])
        guard case .failed(2, .notAllowed) = devices.devices[0].effects.last else {
            Issue.record("an unknown address was removed")
            return
        }
        try devices.step(0, [.removePeer(3, peer)])
        #expect(devices.devices[0].store.peers().isEmpty)
    }

    @Test("have a scheme, and TCP is the default")
    func schemes() throws {
        let plain = try #require(PeerAddress("[::1]:4711"))
        #expect(plain.scheme == "tcp" && plain.endpoint?.host == "::1" && plain.endpoint?.port == 4_711)
        #expect(PeerAddress("tcp://[::1]:4711") == plain && plain.description == "[::1]:4711")
        let onion = try #require(PeerAddress("onion+v3://abc"))
        #expect(onion.scheme == "onion+v3" && onion.location == "abc" && onion.endpoint == nil)
        #expect(onion.description == "onion+v3://abc")
    }

    @Test(
        "of another form are none",
        arguments: [
            "", "host", "host:0", "host:65536", ":1", "tcp://host", "://a:1", "A://b", "1a://b", "a://", "a b:1",
            "x://a\u{7f}",
        ])
    func malformed(_ text: String) {
        #expect(PeerAddress(text) == nil)
    }

    @Test("of an invitation are whole")
    func invitation() throws {
        func decoded(_ address: String) throws -> [String] {
            let invitation = Invitation(
                group: GroupID(.zero), inviter: peer, secret: [UInt8](repeating: 1, count: 16), expiry: 1,
                addresses: [address])
            return try Invitation(decoding: invitation.encoded[...]).addresses
        }
        #expect(try decoded("quic://x") == ["quic://x"])
        #expect(throws: WireError.self) { try decoded("a:1\nb:2") }
    }
}
