import Testing
import TomboloCore
import TomboloCrypto

/// Reading in private groups, tested between engines. Each test would fail if one of the checks were removed.
@Suite("Reading in private groups")
struct SealingTests: SealedGroupTests {
    @Test("members and readers read, and no text is on the wire or in the stored events")
    func sealed() throws {
        let (devices, group) = try makeGroup(3, seed: 1) { $0 == 1 ? .member : .reader }
        var isSeen = false
        devices.intercept = { wire in
            if wire.bytes.contains("the tide is out") { isSeen = true }
            return wire.bytes
        }
        try devices.say(0, "the tide is out", in: group)
        for _ in 0..<2 { for index in 1..<3 { try devices.meet(0, index) } }
        try devices.say(1, "and comes in", in: group)
        for _ in 0..<2 { for index in 1..<3 { try devices.meet(0, index) } }
        for device in 0..<3 {
            #expect(said(device, devices, group) == ["the tide is out", "and comes in"], "device \(device)")
            #expect(!events(device, devices).contains { $0.event.content?.contains("the tide") ?? false })
            #expect(devices.errors(device).isEmpty)
        }
        #expect(!isSeen)
        #expect(rekeys(0, devices).count == 1, "one secret for all that nobody was removed from")
    }

    @Test("a removed member has no secret for messages whose author had seen the removal")
    func removal() throws {
        let (devices, group) = try makeGroup(4, seed: 2)
        try devices.say(0, "before", in: group)
        for index in 1..<4 { try devices.meet(0, index) }
        try remove(3, by: 1, devices, group)
        try devices.say(1, "after", in: group)
        // The author has not seen the removal and writes under the old secret, which the removed member has.
        try devices.say(2, "meanwhile", in: group)
        for _ in 0..<3 { for one in 0..<4 { for other in one + 1..<4 { try devices.meet(one, other) } } }
        try devices.say(0, "later", in: group)
        for _ in 0..<2 { for index in 1..<4 { try devices.meet(0, index) } }
        for device in 0..<3 {
            #expect(readable(device, devices, group) == ["before", "after", "meanwhile", "later"], "device \(device)")
            #expect(Set(said(device, devices, group)) == readable(device, devices, group))
        }
        // The removed device holds all of the events.
        #expect(events(3, devices).count(where: { $0.event.header.kind == .message }) == 4)
        #expect(readable(3, devices, group) == ["before", "meanwhile"])
        #expect(rekeys(0, devices).count == 2)
    }

    @Test("two members removed by concurrent acts cannot together read messages that neither may read")
    func concurrentRemovals() throws {
        let (devices, group) = try makeGroup(5, seed: 3) { $0 < 3 ? .admin : .member }
        try devices.say(0, "before", in: group)
        for index in 1..<5 { try devices.meet(0, index) }
        try remove(3, by: 1, devices, group)
        try devices.say(1, "without three", in: group)
        try remove(4, by: 2, devices, group)
        try devices.say(2, "without four", in: group)
        for _ in 0..<2 { for one in 0..<3 { for other in one + 1..<3 { try devices.meet(one, other) } } }
        try devices.say(0, "without both", in: group)
        for _ in 0..<3 { for one in 0..<5 { for other in one + 1..<5 { try devices.meet(one, other) } } }
        let pooled = secrets(3, devices).merging(secrets(4, devices)) { one, _ in one }
        var opener = ContentOpener(using: SwiftCryptography()) { pooled[$0] }
        for stored in events(3, devices) where stored.event.header.kind == .message {
            let said = try #require(devices.text(of: stored.event, on: 0, in: group))
            #expect((try opener.content(of: stored.event) != nil) == (said == "before"), "\(said)")
        }
        #expect(readable(1, devices, group) == ["before", "without three", "without four", "without both"])
    }

    @Test("a device with the group's secret and no role receives nothing, however it asks")
    func stranger() throws {
        let (devices, group) = try makeGroup(3, seed: 4)
        try remove(2, by: 0, devices, group)
        try devices.say(0, "among us", in: group)
        for index in 1..<3 { try devices.meet(0, index) }
        // It asks in its own right, and repeatedly.
        for _ in 0..<3 { try devices.meet(2, 1) }
        #expect(readable(2, devices, group).isEmpty)
        #expect(readable(1, devices, group) == ["among us"])
        // After it is admitted again, it receives the secrets that it lacks.
        try devices.step(0, [.setRole(7, group: group, of: member(2, devices), to: .reader)])
        for _ in 0..<2 { try devices.meet(0, 2) }
        #expect(said(2, devices, group) == ["among us"])
    }

