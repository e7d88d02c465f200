import Testing
import TomboloCore
import TomboloCrypto

/// Several devices of one member, tested between engines.
@Suite("Devices of one member") struct DeviceTests {
    private func meetAll(_ devices: Devices, _ some: [Int]) throws {
        for _ in 0..<3 {
            for one in some { for other in some where other > one { try devices.meet(one, other) } }
        }
    }

    private func events(_ device: Int, in group: GroupID, _ devices: Devices) -> [StoredEvent] {
        let store = devices.devices[device].store
        let reference = store.groups().first { $0.id == group }?.reference ?? 0
        let logs = Set(store.logs(inGroup: reference).map(\.reference))
        return store.events(ordinals: Array(1...store.lastOrdinal())).filter { logs.contains($0.log) }
    }

    /// The texts that a device shows.
    private func said(_ device: Int, in group: GroupID, _ devices: Devices) -> [String] {
        events(device, in: group, devices).filter {
            $0.status == .delivered && $0.event.kind == .message
        }.sorted { $0.event.lamport < $1.event.lamport }.map { devices.text(of: $0.event, on: device, in: group) ?? "" }
    }

    private func key(_ device: Int, _ devices: Devices) -> DeviceKey { devices.devices[device].engine.device }
    private func member(_ device: Int, _ devices: Devices) -> MemberKey { devices.devices[device].engine.member }

    /// - Returns: the reason of the refusal; nil if the inputs were accepted.
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

    /// Creates a group. Devices 0 and 1 are the owner's and have sent a message each. 2 is another member's; 3 has
    /// joined nothing.
    private func makeGroup(_ policy: Policy = .private, seed: UInt64) throws -> (Devices, GroupID) {
        let devices = try Devices(4, seed: seed)
        try devices.step(0, [.createGroup(1, name: "crew", policy: policy)])
        let group = try #require(devices.devices[0].store.groups().first).id
        try devices.step(0, [.invite(2, group: group, addresses: [], expiry: devices.now + 1_000_000)])
        let session = try devices.connect(2, 0, invitation: devices.invitation(by: 0))
        try devices.settle()
        try devices.disconnect(session)
        try devices.link(1, to: 0)
        try devices.open(group, on: 1, from: 0)
        try devices.say(0, "from the phone", in: group)
        try meetAll(devices, [0, 1, 2])
        try devices.say(1, "from the laptop", in: group)
        try meetAll(devices, [0, 1, 2])
        return (devices, group)
    }

