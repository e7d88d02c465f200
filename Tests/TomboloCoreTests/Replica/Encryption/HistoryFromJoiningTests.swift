import Testing
import TomboloCore
import TomboloCrypto

/// Groups in which a new member reads only later messages, tested between engines. Each test would fail if one of the
/// checks were removed.
@Suite("History from joining")
struct HistoryFromJoiningTests {
    /// Creates a group of two or more members, and another device that is to join it later.
    private func makeCluster(_ names: String..., outside: String? = nil, seed: UInt64) throws -> Cluster {
        let cluster = try Cluster(
            names: names, policy: .privateFromJoining, seed: seed, role: .admin, meetings: .withFirst(rounds: 2))
        if let outside { try cluster.add(outside, seed: seed &+ 500) }
        return cluster
    }

    @Test("a new member reads later messages and the group's state, and can read nothing from before")
    func joining() throws {
        let cluster = try makeCluster("ann", "bob", outside: "cat", seed: 1)
        try cluster["ann"].send("before")
        try cluster["ann"].set("title", to: "Low tide")
        try cluster.sync("ann", "bob")
        try cluster["bob"].send("before, too")
        try cluster.sync("ann", "bob")
        try cluster.admit("cat", by: "ann")
        try cluster["ann"].send("after")
        try cluster.syncAll(rounds: 3)
        #expect(cluster["cat"].told == ["after"])
        #expect(cluster["cat"].readable == ["after"])
        #expect(try cluster["cat"].value(of: "title") == "Low tide")
        // The new member continues from the events that it holds, and keeps them for those that can read them.
        try cluster["cat"].send("thank you")
        try cluster.syncAll(rounds: 3)
        for device in cluster["ann", "bob"] {
            #expect(device.told == ["before", "before, too", "after", "thank you"])
            #expect(device.delivered.last { $0.header.kind == .message }?.header.lamport ?? 0 > 3)
        }
        #expect(cluster["cat"].status(of: "before", readBy: "ann") == .heldBack)
        #expect(!cluster["cat"].events.contains { $0.status == .waiting })
        #expect(cluster.errors.isEmpty)
        #expect(cluster.roots.count == 1)
        // After a restart the result is the same, and no device asks for the secrets of the skipped events.
        try cluster["cat"].restart(seed: 90)
        var asked = 0
        cluster.watch { wire in asked += wire.payload?.groups.count { $0.secretsWanted != nil } ?? 0 }
        try cluster.syncAll(rounds: 3)
        #expect(cluster["cat"].told == ["after", "thank you"] && asked == 0)
    }

    @Test("a device that asks for secrets from before it joined receives the values key alone, from anyone")
    func asking() throws {
        let cluster = try makeCluster("ann", "bob", outside: "cat", seed: 2)
        try cluster["ann"].send("before")
        try cluster.sync("ann", "bob")
        let cryptography = SwiftCryptography()
        var asked: [EventID] = []
        var handed: [EventID: [SecretShare]] = [:]
        cluster.intercept { wire in
            guard var payload = wire.payload, !payload.groups.isEmpty else { return wire.bytes }
            if wire.from == "cat" {
                if !asked.isEmpty { payload.groups[0].secretsWanted = asked.flatMap(\.bytes)[...] }
            } else {
                // These are the secrets that a client without rules would extract.
                let seed = cluster["cat"].engine.sharingSeed(of: cluster.group)
                for share in payload.groups.compactMap(\.share) where wire.to == "cat" && share.count > 32 {
                    guard let rekey = EventID(share.prefix(32)),
                        let text = cryptography.open(
                            share.dropFirst(32), seed: seed, info: SecretShare.info(rekey, in: cluster.group)),
                        let part = try? SecretShare(decoding: text)
                    else { continue }
                    handed[rekey, default: []].append(part)
                }
            }
            return payload.encoded
        }
        try cluster.admit("cat", by: "ann")
        let rekeys = cluster["cat"].rekeys.map(\.id)
        asked = rekeys
        try cluster.syncAll(rounds: 3)
        #expect(rekeys.count == 1)
        for rekey in rekeys {
            let parts = try #require(handed[rekey])
            #expect(parts.count >= 2, "with its event, and when it was asked for")
            #expect(parts.allSatisfy { $0.nodes.isEmpty && $0.values != nil })
        }
        // A secret that begins later is given to it whole.
        asked = []
        try cluster["bob"].send("after")
        try cluster.syncAll(rounds: 3)
        #expect(handed.values.joined().contains { !$0.nodes.isEmpty })
        #expect(cluster["cat"].readable == ["after"])
    }

