import Testing
import TomboloCore

extension Cluster.Device {
    fileprivate var resolutions: Int { engine.state(of: cluster.group)?.changes ?? 0 }
    fileprivate var countOfLeft: Int {
        engine.state(of: cluster.group)?.members.count { $0.standing.role == .none } ?? 0
    }
}

/// A member has its right from its log. So nothing that others write into the state takes it away (law 10).
@Suite("Attack: floods of state events")
struct StateFloodTests {
    /// State events with low ids that name nothing.
    private func flood(_ count: Int, in group: GroupID) -> [Event] {
        let mallory = Attacker(seed: 3)
        var events: [Event] = []
        var number: UInt64 = 0
        while events.count < count {
            var log = mallory.log(in: group, number: number, isStateLog: true)
            events += log.ground(min(64, count - events.count), .setting)
            number += 1
        }
        return events
    }

    @Test("a writer of a feed is heard, whatever readers put into the state", arguments: [0, 320])
    func feed(count: Int) throws {
        let cluster = try Cluster(
            "ann", "bob", "cat", policy: .feed, seed: 9_301, role: .reader, roles: ["bob": .member],
            meetings: .all(rounds: 2))
        #expect(cluster["bob"].role(of: "bob") == .member)
        try cluster["cat"].ingest(flood(count, in: cluster.group))
        try cluster.sync("cat", "bob")
        try cluster.sync("cat", "ann")
        for number in 1...4 {
            let sent = try #require(try cluster["bob"].send("a column \(number)"))
            #expect(cluster["bob"].held(sent)?.status == .delivered)
            try cluster.sync("bob", with: cluster.others(than: "bob"))
        }
        for device in cluster.all {
            #expect(device.said.count { $0.hasPrefix("a column") } == 4, "\(device)")
            #expect(device.errors.isEmpty)
        }
    }

    @Test(
        "a newcomer of a private group states its key and speaks, whatever was put into the state", arguments: [0, 640])
    func joining(count: Int) throws {
        let cluster = try Cluster("ann", policy: .private, seed: 9_302)
        try cluster["ann"].send("before")
        try cluster["ann"].ingest(flood(count, in: cluster.group))
        try cluster.add("bob", seed: 9_399)
        try cluster.join("bob", by: "ann")
        for _ in 0..<2 { try cluster.sync("bob", "ann") }
        let written = cluster["bob"].stateEvents(of: cluster["bob"].member)
        #expect(!written.isEmpty && written.allSatisfy { $0.status == .delivered })
        for _ in 0..<10 { try cluster.pass(60_000) }
        #expect(cluster["bob"].stateEvents(of: cluster["bob"].member).count == written.count)
        for number in 1...4 {
            #expect(try cluster["bob"].send("hello \(number)") != nil)
            try cluster.sync("bob", "ann")
        }
        #expect(cluster["ann"].said.count { $0.hasPrefix("hello") } == 4)
        #expect(try cluster.isQuiet("ann", "bob"))
    }

    @Test("a flood of a batch is resolved once, and the state is the same for a device that opens it anew")
    func resolvedOnce() throws {
        let cluster = try Cluster("ann", "bob", policy: .public, seed: 9_303)
        var leaving: [Event] = []
        for number in 0..<400 {
            let member = Attacker(seed: UInt64(1_000 + number))
            var log = member.log(in: cluster.group, isStateLog: true)
            leaving.append(log.event(.demote(member.member, to: .none, kept: [])))
        }
        let before = cluster["ann"].resolutions
        try cluster["ann"].ingest(leaving)
        #expect(cluster["ann"].resolutions - before <= 2)
        #expect(cluster["ann"].countOfLeft == 400)
        try cluster["ann"].restart(seed: 5)
        #expect(cluster["ann"].countOfLeft == 400)
        try cluster.sync("ann", "bob")
        #expect(cluster.roots.count == 1)
    }