    @Test("a member whose admission has lost its right is no member and reads no later messages")
    func fallenAdmission() throws {
        let (devices, group) = try makeGroup(3, seed: 14)
        try remove(2, by: 0, devices, group)
        try devices.say(0, "among us", in: group)
        for _ in 0..<2 { for index in 1..<3 { try devices.meet(0, index) } }
        // An admin admits it and gives it the secrets that it may then have. Concurrently the owner demotes that admin.
        try devices.step(1, [.setRole(7, group: group, of: member(2, devices), to: .member)])
        try devices.step(0, [.setRole(7, group: group, of: member(1, devices), to: .member)])
        try devices.meet(1, 2)
        #expect(readable(2, devices, group) == ["among us"])
        for _ in 0..<2 { for one in 0..<3 { for other in one + 1..<3 { try devices.meet(one, other) } } }
        #expect(devices.devices[1].engine.role(of: member(2, devices), in: group) == Role.none)
        try devices.say(0, "without it", in: group)
        for _ in 0..<2 { for one in 0..<3 { for other in one + 1..<3 { try devices.meet(one, other) } } }
        #expect(readable(2, devices, group) == ["among us"])
        #expect(said(1, devices, group) == ["among us", "without it"])
    }

    @Test("a sealed event waits for its secret, which any device that delivered it can give")
    func waiting() throws {
        let (devices, group) = try makeGroup(3, seed: 5)
        // Shares from the author to the last device are lost.
        devices.intercept = { wire in
            guard wire.from == 0, let payload = try? Payload(decoding: wire.bytes[...]) else { return wire.bytes }
            return payload.groups.contains { $0.share != nil } && wire.to == 2 ? nil : wire.bytes
        }
        try devices.say(0, "the tide is out", in: group)
        try devices.meet(0, 2)
        #expect(said(2, devices, group).isEmpty)
        #expect(events(2, devices).contains { $0.event.header.kind == .message && $0.status == .waiting })
        // After a restart the device still waits, and asks.
        devices.devices[2] = try Devices.Device(seed: 77, store: devices.devices[2].store)
        try devices.meet(0, 1)
        try devices.meet(1, 2)
        #expect(said(2, devices, group) == ["the tide is out"])
        #expect(devices.devices[2].store.changes(in: group).count { $0.event.event.header.kind == .message } == 1)
    }

    @Test("a request for a secret that is lost, or whose answer is lost, is sent again")
    func unheard() throws {
        let (devices, group) = try makeGroup(2, seed: 61)
        try devices.say(0, "sealed", in: group)
        var (asked, declined) = (0, 0)
        devices.intercept = { wire in
            guard var payload = try? Payload(decoding: wire.bytes[...]) else { return wire.bytes }
            for index in payload.groups.indices {
                // Nothing is given unasked. The first request and the first answer are lost.
                let isAsking = payload.groups[index].secretsWanted != nil
                if isAsking { asked += 1 }
                if isAsking, asked == 1 { payload.groups[index].secretsWanted = nil }
                guard let share = payload.groups[index].share else { continue }
                if share.count == 32 { declined += 1 }
                if share.count > 32, asked < 2 { payload.groups[index].share = nil }
            }
            return payload.encoded
        }
        let before = devices.now
        let session = try devices.connect(1, 0)
        try devices.settle(wakes: 32)
        #expect(said(1, devices, group) == ["sealed"])
        #expect(asked == 2 && declined == 0 && devices.now >= before + 32_000)
        #expect(devices.haveAgreed(1))
        try devices.disconnect(session)
    }

