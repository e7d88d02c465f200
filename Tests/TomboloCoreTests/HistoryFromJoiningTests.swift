import Testing
import TomboloCore
import TomboloCrypto

/// Groups in which a new member reads only later messages, tested between engines. Each test would fail if one of the
/// checks were removed.
@Suite("History from joining")
struct HistoryFromJoiningTests {
    /// Creates a group of the first devices, and others that have not joined.
    private func makeGroup(_ count: Int, outside: Int = 0, seed: UInt64) throws -> (Devices, GroupID) {
        let devices = try Devices(count, seed: seed)
        let group = try devices.makeGroup(.privateFromJoining) { _ in .admin }
        for index in 0..<outside { devices.devices.append(try Devices.Device(seed: seed &+ 500 &+ UInt64(index))) }
        for _ in 0..<2 { for index in 1..<count { try devices.meet(0, index) } }
        return (devices, group)
    }

    private func join(_ device: Int, by other: Int, _ devices: Devices, _ group: GroupID) throws {
        devices.now += 1
        try devices.step(other, [.invite(3, group: group, addresses: [], expiry: devices.now + 1_000_000)])
        let session = try devices.connect(device, other, invitation: devices.invitation(by: other))
        try devices.settle()
        try devices.disconnect(session)
    }

    private func setRole(_ other: Int, to role: Role, by device: Int, _ devices: Devices, _ group: GroupID) throws {
        devices.now += 1
        let member = devices.devices[other].engine.member
        try devices.step(device, [.setRole(7, group: group, of: member, to: role)])
    }

    private func events(_ device: Int, _ devices: Devices) -> [StoredEvent] {
        let store = devices.devices[device].store
        return store.events(ordinals: Array(1...max(1, store.lastOrdinal())))
    }

    /// The texts that a device can decrypt among all events that it holds, like a client that ignores the rules.
    private func readable(_ device: Int, _ devices: Devices, _ group: GroupID) -> [String] {
        events(device, devices).filter { $0.event.header.kind == .message }
            .compactMap { devices.text(of: $0.event, on: device, in: group) }
    }

    /// The texts that the device's application received, in that order.
    private func said(_ device: Int, _ devices: Devices, _ group: GroupID) -> [String] {
        devices.devices[device].store.changes(in: group)
            .filter { $0.event.event.header.kind == .message && ($0.kind == .delivered || $0.kind == .restored) }
            .map { devices.text(of: $0.event.event, on: device, in: group) ?? "?" }
    }

    private func status(of text: String, on device: Int, readBy reader: Int, _ devices: Devices, _ group: GroupID)
        -> EventStatus?
    {
        events(device, devices).first { devices.text(of: $0.event, on: reader, in: group) == text }?.status
    }

    /// The value of a key as a device reads it.
    private func value(of key: String, on device: Int, _ devices: Devices, _ group: GroupID) throws -> String? {
        let store = devices.devices[device].store
        let reference = try #require(store.groups().first { $0.id == group }?.reference)
        let node = try #require(devices.devices[device].engine.state(of: group)?.settings(of: key).first)
        let event = store.events(ordinals: [node.ordinal])[0].event
        guard case .set(_, let value?) = try StateAction(decoding: event.content ?? [], kind: .setting) else {
            return nil
        }
        var opener = ContentOpener(using: SwiftCryptography()) { store.secret(of: $0, inGroup: reference) }
        return try opener.value(value, of: event).map { String(decoding: $0, as: UTF8.self) }
    }

    private func meetAll(_ devices: Devices) throws {
        for _ in 0..<3 {
            for one in devices.devices.indices {
                for other in devices.devices.indices where other > one { try devices.meet(one, other) }
            }
        }
    }

