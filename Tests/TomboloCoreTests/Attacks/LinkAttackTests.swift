import Testing
import TomboloCore
import TomboloCrypto

@Suite("Attack: links of strangers")
struct LinkAttackTests {
    private func closed(_ device: Int, _ devices: Devices) -> [EngineError] {
        devices.devices[device].effects.compactMap { if case .close(_, let error) = $0 { error } else { nil } }
    }

    private func key(_ number: UInt64) -> DeviceKey {
        DeviceKey(SwiftCryptography().sha256(Array("stranger \(number)".utf8)))
    }

    /// Opens a link that a stranger has dialled.
    private func open(_ number: UInt64, by key: DeviceKey? = nil, _ devices: Devices) throws {
        let binding = SwiftCryptography().sha256(Array("binding \(number)".utf8))
        let link = PeerLink(
            session: SessionID(rawValue: 1_000_000 + number), peer: key ?? self.key(number), isDialler: false,
            binding: binding)
        try devices.step(0, [.linkOpened(link)])
    }

    private func group(seed: UInt64) throws -> (Devices, GroupID) {
        let devices = try Devices(2, seed: seed)
        let group = try devices.makeGroup()
        for _ in 0..<2 { try devices.meet(0, 1) }
        try devices.say(1, "news", in: group)
        return (devices, group)
    }

    @Test("a known peer finds room, however many strangers hold links", arguments: [0, 255, 256, 400] as [UInt64])
    func strangers(count: UInt64) throws {
        let (devices, group) = try group(seed: 9_701)
        for number in 0..<count { try open(number, devices) }
        // It is dialled by a peer that it knows.
        try devices.carry(only: try devices.connect(1, 0))
        #expect(devices.texts(0, in: group).contains("news"))
        // And it dials itself.
        try devices.say(1, "more news", in: group)
        try devices.carry(only: try devices.connect(0, 1))
        #expect(devices.texts(0, in: group).contains("more news"))
        #expect(!closed(0, devices).contains(.tooManySessions))
        #expect(closed(0, devices).count == max(0, Int(count) - 256))
    }

    @Test("a stranger beyond the room takes the place of the oldest stranger, not of a visitor")
    func oldestStranger() throws {
        let devices = try Devices(2, seed: 9_702)
        for device in 0..<2 { try devices.step(device, [.createGroup(1, name: "square", policy: .public)]) }
        // A visitor proves that it knows the public group.
        let visitor = try devices.connect(1, 0)
        try devices.carry(only: visitor)
        for number in 0..<300 as Range<UInt64> { try open(number, devices) }
        let replaced = devices.devices[0].effects.compactMap { effect -> UInt64? in
            if case .close(let id, .linkReplaced) = effect { id.rawValue } else { nil }
        }
        // 255 places are the strangers', one the visitor's.
        #expect(replaced == (0..<45).map { 1_000_000 + $0 })
    }

    @Test("a third link of one device takes the place of its first")
    func sameDevice() throws {
        let (devices, _) = try group(seed: 9_703)
        let friend = devices.devices[1].engine.device
        for number in 0..<2 as Range<UInt64> { try open(number, by: friend, devices) }
        #expect(closed(0, devices).isEmpty)
        try open(2, by: friend, devices)
        #expect(closed(0, devices) == [.linkReplaced])
    }

    @Test("a silent visitor is disconnected after a minute; one that sends is not")
    func visitors() throws {
        let devices = try Devices(2, seed: 9_704)
        for device in 0..<2 { try devices.step(device, [.createGroup(1, name: "square", policy: .public)]) }
        let square = try #require(devices.devices[0].store.groups().first?.id)
        let session = try devices.connect(1, 0)
        try devices.carry(only: session)
        for _ in 0..<3 {
            devices.now += 59_999
            try devices.step(0, [.timePassed])
            #expect(closed(0, devices).isEmpty)
            try devices.say(1, "still here", in: square)
            try devices.carry(only: session)
        }
        devices.now += 60_000
        try devices.step(0, [.timePassed])
        #expect(closed(0, devices).count == 1)
    }

    @Test("known peers beyond their room are refused, and keep out no stranger")
    func peers() throws {
        let (devices, _) = try group(seed: 9_705)
        for number in 0..<300 as Range<UInt64> {
            try devices.step(0, [.addPeer(key(number), addresses: [])])
            try open(number, devices)
        }
        #expect(closed(0, devices).filter { $0 == .tooManySessions }.count == 44)
        try open(1_000, devices)
        #expect(closed(0, devices).count == 44)
    }
}
