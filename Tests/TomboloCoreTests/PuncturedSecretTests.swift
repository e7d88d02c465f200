import Testing
import TomboloCore
import TomboloCrypto

/// Punctured secrets, and their exchange between devices, tested between engines.
@Suite("Punctured secrets")
struct PuncturedSecretTests: SealedGroupTests {
    @Test(
        "an unproven part of a secret only opens contents; nothing is sealed under it, and the whole replaces it"
    )
    func plantedSecret() throws {
        let cryptography = SwiftCryptography()
        let (devices, group) = try makeGroup(3, seed: 15)
        try remove(2, by: 0, devices, group)
        try devices.say(0, "among us", in: group)
        try devices.meet(0, 2)
        let rekey = try #require(rekeys(0, devices).last)
        // The removed device invents a tree in two halves, and an event that it opens.
        let tree = try PuncturableKey(
            decoding: [false, true].flatMap { bit -> [UInt8] in
                [1, bit ? 0x80 : 0] + PuncturableKey.child(of: .zero, bit, using: cryptography).bytes
            }[...])
        var own = ForeignLog(group: group, seed: 6)
        // It knows the values key, like everyone that was ever a member.
        let known = try RekeySecret(decoding: #require(secrets(0, devices)[rekey.id]))
        let planted = RekeySecret(.unproven, values: known.values, contents: [tree])
        var keys = ContentKeys(planted)
        let made = keys.key(ofLog: own.id, sequence: 1, using: cryptography)
        let key = try #require(made)
        let salt = [UInt8](repeating: 3, count: 16)
        let bait = own.event(
            sealed: cryptography.seal(Array("bait".utf8)[...], key: key, nonce: salt.prefix(12)), salt: salt,
            under: rekey.reference)
        _ = try devices.ingest([bait], into: 2, group: group)
        devices.intercept = { wire in
            guard wire.from == 2, wire.to == 1, var payload = try? Payload(decoding: wire.bytes[...]) else {
                return wire.bytes
            }
            for index in payload.groups.indices where payload.groups[index].share?.count == 32 {
                let said = self.events(1, devices).filter { $0.event.header.kind == .device }
                guard let asked = payload.groups[index].share.flatMap({ EventID($0) }) else { continue }
                // The test does not know to which device the share goes, so it seals it to all.
                for device in said {
                    guard let to = Bytes32(device.event.content ?? []),
                        device.event.header.certificate?.device == devices.devices[1].engine.device,
                        let share = cryptography.seal(
                            [3] + planted.values.bytes + tree.encoded, to: to,
                            info: SecretShare.info(asked, in: group))
                    else { continue }
                    payload.groups[index].share = (asked.bytes + share)[...]
                }
            }
            return payload.encoded
        }
        try devices.meet(1, 2)
        #expect(secrets(1, devices)[rekey.id]?.first == 0, "it was taken, and is not proven")
        #expect(said(1, devices, group).isEmpty)
        try devices.say(1, "not for the removed", in: group)
        let sent = try #require(events(1, devices).last?.event)
        #expect(sent.header.rekeys.map(\.id) != [rekey.id])
        var opener = ContentOpener(using: cryptography) { _ in planted.encoded }
        #expect(try opener.content(of: sent) == nil)
        for _ in 0..<2 { try devices.meet(0, 1) }
        #expect(secrets(1, devices)[rekey.id]?.first == 1)
        for device in 0..<2 { #expect(Set(said(device, devices, group)) == ["among us", "not for the removed"]) }
    }

    @Test("two differently punctured copies of a secret do not replace each other")
    func differentRests() throws {
        let (devices, group) = try makeGroup(3, seed: 18)
        for text in ["one", "two", "three"] { try devices.say(0, text, in: group) }
        try devices.meet(0, 1)
        let rekey = try #require(rekeys(0, devices).last)
        let said = events(0, devices).map(\.event).filter { $0.header.kind == .message }
        for device in 0..<2 {
            var secret = try RekeySecret(decoding: #require(secrets(device, devices)[rekey.id]))
            let path = ContentKeys.path(
                toLog: said[device].header.log, number: said[device].header.sequence, isEphemeral: false)
            secret.contents[0].puncture(path, using: SwiftCryptography())
            devices.devices[device].store.setSecret(secret.encoded, of: rekey.id, inGroup: 1)
            devices.devices[device] = try Devices.Device(
                seed: 70 + UInt64(device), store: devices.devices[device].store)
        }
        try devices.meet(0, 2)
        #expect(Set(readable(2, devices, group)) == ["two", "three"] && self.said(2, devices, group).isEmpty)
        try devices.meet(1, 2)
        #expect(self.said(2, devices, group) == ["one", "two", "three"])
        #expect(readable(2, devices, group).count == 3)
        // The device gives both to others.
        devices.devices.append(try Devices.Device(seed: 72))
        try devices.link(3, to: 2)
        try devices.open(group, on: 3, from: 2)
        for _ in 0..<2 { try devices.meet(3, 2) }
        #expect(self.said(3, devices, group) == ["one", "two", "three"])
    }

    @Test("a device that declined gives a secret as soon as it has it, in parts if much is punctured")
    func lateInParts() throws {
        let (devices, group) = try makeGroup(3, seed: 17)
        // The first device's secret is punctured many times. The last device has not met the others since.
        for number in 0..<40 { try devices.say(0, "\(number)", in: group) }
        let said = events(0, devices).map(\.event).filter { $0.header.kind == .message }
        let rekey = try #require(rekeys(0, devices).last)
        var secret = try RekeySecret(decoding: #require(secrets(0, devices)[rekey.id]))
        for log in 0..<40 {
            let path = ContentKeys.path(
                toLog: LogID(SwiftCryptography().sha256([UInt8(log)])), number: 7, isEphemeral: false)
            secret.contents[0].puncture(path, using: SwiftCryptography())
        }
        #expect(SecretShare.parts(of: secret, withContents: true).count > 1)
        devices.devices[0].store.setSecret(secret.encoded, of: rekey.id, inGroup: 1)
        devices.devices[0] = try Devices.Device(seed: 61, store: devices.devices[0].store)
        // The events travel without their secret. The second device is then asked for it and has nothing to give.
        devices.intercept = { wire in
            guard wire.from == 0, let payload = try? Payload(decoding: wire.bytes[...]) else { return wire.bytes }
            return payload.groups.contains { $0.share?.count ?? 0 > 32 } ? nil : wire.bytes
        }
        try devices.meet(0, 1)
        devices.intercept = { $0.bytes }
        let kept = try devices.connect(1, 2)
        try devices.settle()
        #expect(self.said(2, devices, group).isEmpty)
        // The second device receives the secret while its link to the last one is open.
        let link = try devices.connect(0, 1)
        try devices.settle()
        #expect(self.said(1, devices, group).count == said.count)
        #expect(self.said(2, devices, group).count == said.count, "\(devices.errors(2))")
        #expect(devices.errors(2).isEmpty && devices.errors(1).isEmpty)
        try devices.disconnect(link)
        try devices.disconnect(kept)
    }

    @Test(
        "the key of an erased content is gone everywhere; other contents stay readable, also for later receivers"
    )
    func punctured() throws {
        let (devices, group) = try makeGroup(3, seed: 7)
        for text in ["one", "two", "three"] { try devices.say(0, text, in: group) }
        try devices.meet(0, 1)
        let kept = events(1, devices).map(\.event).filter { $0.header.kind == .message }
        #expect(kept.map { devices.text(of: $0, on: 1, in: group) } == ["one", "two", "three"])
        try devices.step(0, [.redact(6, group: group, kept[1].reference, reason: "")])
        try devices.meet(0, 1)
        for device in 0..<2 {
            #expect(
                kept.map { devices.text(of: $0, on: device, in: group) } == ["one", nil, "three"], "device \(device)")
        }
        // This device has met nobody since before all of this.
        try devices.meet(1, 2)
        #expect(said(2, devices, group) == ["one", "three"])
        #expect(kept.map { devices.text(of: $0, on: 2, in: group) } == ["one", nil, "three"])
        // Later messages do not change that.
        try devices.say(0, "four", in: group)
        try devices.say(2, "five", in: group)
        for _ in 0..<2 { for index in 1..<3 { try devices.meet(0, index) } }
        for device in 0..<3 { #expect(readable(device, devices, group) == ["one", "three", "four", "five"]) }
        // A device that received a punctured secret begins a new one to write under.
        #expect(rekeys(0, devices).count == 2)
    }

    @Test("a device that asks for the same secret repeatedly receives it once in a session")
    func askedAgain() throws {
        let (devices, group) = try makeGroup(2, seed: 16)
        try devices.say(0, "among us", in: group)
        let rekey = try #require(rekeys(0, devices).last)
        var shares = 0
        devices.intercept = { wire in
            guard var payload = try? Payload(decoding: wire.bytes[...]) else { return wire.bytes }
            shares += payload.groups.count { $0.share?.count ?? 0 > 32 }
            if wire.from == 1, !payload.groups.isEmpty {
                payload.groups[0].secretsWanted = (0..<1_000).flatMap { _ in rekey.id.bytes }[...]
            }
            return payload.encoded
        }
        try devices.meet(0, 1)
        // One share comes with the rekey event, and one on request.
        #expect(shares == 2)
        #expect(said(1, devices, group) == ["among us"] && devices.errors(0).isEmpty)
    }
}