    @Test("a linked device is the same member: it reads the history and writes with the member's role")
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
        // After a restart it is still the same member.
        devices.devices[1] = try Devices.Device(seed: 9, store: devices.devices[1].store)
        #expect(member(0, devices) == member(1, devices))
        #expect(devices.devices[0].engine.ownGroup == devices.devices[1].engine.ownGroup)
    }

    @Test(
        "a link works once; a device with groups of its own is not linked, and a removed device links nobody"
    )
    func refusedLinks() throws {
        let (devices, group) = try makeGroup(seed: 2)
        try devices.link(2, to: 0)
        #expect(member(2, devices) != member(0, devices))
        #expect(devices.errors(2).contains { $0.contains("groups of its own") })
        // Another device uses the same link.
        let session = try devices.connect(3, 0, invitation: devices.invitation(by: 0))
        try devices.settle()
        try devices.disconnect(session)
        #expect(devices.errors(3).contains { $0.contains("as many devices as it admits") })
        let known = devices.devices[0].engine.ownGroup
        let own = try #require(known)
        let why = try refusal(0, devices, [.invite(4, group: own, addresses: [], expiry: devices.now + 9)])
        #expect(why?.contains("link one instead") == true)
        // A removed device admits nobody.
        _ = try refusal(0, devices, [.removeDevice(5, key(1, devices))])
        try meetAll(devices, [0, 1])
        #expect(try refusal(1, devices, [.linkDevice(6, addresses: [], expiry: devices.now + 9)]) != nil)
        #expect(said(0, in: group, devices).count == 2)
    }

    @Test("events of a lost device stay if its remover knew them; others are withdrawn or never shown")
    func lost() throws {
        let (devices, group) = try makeGroup(seed: 3)
        // The thief continues in the laptop's name and promotes a friend.
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
        // The member itself continues to write.
        try devices.say(0, "only the phone hears me", in: group)
        try meetAll(devices, [0, 2])
        #expect(said(2, in: group, devices).last == "only the phone hears me")
        // The lost device learns of it, writes nothing more, and cannot read new messages.
        try meetAll(devices, [0, 1, 2])
        #expect(try refusal(1, devices, [.append(5, group: group, kind: .message, content: [1], expiry: nil)]) != nil)
        #expect(!said(1, in: group, devices).contains("only the phone hears me"))
        let texts = devices.devices[1].store.events(ordinals: Array(1...devices.devices[1].store.lastOrdinal()))
            .compactMap { devices.text(of: $0.event, on: 1, in: group) }
        #expect(!texts.contains("only the phone hears me") && texts.contains("from the phone"))
    }

    @Test(
        "events of a lost device's modified client that name older state are delivered nowhere",
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
            let settings = events(device, in: group, devices).filter { $0.event.header.kind == .setting }
            #expect(settings.count == 1 && settings.allSatisfy { $0.status == .heldBack })
        }
    }

    @Test("the first device is removed like any other; devices that it admitted before remain, later ones do not")
    func firstDevice() throws {
        let (devices, group) = try makeGroup(seed: 5)
        let before = MemoryStore(copying: devices.devices[0].store)
        #expect(try refusal(1, devices, [.removeDevice(3, key(0, devices))]) == nil)
        // The thief hides the removal from the phone and links a device of its own.
        devices.devices[0] = try Devices.Device(seed: 78, store: before)
        try devices.link(3, to: 0)
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

    @Test("a removal takes effect in every group: the member's devices post it, and so can anyone that has it")
    func elsewhere() throws {
        let (devices, group) = try makeGroup(seed: 6)
        // The phone has never been in this group.
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
        // Events that the phone did not know when it signed are not kept.
        #expect(try refusal(2, devices, [.post(4, removal, group: other)]) == nil)
        #expect(said(2, in: other, devices).isEmpty)
        #expect(devices.devices[2].store.changes(in: other).count { $0.kind == .withdrawn } == 2)
        // A device of the same member that comes later posts the removal by itself.
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

    @Test("a device that was admitted and never wrote is known, removable, and receives no secrets anywhere")
    func silent() throws {
        let (devices, group) = try makeGroup(seed: 9)
        try devices.link(3, to: 0)
        try devices.open(group, on: 3, from: 0)
        // The device has written nothing. A thief continues with the admission that it received.
        #expect(try refusal(0, devices, [.removeDevice(3, key(3, devices))]) == nil)
        try devices.say(0, "not for the thief", in: group)
        try meetAll(devices, [0, 1, 2])
        for other in 0...2 {
            try devices.meet(3, other)
            try devices.meet(3, other)
        }
        #expect(!said(3, in: group, devices).contains("not for the thief"))
        let store = devices.devices[3].store
        let texts = store.events(ordinals: Array(1...store.lastOrdinal()))
            .compactMap { devices.text(of: $0.event, on: 3, in: group) }
        #expect(!texts.contains("not for the thief"))
    }

    @Test("an informed member does not post a removal that a removed device signed, and no log suffers from it")
    func signedByRemoved() throws {
        let (devices, group) = try makeGroup(seed: 10)
        let copy = MemoryStore(copying: devices.devices[1].store)
        #expect(try refusal(0, devices, [.removeDevice(3, key(1, devices))]) == nil)
        try meetAll(devices, [0, 2])
        devices.devices[1] = try Devices.Device(seed: 79, store: copy)
        #expect(try refusal(1, devices, [.removeDevice(3, key(0, devices))]) == nil)
        let stolen = try removal(1, devices)
        #expect(try refusal(2, devices, [.post(4, stolen, group: group)])?.contains("was removed itself") == true)
        try devices.say(2, "I can still write", in: group)
        try devices.step(2, [.setState(5, group: group, key: "mood", value: [1])])
        try meetAll(devices, [0, 2])
        #expect(said(0, in: group, devices).last == "I can still write")
    }

    @Test("a stolen device that removes the others does not undo the events that it had built upon")
    func spite() throws {
        let (devices, group) = try makeGroup(seed: 11)
        let copy = MemoryStore(copying: devices.devices[1].store)
        #expect(try refusal(0, devices, [.removeDevice(3, key(1, devices))]) == nil)
        try meetAll(devices, [0, 2])
        // The thief's client posts a removal that keeps nothing, in a log that knows nothing.
        devices.devices[1] = try Devices.Device(seed: 80, store: copy)
        #expect(try refusal(1, devices, [.removeDevice(3, key(0, devices))]) == nil)
        try devices.meet(1, 2)
        try meetAll(devices, [0, 2])
        for device in [0, 2] {
            #expect(devices.devices[device].engine.role(of: member(2, devices), in: group) == .member)
            #expect(said(device, in: group, devices) == ["from the phone", "from the laptop"])
        }
        // Neither of the two devices is heard any more. Other members continue.
        #expect(try refusal(0, devices, [.append(5, group: group, kind: .message, content: [1], expiry: nil)]) != nil)
        try devices.say(2, "what is going on?", in: group)
        try meetAll(devices, [0, 2])
        #expect(said(2, in: group, devices).last == "what is going on?")
    }

    @Test("a broadcast of a removed device is ignored")
    func broadcast() throws {
        let (devices, group) = try makeGroup(.open, seed: 12)
        let copy = MemoryStore(copying: devices.devices[1].store)
        func heard(_ device: Int) -> Int {
            devices.devices[device].effects.count { if case .receivedEphemeral = $0 { true } else { false } }
        }
        try devices.connect(1, 2)
        try devices.settle()
        try devices.step(1, [.broadcast(6, group: group, content: [1])])
        try devices.settle()
        #expect(heard(2) == 1)
        #expect(try refusal(0, devices, [.removeDevice(3, key(1, devices))]) == nil)
        try devices.meet(0, 2)
        devices.devices[1] = try Devices.Device(seed: 81, store: copy)
        devices.now += 10
        let session = try devices.connect(1, 2)
        // The device drops every payload that would inform it of its removal.
        devices.intercept = { wire in
            guard wire.to == 1, var payload = try? Payload(decoding: wire.bytes[...]) else { return wire.bytes }
            for index in payload.groups.indices { payload.groups[index].events = nil }
            return payload.encoded
        }
        try devices.settle(wakes: 0)
        try devices.step(1, [.broadcast(6, group: group, content: [2])])
        try devices.settle(wakes: 0)
        #expect(heard(2) == 1)
        try devices.disconnect(session)
    }

    @Test("a thief that forks the log of a lost device does not destroy the keys of kept events")
    func forkedKeys() throws {
        let (devices, group) = try makeGroup(seed: 13)
        let copy = MemoryStore(copying: devices.devices[1].store)
        try devices.say(1, "kept", in: group)
        try meetAll(devices, [0, 1, 2])
        #expect(try refusal(0, devices, [.removeDevice(3, key(1, devices))]) == nil)
        try meetAll(devices, [0, 2])
        // The fork is at the same place of the log, and expires before it arrives.
        devices.devices[1] = try Devices.Device(seed: 82, store: copy)
        try devices.step(1, [.append(5, group: group, kind: .message, content: [7], expiry: devices.now + 5)])
        devices.now += 10
        try devices.step(1, [.timePassed])
        try devices.meet(1, 2)
        try meetAll(devices, [0, 2])
        for device in [0, 2] {
            #expect(said(device, in: group, devices) == ["from the phone", "from the laptop", "kept"])
        }
    }

    @Test("each chain of admissions gives a log of its own")
    func chains() throws {
        let cryptography = SwiftCryptography()
        let keys = (1...3).map { cryptography.signingKey(seed: Bytes32([UInt8](repeating: $0, count: 32)) ?? .zero) }
        let devices = keys.map { DeviceKey(cryptography.publicKey(of: $0)) }
        let member = MemberKey(cryptography.publicKey(of: keys[2]))
        func certificate(by first: Int) -> Certificate {
            let signature = cryptography.sign(
                DeviceAdmission.statement(member: member, device: devices[first]), with: keys[2])
            var admission = DeviceAdmission(of: devices[first], signature: signature)
            if first != 1 {
                let statement = DeviceAdmission.statement(member: member, device: devices[1])
                admission = admission.admitting(devices[1], signature: cryptography.sign(statement, with: keys[first]))
            }
            return Certificate(
                ofLogWithKey: keys[0], in: GroupID(.zero), member: member, admission: admission, signedBy: keys[1],
                using: cryptography)
        }
        let both = [certificate(by: 0), certificate(by: 1)]
        let group = GroupID(.zero)
        #expect(both[0].device == both[1].device && both.allSatisfy { $0.isValid(in: group, using: cryptography) })
        #expect(both[0].logID(in: group, using: cryptography) != both[1].logID(in: group, using: cryptography))
        #expect(try Certificate(decoding: both[0].encoded[...]) == both[0])
    }

    @Test("a removal that no device of the member signed has no effect")
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
        // A valid removal in which the removed device's key is replaced by another key.
        #expect(try refusal(0, devices, [.removeDevice(3, key(1, devices))]) == nil)
        var bytes = try removal(0, devices).encoded
        bytes.replaceSubrange(32..<64, with: key(0, devices).bytes)
        #expect(!(try DeviceRemoval(decoding: bytes[...])).isValid(using: cryptography))
    }

    @Test("a signed removal works whoever posts it, and a forged one never does")
    func posted() throws {
        let (devices, group) = try makeGroup(.open, seed: 14)
        let cryptography = SwiftCryptography()
        #expect(try refusal(0, devices, [.removeDevice(3, key(1, devices))]) == nil)
        let signed = try removal(0, devices)
        // Only the poster's own client checks a removal before it is posted, and a stranger's client does not.
        let thief = DeviceRemoval(
            of: key(0, devices), of: member(0, devices), remaining: [], kept: [], by: signed.signer,
            signedBy: cryptography.signingKey(seed: .zero), using: cryptography)
        for (seed, removal) in [thief, signed].enumerated() {
            var log = ForeignLog(group: group, seed: UInt64(seed + 20), isStateLog: true)
            let event = log.event(.deviceRemoval, removal.encoded)
            try devices.ingest([event], into: 2, group: group)
            let status = events(2, in: group, devices).first { $0.event.id == event.id }?.status
            #expect(status == (seed == 0 ? .invalid : .delivered))
        }
        try devices.say(1, "late", in: group)
        try devices.meet(1, 2)
        #expect(said(2, in: group, devices) == ["from the phone", "from the laptop"])
        try devices.say(0, "I am still here", in: group)
        try devices.meet(0, 2)
        #expect(said(2, in: group, devices).last == "I am still here")
    }

    @Test("removals and admissions at their bounds, and arbitrary bytes")
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