    @Test("a new member reads later messages and the group's state, and can read nothing from before")
    func joining() throws {
        let (devices, group) = try makeGroup(2, outside: 1, seed: 1)
        try devices.say(0, "before", in: group)
        try devices.step(0, [.setState(5, group: group, key: "title", value: Array("Low tide".utf8))])
        try devices.meet(0, 1)
        try devices.say(1, "before, too", in: group)
        try devices.meet(0, 1)
        try join(2, by: 0, devices, group)
        try devices.say(0, "after", in: group)
        try meetAll(devices)
        #expect(said(2, devices, group) == ["after"])
        #expect(readable(2, devices, group) == ["after"])
        #expect(try value(of: "title", on: 2, devices, group) == "Low tide")
        // The new member continues from the events that it holds, and keeps them for those that can read them.
        try devices.say(2, "thank you", in: group)
        try meetAll(devices)
        for device in 0..<2 {
            #expect(said(device, devices, group) == ["before", "before, too", "after", "thank you"])
            #expect(devices.delivered(device, in: group).last { $0.header.kind == .message }?.header.lamport ?? 0 > 3)
        }
        #expect(status(of: "before", on: 2, readBy: 0, devices, group) == .heldBack)
        #expect(!events(2, devices).contains { $0.status == .waiting })
        #expect(devices.devices.indices.allSatisfy { devices.errors($0).isEmpty })
        let roots = (0..<3).map { devices.devices[$0].engine.root(of: group) }
        #expect(Set(roots).count == 1)
        // After a restart the result is the same, and no device asks for the secrets of the skipped events.
        devices.devices[2] = try Devices.Device(seed: 90, store: devices.devices[2].store)
        var asked = 0
        devices.intercept = { wire in
            let payload = try? Payload(decoding: wire.bytes[...])
            asked += payload?.groups.count { $0.secretsWanted != nil } ?? 0
            return wire.bytes
        }
        try meetAll(devices)
        #expect(said(2, devices, group) == ["after", "thank you"] && asked == 0)
    }

    @Test("a device that asks for secrets from before it joined receives the values key alone, from anyone")
    func asking() throws {
        let (devices, group) = try makeGroup(2, outside: 1, seed: 2)
        try devices.say(0, "before", in: group)
        try devices.meet(0, 1)
        let cryptography = SwiftCryptography()
        var asked: [EventID] = []
        var handed: [EventID: [SecretShare]] = [:]
        devices.intercept = { wire in
            guard var payload = try? Payload(decoding: wire.bytes[...]), !payload.groups.isEmpty else {
                return wire.bytes
            }
            if wire.from == 2 {
                if !asked.isEmpty { payload.groups[0].secretsWanted = asked.flatMap(\.bytes)[...] }
            } else {
                // These are the secrets that a client without rules would extract.
                let seed = devices.devices[2].engine.sharingSeed(of: group)
                for share in payload.groups.compactMap(\.share) where wire.to == 2 && share.count > 32 {
                    guard let rekey = EventID(share.prefix(32)),
                        let text = cryptography.open(
                            share.dropFirst(32), seed: seed, info: SecretShare.info(rekey, in: group)),
                        let part = try? SecretShare(decoding: text)
                    else { continue }
                    handed[rekey, default: []].append(part)
                }
            }
            return payload.encoded
        }
        try join(2, by: 0, devices, group)
        let rekeys = events(2, devices).map(\.event).filter { $0.header.kind == .rekey }.map(\.id)
        asked = rekeys
        try meetAll(devices)
        #expect(rekeys.count == 1)
        for rekey in rekeys {
            let parts = try #require(handed[rekey])
            #expect(parts.count >= 2, "with its event, and when it was asked for")
            #expect(parts.allSatisfy { $0.nodes.isEmpty && $0.values != nil })
        }
        // A secret that begins later is given to it whole.
        asked = []
        try devices.say(1, "after", in: group)
        try meetAll(devices)
        #expect(handed.values.joined().contains { !$0.nodes.isEmpty })
        #expect(readable(2, devices, group) == ["after"])
    }