    @Test("a message whose author did not know of the joining is not for the new member, and later ones are")
    func concurrent() throws {
        let cluster = try makeCluster("ann", "bob", outside: "cat", seed: 3)
        try cluster["ann"].send("before")
        try cluster.sync("ann", "bob")
        try cluster.admit("cat", by: "ann")
        try cluster["bob"].send("at sea")
        try cluster["ann"].send("in the harbour")
        try cluster.syncAll(rounds: 3)
        try cluster["bob"].send("on land")
        try cluster.syncAll(rounds: 3)
        #expect(cluster["cat"].told == ["in the harbour", "on land"])
        #expect(cluster["cat"].readable == cluster["cat"].told)
        #expect(Set(cluster["ann"].told) == ["before", "at sea", "in the harbour", "on land"])
    }

    @Test("another device of a member has that member's history, from whichever device it meets")
    func linked() throws {
        let cluster = try makeCluster("ann", "bob", "cat", seed: 4)
        try cluster["ann"].send("for all of us")
        try cluster.syncAll(rounds: 3)
        try cluster.link("laptop", seed: 91, to: "bob")
        try cluster.sync("laptop", "bob")
        #expect(cluster["laptop"].told == ["for all of us"])
    }

    @Test(
        "a returning member keeps its devices' history and gives it to its new devices, which then learn of it")
    func comingBack() throws {
        let cluster = try makeCluster("ann", "bob", seed: 5)
        try cluster["ann"].send("the first time")
        try cluster.syncAll(rounds: 3)
        try cluster["ann"].change("bob", to: .none)
        try cluster["ann"].send("meanwhile")
        try cluster.syncAll(rounds: 3)
        try cluster["ann"].change("bob", to: .member)
        try cluster["ann"].send("again")
        try cluster.syncAll(rounds: 3)
        #expect(cluster["bob"].told == ["the first time", "again"])
        // Any device gives a new device of the member all secrets that the member could ever read.
        try cluster.add("laptop", seed: 92)
        try cluster.link("laptop", to: "bob")
        try cluster.open(on: "laptop", from: "bob")
        for _ in 0..<2 { try cluster.sync("laptop", "ann") }
        #expect(cluster["laptop"].told == ["the first time", "again"])
        #expect(cluster["laptop"].readable == ["the first time", "again"])
        #expect(cluster["laptop"].status(of: "meanwhile", readBy: "ann") == .heldBack)
        #expect(cluster.errors.isEmpty)
    }

    @Test("a member that two admins admit at once reads messages of authors that know either admission")
    func admittedTwice() throws {
        let cluster = try makeCluster("ann", "bob", outside: "cat", seed: 8)
        try cluster["ann"].send("before")
        try cluster.sync("ann", "bob")
        for admin in cluster["ann", "bob"] { try admin.change("cat", to: .member) }
        for admin in cluster["ann", "bob"] { try admin.send("admitted by \(admin.index)") }
        try cluster.admit("cat", by: "ann")
        try cluster.syncAll(rounds: 3)
        #expect(Set(cluster["cat"].told) == ["admitted by 0", "admitted by 1"])
    }

    @Test("a secret that is given against the rule is not accepted")
    func handedAgainstTheRule() throws {
        let cluster = try makeCluster("ann", "bob", outside: "cat", seed: 9)
        try cluster["ann"].send("before")
        try cluster.sync("ann", "bob")
        let cryptography = SwiftCryptography()
        let known = cluster["ann"].store
        let before = try #require(cluster["ann"].rekeys.last?.id)
        var replaced: Set<EventID> = []
        cluster.rewriteGroups(to: "cat") { sync in
            let key = cryptography.sharingKey(seed: cluster["cat"].engine.sharingSeed(of: cluster.group))
            guard let rekey = sync.share.flatMap({ EventID($0.prefix(32)) }),
                let secret = known.secret(of: rekey, inGroup: 1).flatMap({ try? RekeySecret(decoding: $0) }),
                let sealed = cryptography.seal(
                    SecretShare.parts(of: secret, withContents: true)[0].encoded, to: key,
                    info: SecretShare.info(rekey, in: cluster.group))
            else { return }
            sync.share = (rekey.bytes + sealed)[...]
            replaced.insert(rekey)
        }
        try cluster.admit("cat", by: "ann")
        try cluster["ann"].send("after")
        try cluster.syncAll(rounds: 3)
        #expect(cluster["cat"].told == ["after"] && cluster["cat"].readable == ["after"])
        #expect(replaced.contains(before))
        #expect(cluster["cat"].errors.isEmpty)
    }

