import Testing
import TomboloCore
import TomboloCrypto

@Suite("Bounds on records of the mvds dialect")
struct RecordBoundsTests {
    private let group = GroupID(Bytes32.zero)

    /// Creates a device with a group of the mvds dialect that it shares with a peer.
    private func device(sharingWith peer: DeviceKey) throws -> Devices {
        let devices = try Devices(1, seed: 71)
        try devices.step(
            0,
            [
                .createMVDSGroup(1, group, name: "talk"), .addPeer(peer, dialect: .mvds, addresses: []),
                .share(2, group: group, with: peer),
            ])
        return devices
    }

    private func open(_ devices: Devices, _ peer: DeviceKey, number: UInt64 = 1) throws -> SessionID {
        let id = SessionID(rawValue: number)
        try devices.step(
            0, [.linkOpened(PeerLink(session: id, peer: peer, isDialler: true, binding: .zero, dialect: .mvds))])
        return id
    }

    private func payloads(_ devices: Devices) -> [(SessionID, Payload)] {
        defer { devices.devices[0].effects = [] }
        return devices.devices[0].effects.compactMap { effect in
            guard case .send(let id, let bytes) = effect, let payload = try? Payload(decoding: bytes[...]) else {
                return nil
            }
            return (id, payload)
        }
    }

    @Test("requests for acknowledged messages are answered within a window a batch, however often they come")
    func answers() throws {
        let peer = DeviceKey(SwiftCryptography().sha256([1]))
        let devices = try device(sharingWith: peer)
        var ids: [Bytes] = []
        for number in 0..<40 {
            let id = try devices.say(0, "\(number)" + String(repeating: "x", count: 50_000), in: group)
            ids.append(try #require(id).bytes[...])
        }
        let session = try open(devices, peer)
        var acks = Payload()
        acks.acks = ids
        try devices.step(0, [.payloadReceived(session, acks.encoded[...])])
        _ = payloads(devices)
        var requests = Payload()
        requests.requests = ids
        try devices.step(0, Array(repeating: .payloadReceived(session, requests.encoded[...]), count: 200))
        let sent = payloads(devices).flatMap(\.1.messages)
        #expect(!sent.isEmpty && sent.reduce(0) { $0 + $1.body.count } <= 262_144 + 65_536)
        // The rest follows in later batches.
        var count = sent.count
        for _ in 0..<20 {
            devices.now += 2
            try devices.step(0, [.timePassed])
            count += payloads(devices).reduce(0) { $0 + $1.1.messages.count }
        }
        #expect(count == 40)
    }

    @Test("a message that arrives on a peer's second link is acknowledged on the first")
    func twoLinks() throws {
        let peer = DeviceKey(SwiftCryptography().sha256([1]))
        let devices = try device(sharingWith: peer)
        let (first, second) = (try open(devices, peer), try open(devices, peer, number: 2))
        var payload = Payload()
        payload.messages = [Message(groupID: group.bytes[...], timestamp: 5, body: [1, 2, 3])]
        try devices.step(0, [.payloadReceived(second, payload.encoded[...])])
        let acks = payloads(devices).filter { !$0.1.acks.isEmpty }
        #expect(acks.map(\.0) == [first])
    }

    @Test("acks of messages follow a sync to disk; payloads that a native peer can send again need none")
    func synced() throws {
        let peer = DeviceKey(SwiftCryptography().sha256([1]))
        let devices = try device(sharingWith: peer)
        let session = try open(devices, peer)
        let ofThePeer = devices.devices[0].engine.mustBeSynced([.payloadReceived(session, [])])
        let stranger = try open(devices, DeviceKey(SwiftCryptography().sha256([2])), number: 2)
        let ofOthers = devices.devices[0].engine.mustBeSynced([.payloadReceived(stranger, []), .timePassed])
        // The same batch may state whose session it is.
        let ofUnknown = devices.devices[0].engine.mustBeSynced([.payloadReceived(SessionID(rawValue: 9), [])])
        #expect(ofUnknown)
        #expect(ofThePeer && !ofOthers)
    }

    @Test("joining is synced to disk on both sides, since an invitation is used once")
    func joining() throws {
        let devices = try Devices(2, seed: 73)
        try devices.step(0, [.createGroup(1, name: "crew")])
        guard case .created(_, let crew)? = devices.devices[0].effects.last else { throw TestFailure("no group") }
        try devices.step(0, [.invite(2, group: crew, addresses: [], expiry: devices.now + 1_000)])
        guard case .invited(_, let invitation)? = devices.devices[0].effects.last else { throw TestFailure("none") }
        let session = try devices.connect(1, 0, invitation: invitation)
        for device in 0..<2 {
            let isSynced = devices.devices[device].engine.mustBeSynced([.payloadReceived(session, [])])
            #expect(isSynced)
        }
        try devices.settle()
        for device in 0..<2 {
            let isSynced = devices.devices[device].engine.mustBeSynced([.payloadReceived(session, [])])
            #expect(!isSynced)
        }
    }

    private struct TestFailure: Error {
        init(_ what: String) {}
    }

    @Test("a message larger than a native frame crosses native links in parts")
    func largeMessage() throws {
        let devices = try Devices(2, seed: 72)
        for device in 0..<2 {
            let other = devices.devices[1 - device].engine.device
            try devices.step(device, [.createMVDSGroup(1, group, name: "talk"), .share(2, group: group, with: other)])
        }
        let large = Message(groupID: group.bytes[...], timestamp: 1, body: Bytes(repeating: 7, count: 200_000))
        try devices.step(0, [.ingest(3, group: group, [large])])
        try devices.say(0, "small", in: group)
        var largest = 0
        devices.intercept = { wire in
            largest = max(largest, wire.bytes.count)
            return wire.bytes
        }
        try devices.connect(0, 1)
        try devices.settle()
        #expect(largest <= Limits.frame)
        #expect(
            devices.devices[1].store.deliveredMessages(in: group).map { Array($0.message.body) } == [
                [UInt8](repeating: 7, count: 200_000), Array("small".utf8),
            ])
    }

    @Test("a payload with more fields than the bound is refused, and one at the bound is not")
    func fields() throws {
        let field: [UInt8] = [0xca, 0xb8, 0x02, 0x00]  // an empty ack
        let most = Array(repeating: field, count: Limits.payloadFields).flatMap { $0 }
        #expect(try Payload(decoding: most[...]).acks.count == Limits.payloadFields)
        #expect(throws: WireError.self) { try Payload(decoding: (most + field)[...]) }
    }
}