    @Test("a message whose author did not know of the joining is not for the new member, and later ones are")
    func concurrent() throws {
        let (devices, group) = try makeGroup(2, outside: 1, seed: 3)
        try devices.say(0, "before", in: group)
        try devices.meet(0, 1)
        try join(2, by: 0, devices, group)
        try devices.say(1, "at sea", in: group)
        try devices.say(0, "in the harbour", in: group)
        try meetAll(devices)
        try devices.say(1, "on land", in: group)
        try meetAll(devices)
        #expect(said(2, devices, group) == ["in the harbour", "on land"])
        #expect(readable(2, devices, group) == said(2, devices, group))
        #expect(Set(said(0, devices, group)) == ["before", "at sea", "in the harbour", "on land"])
    }

    @Test("another device of a member has that member's history, from whichever device it meets")
    func linked() throws {
        let (devices, group) = try makeGroup(3, seed: 4)
        try devices.say(0, "for all of us", in: group)
        try meetAll(devices)
        try devices.link(Devices.Device(seed: 91), to: 1, in: group)
        try devices.meet(3, 1)
        #expect(said(3, devices, group) == ["for all of us"])
    }

    @Test(
        "a returning member keeps its devices' history and gives it to its new devices, which then learn of it")
    func comingBack() throws {
        let (devices, group) = try makeGroup(2, seed: 5)
        try devices.say(0, "the first time", in: group)
        try meetAll(devices)
        try setRole(1, to: .none, by: 0, devices, group)
        try devices.say(0, "meanwhile", in: group)
        try meetAll(devices)
        try setRole(1, to: .member, by: 0, devices, group)
        try devices.say(0, "again", in: group)
        try meetAll(devices)
        #expect(said(1, devices, group) == ["the first time", "again"])
        // Any device gives a new device of the member all secrets that the member could ever read.
        devices.devices.append(try Devices.Device(seed: 92))
        try devices.link(2, to: 1)
        try devices.open(group, on: 2, from: 1)
        for _ in 0..<2 { try devices.meet(2, 0) }
        #expect(said(2, devices, group) == ["the first time", "again"])
        #expect(readable(2, devices, group) == ["the first time", "again"])
        #expect(status(of: "meanwhile", on: 2, readBy: 0, devices, group) == .heldBack)
        #expect(devices.devices.indices.allSatisfy { devices.errors($0).isEmpty })
    }

    @Test("a member that two admins admit at once reads messages of authors that know either admission")
    func admittedTwice() throws {
        let (devices, group) = try makeGroup(2, outside: 1, seed: 8)
        try devices.say(0, "before", in: group)
        try devices.meet(0, 1)
        for admin in 0..<2 { try setRole(2, to: .member, by: admin, devices, group) }
        for admin in 0..<2 { try devices.say(admin, "admitted by \(admin)", in: group) }
        try join(2, by: 0, devices, group)
        try meetAll(devices)
        #expect(Set(said(2, devices, group)) == ["admitted by 0", "admitted by 1"])
    }

    @Test("a secret that is given against the rule is not accepted")
    func handedAgainstTheRule() throws {
        let (devices, group) = try makeGroup(2, outside: 1, seed: 9)
        try devices.say(0, "before", in: group)
        try devices.meet(0, 1)
        let cryptography = SwiftCryptography()
        let known = devices.devices[0].store
        let before = try #require(events(0, devices).last { $0.event.header.kind == .rekey }?.event.id)
        var replaced: Set<EventID> = []
        devices.intercept = { wire in
            guard wire.to == 2, var payload = try? Payload(decoding: wire.bytes[...]) else { return wire.bytes }
            let key = cryptography.sharingKey(seed: devices.devices[2].engine.sharingSeed(of: group))
            for index in payload.groups.indices {
                guard let rekey = payload.groups[index].share.flatMap({ EventID($0.prefix(32)) }),
                    let secret = known.secret(of: rekey, inGroup: 1).flatMap({ try? RekeySecret(decoding: $0) }),
                    let sealed = cryptography.seal(
                        SecretShare.parts(of: secret, withContents: true)[0].encoded, to: key,
                        info: SecretShare.info(rekey, in: group))
                else { continue }
                payload.groups[index].share = (rekey.bytes + sealed)[...]
                replaced.insert(rekey)
            }
            return payload.encoded
        }
        try join(2, by: 0, devices, group)
        try devices.say(0, "after", in: group)
        try meetAll(devices)
        #expect(said(2, devices, group) == ["after"] && readable(2, devices, group) == ["after"])
        #expect(replaced.contains(before))
        #expect(devices.errors(2).isEmpty)
    }

