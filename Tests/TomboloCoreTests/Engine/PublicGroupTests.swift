import Testing
import TomboloCore
import TomboloCrypto

@Suite("Public groups")
struct PublicGroupTests {
    /// The errors but for those of links of visitors that were silent for a minute.
    private func faults(_ errors: [String]) -> [String] {
        errors.filter { $0 != EngineError.visitorIdle.description }
    }

    @Test("a public group has the id that follows from its name, and syncs between devices that never met")
    func name() throws {
        let cluster = try Cluster(strangers: "ann", "bob", "cat", seed: 1)
        let group = try cluster["ann"].open("tides")
        #expect(try cluster["bob"].open("tides") == group)
        #expect(try cluster["cat"].open("Tides") != group)
        #expect(try cluster["ann"].open("tides") == group && cluster["ann"].store.groups().count == 1)
        cluster.group = group
        // Another implementation gives the same id (protocol §2.5).
        #expect("\(group)" == "2a53a37fc2a4dfecd930b2381645591d76a4920d8f845b687f5c206868eadc89")
        try cluster["ann"].send("out at six")
        try cluster["bob"].send("in at noon")
        try cluster.sync("ann", with: cluster["bob", "cat"])
        for device in cluster["ann", "bob"] { #expect(Set(device.texts) == ["out at six", "in at noon"]) }
        #expect(cluster["cat"].delivered.isEmpty)
        for device in cluster["ann", "bob"] { #expect(faults(device.errors).isEmpty) }
    }

    @Test("a visitor of a public group becomes no peer and sees nothing of other groups")
    func visitors() throws {
        let cluster = try Cluster("ann", "bob", "cat", seed: 2)
        let crew = cluster.group
        cluster.group = try cluster["ann"].open("tides")
        try cluster["ann"].send("out at six")
        try cluster.add("visitor", seed: 77).open("tides")
        let before = cluster["ann"].store.peers().count
        var shown: Set<UInt64> = []
        cluster.watch { wire in
            guard wire.from == "ann", wire.to == "visitor", let payload = wire.payload else { return }
            for sync in payload.groups where sync.tag != nil { shown.insert(sync.number) }
        }
        for _ in 0..<2 { try cluster.sync("visitor", "ann") }
        #expect(cluster["visitor"].texts == ["out at six"])
        #expect(shown == [1])
        #expect(cluster["ann"].store.peers().count == before)
        #expect(cluster["ann"].store.agreements(with: cluster["visitor"].key, inGroup: 2).isEmpty)
        #expect(!cluster["visitor"].store.agreements(with: cluster["ann"].key, inGroup: 1).isEmpty)
        // A device that shares another group too is a peer, in whatever order it shows the groups. It syncs both.
        try cluster["bob"].open("tides")
        cluster["ann"].store.forgetPeer(cluster["bob"].key)
        try cluster["ann"].send("among us", in: crew)
        try cluster.sync("bob", "ann")
        #expect(cluster["bob"].texts(in: crew) == ["among us"] && cluster["bob"].texts == ["out at six"])
        #expect(faults(cluster.errors).isEmpty)
    }

    @Test("a public group has no owner: anyone may write, and may redact and leave for itself alone")
    func rights() throws {
        let cluster = try Cluster(strangers: "ann", "bob", seed: 3)
        for device in cluster.all { cluster.group = try device.open("tides") }
        let group = cluster.group
        let id = try #require(try cluster["ann"].send("out at six"))
        try cluster.sync("bob", "ann")
        let said = try #require(cluster["bob"].delivered.first { $0.id == id })
        let other = cluster["ann"].member
        let forbidden: [EngineInput] = [
            .setRole(1, group: group, of: other, to: .none), .setRole(2, group: group, of: other, to: .admin),
            .setState(3, group: group, key: "title", value: [1]), .redact(4, group: group, said.reference, reason: ""),
            .invite(5, group: group, addresses: [], expiry: cluster.now + 1, role: .admin),
        ]
        try cluster["bob"].step(forbidden)
        #expect(cluster["bob"].refusals.count { $0.isForbidden } == forbidden.count)
        try cluster["ann"].redact(said.reference)
        try cluster["bob"].set("mood", to: [1])
        try cluster["bob"].setRole(of: "bob", to: .none)
        try cluster.sync("bob", "ann")
        #expect(!cluster["ann"].refusals.contains { $0.isForbidden })
        #expect(cluster["bob"].refusals.count { $0.isForbidden } == forbidden.count)
        #expect(cluster["bob"].delivered.first { $0.id == id }?.content == nil)
        // The key that stands for no owner cannot belong to anyone.
        #expect(cluster["ann"].engine.role(of: MemberKey(.zero), in: group) == .member)
        #expect(cluster["ann"].role(of: "bob") == Role.none)
    }

    @Test("a public group has a name of 1 to 256 bytes and a statement without anything else")
    func bounds() throws {
        let cluster = try Cluster(strangers: "ann", seed: 4)
        for name in ["", String(repeating: "x", count: 257)] {
            try cluster["ann"].createGroup(.public, name: name)
        }
        #expect(cluster["ann"].refusals.count { $0.isForbidden } == 2)
        try cluster["ann"].open(String(repeating: "x", count: 256))
        let (statement, _) = GroupStatement.public(named: "tides", using: SwiftCryptography())
        #expect(try GroupStatement(decoding: statement.encoded[...]) == statement)
        for change in [4, 68, 83] as [Int] {
            var bytes = statement.encoded
            bytes[change] ^= 1
            #expect(throws: EventError.self, "byte \(change)") { try GroupStatement(decoding: bytes[...]) }
        }
        #expect(throws: EventError.self) { try GroupStatement(decoding: statement.encoded[...] + [0]) }
    }

    @Test("an invitation to a public group works under the group's own name alone")
    func invitation() throws {
        for isRenamed in [false, true] {
            let cluster = try Cluster(strangers: "ann", "bob", seed: 5)
            cluster.group = try cluster["ann"].open("tides")
            try cluster["ann"].send("out at six")
            try cluster["ann"].invite(expiring: 1_000)
            cluster.rewrite { payload in
                if isRenamed { payload.welcome?.name = Array("floods".utf8)[...] }
            }
            try cluster.connect("bob", "ann", invitation: cluster["ann"].invitation)
            try cluster.settle()
            #expect(cluster["bob"].texts == (isRenamed ? [] : ["out at six"]))
            #expect(cluster["bob"].errors.isEmpty == !isRenamed)
        }
    }
}

extension Cluster.Device {
    /// Opens a public group by its name.
    @discardableResult
    fileprivate func open(_ name: String) throws -> GroupID { try #require(try createGroup(.public, name: name)) }
}
