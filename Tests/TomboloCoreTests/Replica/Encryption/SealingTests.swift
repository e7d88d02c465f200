import Testing
import TomboloCore
import TomboloCrypto

/// Reading in private groups, tested between engines. Each test would fail if one of the checks were removed.
@Suite("Reading in private groups")
struct SealingTests {
    @Test("members and readers read, and no text is on the wire or in the stored events")
    func sealed() throws {
        let cluster = try Cluster.sealed("ann", "bob", "cat", seed: 1, role: .reader, roles: ["bob": .member])
        var isSeen = false
        cluster.watch { wire in if wire.bytes.contains("the tide is out") { isSeen = true } }
        try cluster["ann"].send("the tide is out")
        try cluster.sync("ann", with: cluster.others(than: "ann"), rounds: 2)
        try cluster["bob"].send("and comes in")
        try cluster.sync("ann", with: cluster.others(than: "ann"), rounds: 2)
        for device in cluster.all {
            #expect(device.said == ["the tide is out", "and comes in"], "\(device)")
            #expect(!device.events.contains { $0.event.content?.contains("the tide") ?? false })
            #expect(device.errors.isEmpty)
        }
        #expect(!isSeen)
        #expect(cluster["ann"].rekeys.count == 1, "one secret for all that nobody was removed from")
    }

    @Test("a removed member has no secret for messages whose author had seen the removal")
    func removal() throws {
        let cluster = try Cluster.sealed("ann", "bob", "cat", "dan", seed: 2)
        try cluster["ann"].send("before")
        try cluster.sync("ann", with: cluster.others(than: "ann"))
        try cluster["bob"].remove("dan")
        try cluster["bob"].send("after")
        // The author has not seen the removal and writes under the old secret, which the removed member has.
        try cluster["cat"].send("meanwhile")
        try cluster.syncAll(rounds: 3)
        try cluster["ann"].send("later")
        try cluster.sync("ann", with: cluster.others(than: "ann"), rounds: 2)
        for device in cluster["ann", "bob", "cat"] {
            #expect(Set(device.readable) == ["before", "after", "meanwhile", "later"], "\(device)")
            #expect(Set(device.said) == Set(device.readable))
        }
        // The removed device holds all of the events.
        #expect(cluster["dan"].messages.count == 4)
        #expect(Set(cluster["dan"].readable) == ["before", "meanwhile"])
        #expect(cluster["ann"].rekeys.count == 2)
    }

    @Test("two members removed by concurrent acts cannot together read messages that neither may read")
    func concurrentRemovals() throws {
        let cluster = try Cluster.sealed(
            "ann", "bob", "cat", "dan", "eve", seed: 3, role: .member, roles: ["bob": .admin, "cat": .admin])
        try cluster["ann"].send("before")
        try cluster.sync("ann", with: cluster.others(than: "ann"))
        try cluster["bob"].remove("dan")
        try cluster["bob"].send("without three")
        try cluster["cat"].remove("eve")
        try cluster["cat"].send("without four")
        try cluster.syncAll(cluster["ann", "bob", "cat"], rounds: 2)
        try cluster["ann"].send("without both")
        try cluster.syncAll(rounds: 3)
        let pooled = cluster["dan"].secrets.merging(cluster["eve"].secrets) { one, _ in one }
        var opener = ContentOpener(using: SwiftCryptography()) { pooled[$0] }
        for message in cluster["dan"].messages {
            let said = try #require(cluster["ann"].text(of: message))
            #expect((try opener.content(of: message) != nil) == (said == "before"), "\(said)")
        }
        #expect(Set(cluster["bob"].readable) == ["before", "without three", "without four", "without both"])
    }

    @Test("a device with the group's secret and no role receives nothing, however it asks")
    func stranger() throws {
        let cluster = try Cluster.sealed("ann", "bob", "cat", seed: 4)
        try cluster["ann"].remove("cat")
        try cluster["ann"].send("among us")
        try cluster.sync("ann", with: cluster.others(than: "ann"))
        // Cat asks in its own right, and repeatedly.
        for _ in 0..<3 { try cluster.sync("cat", "bob") }
        #expect(cluster["cat"].readable.isEmpty)
        #expect(Set(cluster["bob"].readable) == ["among us"])
        // After Cat is admitted again, it receives the secrets that it lacks.
        try cluster["ann"].setRole(of: "cat", to: .reader)
        for _ in 0..<2 { try cluster.sync("ann", "cat") }
        #expect(cluster["cat"].said == ["among us"])
    }

