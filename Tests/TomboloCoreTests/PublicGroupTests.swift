import Testing
import TomboloCore
import TomboloCrypto

@Suite("Public groups")
struct PublicGroupTests {
    private func open(_ name: String, on device: Int, _ devices: Devices) throws -> GroupID {
        try devices.step(device, [.createGroup(1, name: name, policy: .public)])
        let made = devices.devices[device].effects.compactMap { if case .created(_, let id) = $0 { id } else { nil } }
        return try #require(made.last)
    }

    private func refusals(_ device: Int, _ devices: Devices) -> Int {
        devices.devices[device].effects.count { if case .failed(_, .notAllowed) = $0 { true } else { false } }
    }

    @Test("a public group has the id that follows from its name, and syncs between devices that never met")
    func name() throws {
        let devices = try Devices(3, seed: 1)
        let group = try open("tides", on: 0, devices)
        #expect(try open("tides", on: 1, devices) == group)
        #expect(try open("Tides", on: 2, devices) != group)
        #expect(try open("tides", on: 0, devices) == group && devices.devices[0].store.groups().count == 1)
        // Another implementation gives the same id (protocol §2.5).
        #expect("\(group)" == "6ac1491e50f6c032e289deeb3afff1bbefbab62325f4adc5cf4932ad93a1d7dd")
        try devices.say(0, "out at six", in: group)
        try devices.say(1, "in at noon", in: group)
        for other in [1, 2] { try devices.meet(0, other) }
        for device in 0..<2 { #expect(Set(devices.texts(device, in: group)) == ["out at six", "in at noon"]) }
        #expect(devices.delivered(2, in: group).isEmpty)
        for device in 0..<2 { #expect(devices.errors(device).isEmpty) }
    }

    @Test("a visitor of a public group becomes no peer and sees nothing of other groups")
    func visitors() throws {
        let devices = try Devices(3, seed: 2)
        let crew = try devices.makeGroup()
        let group = try open("tides", on: 0, devices)
        try devices.say(0, "out at six", in: group)
        devices.devices.append(try Devices.Device(seed: 77))
        _ = try open("tides", on: 3, devices)
        let before = devices.devices[0].store.peers().count
        var shown: Set<UInt64> = []
        devices.intercept = { wire in
            if wire.from == 0, wire.to == 3, let payload = try? Payload(decoding: wire.bytes[...]) {
                for sync in payload.groups where sync.tag != nil { shown.insert(sync.number) }
            }
            return wire.bytes
        }
        for _ in 0..<2 { try devices.meet(3, 0) }
        #expect(devices.texts(3, in: group) == ["out at six"])
        #expect(shown == [1])
        let visitor = devices.devices[3].engine.device
        #expect(devices.devices[0].store.peers().count == before)
        #expect(devices.devices[0].store.agreements(with: visitor, inGroup: 2).isEmpty)
        #expect(!devices.devices[3].store.agreements(with: devices.devices[0].engine.device, inGroup: 1).isEmpty)
        // A device that shares another group too is a peer, in whatever order it shows the groups. It syncs both.
        _ = try open("tides", on: 1, devices)
        let (host, guest) = (devices.devices[0], devices.devices[1])
        host.store.forgetPeer(guest.engine.device)
        try devices.say(0, "among us", in: crew)
        try devices.meet(1, 0)
        #expect(devices.texts(1, in: crew) == ["among us"] && devices.texts(1, in: group) == ["out at six"])
        for device in 0..<4 { #expect(devices.errors(device).isEmpty) }
    }

    @Test("a public group has no owner: anyone may write, and may redact and leave for itself alone")
    func rights() throws {
        let devices = try Devices(2, seed: 3)
        let group = try open("tides", on: 0, devices)
        _ = try open("tides", on: 1, devices)
        let id = try #require(try devices.say(0, "out at six", in: group))
        try devices.meet(1, 0)
        let said = try #require(devices.delivered(1, in: group).first { $0.id == id })
        let other = devices.devices[0].engine.member
        let forbidden: [EngineInput] = [
            .setRole(1, group: group, of: other, to: .none), .setRole(2, group: group, of: other, to: .admin),
            .setState(3, group: group, key: "title", value: [1]), .redact(4, group: group, said.reference, reason: ""),
            .invite(5, group: group, addresses: [], expiry: devices.now + 1, role: .admin),
        ]
        try devices.step(1, forbidden)
        #expect(refusals(1, devices) == forbidden.count)
        try devices.step(0, [.redact(1, group: group, said.reference, reason: "")])
        try devices.step(1, [.setState(6, group: group, key: "mood", value: [1])])
        try devices.step(1, [.setRole(7, group: group, of: devices.devices[1].engine.member, to: .none)])
        try devices.meet(1, 0)
        #expect(refusals(0, devices) == 0 && refusals(1, devices) == forbidden.count)
        #expect(devices.delivered(1, in: group).first { $0.id == id }?.content == nil)
        // The key that stands for no owner cannot belong to anyone.
        #expect(devices.devices[0].engine.role(of: MemberKey(.zero), in: group) == .member)
        #expect(devices.devices[0].engine.role(of: devices.devices[1].engine.member, in: group) == Role.none)
    }

    @Test("a public group has a name of 1 to 256 bytes and a statement without anything else")
    func bounds() throws {
        let devices = try Devices(1, seed: 4)
        for name in ["", String(repeating: "x", count: 257)] {
            try devices.step(0, [.createGroup(1, name: name, policy: .public)])
        }
        #expect(refusals(0, devices) == 2)
        _ = try open(String(repeating: "x", count: 256), on: 0, devices)
        let (statement, _) = GroupStatement.public(named: "tides", using: SwiftCryptography())
        #expect(try GroupStatement(decoding: statement.encoded[...]) == statement)
        for change in [4, 68, 83] as [Int] {
            var bytes = statement.encoded
            bytes[change] ^= 1
            #expect(throws: EventError.self, "byte \(change)") { try GroupStatement(decoding: bytes[...]) }
        }
        #expect(throws: EventError.self) { try GroupStatement(decoding: statement.encoded[...] + [0]) }
    }

    @Test("an invitation to a public group works under the group's own name alone")
    func invitation() throws {
        for isRenamed in [false, true] {
            let devices = try Devices(2, seed: 5)
            let group = try open("tides", on: 0, devices)
            try devices.say(0, "out at six", in: group)
            try devices.step(0, [.invite(1, group: group, addresses: [], expiry: devices.now + 1_000)])
            devices.intercept = { wire in
                guard isRenamed, var payload = try? Payload(decoding: wire.bytes[...]), payload.welcome != nil else {
                    return wire.bytes
                }
                payload.welcome?.name = Array("floods".utf8)[...]
                return payload.encoded
            }
            try devices.connect(1, 0, invitation: devices.invitation(by: 0))
            try devices.settle()
            #expect(devices.texts(1, in: group) == (isRenamed ? [] : ["out at six"]))
            #expect(devices.errors(1).isEmpty == !isRenamed)
        }
    }
}
