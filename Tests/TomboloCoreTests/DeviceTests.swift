import Testing
import TomboloCore
import TomboloCrypto

/// Several devices of one member: each would fail if one of the checks were taken out.
@Suite("Devices of one member") struct DeviceTests {
    /// The last one that a device has given out.
    private func invitation(by device: Int, _ devices: Devices) throws -> Invitation {
        let made = devices.devices[device].effects.compactMap { effect -> Invitation? in
            if case .invited(_, let link) = effect { link } else { nil }
        }
        return try #require(made.last)
    }

    /// Makes a device another one of the member of one that is there.
    private func link(_ device: Int, to other: Int, _ devices: Devices) throws {
        try devices.step(other, [.linkDevice(1, addresses: [], expiry: devices.now + 1_000_000)])
        let session = try devices.connect(device, other, invitation: try invitation(by: other, devices))
        try devices.settle()
        try devices.disconnect(session)
    }

    private func meetAll(_ devices: Devices, _ some: [Int]) throws {
        for _ in 0..<3 {
            for one in some { for other in some where other > one { try devices.meet(one, other) } }
        }
    }

    /// What a device shows of what was said.
    private func said(_ device: Int, in group: GroupID, _ devices: Devices) -> [String] {
        let store = devices.devices[device].store
        let reference = store.groups().first { $0.id == group }?.reference ?? 0
        let logs = Set(store.logs(inGroup: reference).map(\.reference))
        return store.events(ordinals: Array(1...store.lastOrdinal())).filter {
            $0.status == .delivered && $0.event.kind == .message && logs.contains($0.log)
        }.sorted { $0.event.lamport < $1.event.lamport }.map { devices.text(of: $0.event, on: device, in: group) ?? "" }
    }

    private func key(_ device: Int, _ devices: Devices) -> DeviceKey { devices.devices[device].engine.device }
    private func member(_ device: Int, _ devices: Devices) -> MemberKey { devices.devices[device].engine.member }

    /// - Returns: why it was refused; nil if it was not.
    private func refusal(_ device: Int, _ devices: Devices, _ inputs: [EngineInput]) throws -> String? {
        let before = devices.devices[device].effects.count
        try devices.step(device, inputs)
        for case .failed(_, let error) in devices.devices[device].effects[before...] { return error.description }
        return nil
    }

    private func removal(_ device: Int, _ devices: Devices) throws -> DeviceRemoval {
        let made = devices.devices[device].effects.compactMap { effect -> DeviceRemoval? in
            if case .removed(_, let removal) = effect { removal } else { nil }
        }
        return try #require(made.last)
    }

    /// Devices 0 and 1 are the owner's, 2 is another member's; 3 has joined nothing. All three have said something.
    private func makeGroup(_ policy: Policy = .private, seed: UInt64) throws -> (Devices, GroupID) {
        let devices = try Devices(4, seed: seed)
        try devices.step(0, [.createGroup(1, name: "crew", policy: policy)])
        let group = try #require(devices.devices[0].store.groups().first).id
        try devices.step(0, [.invite(2, group: group, addresses: [], expiry: devices.now + 1_000_000)])
        let session = try devices.connect(2, 0, invitation: try invitation(by: 0, devices))
        try devices.settle()
        try devices.disconnect(session)
        try link(1, to: 0, devices)
        try devices.open(group, on: 1, from: 0)
        try devices.say(0, "from the phone", in: group)
        try meetAll(devices, [0, 1, 2])
        try devices.say(1, "from the laptop", in: group)
        try meetAll(devices, [0, 1, 2])
        return (devices, group)
    }

    @Test("a linked device is the same member: it reads what was said, and writes with the member's role")
    func linked() throws {
        let (devices, group) = try makeGroup(seed: 1)
        #expect(member(0, devices) == member(1, devices) && key(0, devices) != key(1, devices))
        for device in 0..<3 {
            #expect(said(device, in: group, devices) == ["from the phone", "from the laptop"])
            #expect(devices.errors(device).isEmpty)
        }
        #expect(devices.devices[2].engine.role(of: member(1, devices), in: group) == .owner)
        #expect(try refusal(1, devices, [.setRole(3, group: group, of: member(2, devices), to: .admin)]) == nil)
        try meetAll(devices, [0, 1, 2])
        #expect(devices.devices[0].engine.role(of: member(2, devices), in: group) == .admin)
        // Opened anew, it is who it was.
        devices.devices[1] = try Devices.Device(seed: 9, store: devices.devices[1].store)
        #expect(member(0, devices) == member(1, devices))
        #expect(devices.devices[0].engine.ownGroup == devices.devices[1].engine.ownGroup)
    }