    @Test("a member whose admission has lost its right is no member and reads no later messages")
    func fallenAdmission() throws {
        let cluster = try Cluster.sealed("ann", "bob", "cat", seed: 14)
        try cluster["bob"].remove("cat")
        try cluster["bob"].send("among us")
        try cluster.sync("bob", with: cluster.others(than: "bob"), rounds: 2)
        // Bob admits Cat and gives it the secrets that it may have again. Concurrently Ann demotes Bob.
        try cluster["bob"].setRole(of: "cat", to: .member)
        try cluster["ann"].setRole(of: "bob", to: .member)
        try cluster.sync("bob", "cat")
        #expect(Set(cluster["cat"].readable) == ["among us"])
        try cluster.syncAll(rounds: 2)
        #expect(cluster["bob"].role(of: "cat") == Role.none)
        try cluster["ann"].send("without it")
        try cluster.syncAll(rounds: 2)
        #expect(Set(cluster["cat"].readable) == ["among us"])
        #expect(cluster["bob"].said == ["among us", "without it"])
    }

    @Test("a sealed event waits for its secret, which any device that delivered it can give")
    func waiting() throws {
        let cluster = try Cluster.sealed("ann", "bob", "cat", seed: 5)
        // Shares from Ann to Cat are lost.
        cluster.drop(from: "ann", to: "cat") { $0.groups.contains { $0.share != nil } }
        try cluster["ann"].send("the tide is out")
        try cluster.sync("ann", "cat")
        #expect(cluster["cat"].said.isEmpty)
        #expect(cluster["cat"].events.contains { $0.event.header.kind == .message && $0.status == .waiting })
        // After a restart Cat still waits, and asks.
        try cluster["cat"].restart(seed: 77)
        try cluster.sync("ann", "bob")
        try cluster.sync("bob", "cat")
        #expect(cluster["cat"].said == ["the tide is out"])
        #expect(cluster["cat"].changes.count { $0.event.event.header.kind == .message } == 1)
    }

    @Test("a request for a secret that is lost, or whose answer is lost, is sent again")
    func unheard() throws {
        let cluster = try Cluster.sealed("ann", "bob", seed: 61)
        try cluster["ann"].send("sealed")
        var (asked, declined) = (0, 0)
        cluster.rewriteGroups { sync in
            // Nothing is given unasked. The first request and the first answer are lost.
            let isAsking = sync.secretsWanted != nil
            if isAsking { asked += 1 }
            if isAsking, asked == 1 { sync.secretsWanted = nil }
            guard let share = sync.share else { return }
            if share.count == 32 { declined += 1 }
            if share.count > 32, asked < 2 { sync.share = nil }
        }
        let before = cluster.now
        let session = try cluster.connect("bob", "ann")
        try cluster.settle(wakes: 32)
        #expect(cluster["bob"].said == ["sealed"])
        #expect(asked == 2 && declined == 0 && cluster.now >= before + 32_000)
        #expect(cluster["bob"].hasAgreed)
        try cluster.disconnect(session)
    }

    @Test("an event that is erased while it waits for its secret waits no more")
    func erasedWhileWaiting() throws {
        let cluster = try Cluster.sealed("ann", "bob", seed: 12)
        cluster.drop(to: "bob") { $0.groups.contains { $0.share != nil } }
        try cluster["ann"].send("the tide is out")
        let event = try #require(cluster["ann"].events.last?.event)
        try cluster.sync("ann", "bob")
        #expect(cluster["bob"].held(event.id)?.status == .waiting)
        try cluster["ann"].redact(event.reference)
        try cluster.sync("ann", "bob")
        let held = try #require(cluster["bob"].held(event.id))
        #expect(held.status == .delivered && held.event.content == nil)
    }

    @Test("a share of another secret closes the link and is not accepted")
    func wrongShare() throws {
        let cluster = try Cluster.sealed("ann", "bob", seed: 6)
        let cryptography = SwiftCryptography()
        var wrong: (EventID, Bytes32) -> [UInt8]? = { _, _ in nil }
        cluster.rewriteGroups(to: "bob") { sync in
            guard let share = sync.share, let rekey = EventID(share.prefix(32)),
                let said = cluster["bob"].events.last(where: { stored in
                    stored.event.header.kind == .device
                        && stored.event.header.log != cluster["ann"].events.first?.event.header.log
                }), let key = Bytes32(said.event.content ?? []), let other = wrong(rekey, key)
            else { return }
            sync.share = (rekey.bytes + other)[...]
        }
        for attempt in 0..<3 {
            wrong = { rekey, key in
                let info = SecretShare.info(rekey, in: cluster.group)
                switch attempt {
                case 0:
                    let other = RekeySecret(root: .zero, using: cryptography)
                    let part = SecretShare.parts(of: other, withContents: true)[0]
                    return cryptography.seal(part.encoded, to: key, info: info)
                case 1: return cryptography.seal([2, 2, 2], to: key, info: info)
                default: return [UInt8](repeating: 7, count: 81)
                }
            }
            try cluster["ann"].send("attempt \(attempt)")
            try cluster.sync("ann", "bob")
            #expect(cluster["bob"].errors.count == attempt + 1, "\(cluster["bob"].errors)")
            #expect(cluster["bob"].secrets.isEmpty)
        }
        wrong = { _, _ in nil }
        try cluster.sync("ann", "bob")
        #expect(cluster["bob"].said == (0..<3).map { "attempt \($0)" })
    }

