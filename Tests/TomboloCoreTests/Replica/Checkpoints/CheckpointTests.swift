import Testing
import TomboloCore
import TomboloCrypto

/// Forgetting what has gone away, headers and all, once every member has passed a checkpoint.
@Suite("Checkpoints")
struct CheckpointTests: CheckpointGroupTests {
    @Test(
        "what has gone away is forgotten once every member has passed it, and not before",
        arguments: [Policy.open, .private, .privateFromJoining])
    func forgotten(policy: Policy) throws {
        let cluster = try Cluster("ann", "bob", "cat", policy: policy, seed: 1, meetings: .all(rounds: 2))
        for number in 0..<10 { for device in cluster.all { try device.send("gone \(number)", expiring: Self.day) } }
        for device in cluster.all { try device.send("stays") }
        try cluster.syncAll(rounds: 2)
        let early = try cluster["ann"].proposeCheckpoint()
        #expect(early?.description == "no log begins with an erased event: there is nothing to forget")
        try cluster.pass(Self.day, rounds: 3)
        let unasked = try cluster["bob"].proposeCheckpoint()
        #expect(unasked?.description.contains("ask an admin") == true)
        #expect(try cluster["ann"].proposeCheckpoint() == nil)
        // One member has not met anybody since.
        try cluster.syncAll(cluster["ann", "bob"], rounds: 2)
        #expect(cluster["ann"].conversation.count >= 33 && cluster["bob"].conversation.count >= 33)
        #expect(Set(cluster["ann"].floors) == [0])
        try cluster.syncAll(rounds: 2)
        #expect(cluster.roots.count == 1)
        for device in cluster.all {
            // Where a log has begun with an empty event, that has gone as well.
            #expect(device.floors.allSatisfy { $0 >= 10 })
            #expect(device.conversation.count <= 6)
            #expect(device.kept == ["stays", "stays", "stays"])
        }
        #expect(try cluster.isQuiet("ann", "bob") && cluster.isQuiet("bob", "cat") && cluster.isQuiet("ann", "cat"))
        // It goes on, also after a start.
        for device in cluster.all {
            try device.restart(seed: 70 + UInt64(device.index))
            try device.send("on")
        }
        try cluster.syncAll(rounds: 2)
        #expect(cluster.roots.count == 1)
        for device in cluster.all { #expect(device.kept.count { $0 == "on" } == 3) }
        #expect(cluster.errors.isEmpty)
    }

    @Test(
        "two who sync once, and hang up as soon as they know the same, have passed what they can",
        arguments: ["ann", "bob"])
    func once(dialler: String) throws {
        let cluster = try Cluster("ann", "bob", seed: 30, meetings: .all(rounds: 2))
        for number in 0..<10 { for device in cluster.all { try device.send("gone \(number)", expiring: Self.day) } }
        for device in cluster.all { try device.send("stays") }
        try cluster.syncAll(rounds: 2)
        try cluster.pass(Self.day, rounds: 3)
        #expect(try cluster["ann"].proposeCheckpoint() == nil)
        cluster[dialler].effects = []
        let session = try cluster.connect(dialler, dialler == "ann" ? "bob" : "ann")
        while !cluster[dialler].hasAgreed {
            try cluster.carry { cluster[dialler].hasAgreed }
            if !cluster[dialler].hasAgreed {
                cluster.now = max(cluster.now, try #require(cluster.nextWake))
                try cluster.wakeAll()
            }
        }
        try cluster.disconnect(session)
        for device in cluster.all { #expect(device.floors.allSatisfy { $0 >= 10 }) }
        #expect(cluster.roots.count == 1)
    }

    @Test("who joins later is told nothing of it, and holds the same", arguments: [Policy.open, .private])
    func later(policy: Policy) throws {
        let cluster = try Cluster("ann", "bob", policy: policy, seed: 2, meetings: .all(rounds: 2))
        // Long runs, of which only the last event travels with its signature.
        for number in 0..<300 { for device in cluster.all { try device.send("gone \(number)", expiring: Self.day) } }
        for number in 0..<20 { for device in cluster.all { try device.send("stays \(number)") } }
        try cluster.syncAll(rounds: 2)
        try cluster.pass(Self.day, rounds: 3)
        try cluster["ann"].proposeCheckpoint()
        try cluster.syncAll(rounds: 2)
        #expect(cluster["ann"].floors.allSatisfy { $0 >= 300 })
        try cluster.add("cat", seed: 99)
        try cluster["bob"].step()
        try cluster.join("cat", by: "ann")
        try cluster.sync("cat", "ann")
        #expect(cluster["cat"].kept == cluster["ann"].kept && cluster["cat"].kept.count == 40)
        #expect(cluster["cat"].floors.filter { $0 > 0 }.count == 2)
        #expect(cluster["cat"].root == cluster["ann"].root)
        try cluster["cat"].send("hello")
        // Cat passes on all that it got.
        try cluster.add("dan", seed: 98)
        try cluster["ann"].invite()
        try cluster.sync("ann", "cat")
        try cluster.sync("dan", "ann", invitation: cluster["ann"].invitation)
        try cluster.syncAll(rounds: 2)
        #expect(cluster.roots.count == 1)
        #expect(cluster["dan"].kept == cluster["ann"].kept)
        #expect(cluster.errors.isEmpty)
    }

    @Test("a device that was away brings nothing back, and what it has said meanwhile arrives")
    func away() throws {
        let cluster = try Cluster("ann", "bob", "cat", policy: .private, seed: 3, meetings: .all(rounds: 2))
        try cluster.link("laptop", seed: 77, to: "cat")
        for number in 0..<20 { for device in cluster.all { try device.send("gone \(number)", expiring: Self.day) } }
        try cluster.syncAll(rounds: 2)
        // Cat's laptop goes away, and says something in answer to what is forgotten meanwhile.
        for number in 0..<3 { try cluster["laptop"].send("away \(number)") }
        let others = cluster["ann", "bob", "cat"]
        for device in others { try device.send("stays") }
        try cluster.syncAll(others, rounds: 2)
        cluster.advance(by: Self.day)
        for _ in 0..<3 { try cluster.wakeAll(others) }
        try cluster["ann"].proposeCheckpoint()
        try cluster.syncAll(others, rounds: 2)
        #expect(cluster["ann"].floors.filter { $0 >= 19 }.count == 4)
        #expect(cluster["laptop"].conversation.count >= 83)
        let sent = try cluster.bytes(from: "laptop") { try cluster.sync("laptop", "ann") }
        #expect(sent < 8_000, "nothing that is forgotten is sent")
        try cluster.syncAll(rounds: 2)
        #expect(cluster.roots.count == 1)
        for device in cluster.all {
            #expect(device.kept == ["away 0", "away 1", "away 2", "stays", "stays", "stays"])
            #expect(device.conversation.allSatisfy { $0.event.content != nil || $0.event.sequence > 18 })
        }
        #expect(cluster.errors.isEmpty)
    }

    @Test("a member whose clock is slow does not pass, nor who lacks something")
    func notPassed() throws {
        let cluster = try Cluster("ann", "bob", seed: 4, meetings: .all(rounds: 2))
        // A device that has written nothing is not asked.
        try cluster["bob"].send("here")
        try cluster.sync("ann", "bob")
        for number in 0..<5 { try cluster["ann"].send("gone \(number)", expiring: Self.day) }
        // Bob hears of the state, and not of what was said.
        cluster.rewriteGroups(from: "ann") { $0.events = nil }
        try cluster.sync("ann", "bob")
        cluster.stopIntercepting()
        #expect(cluster["bob"].kept == ["here"])
        try cluster["ann"].send("stays")
        try cluster.sync("ann", "bob")
        let before = cluster.now
        cluster.advance(by: Self.day)
        try cluster["ann"].wake()
        try cluster["ann"].proposeCheckpoint()
        cluster.now = before
        try cluster.sync("ann", "bob")
        #expect(cluster["bob"].floors.allSatisfy { $0 == 0 } && cluster["bob"].kept.count == 7)
        try cluster.pass(2 * Self.day, rounds: 3)
        for _ in 0..<2 { try cluster.sync("ann", "bob") }
        #expect(cluster["ann"].floors.max() ?? 0 >= 5 && cluster.roots.count == 1)
    }

    @Test(
        "whoever is away, whatever goes, whoever proposes: in the end all hold the same, and nothing that has not gone is lost",
        arguments: [UInt64(0), 1, 2, 3])
    func random(block: UInt64) throws {
        var forgotten = 0
        for seed in block * 10..<block * 10 + 10 {
            var generator = SeededGenerator(seed: seed &+ 500)
            let policy: Policy = [.open, .private, .privateFromJoining][Int(seed % 3)]
            let cluster = try Cluster(
                4, policy: policy, seed: seed &* 6_151, roles: ["bob": .admin], meetings: .all(rounds: 2))
            var (kept, said): (Set<String>, Int) = ([], 0)
            for step in 0..<80 {
                cluster.advance(by: 1_000)
                let device = cluster[Int.random(in: 0..<4, using: &generator)]
                let other = cluster[Int.random(in: 0..<4, using: &generator)]
                switch Int.random(in: 0..<16, using: &generator) {
                case 0..<5:
                    said += 1
                    try device.send("goes \(step)", expiring: UInt64.random(in: 1..<30_000, using: &generator))
                case 5 where step > 50:
                    kept.insert("stays \(step)")
                    try device.send("stays \(step)")
                case 6:
                    guard
                        let event = device.conversation.filter({ $0.event.content?.isEmpty == false })
                            .map(\.event).randomElement(using: &generator)
                    else { break }
                    let text = device.text(of: event)
                    if try device.redact(event.reference) == nil { kept.remove(text ?? "") }
                case 7: try cluster[Int.random(in: 0..<2, using: &generator)].proposeCheckpoint()
                case 8: try device.restart(seed: seed &* 37 &+ UInt64(step))
                case 9:
                    // A link that breaks at any place.
                    guard device != other else { break }
                    let session = try cluster.connect(device, other)
                    try cluster.carry(most: Int.random(in: 0..<12, using: &generator))
                    try cluster.disconnect(session)
                default: if device != other { try cluster.sync(device, other) }
                }
            }
            try cluster.pass(30_000, rounds: 3)
            for _ in 0..<2 { try cluster.syncAll(rounds: 2) }
            try cluster["ann"].proposeCheckpoint()
            for _ in 0..<2 { try cluster.syncAll(rounds: 2) }
            #expect(cluster.roots.count == 1, "seed \(seed)")
            let statuses = cluster.all.map { device in
                Dictionary(
                    uniqueKeysWithValues: device.conversation.map {
                        ($0.event.id, "\($0.status) \($0.event.content == nil)")
                    })
            }
            for device in cluster.all {
                #expect(Set(device.kept) == kept, "seed \(seed), \(device)")
                #expect(statuses[device.index] == statuses[0], "seed \(seed), \(device)")
                #expect(device.errors.isEmpty, "seed \(seed), \(device)")
                #expect(try device.name == "ann" || cluster.isQuiet("ann", device), "seed \(seed), \(device)")
            }
            forgotten += cluster["ann"].floors.reduce(0) { $0 + Int($1) }
        }
        #expect(forgotten > 100, "nothing was tried: \(forgotten)")
    }

    @Test(
        "what an older copy of a device has said where its log is forgotten it says again",
        arguments: [Policy.open, .private])
    func olderCopy(policy: Policy) throws {
        let cluster = try Cluster("ann", "bob", policy: policy, seed: 12, meetings: .all(rounds: 2))
        for number in 0..<3 { try cluster["bob"].send("gone \(number)", expiring: Self.day) }
        try cluster.syncAll(rounds: 2)
        let copy = cluster["bob"].backup()
        for number in 3..<12 { try cluster["bob"].send("gone \(number)", expiring: Self.day) }
        try cluster["bob"].send("stays")
        try cluster["ann"].send("here")
        try cluster.syncAll(rounds: 2)
        try cluster.pass(Self.day, rounds: 3)
        try cluster["ann"].proposeCheckpoint()
        try cluster.syncAll(rounds: 2)
        #expect(try #require(cluster["ann"].floors.max()) >= 12)
        try cluster["bob"].restart(seed: 90, from: copy)
        for number in 0..<3 { try cluster["bob"].send("anew \(number)") }
        for _ in 0..<2 { try cluster.syncAll(rounds: 2) }
        for device in cluster.all {
            #expect(device.kept == ["anew 0", "anew 1", "anew 2", "here", "stays"])
            #expect(device.errors.isEmpty)
        }
        #expect(cluster.roots.count == 1)
        #expect(try cluster.isQuiet("ann", "bob"))
    }
}