    @Test(
        "a link works once; a device with groups of its own is not linked, nor is one that the inviter has removed again"
    )
    func refusedLinks() throws {
        let (devices, group) = try makeGroup(seed: 2)
        try link(2, to: 0, devices)
        #expect(member(2, devices) != member(0, devices))
        #expect(devices.errors(2).contains { $0.contains("groups of its own") })
        // Somebody else has the same link.
        let session = try devices.connect(3, 0, invitation: try invitation(by: 0, devices))
        try devices.settle()
        try devices.disconnect(session)
        #expect(devices.errors(3).contains { $0.contains("as many devices as it admits") })
        let known = devices.devices[0].engine.ownGroup
        let own = try #require(known)
        let why = try refusal(0, devices, [.invite(4, group: own, addresses: [], expiry: devices.now + 9)])
        #expect(why?.contains("link one instead") == true)
        // Who is removed admits nobody.
        _ = try refusal(0, devices, [.removeDevice(5, key(1, devices))])
        try meetAll(devices, [0, 1])
        #expect(try refusal(1, devices, [.linkDevice(6, addresses: [], expiry: devices.now + 9)]) != nil)
        #expect(said(0, in: group, devices).count == 2)
    }

    @Test("what a lost device said that was known stays; what it says without having heard of it is nobody's to see")
    func lost() throws {
        let (devices, group) = try makeGroup(seed: 3)
        // The thief goes on in the laptop's name, and raises a friend.
        try devices.say(1, "known to the other member alone", in: group)
        try devices.meet(1, 2)
        #expect(said(2, in: group, devices).contains("known to the other member alone"))
        #expect(try refusal(0, devices, [.removeDevice(3, key(1, devices))]) == nil)
        _ = try refusal(1, devices, [.setRole(4, group: group, of: member(2, devices), to: .admin)])
        try devices.say(1, "late", in: group)
        try devices.meet(1, 2)
        try meetAll(devices, [0, 2])
        for device in [0, 2] {
            #expect(said(device, in: group, devices) == ["from the phone", "from the laptop"])
            #expect(devices.devices[device].engine.role(of: member(2, devices), in: group) == .member)
            #expect(devices.haveAgreed(device))
        }
        let changes = devices.devices[2].store.changes(in: group)
        #expect(changes.contains { $0.kind == .withdrawn })
        // The member itself goes on.
        try devices.say(0, "only the phone hears me", in: group)
        try meetAll(devices, [0, 2])
        #expect(said(2, in: group, devices).last == "only the phone hears me")
        // The lost one hears of it, says nothing more, and does not read what comes now.
        try meetAll(devices, [0, 1, 2])
        #expect(try refusal(1, devices, [.append(5, group: group, kind: .message, content: [1], expiry: nil)]) != nil)
        #expect(!said(1, in: group, devices).contains("only the phone hears me"))
        let texts = devices.devices[1].store.events(ordinals: Array(1...devices.devices[1].store.lastOrdinal()))
            .compactMap { devices.text(of: $0.event, on: 1, in: group) }
        #expect(!texts.contains("only the phone hears me") && texts.contains("from the phone"))
    }

    @Test(
        "a modified client of a lost device that names the state from before is heard nowhere",
        arguments: [Policy.open, .private])
    func modified(policy: Policy) throws {
        let (devices, group) = try makeGroup(policy, seed: 4)
        let copy = MemoryStore(copying: devices.devices[1].store)
        #expect(try refusal(0, devices, [.removeDevice(3, key(1, devices))]) == nil)
        try meetAll(devices, [0, 1, 2])
        devices.devices[1] = try Devices.Device(seed: 77, store: copy)
        try devices.say(1, "still here", in: group)
        try devices.step(1, [.setState(4, group: group, key: "title", value: Array("mine".utf8))])
        try devices.meet(1, 2)
        try meetAll(devices, [0, 2])
        for device in [0, 2] {
            #expect(!said(device, in: group, devices).contains("still here"))
            let store = devices.devices[device].store
            let settings = store.events(ordinals: Array(1...store.lastOrdinal())).filter {
                $0.event.header.kind == .setting
            }
            #expect(settings.count == 1 && settings.allSatisfy { $0.status == .heldBack })
        }
    }

    @Test("the first device is removed as any other; what it had admitted remains, what it admits later does not")
    func firstDevice() throws {
        let (devices, group) = try makeGroup(seed: 5)
        let before = MemoryStore(copying: devices.devices[0].store)
        #expect(try refusal(1, devices, [.removeDevice(3, key(0, devices))]) == nil)
        // The thief, who does not let the phone hear of it, links one of its own.
        devices.devices[0] = try Devices.Device(seed: 78, store: before)
        try link(3, to: 0, devices)
        #expect(member(3, devices) == member(0, devices))
        try devices.open(group, on: 3, from: 0)
        try devices.meet(0, 3)
        try devices.say(3, "let me in", in: group)
        try devices.meet(3, 2)
        try meetAll(devices, [1, 2])
        try meetAll(devices, [1, 2])
        for device in 1...2 {
            #expect(said(device, in: group, devices) == ["from the phone", "from the laptop"], "\(device)")
        }
        try devices.say(1, "it was stolen", in: group)
        try meetAll(devices, [1, 2])
        #expect(said(2, in: group, devices).last == "it was stolen")
    }