    @Test(
        "an author's removal and return show a newer member no skipped events, and erasures stay silent"
    )
    func authorsAndErasure() throws {
        let cluster = try makeCluster("ann", "bob", outside: "cat", seed: 6)
        try cluster["bob"].send("said early")
        let early = try #require(cluster["bob"].events.last?.event)
        try cluster["bob"].send("said next")
        try cluster.syncAll(rounds: 3)
        try cluster.admit("cat", by: "ann")
        // The removal keeps the member's events that the removal's author has seen. It has seen all of them.
        try cluster["ann"].change("bob", to: .none)
        try cluster.syncAll(rounds: 3)
        try cluster["ann"].change("bob", to: .member)
        try cluster.syncAll(rounds: 3)
        try cluster["bob"].redact(early.reference)
        try cluster.syncAll(rounds: 3)
        let held = try #require(cluster["cat"].held(early.id))
        #expect(held.status == .heldBack && held.event.content == nil)
        #expect(!cluster["cat"].changes.contains { $0.event.event.header.kind == .message })
        #expect(cluster["ann"].told.contains("said next"))
    }

    @Test("a new secret begins for a new member, and not for a promoted one")
    func rekeys() throws {
        let cluster = try makeCluster("ann", "bob", outside: "cat", seed: 7)
        func count() -> Int { cluster["ann"].rekeys.count }
        try cluster["ann"].send("one")
        #expect(count() == 1)
        try cluster["ann"].change("bob", to: .reader)
        try cluster["ann"].send("two")
        #expect(count() == 2, "a lowering calls for one everywhere")
        try cluster["ann"].change("bob", to: .admin)
        try cluster["ann"].send("three")
        #expect(count() == 2, "who was raised has been there before")
        try cluster.admit("cat", by: "ann")
        try cluster["ann"].send("four")
        try cluster["ann"].send("five")
        #expect(count() == 3)
    }

    @Test(
        "a new member of a group with very many secrets receives the values key of each, over several sessions"
    )
    func manySecrets() throws {
        let cluster = try makeCluster("ann", "bob", outside: "cat", seed: 10)
        try cluster["ann"].set("mood", to: "calm")
        for number in 0..<620 {
            // Each demotion requires a new secret.
            try cluster["ann"].change("bob", to: number.isMultiple(of: 2) ? .reader : .admin)
            if number.isMultiple(of: 2) { try cluster["ann"].send("\(number)") }
            cluster.advance(by: Limits.rekeyAge)
            if !number.isMultiple(of: 2) { try cluster["ann"].send("\(number)") }
        }
        try cluster.sync("ann", "bob")
        let rekeys = cluster["ann"].rekeys.count
        #expect(rekeys > 600)
        try cluster.admit("cat", by: "ann")
        for _ in 0..<4 { try cluster.sync("ann", "cat") }
        let store = cluster["cat"].store
        #expect(store.secrets(inGroup: 1).filter { $0.extent == .values }.count >= rekeys - 1)
        #expect(try cluster["cat"].value(of: "mood") == "calm")
    }
}

extension Cluster {
    /// Lets a device join, a millisecond later.
    fileprivate func admit(_ device: String, by member: String) throws {
        advance(by: 1)
        try join(device, by: member)
    }
}

extension Cluster.Device {
    /// Changes the role of another device's member, a millisecond later.
    fileprivate func change(_ other: String, to role: Role) throws {
        cluster.advance(by: 1)
        try setRole(of: other, to: role)
    }

    /// The texts that the device's application received, in that order.
    fileprivate var told: [String] {
        changes.filter { $0.event.event.header.kind == .message && ($0.kind == .delivered || $0.kind == .restored) }
            .map { text(of: $0.event.event) ?? "?" }
    }

    /// The status of a text that another device can read.
    fileprivate func status(of text: String, readBy reader: String) -> EventStatus? {
        events.first { cluster[reader].text(of: $0.event) == text }?.status
    }

    /// The value of a key as the device reads it.
    fileprivate func value(of key: String) throws -> String? {
        let node = try #require(engine.state(of: cluster.group)?.settings(of: key).first)
        let event = store.events(ordinals: [node.ordinal])[0].event
        guard case .set(_, let value?) = try StateAction(decoding: event.content ?? [], kind: .setting) else {
            return nil
        }
        var opener = ContentOpener(using: SwiftCryptography()) { store.secret(of: $0, inGroup: groupReference) }
        return try opener.value(value, of: event).map { String(decoding: $0, as: UTF8.self) }
    }
}