    @Test("an event that is erased while it waits for its secret waits no more")
    func erasedWhileWaiting() throws {
        let (devices, group) = try makeGroup(2, seed: 12)
        devices.intercept = { wire in
            guard wire.to == 1, let payload = try? Payload(decoding: wire.bytes[...]) else { return wire.bytes }
            return payload.groups.contains { $0.share != nil } ? nil : wire.bytes
        }
        try devices.say(0, "the tide is out", in: group)
        let event = try #require(events(0, devices).last?.event)
        try devices.meet(0, 1)
        #expect(events(1, devices).last { $0.event.id == event.id }?.status == .waiting)
        try devices.step(0, [.redact(6, group: group, event.reference, reason: "")])
        try devices.meet(0, 1)
        let held = try #require(events(1, devices).last { $0.event.id == event.id })
        #expect(held.status == .delivered && held.event.content == nil)
    }

    @Test("a share of another secret closes the link and is not accepted")
    func wrongShare() throws {
        let (devices, group) = try makeGroup(2, seed: 6)
        let cryptography = SwiftCryptography()
        var wrong: (EventID, Bytes32) -> [UInt8]? = { _, _ in nil }
        devices.intercept = { wire in
            guard wire.to == 1, var payload = try? Payload(decoding: wire.bytes[...]) else { return wire.bytes }
            for index in payload.groups.indices {
                guard let share = payload.groups[index].share, let rekey = EventID(share.prefix(32)),
                    let said = self.events(1, devices).last(where: { stored in
                        stored.event.header.kind == .device
                            && stored.event.header.log != self.events(0, devices).first?.event.header.log
                    }), let key = Bytes32(said.event.content ?? []), let other = wrong(rekey, key)
                else { continue }
                payload.groups[index].share = (rekey.bytes + other)[...]
            }
            return payload.encoded
        }
        for attempt in 0..<3 {
            wrong = { rekey, key in
                let info = SecretShare.info(rekey, in: group)
                switch attempt {
                case 0:
                    let other = RekeySecret(root: .zero, using: cryptography)
                    let part = SecretShare.parts(of: other, withContents: true)[0]
                    return cryptography.seal(part.encoded, to: key, info: info)
                case 1: return cryptography.seal([2, 2, 2], to: key, info: info)
                default: return [UInt8](repeating: 7, count: 81)
                }
            }
            try devices.say(0, "attempt \(attempt)", in: group)
            try devices.meet(0, 1)
            #expect(devices.errors(1).count == attempt + 1, "\(devices.errors(1))")
            #expect(secrets(1, devices).isEmpty)
        }
        wrong = { _, _ in nil }
        try devices.meet(0, 1)
        #expect(said(1, devices, group) == (0..<3).map { "attempt \($0)" })
    }

    @Test("a secret is used for a week")
    func schedule() throws {
        let (devices, group) = try makeGroup(2, seed: 8)
        try devices.say(0, "monday", in: group)
        devices.now += Limits.rekeyAge - 2
        try devices.say(0, "sunday", in: group)
        #expect(rekeys(0, devices).count == 1)
        try devices.say(0, "monday again", in: group)
        #expect(rekeys(0, devices).count == 2)
        try devices.meet(0, 1)
        #expect(said(1, devices, group) == ["monday", "sunday", "monday again"])
    }

    @Test("broadcasts are sealed too")
    func ephemeral() throws {
        let (devices, group) = try makeGroup(3, seed: 9)
        try remove(2, by: 0, devices, group)
        try devices.say(0, "hello", in: group)
        for index in 1..<3 { try devices.meet(0, index) }
        var isSeen = false
        devices.intercept = { wire in
            if wire.bytes.contains("is typing") { isSeen = true }
            return wire.bytes
        }
        let sessions = [try devices.connect(0, 1), try devices.connect(0, 2)]
        try devices.settle()
        try devices.step(0, [.broadcast(5, group: group, content: Array("is typing".utf8))])
        try devices.settle()
        for session in sessions { try devices.disconnect(session) }
        func heard(_ device: Int) -> [String] {
            devices.devices[device].effects.compactMap {
                if case .receivedEphemeral(_, _, _, let content) = $0 {
                    String(decoding: content, as: UTF8.self)
                } else {
                    nil
                }
            }
        }
        #expect(heard(1) == ["is typing"] && heard(2).isEmpty && !isSeen)
    }