    @Test("a removed admin's later acts change nothing, and nobody rekeys because of them")
    func removedAdmin() throws {
        let cluster = try Cluster.sealed("ann", "bob", "cat", seed: 9_304)
        let mallory = Attacker(seed: 7)
        try cluster["ann"].setRole(of: mallory.member, to: .admin)
        let grant = try #require(cluster["ann"].grant(to: mallory.member))
        var log = mallory.log(in: cluster.group, isStateLog: true, under: grant)
        let first = log.event(.set(key: "title", value: nil))
        try cluster["ann"].ingest([first])
        #expect(cluster["ann"].status(of: first) == .delivered)
        try cluster["ann"].setRole(of: mallory.member, to: .none)
        try cluster["ann"].send("without it")
        try cluster.syncAll(rounds: 2)
        let rekeys = cluster["ann"].rekeys.count
        var acts = [first]
        for number in 0..<20 {
            let target = Attacker(seed: UInt64(100 + number)).member
            let action: StateAction =
                number.isMultiple(of: 2)
                ? .grant(target, .member, superseding: [], adopting: [])
                : .demote(cluster["bob"].member, to: .none, kept: [])
            acts.append(log.event(after: acts[acts.count - 1], action))
        }
        try cluster["bob"].ingest(acts)
        for number in 0..<3 {
            try cluster["bob"].send("after \(number)")
            try cluster.syncAll(rounds: 2)
        }
        #expect(cluster["ann"].rekeys.count == rekeys)
        for device in cluster.all {
            #expect(device.role(of: "bob") == .admin)
            #expect(acts.dropFirst().allSatisfy { device.status(of: $0) == .heldBack })
            #expect(device.said.count { $0.hasPrefix("after") } == 3)
        }
    }

    @Test("a junior admin does not reach an owner that once joined as a member")
    func promoted() throws {
        let cluster = try Cluster("ann", "bob", "cat", seed: 9_305, roles: ["cat": .admin], meetings: .all(rounds: 2))
        try cluster["bob"].send("as a member")
        try cluster["ann"].setRole(of: "bob", to: .owner)
        try cluster.syncAll(rounds: 2)
        #expect(try cluster["cat"].setRole(of: "bob", to: .none) != nil)
        // A changed client demotes all the same.
        let mallory = Attacker(seed: 9)
        try cluster["ann"].setRole(of: mallory.member, to: .admin)
        let grant = try #require(cluster["ann"].grant(to: mallory.member))
        var log = mallory.log(in: cluster.group, isStateLog: true, under: grant)
        try cluster["ann"].ingest([log.event(.demote(cluster["bob"].member, to: .none, kept: []))])
        try cluster.syncAll(rounds: 2)
        for device in cluster.all {
            #expect(device.role(of: "bob") == .owner)
            #expect(device.said.contains("as a member"))
        }
    }

    @Test("a member that has left changes no state any more; its words stay until an admin ends its logs")
    func leaving() throws {
        let cluster = try Cluster("ann", "bob", seed: 9_306, meetings: .all(rounds: 2))
        let mallory = Attacker(seed: 11)
        try cluster["ann"].setRole(of: mallory.member, to: .admin)
        let grant = try #require(cluster["ann"].grant(to: mallory.member))
        var words = mallory.log(in: cluster.group, under: grant)
        let word = words.event()
        var log = mallory.log(in: cluster.group, isStateLog: true, under: grant)
        let departure = log.event(.demote(mallory.member, to: .none, kept: []))
        let act = log.event(after: departure, .demote(cluster["bob"].member, to: .none, kept: []))
        var other = mallory.log(in: cluster.group, number: 1, isStateLog: true, under: grant)
        let elsewhere = other.event(.demote(cluster["bob"].member, to: .none, kept: []))
        try cluster["ann"].ingest([word, departure, act, elsewhere])
        #expect(cluster["ann"].role(of: "bob") == .member)
        #expect(cluster["ann"].status(of: departure) == .delivered && cluster["ann"].status(of: act) == .heldBack)
        #expect(cluster["ann"].status(of: elsewhere) == .heldBack && cluster["ann"].status(of: word) == .delivered)
        let later = words.event(after: word)
        #expect(try cluster["ann"].setRole(of: mallory.member, to: .none) == nil)
        try cluster["ann"].ingest([later])
        #expect(cluster["ann"].status(of: later) == .heldBack && cluster["ann"].status(of: word) == .delivered)
    }
}
