import Testing
import TomboloCore
import TomboloCrypto

@Suite("Removal of peers")
struct PeerRemovalTests {
    private let group = GroupID(Bytes32.zero)

    private func peer(_ number: UInt8) -> DeviceKey { DeviceKey(SwiftCryptography().sha256([number])) }

    private func open(_ peer: DeviceKey, _ number: UInt64, mtu: Int? = nil, _ devices: Devices) throws -> SessionID {
        let id = SessionID(rawValue: number)
        let link = PeerLink(session: id, peer: peer, isDialler: true, binding: .zero, dialect: .mvds, mtu: mtu)
        try devices.step(0, [.linkOpened(link)])
        return id
    }

    private func device(sharingWith peers: [DeviceKey]) throws -> Devices {
        let devices = try Devices(1, seed: 91)
        try devices.step(0, [.createMVDSGroup(1, group, name: "talk")])
        for peer in peers {
            try devices.step(
                0, [.addPeer(peer, dialect: .mvds, addresses: ["a:1"]), .share(2, group: group, with: peer)])
        }
        return devices
    }

    private func sent(to session: SessionID, _ devices: Devices) -> [[UInt8]] {
        devices.devices[0].effects.compactMap {
            if case .send(session, let bytes) = $0 { bytes } else { nil }
        }
    }

    @Test("a removed peer of the mvds dialect is disconnected, and nothing is outstanding towards it")
    func mvds() throws {
        let (ann, bob) = (peer(1), peer(2))
        let devices = try device(sharingWith: [ann, bob])
        let session = try open(ann, 1, devices)
        try devices.say(0, "before", in: group)
        try devices.step(0, [.removePeer(7, ann)])
        #expect(devices.errors(0) == [EngineError.peerRemoved.description])
        guard case .done(7) = devices.devices[0].effects.last else { throw Problem() }
        devices.devices[0].effects = []
        // Payloads that were under way are ignored.
        var acks = Payload()
        acks.requests = [Bytes32.zero.bytes[...]]
        try devices.step(0, [.payloadReceived(session, acks.encoded[...])])
        try devices.say(0, "after", in: group)
        #expect(sent(to: session, devices).isEmpty)
        #expect(devices.devices[0].store.nextRecord(with: ann) == nil)
        #expect(devices.devices[0].store.peers().map(\.device) == [bob])
        #expect(devices.devices[0].store.nextRecord(with: bob) != nil)
        // The engine finds the same when it opens the store anew.
        let store = devices.devices[0].store
        #expect(store.peers(sharing: 1) == [bob])
    }

    @Test("a native peer that was removed is known again when it connects")
    func native() throws {
        let devices = try Devices(2, seed: 92)
        let crew = try devices.makeGroup()
        try devices.meet(0, 1)
        let (ann, bob) = (devices.devices[0], devices.devices[1])
        try devices.connect(1, 0)
        try devices.settle()
        try devices.step(0, [.removePeer(7, bob.engine.device)])
        #expect(devices.errors(0) == [EngineError.peerRemoved.description])
        #expect(ann.store.peers().isEmpty)
        try devices.say(1, "still a member", in: crew)
        try devices.meet(1, 0)
        #expect(devices.texts(0, in: crew).contains("still a member"))
        #expect(ann.store.peers().map(\.device) == [bob.engine.device])
    }

    @Test("no payload exceeds a link's MTU, and a message that does waits for another link")
    func mtu() throws {
        let ann = peer(1)
        let devices = try device(sharingWith: [ann])
        let large = String(repeating: "x", count: 2_000)
        for number in 0..<40 { try devices.say(0, "message \(number)", in: group) }
        try devices.say(0, large, in: group)
        let small = try open(ann, 1, mtu: 1_200, devices)
        let payloads = sent(to: small, devices)
        #expect(payloads.count > 1 && payloads.allSatisfy { $0.count <= 1_200 })
        let messages = try payloads.flatMap { try Payload(decoding: $0[...]).messages }
        #expect(messages.count == 40)
        try devices.step(0, [.linkClosed(small)])
        let whole = try open(ann, 2, devices)
        let again = try sent(to: whole, devices).flatMap { try Payload(decoding: $0[...]).messages }
        #expect(again.contains { $0.body.count == 2_000 })
    }

    private struct Problem: Error {}
}
