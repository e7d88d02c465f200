import Testing
import TomboloCore
import TomboloCrypto

/// The visibility of a group for each contact. Device 0 hides it from device 1, and device 2 shares everything.
@Suite("Groups that are hidden from contacts")
struct VisibilityTests: VisibilityScenario {
    @Test("a contact that must not know of a group sees none", arguments: [true, false], [true, false])
    func invisible(byMember: Bool, hiderDials: Bool) throws {
        let (devices, group) = try makeGroup(seed: 1)
        let contact = byMember ? member(1, devices) : device(1, devices)
        #expect(try set(.invisible, to: contact, devices, group) == nil)
        try devices.say(0, "not for you", in: group)
        try devices.say(1, "hello?", in: group)
        var shown = 0
        devices.intercept = { wire in
            if wire.from == 0, let payload = try? Payload(decoding: wire.bytes[...]) { shown += payload.groups.count }
            return wire.bytes
        }
        try hiderDials ? devices.meet(0, 1) : devices.meet(1, 0)
        #expect(shown == 0)
        #expect(!said(1, devices, group).contains("not for you"))
        #expect(!said(0, devices, group).contains("hello?"))
        devices.intercept = { $0.bytes }
        // The setting concerns this link alone: other devices may pass the events on.
        try devices.meet(2, 0)
        try devices.meet(2, 1)
        try devices.meet(2, 0)
        #expect(said(1, devices, group).contains("not for you"))
        #expect(said(0, devices, group).contains("hello?"))
        // The group is shared again.
        #expect(try set(.shared, to: contact, devices, group) == nil)
        try devices.say(0, "again", in: group)
        try devices.meet(0, 1)
        #expect(said(1, devices, group).contains("again"))
    }

    @Test("open links are closed once, and follow the setting when they are opened again")
    func openLinks() throws {
        let (devices, group) = try makeGroup(seed: 2)
        let link = try devices.connect(1, 0)
        let other = try devices.connect(2, 0)
        try devices.settle()
        #expect(try set(.invisible, to: member(1, devices), devices, group) == nil)
        let closed = devices.devices[0].effects.compactMap { effect in
            if case .close(let session, .visibilityChanged) = effect { session } else { nil }
        }
        #expect(closed == [link])
        try devices.disconnect(link)
        try devices.say(0, "not for you", in: group)
        try devices.settle()
        #expect(said(2, devices, group).contains("not for you"))
        try devices.disconnect(other)
        // A setting that changes nothing closes nothing.
        let again = try devices.connect(1, 0)
        try devices.settle()
        #expect(try set(.invisible, to: member(1, devices), devices, group) == nil)
        #expect(try set(.invisible, to: device(1, devices), devices, group) == nil)
        #expect(devices.errors(0) == [])
        #expect(!said(1, devices, group).contains("not for you"))
        try devices.disconnect(again)
    }