    @Test("a device that lost everything receives its secrets again")
    func wiped() throws {
        let (devices, group) = try makeGroup(2, seed: 10)
        try devices.say(0, "the tide is out", in: group)
        try devices.say(1, "coming", in: group)
        for _ in 0..<2 { try devices.meet(0, 1) }
        let old = devices.devices[1].store
        let empty = MemoryStore()
        for key in [IdentityKeys.deviceSeed, IdentityKeys.member, IdentityKeys.admission] {
            empty.setValue(old.value(forKey: key), forKey: key)
        }
        var record = try #require(old.groups().first)
        (record.reference, record.ownSeed, record.ownLog) = (0, nil, nil)
        empty.put(&record)
        devices.devices[1] = try Devices.Device(seed: 55, store: empty)
        let states = events(0, devices).count { $0.event.header.kind == .device }
        for _ in 0..<2 { try devices.meet(0, 1) }
        #expect(Set(said(1, devices, group)) == ["the tide is out", "coming"])
        // The key to which shares are sealed follows from the device's key, so it is not announced again.
        #expect(events(0, devices).count { $0.event.header.kind == .device } == states)
    }

    @Test("values of the state are sealed too, except for the expiry, which engines enforce")
    func state() throws {
        let (devices, group) = try makeGroup(2, seed: 13)
        for (key, value) in [("title", "The crew"), ("mood", "calm"), ("expiry", "3600000")] {
            try devices.step(0, [.setState(3, group: group, key: key, value: Array(value.utf8))])
        }
        try devices.step(0, [.setState(3, group: group, key: "mood", value: nil)])
        try devices.meet(0, 1)
        let store = devices.devices[1].store
        var opener = ContentOpener(using: SwiftCryptography()) { store.secret(of: $0, inGroup: 1) }
        var values: [String?] = []
        for stored in events(1, devices) where stored.event.header.kind == .setting {
            #expect(stored.status == .delivered)
            guard case .set(let key, let value) = try StateAction(decoding: stored.event.content ?? [], kind: .setting)
            else { continue }
            #expect((value.map { String(decoding: $0, as: UTF8.self) } == "3600000") == (key == "expiry"))
            values.append(
                try value.flatMap { try opener.value($0, of: stored.event) }.map { String(decoding: $0, as: UTF8.self) }
            )
        }
        #expect(values == ["The crew", "calm", "3600000", nil])
        devices.now += 1
        try devices.say(1, "goes away", in: group)
        #expect(events(1, devices).last?.event.header.expiry == devices.now + 3_600_000)
        // A sealed value has at most 4,068 bytes of text.
        try devices.step(0, [.setState(3, group: group, key: "mood", value: [UInt8](repeating: 1, count: 4_068))])
        let before = devices.devices[0].effects.count
        try devices.step(0, [.setState(3, group: group, key: "mood", value: [UInt8](repeating: 1, count: 4_069))])
        #expect(
            devices.devices[0].effects[before...].contains {
                if case .failed(_, .contentTooLarge(4_068)) = $0 { true } else { false }
            })
    }

    @Test("in a private group an event is invalid if it is unsealed or names another event as its rekey")
    func unsealed() throws {
        let (devices, group) = try makeGroup(2, seed: 11)
        var own = ForeignLog(group: group, seed: 5)
        // The author is a member whose client does not seal.
        try devices.step(0, [.setRole(1, group: group, of: own.member, to: .member)])
        let raised = try #require(events(0, devices).last?.event.reference)
        let plain = own.event(after: nil, "in the clear") { $0 = $0.naming(raised) }
        let wrong = own.event(after: plain, "by another name") { $0 = $0.naming(raised, asRekey: true) }
        _ = try devices.ingest([plain, wrong], into: 0, group: group)
        let held = events(0, devices).filter { [plain.id, wrong.id].contains($0.event.id) }
        #expect(held.map(\.status) == [EventStatus.invalid, .invalid])
    }
}

extension EventHeader {
    /// The same header with a state event named.
    fileprivate func naming(_ event: EventReference, asRekey: Bool = false) -> EventHeader {
        EventHeader(
            kind: kind, isSalted: isSalted, log: log, sequence: sequence, previous: previous, stateHeads: [event],
            rekeys: asRekey ? [event] : [], contentLength: contentLength, commitment: commitment,
            extensions: extensions)
    }
}
