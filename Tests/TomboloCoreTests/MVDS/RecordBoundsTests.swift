import Testing
import TomboloCore
import TomboloCrypto

@Suite("Bounds on records of the mvds dialect")
struct RecordBoundsTests {
    private let group = GroupID(Bytes32.zero)

    /// Creates a device with a group of the mvds dialect that it shares with a peer.
    private func device(sharingWith peer: DeviceKey) throws -> Cluster.Device {
        let cluster = try Cluster(strangers: "ann", seed: 71)
        cluster.group = group
        try cluster["ann"].step(
            .createMVDSGroup(1, group, name: "talk"), .addPeer(peer, dialect: .mvds, addresses: []),
            .share(2, group: group, with: peer))
        return cluster["ann"]
    }

    @Test("requests for acknowledged messages are answered within a window a batch, however often they come")
    func answers() throws {
        let peer = DeviceKey(SwiftCryptography().sha256([1]))
        let ann = try device(sharingWith: peer)
        var ids: [Bytes] = []
        for number in 0..<40 {
            let id = try ann.send("\(number)" + String(repeating: "x", count: 50_000))
            ids.append(try #require(id).bytes[...])
        }
        let session = try ann.open(peer)
        var acks = Payload()
        acks.acks = ids
        try ann.step(.payloadReceived(session, acks.encoded[...]))
        _ = ann.takePayloads()
        var requests = Payload()
        requests.requests = ids
        try ann.step(Array(repeating: .payloadReceived(session, requests.encoded[...]), count: 200))
        let sent = ann.takePayloads().flatMap(\.1.messages)
        #expect(!sent.isEmpty && sent.reduce(0) { $0 + $1.body.count } <= 262_144 + 65_536)
        // The rest follows in later batches.
        var count = sent.count
        for _ in 0..<20 {
            ann.cluster.advance(by: 2)
            try ann.wake()
            count += ann.takePayloads().reduce(0) { $0 + $1.1.messages.count }
        }
        #expect(count == 40)
    }

    @Test("a message that arrives on a peer's second link is acknowledged on the first")
    func twoLinks() throws {
        let peer = DeviceKey(SwiftCryptography().sha256([1]))
        let ann = try device(sharingWith: peer)
        let (first, second) = (try ann.open(peer), try ann.open(peer, number: 2))
        var payload = Payload()
        payload.messages = [Message(groupID: group.bytes[...], timestamp: 5, body: [1, 2, 3])]
        try ann.step(.payloadReceived(second, payload.encoded[...]))
        let acks = ann.takePayloads().filter { !$0.1.acks.isEmpty }
        #expect(acks.map(\.0) == [first])
    }

    @Test("acks of messages follow a sync to disk; payloads that a native peer can send again need none")
    func synced() throws {
        let peer = DeviceKey(SwiftCryptography().sha256([1]))
        let ann = try device(sharingWith: peer)
        let session = try ann.open(peer)
        let ofThePeer = ann.mustSync(.payloadReceived(session, []))
        let stranger = try ann.open(DeviceKey(SwiftCryptography().sha256([2])), number: 2)
        let ofOthers = ann.mustSync(.payloadReceived(stranger, []), .timePassed)
        // The same batch may state whose session it is.
        let ofUnknown = ann.mustSync(.payloadReceived(SessionID(rawValue: 9), []))
        #expect(ofUnknown)
        #expect(ofThePeer && !ofOthers)
    }

    @Test("joining is synced to disk on both sides, since an invitation is used once")
    func joining() throws {
        let cluster = try Cluster(strangers: "ann", "bob", seed: 73)
        cluster.group = try #require(try cluster["ann"].createGroup())
        try cluster["ann"].invite(expiring: 1_000)
        let session = try cluster.connect("bob", "ann", invitation: cluster["ann"].invitation)
        for device in cluster.all { #expect(device.mustSync(.payloadReceived(session, []))) }
        try cluster.settle()
        for device in cluster.all { #expect(!device.mustSync(.payloadReceived(session, []))) }
    }

    @Test("a message larger than a native frame crosses native links in parts")
    func largeMessage() throws {
        let cluster = try Cluster(strangers: "ann", "bob", seed: 72)
        cluster.group = group
        for (device, other) in [("ann", "bob"), ("bob", "ann")] {
            let key = cluster[other].key
            try cluster[device].step(.createMVDSGroup(1, group, name: "talk"), .share(2, group: group, with: key))
        }
        let large = Message(groupID: group.bytes[...], timestamp: 1, body: Bytes(repeating: 7, count: 200_000))
        try cluster["ann"].step(.ingest(3, group: group, [large]))
        try cluster["ann"].send("small")
        var largest = 0
        cluster.watch { wire in largest = max(largest, wire.bytes.count) }
        try cluster.connect("ann", "bob")
        try cluster.settle()
        #expect(largest <= Limits.frame)
        #expect(
            cluster["bob"].store.deliveredMessages(in: group).map { Array($0.message.body) } == [
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

extension Cluster.Device {
    /// Opens a link to a peer of the mvds dialect, which the test plays.
    fileprivate func open(_ peer: DeviceKey, number: UInt64 = 1) throws -> SessionID {
        let id = SessionID(rawValue: number)
        try step(.linkOpened(PeerLink(session: id, peer: peer, isDialler: true, binding: .zero, dialect: .mvds)))
        return id
    }

    /// The payloads that the device has sent since the last call.
    fileprivate func takePayloads() -> [(SessionID, Payload)] {
        defer { effects = [] }
        return effects.compactMap { effect in
            guard case .send(let id, let bytes) = effect, let payload = try? Payload(decoding: bytes[...]) else {
                return nil
            }
            return (id, payload)
        }
    }
}
