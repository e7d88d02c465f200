import Testing
import TomboloCore
import TomboloCrypto

/// The visibility of a group for each contact. Ann hides it from Bob, and Cat shares everything.
@Suite("Groups that are hidden from contacts")
struct VisibilityTests: VisibilityScenario {
    @Test("a contact that must not know of a group sees none", arguments: [true, false], [true, false])
    func invisible(byMember: Bool, hiderDials: Bool) throws {
        let cluster = try makeCluster("ann", "bob", "cat", seed: 1)
        let contact = byMember ? cluster["bob"].contact : .device(cluster["bob"].key)
        #expect(try cluster["ann"].setVisibility(.invisible, to: contact) == nil)
        try cluster["ann"].send("not for you")
        try cluster["bob"].send("hello?")
        var shown = 0
        cluster.watch { wire in if wire.from == "ann" { shown += wire.payload?.groups.count ?? 0 } }
        try hiderDials ? cluster.sync("ann", "bob") : cluster.sync("bob", "ann")
        #expect(shown == 0)
        #expect(!cluster["bob"].said.contains("not for you"))
        #expect(!cluster["ann"].said.contains("hello?"))
        cluster.stopIntercepting()
        // The setting concerns this link alone: other devices may pass the events on.
        try cluster.sync("cat", "ann")
        try cluster.sync("cat", "bob")
        try cluster.sync("cat", "ann")
        #expect(cluster["bob"].said.contains("not for you"))
        #expect(cluster["ann"].said.contains("hello?"))
        // The group is shared again.
        #expect(try cluster["ann"].setVisibility(.shared, to: contact) == nil)
        try cluster["ann"].send("again")
        try cluster.sync("ann", "bob")
        #expect(cluster["bob"].said.contains("again"))
    }

    @Test("open links are closed once, and follow the setting when they are opened again")
    func openLinks() throws {
        let cluster = try makeCluster("ann", "bob", "cat", seed: 2)
        let link = try cluster.connect("bob", "ann")
        let other = try cluster.connect("cat", "ann")
        try cluster.settle()
        #expect(try cluster["ann"].setVisibility(.invisible, to: "bob") == nil)
        let closed = cluster["ann"].effects.compactMap { effect in
            if case .close(let session, .visibilityChanged) = effect { session } else { nil }
        }
        #expect(closed == [link])
        try cluster.disconnect(link)
        try cluster["ann"].send("not for you")
        try cluster.settle()
        #expect(cluster["cat"].said.contains("not for you"))
        try cluster.disconnect(other)
        // A setting that changes nothing closes nothing.
        let again = try cluster.connect("bob", "ann")
        try cluster.settle()
        #expect(try cluster["ann"].setVisibility(.invisible, to: "bob") == nil)
        #expect(try cluster["ann"].setVisibility(.invisible, toDevice: "bob") == nil)
        #expect(cluster["ann"].errors == [])
        #expect(!cluster["bob"].said.contains("not for you"))
        try cluster.disconnect(again)
    }