    @Test(
        "an author's removal and return show a newer member no skipped events, and erasures stay silent"
    )
    func authorsAndErasure() throws {
        let (devices, group) = try makeGroup(2, outside: 1, seed: 6)
        try devices.say(1, "said early", in: group)
        let early = try #require(events(1, devices).last?.event)
        try devices.say(1, "said next", in: group)
        try meetAll(devices)
        try join(2, by: 0, devices, group)
        // The removal keeps the member's events that the removal's author has seen. It has seen all of them.
        try setRole(1, to: .none, by: 0, devices, group)
        try meetAll(devices)
        try setRole(1, to: .member, by: 0, devices, group)
        try meetAll(devices)
        try devices.step(1, [.redact(6, group: group, early.reference, reason: "")])
        try meetAll(devices)
        let held = try #require(events(2, devices).first { $0.event.id == early.id })
        #expect(held.status == .heldBack && held.event.content == nil)
        #expect(!devices.devices[2].store.changes(in: group).contains { $0.event.event.header.kind == .message })
        #expect(said(0, devices, group).contains("said next"))
    }

    @Test("a new secret begins for a new member, and not for a promoted one")
    func rekeys() throws {
        let (devices, group) = try makeGroup(2, outside: 1, seed: 7)
        func count() -> Int { events(0, devices).count { $0.event.header.kind == .rekey } }
        try devices.say(0, "one", in: group)
        #expect(count() == 1)
        try setRole(1, to: .reader, by: 0, devices, group)
        try devices.say(0, "two", in: group)
        #expect(count() == 2, "a lowering calls for one everywhere")
        try setRole(1, to: .admin, by: 0, devices, group)
        try devices.say(0, "three", in: group)
        #expect(count() == 2, "who was raised has been there before")
        try join(2, by: 0, devices, group)
        try devices.say(0, "four", in: group)
        try devices.say(0, "five", in: group)
        #expect(count() == 3)
    }

    @Test(
        "a new member of a group with very many secrets receives the values key of each, over several sessions"
    )
    func manySecrets() throws {
        let (devices, group) = try makeGroup(2, outside: 1, seed: 10)
        try devices.step(0, [.setState(5, group: group, key: "mood", value: Array("calm".utf8))])
        for number in 0..<620 {
            // Each demotion requires a new secret.
            try setRole(1, to: number.isMultiple(of: 2) ? .reader : .admin, by: 0, devices, group)
            if number.isMultiple(of: 2) { try devices.say(0, "\(number)", in: group) }
            devices.now += Limits.rekeyAge
            if !number.isMultiple(of: 2) { try devices.say(0, "\(number)", in: group) }
        }
        try devices.meet(0, 1)
        let rekeys = events(0, devices).count { $0.event.header.kind == .rekey }
        #expect(rekeys > 600)
        try join(2, by: 0, devices, group)
        for _ in 0..<4 { try devices.meet(0, 2) }
        let store = devices.devices[2].store
        #expect(store.secrets(inGroup: 1).filter { $0.extent == .values }.count >= rekeys - 1)
        #expect(try value(of: "mood", on: 2, devices, group) == "calm")
    }
}