    @Test("it takes effect in every group: posted by the member's devices by themselves, and by anybody who has it")
    func elsewhere() throws {
        let (devices, group) = try makeGroup(seed: 6)
        // Another group, in which the phone has never been.
        try devices.step(2, [.createGroup(1, name: "other", policy: .open)])
        let other = try #require(devices.devices[2].store.groups().last).id
        try devices.open(other, on: 1, from: 2)
        try devices.say(1, "hello", in: other)
        try meetAll(devices, [1, 2])
        #expect(try refusal(0, devices, [.removeDevice(3, key(1, devices))]) == nil)
        let removal = try removal(0, devices)
        try devices.say(1, "late", in: other)
        try meetAll(devices, [1, 2])
        #expect(said(2, in: other, devices) == ["hello", "late"])
        // What the phone did not know of when it signed is not kept.
        #expect(try refusal(2, devices, [.post(4, removal, group: other)]) == nil)
        #expect(said(2, in: other, devices).isEmpty)
        #expect(devices.devices[2].store.changes(in: other).count { $0.kind == .withdrawn } == 2)
        // A device of the same member that comes later posts it without being asked.
        let (again, second) = try makeGroup(seed: 7)
        try again.step(2, [.createGroup(1, name: "other", policy: .open)])
        let third = try #require(again.devices[2].store.groups().last).id
        for device in 0...1 { try again.open(third, on: device, from: 2) }
        try again.say(1, "hello", in: third)
        try meetAll(again, [0, 1, 2])
        #expect(try refusal(0, again, [.removeDevice(3, key(1, again))]) == nil)
        try again.say(1, "late", in: third)
        try again.meet(1, 2)
        try meetAll(again, [0, 2])
        #expect(said(2, in: third, again) == ["hello"] && said(2, in: second, again).count == 2)
        #expect(said(0, in: group, devices).count == 2)
    }

    @Test("a statement that nobody of the member's has signed does nothing")
    func forged() throws {
        let (devices, group) = try makeGroup(seed: 8)
        let cryptography = SwiftCryptography()
        let stranger = cryptography.signingKey(seed: .zero)
        let device = DeviceKey(cryptography.publicKey(of: stranger))
        let statement = DeviceAdmission.statement(member: member(0, devices), device: device)
        let admission = DeviceAdmission(of: device, signature: cryptography.sign(statement, with: stranger))
        let forged = DeviceRemoval(
            of: key(1, devices), of: member(0, devices), remaining: [], kept: [], by: admission,
            signedBy: stranger, using: cryptography)
        #expect(!forged.isValid(using: cryptography))
        #expect(try refusal(2, devices, [.post(4, forged, group: group)])?.contains("does not verify") == true)
        // One that another member signed of its own device, with the name of this one's put in.
        #expect(try refusal(0, devices, [.removeDevice(3, key(1, devices))]) == nil)
        var bytes = try removal(0, devices).encoded
        bytes.replaceSubrange(32..<64, with: key(0, devices).bytes)
        #expect(!(try DeviceRemoval(decoding: bytes[...])).isValid(using: cryptography))
    }

    @Test("removals and admissions at their bounds, and whatever bytes somebody sends")
    func coding() throws {
        let cryptography = SwiftCryptography()
        let key = cryptography.signingKey(seed: .zero)
        var generator = SeededGenerator(seed: 12)
        func device() -> DeviceKey {
            DeviceKey(Bytes32((0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }) ?? .zero)
        }
        let signature = [UInt8](repeating: 3, count: 64)
        var admission = DeviceAdmission(of: device(), signature: signature)
        while admission.devices.count < Limits.admissions {
            admission = admission.admitting(device(), signature: signature)
        }
        #expect(try DeviceAdmission(decoding: admission.encoded[...], of: admission.device) == admission)
        let deeper = admission.admitting(device(), signature: signature)
        #expect(throws: WireError.self) { try DeviceAdmission(decoding: deeper.encoded[...], of: deeper.device) }
        let twice = admission.admitting(admission.devices[0], signature: signature)
        #expect(throws: WireError.self) { try DeviceAdmission(decoding: twice.encoded[...], of: twice.device) }
        func removal(_ remaining: Int, _ kept: Int) -> [UInt8] {
            DeviceRemoval(
                of: device(), of: MemberKey(.zero), remaining: (0..<remaining).map { _ in device() }.sorted(),
                kept: (0..<kept).map { LogPosition(log: LogID(.zero), sequence: UInt64($0), id: EventID(.zero)) },
                by: admission, signedBy: key, using: cryptography
            ).encoded
        }
        let largest = removal(Limits.remainingDevices, Limits.keptLogs)
        #expect(largest.count <= Limits.content)
        #expect(try DeviceRemoval(decoding: largest[...]).encoded == largest)
        for bytes in [removal(Limits.remainingDevices + 1, 0), removal(0, Limits.keptLogs + 1)] {
            #expect(throws: WireError.self) { try DeviceRemoval(decoding: bytes[...]) }
        }
        let valid = removal(2, 3)
        for _ in 0..<5_000 {
            var bytes = valid
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let place = Int.random(in: bytes.indices, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.remove(at: place)
                default: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: place)
                }
            }
            guard let decoded = try? DeviceRemoval(decoding: bytes[...]) else { continue }
            #expect(decoded.encoded == bytes)
        }
    }
}