    @Test(
        "a device that only receives sends nothing and is asked for nothing; both know when they are done",
        arguments: [Policy.open, .private], [true, false])
    func visible(policy: Policy, hiderDials: Bool) throws {
        let cluster = try makeCluster("ann", "bob", "cat", policy: policy, seed: 5)
        #expect(try cluster["ann"].setVisibility(.visible, to: "bob") == nil)
        for number in 0..<50 {
            try cluster["ann"].send("not for you \(number)")
            try cluster["bob"].send("for you \(number)")
        }
        var sent = 0
        cluster.watch { wire in
            guard wire.from == "ann", let payload = wire.payload else { return }
            sent += payload.groups.count { $0.events != nil || $0.ephemeral != nil || ($0.share?.count ?? 0) > 32 }
        }
        cluster.forgetEffects(cluster["ann", "bob"])
        let link = try hiderDials ? cluster.connect("ann", "bob") : cluster.connect("bob", "ann")
        try cluster.settle()
        #expect(cluster["ann"].exchanges == 1 && cluster["bob"].exchanges == 1)
        #expect(Set(cluster["ann"].said).count == 103 && Set(cluster["bob"].said).count == 53)
        // Messages and broadcasts are sent while the link is open.
        cluster["bob"].effects = []
        try cluster["ann"].send("nor this")
        try cluster["bob"].send("but this")
        try cluster["ann"].broadcast("is typing")
        try cluster.settle()
        #expect(cluster["ann"].said.contains("but this") && !cluster["bob"].said.contains("nor this"))
        // The link is quiet although the two never come to hold the same: for an hour nothing is sent.
        let bytes = try cluster.bytes {
            cluster.advance(by: 3_600_000)
            try cluster.settle()
        }
        #expect(bytes == 0)
        #expect(sent == 0)
        try cluster.disconnect(link)
        cluster.stopIntercepting()
        for device in cluster["ann", "bob"] { #expect(device.errors == []) }
        // Another device provides the same events, and the means to read them.
        try cluster.sync("cat", "ann")
        try cluster.sync("cat", "bob")
        #expect(Set(cluster["bob"].said) == Set(cluster["cat"].said))
        try cluster.sync("bob", "ann")
        #expect(cluster["ann"].root == cluster["bob"].root)
    }

    @Test("a contact that asks all the same is not answered")
    func insisting() throws {
        let (cluster, file) = try makeCluster(withFileOf: "ann", seed: 6)
        try cluster["ann"].send("not for you")
        var (answers, wants) = (0, 0)
        cluster.intercept { wire in
            guard var payload = wire.payload else { return wire.bytes }
            for number in payload.groups.indices {
                if wire.from == "ann" {
                    answers += payload.groups[number].events == nil ? 0 : 1
                    // Bob must not learn that nothing comes.
                    payload.groups[number].onlyTakes = false
                } else if payload.groups[number].frontier != nil {
                    // The request is for all events of the log that Bob named first.
                    payload.groups[number].want = [0, 0, 1, 60]
                    wants += 1
                }
            }
            answers += wire.from == "ann" ? wire.chunks.count : 0
            return payload.encoded
        }
        let link = try cluster.connect("bob", "ann")
        try cluster.settle()
        #expect(try cluster["bob"].want(file.id) == nil)
        try cluster.settle()
        #expect(answers == 0 && wants > 1)
        #expect(!cluster["bob"].has(file) && !cluster["bob"].said.contains("not for you"))
        try cluster.disconnect(link)
        // Cat, with which the group is shared, receives it.
        try cluster.connect("cat", "ann")
        try cluster.settle()
        #expect(cluster["cat"].said.contains("not for you"))
    }

    @Test("a contact that asks for a secret does not receive it")
    func secrets() throws {
        let cluster = try makeCluster("ann", "bob", "cat", "dan", policy: .private, seed: 11)
        #expect(try cluster["ann"].setVisibility(.visible, to: "bob") == nil)
        try cluster["ann"].setRole(of: "dan", to: .none)
        try cluster["ann"].send("sealed anew")
        try cluster.sync("cat", "ann")
        /// The number of secrets that each device has given.
        var handed: [String: Int] = [:]
        cluster.intercept { wire in
            guard var payload = wire.payload else { return wire.bytes }
            for number in payload.groups.indices {
                if (payload.groups[number].share?.count ?? 0) > 32 { handed[wire.from, default: 0] += 1 }
                // Cat's secret is lost in transit. Ann's notice that nothing comes is suppressed.
                if wire.from == "cat" { payload.groups[number].share = nil }
                payload.groups[number].onlyTakes = false
            }
            return payload.encoded
        }
        try cluster.sync("cat", "bob")
        #expect(handed["cat"] ?? 0 > 0 && !cluster["bob"].said.contains("sealed anew"))
        try cluster.sync("bob", "ann")
        #expect(handed["ann"] == nil && !cluster["bob"].said.contains("sealed anew"))
        cluster.stopIntercepting()
        try cluster.sync("bob", "cat")
        #expect(cluster["bob"].said.contains("sealed anew"))
    }

    @Test("two devices that both only receive are done at once")
    func bothOnlyTake() throws {
        let cluster = try makeCluster("ann", "bob", "cat", seed: 8)
        #expect(try cluster["ann"].setVisibility(.visible, to: "bob") == nil)
        #expect(try cluster["bob"].setVisibility(.visible, to: "ann") == nil)
        for device in cluster["ann", "bob"] {
            try device.send("mine")
            device.effects = []
        }
        try cluster.sync("ann", "bob")
        for device in cluster["ann", "bob"] {
            #expect(device.exchanges == 1 && device.errors == [])
            #expect(device.said.count == 4)
        }
    }

    @Test("a device that only receives is not done before it can read what it received")
    func awaited() throws {
        let cluster = try makeCluster("ann", "bob", "cat", "dan", policy: .private, seed: 15)
        try cluster["bob"].setRole(of: "dan", to: .none)
        try cluster["ann"].setRole(of: "dan", to: .none)
        try cluster.sync("ann", "bob")
        try cluster["bob"].send("sealed anew")
        cluster.rewriteGroups(from: "cat") { $0.share = nil }
        try cluster.sync("cat", "bob")
        try cluster.sync("cat", "ann")
        cluster.stopIntercepting()
        #expect(!cluster["ann"].said.contains("sealed anew"))
        // Only the secret is new to Ann.
        #expect(try cluster["ann"].setVisibility(.visible, to: "bob") == nil)
        cluster["ann"].effects = []
        let session = try cluster.connect("ann", "bob")
        try cluster.carry { cluster["ann"].exchanges > 0 }
        #expect(cluster["ann"].said.contains("sealed anew"))
        try cluster.disconnect(session)
    }

    @Test("the same holds in groups of very many logs, whoever dials", arguments: [true, false])
    func manyLogs(hiderDials: Bool) throws {
        let cluster = try Cluster(30, seed: 16)
        for device in cluster.all { try device.send("\(device.index)") }
        try cluster.sync("bob", with: cluster[2..<30])
        try cluster.sync("ann", 29)
        #expect(try cluster["ann"].setVisibility(.visible, to: "bob") == nil)
        cluster.forgetEffects(cluster["ann", "bob"])
        let held = cluster["bob"].said
        let link = try hiderDials ? cluster.connect("ann", "bob") : cluster.connect("bob", "ann")
        let dialler = hiderDials ? "ann" : "bob"
        try cluster.carry { cluster[dialler].exchanges > 0 }
        #expect(cluster[dialler].exchanges == 1)
        #expect(Set(held).isSubset(of: cluster["ann"].said) && cluster["bob"].said == held)
        try cluster.disconnect(link)
    }

    @Test("a contact is not told of new parts of a file; if another group has the file, it comes over that one")
    func files() throws {
        let (cluster, file) = try makeCluster(withFileOf: "cat", seed: 17)
        #expect(try cluster["bob"].want(file.id) == nil)
        #expect(try cluster["ann"].want(file.id) == nil)
        let links = [try cluster.connect("bob", "ann"), try cluster.connect("cat", "ann")]
        var told = 0
        cluster.watch { wire in
            guard wire.session == links[0], wire.from == "ann" else { return }
            for case .have(_, let held) in wire.fileMessages { told += held.isEmpty ? 0 : 1 }
        }
        try cluster.settle()
        #expect(cluster["ann"].has(file) && told == 0)
        for link in links { try cluster.disconnect(link) }
        cluster.stopIntercepting()
        // Ann and Bob share another group, which is created later.
        let more = try #require(try cluster["ann"].createGroup(name: "more"))
        try cluster.open(more, on: "bob", from: "ann")
        try cluster["ann"].send(files: [file.id], in: more)
        try cluster.sync("bob", "ann")
        try cluster.sync("bob", "ann")
        #expect(cluster["bob"].has(file))
    }

    @Test("roots are sent at most once a second during a conversation, and a setting holds from its own batch on")
    func live() throws {
        let cluster = try makeCluster("ann", "bob", "cat", seed: 19)
        #expect(try cluster["ann"].setVisibility(.visible, to: "bob") == nil)
        try cluster["ann"].send("not for you")
        let link = try cluster.connect("bob", "ann")
        try cluster.settle()
        var roots = 0
        cluster.watch { wire in roots += wire.payload?.groups.count { $0.root != nil } ?? 0 }
        for number in 0..<20 {
            try cluster[number % 2].send("\(number)")
            try cluster.carry(only: link)
        }
        #expect(roots <= 2)
        cluster.stopIntercepting()
        try cluster.disconnect(link)
        #expect(try cluster["ann"].setVisibility(.shared, to: "bob") == nil)
        let again = try cluster.connect("bob", "ann")
        try cluster.settle()
        let hide = EngineInput.setVisibility(1, group: cluster.group, to: cluster["bob"].contact, .invisible)
        let broadcast = EngineInput.broadcast(2, group: cluster.group, content: Array("is typing".utf8))
        try cluster["ann"].step(hide, broadcast)
        #expect(!cluster.devices.queue.contains { $0.from == 0 })
        try cluster.disconnect(again)
    }

    @Test("visibility is stored, excludes the device's own member, and has a bound")
    func bounds() throws {
        let cluster = try makeCluster("ann", "bob", seed: 9)
        for contact in [cluster["ann"].contact, .device(cluster["ann"].key)] {
            let refusal = try cluster["ann"].setVisibility(.invisible, to: contact)
            #expect(refusal?.description.contains("your own devices") == true)
        }
        for number in 0..<1_024 as Range<UInt64> {
            let key = SwiftCryptography().sha256([UInt8(number >> 8), UInt8(number & 255)])
            #expect(try cluster["ann"].setVisibility(.visible, to: .device(DeviceKey(key))) == nil)
        }
        let refusal = try cluster["ann"].setVisibility(.invisible, to: "bob")
        #expect(refusal?.description.contains("1024") == true)
        // Existing entries can be changed, and a removed one makes room.
        let one = Contact.device(DeviceKey(SwiftCryptography().sha256([0, 0])))
        #expect(try cluster["ann"].setVisibility(.invisible, to: one) == nil)
        #expect(try cluster["ann"].setVisibility(.shared, to: one) == nil)
        #expect(try cluster["ann"].setVisibility(.invisible, to: "bob") == nil)
        // The setting survives a restart.
        let store = cluster["ann"].store
        try cluster["ann"].restart(seed: 10)
        try cluster["ann"].send("not for you")
        #expect(try cluster["bob"].groupsSeen(meeting: "ann").allSatisfy(\.isEmpty))
        // A malformed value is reported as damage.
        let key = "visibility-\(cluster.group)"
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
