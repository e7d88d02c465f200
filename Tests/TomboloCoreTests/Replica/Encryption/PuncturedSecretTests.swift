import Testing
import TomboloCore
import TomboloCrypto

/// Punctured secrets, and their exchange between devices, tested between engines.
@Suite("Punctured secrets")
struct PuncturedSecretTests {
    @Test(
        "an unproven part of a secret only opens contents; nothing is sealed under it, and the whole replaces it"
    )
    func plantedSecret() throws {
        let cryptography = SwiftCryptography()
        let cluster = try Cluster.sealed("ann", "bob", "cat", seed: 15)
        try cluster["ann"].remove("cat")
        try cluster["ann"].send("among us")
        try cluster.sync("ann", "cat")
        let rekey = try #require(cluster["ann"].rekeys.last)
        // Cat, which is removed, invents a tree in two halves, and an event that it opens.
        let tree = try PuncturableKey(
            decoding: [false, true].flatMap { bit -> [UInt8] in
                [1, bit ? 0x80 : 0] + PuncturableKey.child(of: .zero, bit, using: cryptography).bytes
            }[...])
        var own = cluster.foreignLog(seed: 6)
        // It knows the values key, like everyone that was ever a member.
        let known = try RekeySecret(decoding: #require(cluster["ann"].secrets[rekey.id]))
        let planted = RekeySecret(.unproven, values: known.values, contents: [tree])
        var keys = ContentKeys(planted)
        let made = keys.key(ofLog: own.id, sequence: 1, using: cryptography)
        let key = try #require(made)
        let salt = [UInt8](repeating: 3, count: 16)
        let bait = own.event(
            sealed: cryptography.seal(Array("bait".utf8)[...], key: key, nonce: salt.prefix(12)), salt: salt,
            under: rekey.reference)
        try cluster["cat"].ingest([bait])
        cluster.rewriteGroups(from: "cat", to: "bob") { sync in
            guard sync.share?.count == 32, let asked = sync.share.flatMap({ EventID($0) }) else { return }
            // The test does not know to which device the share goes, so it seals it to all.
            for device in cluster["bob"].events where device.event.header.kind == .device {
                guard let to = Bytes32(device.event.content ?? []),
                    device.event.header.certificate?.device == cluster["bob"].key,
                    let share = cryptography.seal(
                        [3] + planted.values.bytes + tree.encoded, to: to,
                        info: SecretShare.info(asked, in: cluster.group))
                else { continue }
                sync.share = (asked.bytes + share)[...]
            }
        }
        try cluster.sync("bob", "cat")
        #expect(cluster["bob"].secrets[rekey.id]?.first == 0, "it was taken, and is not proven")
        #expect(cluster["bob"].said.isEmpty)
        try cluster["bob"].send("not for the removed")
        let sent = try #require(cluster["bob"].events.last?.event)
        #expect(sent.header.rekeys.map(\.id) != [rekey.id])
        var opener = ContentOpener(using: cryptography) { _ in planted.encoded }
        #expect(try opener.content(of: sent) == nil)
        for _ in 0..<2 { try cluster.sync("ann", "bob") }
        #expect(cluster["bob"].secrets[rekey.id]?.first == 1)
        for device in cluster["ann", "bob"] { #expect(Set(device.said) == ["among us", "not for the removed"]) }
    }

    @Test("two differently punctured copies of a secret do not replace each other")
    func differentRests() throws {
        let cluster = try Cluster.sealed("ann", "bob", "cat", seed: 18)
        for text in ["one", "two", "three"] { try cluster["ann"].send(text) }
        try cluster.sync("ann", "bob")
        let rekey = try #require(cluster["ann"].rekeys.last)
        let said = cluster["ann"].messages
        for (device, message) in zip(cluster["ann", "bob"], said) {
            var secret = try RekeySecret(decoding: #require(device.secrets[rekey.id]))
            let path = ContentKeys.path(
                toLog: message.header.log, number: message.header.sequence, isEphemeral: false)
            secret.contents[0].puncture(path, using: SwiftCryptography())
            device.store.setSecret(secret.encoded, of: rekey.id, inGroup: 1)
            try device.restart(seed: 70 + UInt64(device.index))
        }
        try cluster.sync("ann", "cat")
        #expect(Set(cluster["cat"].readable) == ["two", "three"] && cluster["cat"].said.isEmpty)
        try cluster.sync("bob", "cat")
        #expect(cluster["cat"].said == ["one", "two", "three"])
        #expect(cluster["cat"].readable.count == 3)
        // Cat gives both to a device that is linked to it.
        try cluster.link("laptop", seed: 72, to: "cat")
        try cluster.sync("laptop", "cat")
        #expect(cluster["laptop"].said == ["one", "two", "three"])
    }

    @Test("a device that declined gives a secret as soon as it has it, in parts if much is punctured")
    func lateInParts() throws {
        let cluster = try Cluster.sealed("ann", "bob", "cat", seed: 17)
        // Ann's secret is punctured many times. Cat has not met the others since.
        for number in 0..<40 { try cluster["ann"].send("\(number)") }
        let said = cluster["ann"].messages
        let rekey = try #require(cluster["ann"].rekeys.last)
        var secret = try RekeySecret(decoding: #require(cluster["ann"].secrets[rekey.id]))
        for log in 0..<40 {
            let path = ContentKeys.path(
                toLog: LogID(SwiftCryptography().sha256([UInt8(log)])), number: 7, isEphemeral: false)
            secret.contents[0].puncture(path, using: SwiftCryptography())
        }
        #expect(SecretShare.parts(of: secret, withContents: true).count > 1)
        cluster["ann"].store.setSecret(secret.encoded, of: rekey.id, inGroup: 1)
        try cluster["ann"].restart(seed: 61)
        // The events travel without their secret. Bob is then asked for it and has nothing to give.
        cluster.drop(from: "ann") { $0.groups.contains { $0.share?.count ?? 0 > 32 } }
        try cluster.sync("ann", "bob")
        cluster.stopIntercepting()
        let kept = try cluster.connect("bob", "cat")
        try cluster.settle()
        #expect(cluster["cat"].said.isEmpty)
        // Bob receives the secret while its link to Cat is open.
        let link = try cluster.connect("ann", "bob")
        try cluster.settle()
        #expect(cluster["bob"].said.count == said.count)
        #expect(cluster["cat"].said.count == said.count, "\(cluster["cat"].errors)")
        #expect(cluster["cat"].errors.isEmpty && cluster["bob"].errors.isEmpty)
        try cluster.disconnect(link)
        try cluster.disconnect(kept)
    }

    @Test(
        "the key of an erased content is gone everywhere; other contents stay readable, also for later receivers"
    )
    func punctured() throws {
        let cluster = try Cluster.sealed("ann", "bob", "cat", seed: 7)
        for text in ["one", "two", "three"] { try cluster["ann"].send(text) }
        try cluster.sync("ann", "bob")
        let kept = cluster["bob"].messages
        #expect(kept.map { cluster["bob"].text(of: $0) } == ["one", "two", "three"])
        try cluster["ann"].redact(kept[1].reference)
        try cluster.sync("ann", "bob")
        for device in cluster["ann", "bob"] {
            #expect(kept.map { device.text(of: $0) } == ["one", nil, "three"], "\(device)")
        }
        // Cat has met nobody since before all of this.
        try cluster.sync("bob", "cat")
        #expect(cluster["cat"].said == ["one", "three"])
        #expect(kept.map { cluster["cat"].text(of: $0) } == ["one", nil, "three"])
        // Later messages do not change that.
        try cluster["ann"].send("four")
        try cluster["cat"].send("five")
        try cluster.sync("ann", with: cluster.others(than: "ann"), rounds: 2)
        for device in cluster.all { #expect(Set(device.readable) == ["one", "three", "four", "five"]) }
        // A device that received a punctured secret begins a new one to write under.
        #expect(cluster["ann"].rekeys.count == 2)
    }

    @Test("a device that asks for the same secret repeatedly receives it once in a session")
    func askedAgain() throws {
        let cluster = try Cluster.sealed("ann", "bob", seed: 16)
        try cluster["ann"].send("among us")
        let rekey = try #require(cluster["ann"].rekeys.last)
        var shares = 0
        cluster.intercept { wire in
            guard var payload = wire.payload else { return wire.bytes }
            shares += payload.groups.count { $0.share?.count ?? 0 > 32 }
            if wire.from == "bob", !payload.groups.isEmpty {
                payload.groups[0].secretsWanted = (0..<1_000).flatMap { _ in rekey.id.bytes }[...]
            }
            return payload.encoded
        }
        try cluster.sync("ann", "bob")
        // One share comes with the rekey event, and one on request.
        #expect(shares == 2)
        #expect(cluster["bob"].said == ["among us"] && cluster["ann"].errors.isEmpty)
    }
}