    @Test("a secret is used for a week")
    func schedule() throws {
        let cluster = try Cluster.sealed("ann", "bob", seed: 8)
        try cluster["ann"].send("monday")
        cluster.advance(by: Limits.rekeyAge - 2)
        try cluster["ann"].send("sunday")
        #expect(cluster["ann"].rekeys.count == 1)
        try cluster["ann"].send("monday again")
        #expect(cluster["ann"].rekeys.count == 2)
        try cluster.sync("ann", "bob")
        #expect(cluster["bob"].said == ["monday", "sunday", "monday again"])
    }

    @Test("broadcasts are sealed too")
    func ephemeral() throws {
        let cluster = try Cluster.sealed("ann", "bob", "cat", seed: 9)
        try cluster["ann"].remove("cat")
        try cluster["ann"].send("hello")
        try cluster.sync("ann", with: cluster.others(than: "ann"))
        var isSeen = false
        cluster.watch { wire in if wire.bytes.contains("is typing") { isSeen = true } }
        let sessions = [try cluster.connect("ann", "bob"), try cluster.connect("ann", "cat")]
        try cluster.settle()
        try cluster["ann"].broadcast("is typing")
        try cluster.settle()
        for session in sessions { try cluster.disconnect(session) }
        #expect(cluster["bob"].heard == ["is typing"] && cluster["cat"].heard.isEmpty && !isSeen)
    }

    @Test("a device that lost everything receives its secrets again")
    func wiped() throws {
        let cluster = try Cluster.sealed("ann", "bob", seed: 10)
        try cluster["ann"].send("the tide is out")
        try cluster["bob"].send("coming")
        for _ in 0..<2 { try cluster.sync("ann", "bob") }
        let old = cluster["bob"].store
        let empty = MemoryStore()
        for key in [IdentityKeys.deviceSeed, IdentityKeys.member, IdentityKeys.admission] {
            empty.setValue(old.value(forKey: key), forKey: key)
        }
        var record = try #require(old.groups().first)
        (record.reference, record.ownSeed, record.ownLog) = (0, nil, nil)
        empty.put(&record)
        try cluster["bob"].restart(seed: 55, from: empty)
        let states = cluster["ann"].events.count { $0.event.header.kind == .device }
        for _ in 0..<2 { try cluster.sync("ann", "bob") }
        #expect(Set(cluster["bob"].said) == ["the tide is out", "coming"])
        // The key to which shares are sealed follows from the device's key, so it is not announced again.
        #expect(cluster["ann"].events.count { $0.event.header.kind == .device } == states)
    }

    @Test("values of the state are sealed too, except for the expiry, which engines enforce")
    func state() throws {
        let cluster = try Cluster.sealed("ann", "bob", seed: 13)
        for (key, value) in [("title", "The crew"), ("mood", "calm"), ("expiry", "3600000")] {
            try cluster["ann"].set(key, to: value)
        }
        try cluster["ann"].set("mood", to: nil as String?)
        try cluster.sync("ann", "bob")
        let store = cluster["bob"].store
        var opener = ContentOpener(using: SwiftCryptography()) { store.secret(of: $0, inGroup: 1) }
        var values: [String?] = []
        for stored in cluster["bob"].events where stored.event.header.kind == .setting {
            #expect(stored.status == .delivered)
            guard case .set(let key, let value) = try StateAction(decoding: stored.event.content ?? [], kind: .setting)
            else { continue }
            #expect((value.map { String(decoding: $0, as: UTF8.self) } == "3600000") == (key == "expiry"))
            values.append(
                try value.flatMap { try opener.value($0, of: stored.event) }.map { String(decoding: $0, as: UTF8.self) }
            )
        }
        #expect(values == ["The crew", "calm", "3600000", nil])
        cluster.advance(by: 1)
        try cluster["bob"].send("goes away")
        #expect(cluster["bob"].events.last?.event.header.expiry == cluster.now + 3_600_000)
        // A sealed value has at most 4,068 bytes of text.
        try cluster["ann"].set("mood", to: [UInt8](repeating: 1, count: 4_068))
        let refusal = try cluster["ann"].set("mood", to: [UInt8](repeating: 1, count: 4_069))
        #expect(refusal == .contentTooLarge(limit: 4_068))
    }

    @Test("in a private group an event is invalid if it is unsealed or names another event as its rekey")
    func unsealed() throws {
        let cluster = try Cluster.sealed("ann", "bob", seed: 11)
        var own = cluster.foreignLog(seed: 5)
        // The author is a member whose client does not seal.
        try cluster["ann"].setRole(of: own.member, to: .member)
        let raised = try #require(cluster["ann"].events.last?.event.reference)
        let plain = own.event(after: nil, "in the clear") { $0 = $0.naming(raised) }
        let wrong = own.event(after: plain, "by another name") { $0 = $0.naming(raised, asRekey: true) }
        try cluster["ann"].ingest([plain, wrong])
        let held = cluster["ann"].events.filter { [plain.id, wrong.id].contains($0.event.id) }
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