    @Test(
        "a device that only receives sends nothing and is asked for nothing; both know when they are done",
        arguments: [Policy.open, .private], [true, false])
    func visible(policy: Policy, hiderDials: Bool) throws {
        let (devices, group) = try makeGroup(3, policy, seed: 5)
        #expect(try set(.visible, to: member(1, devices), devices, group) == nil)
        for number in 0..<50 {
            try devices.say(0, "not for you \(number)", in: group)
            try devices.say(1, "for you \(number)", in: group)
        }
        var sent = 0
        devices.intercept = { wire in
            if wire.from == 0, let payload = try? Payload(decoding: wire.bytes[...]) {
                sent += payload.groups.count {
                    $0.events != nil || $0.ephemeral != nil || ($0.share?.count ?? 0) > 32
                }
            }
            return wire.bytes
        }
        for device in 0...1 { devices.devices[device].effects = [] }
        let link = try hiderDials ? devices.connect(0, 1) : devices.connect(1, 0)
        try devices.settle()
        #expect(hasExchanged(0, devices) == 1 && hasExchanged(1, devices) == 1)
        #expect(Set(said(0, devices, group)).count == 103 && Set(said(1, devices, group)).count == 53)
        // Messages and broadcasts are sent while the link is open.
        devices.devices[1].effects = []
        try devices.say(0, "nor this", in: group)
        try devices.say(1, "but this", in: group)
        try devices.step(0, [.broadcast(5, group: group, content: Array("is typing".utf8))])
        try devices.settle()
        #expect(said(0, devices, group).contains("but this") && !said(1, devices, group).contains("nor this"))
        // The link is quiet although the two never come to hold the same: for an hour nothing is sent.
        let before = devices.bytesSent
        devices.now += 3_600_000
        try devices.settle()
        #expect(devices.bytesSent == before)
        #expect(sent == 0)
        try devices.disconnect(link)
        devices.intercept = { $0.bytes }
        for device in 0...1 { #expect(devices.errors(device) == []) }
        // Another device provides the same events, and the means to read them.
        try devices.meet(2, 0)
        try devices.meet(2, 1)
        #expect(Set(said(1, devices, group)) == Set(said(2, devices, group)))
        try devices.meet(1, 0)
        #expect(devices.devices[0].engine.root(of: group) == devices.devices[1].engine.root(of: group))
    }

    @Test("a contact that asks all the same is not answered")
    func insisting() throws {
        let (devices, group, file) = try makeGroup(withFileOf: 0, seed: 6)
        try devices.say(0, "not for you", in: group)
        var (answers, wants) = (0, 0)
        devices.intercept = { [self] wire in
            guard var payload = try? Payload(decoding: wire.bytes[...]) else { return wire.bytes }
            for number in payload.groups.indices {
                if wire.from == 0 {
                    answers += payload.groups[number].events == nil ? 0 : 1
                    // The contact must not learn that nothing comes.
                    payload.groups[number].onlyTakes = false
                } else if payload.groups[number].frontier != nil {
                    // The request is for all events of the log that it named first.
                    payload.groups[number].want = [0, 0, 1, 60]
                    wants += 1
                }
            }
            answers += wire.from == 0 ? chunks(wire).count : 0
            return payload.encoded
        }
        let link = try devices.connect(1, 0)
        try devices.settle()
        #expect(try want(file.id, 1, devices) == nil)
        try devices.settle()
        #expect(answers == 0 && wants > 1)
        #expect(!isWhole(file, 1, devices) && !said(1, devices, group).contains("not for you"))
        try devices.disconnect(link)
        // Device 2, with which the group is shared, receives it.
        try devices.connect(2, 0)
        try devices.settle()
        #expect(said(2, devices, group).contains("not for you"))
    }

    @Test("a contact that asks for a secret does not receive it")
    func secrets() throws {
        let (devices, group) = try makeGroup(4, .private, seed: 11)
        #expect(try set(.visible, to: member(1, devices), devices, group) == nil)
        let removed = devices.devices[3].engine.member
        try devices.step(0, [.setRole(8, group: group, of: removed, to: .none)])
        try devices.say(0, "sealed anew", in: group)
        try devices.meet(2, 0)
        /// The number of secrets that each device has given.
        var handed: [Int: Int] = [:]
        devices.intercept = { wire in
            guard var payload = try? Payload(decoding: wire.bytes[...]) else { return wire.bytes }
            for number in payload.groups.indices {
                if (payload.groups[number].share?.count ?? 0) > 32 { handed[wire.from, default: 0] += 1 }
                // The secret from one device is lost in transit. The notice of the other that nothing comes is
                // suppressed.
                if wire.from == 2 { payload.groups[number].share = nil }
                payload.groups[number].onlyTakes = false
            }
            return payload.encoded
        }
        try devices.meet(2, 1)
        #expect(handed[2] ?? 0 > 0 && !said(1, devices, group).contains("sealed anew"))
        try devices.meet(1, 0)
        #expect(handed[0] == nil && !said(1, devices, group).contains("sealed anew"))
        devices.intercept = { $0.bytes }
        try devices.meet(1, 2)
        #expect(said(1, devices, group).contains("sealed anew"))
    }

    @Test("two devices that both only receive are done at once")
    func bothOnlyTake() throws {
        let (devices, group) = try makeGroup(seed: 8)
        #expect(try set(.visible, to: member(1, devices), devices, group) == nil)
        #expect(try set(.visible, to: member(0, devices), on: 1, devices, group) == nil)
        for device in 0...1 {
            try devices.say(device, "mine", in: group)
            devices.devices[device].effects = []
        }
        try devices.meet(0, 1)
        for device in 0...1 {
            #expect(hasExchanged(device, devices) == 1 && devices.errors(device) == [])
            #expect(said(device, devices, group).count == 4)
        }
    }

    @Test("a device that only receives is not done before it can read what it received")
    func awaited() throws {
        let (devices, group) = try makeGroup(4, .private, seed: 15)
        let removed = devices.devices[3].engine.member
        try devices.step(1, [.setRole(8, group: group, of: removed, to: .none)])
        try devices.step(0, [.setRole(8, group: group, of: removed, to: .none)])
        try devices.meet(0, 1)
        try devices.say(1, "sealed anew", in: group)
        devices.intercept = { wire in
            guard var payload = try? Payload(decoding: wire.bytes[...]) else { return wire.bytes }
            for number in payload.groups.indices where wire.from == 2 { payload.groups[number].share = nil }
            return payload.encoded
        }
        try devices.meet(2, 1)
        try devices.meet(2, 0)
        devices.intercept = { $0.bytes }
        #expect(!said(0, devices, group).contains("sealed anew"))
        // Only the secret is new to it.
        #expect(try set(.visible, to: member(1, devices), devices, group) == nil)
        devices.devices[0].effects = []
        let session = try devices.connect(0, 1)
        try devices.carry { hasExchanged(0, devices) > 0 }
        #expect(said(0, devices, group).contains("sealed anew"))
        try devices.disconnect(session)
    }

    @Test("the same holds in groups of very many logs, whoever dials", arguments: [true, false])
    func manyLogs(hiderDials: Bool) throws {
        let devices = try Devices(30, seed: 16)
        let group = try devices.makeGroup()
        for device in 0..<30 { try devices.say(device, "\(device)", in: group) }
        for device in 2..<30 { try devices.meet(1, device) }
        try devices.meet(0, 29)
        #expect(try set(.visible, to: member(1, devices), devices, group) == nil)
        for device in 0...1 { devices.devices[device].effects = [] }
        let held = said(1, devices, group)
        let link = try hiderDials ? devices.connect(0, 1) : devices.connect(1, 0)
        let dialler = hiderDials ? 0 : 1
        try devices.carry { hasExchanged(dialler, devices) > 0 }
        #expect(hasExchanged(dialler, devices) == 1)
        #expect(Set(held).isSubset(of: said(0, devices, group)) && said(1, devices, group) == held)
        try devices.disconnect(link)
    }

    @Test("a contact is not told of new parts of a file; if another group has the file, it comes over that one")
    func files() throws {
        let (devices, _, file) = try makeGroup(withFileOf: 2, seed: 17)
        #expect(try want(file.id, 1, devices) == nil)
        #expect(try want(file.id, 0, devices) == nil)
        let links = [try devices.connect(1, 0), try devices.connect(2, 0)]
        var told = 0
        devices.intercept = { [self] wire in
            guard wire.session == links[0], wire.from == 0 else { return wire.bytes }
            for case .have(_, let held) in messages(wire) { told += held.isEmpty ? 0 : 1 }
            return wire.bytes
        }
        try devices.settle()
        #expect(isWhole(file, 0, devices) && told == 0)
        for link in links { try devices.disconnect(link) }
        devices.intercept = { $0.bytes }
        // The two devices share another group, which is created later.
        try devices.step(0, [.createGroup(1, name: "more")])
        let made = devices.devices[0].effects.compactMap { if case .created(_, let id) = $0 { id } else { nil } }
        let more = try #require(made.last)
        try devices.open(more, on: 1, from: 0)
        try say([file.id], 0, devices, more)
        try devices.meet(1, 0)
        try devices.meet(1, 0)
        #expect(isWhole(file, 1, devices))
    }

    @Test("roots are sent at most once a second during a conversation, and a setting holds from its own batch on")
    func live() throws {
        let (devices, group) = try makeGroup(seed: 19)
        #expect(try set(.visible, to: member(1, devices), devices, group) == nil)
        try devices.say(0, "not for you", in: group)
        let link = try devices.connect(1, 0)
        try devices.settle()
        var roots = 0
        devices.intercept = { wire in
            if let payload = try? Payload(decoding: wire.bytes[...]) {
                roots += payload.groups.count { $0.root != nil }
            }
            return wire.bytes
        }
        for number in 0..<20 {
            try devices.say(number % 2, "\(number)", in: group)
            try devices.carry(only: link)
        }
        #expect(roots <= 2)
        devices.intercept = { $0.bytes }
        try devices.disconnect(link)
        #expect(try set(.shared, to: member(1, devices), devices, group) == nil)
        let again = try devices.connect(1, 0)
        try devices.settle()
        let hide = EngineInput.setVisibility(1, group: group, to: member(1, devices), .invisible)
        let broadcast = EngineInput.broadcast(2, group: group, content: Array("is typing".utf8))
        try devices.step(0, [hide, broadcast])
        #expect(!devices.queue.contains { $0.from == 0 })
        try devices.disconnect(again)
    }

    @Test("visibility is stored, excludes the device's own member, and has a bound")
    func bounds() throws {
        let (devices, group) = try makeGroup(2, seed: 9)
        for contact in [member(0, devices), device(0, devices)] {
            #expect(try set(.invisible, to: contact, devices, group)?.description.contains("your own devices") == true)
        }
        for number in 0..<1_024 as Range<UInt64> {
            let key = SwiftCryptography().sha256([UInt8(number >> 8), UInt8(number & 255)])
            #expect(try set(.visible, to: .device(DeviceKey(key)), devices, group) == nil)
        }
        #expect(try set(.invisible, to: member(1, devices), devices, group)?.description.contains("1024") == true)
        // Existing entries can be changed, and a removed one makes room.
        let one = Contact.device(DeviceKey(SwiftCryptography().sha256([0, 0])))
        #expect(try set(.invisible, to: one, devices, group) == nil)
        #expect(try set(.shared, to: one, devices, group) == nil)
        #expect(try set(.invisible, to: member(1, devices), devices, group) == nil)
        // The setting survives a restart.
        let store = devices.devices[0].store
        devices.devices[0] = try Devices.Device(seed: 10, store: store)
        try devices.say(0, "not for you", in: group)
        #expect(try meeting(1, 0, devices).groups.allSatisfy(\.isEmpty))
        // A malformed value is reported as damage.
        let key = "visibility-\(group)"
        let value = try #require(store.value(forKey: key))
        store.setValue(value + [0], forKey: key)
        #expect(throws: StoreError.self) { try Devices.Device(seed: 10, store: store) }
        store.setValue(Array(value.dropLast()) + [3], forKey: key)
        #expect(throws: StoreError.self) { try Devices.Device(seed: 10, store: store) }
        // Recovery reads the entries of a damaged value that are readable.
        let whole = try GroupVisibility(decoding: value)
        #expect(whole.encoded == value && whole.settings.count == 1_024)
        #expect(GroupVisibility(recovering: Array(value.dropLast()) + [3]).settings.count == 1_023)
        #expect(GroupVisibility(recovering: value + [1, 2]) == whole && GroupVisibility(recovering: nil).isEmpty)
    }
}
