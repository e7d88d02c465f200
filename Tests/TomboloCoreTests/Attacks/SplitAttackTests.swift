import Testing
import TomboloCore

/// A device holds a bounded number of branches of a log. Devices that hold different ones must still hear each other.
@Suite("Attack: logs with very many branches")
struct SplitAttackTests {
    @Test("a member that forks its log does not keep two devices apart", arguments: [32, 64, 200])
    func conversation(half: Int) throws {
        let cluster = try Cluster("ann", "bob", seed: 9_101)
        var log = Attacker(seed: 1).log(in: cluster.group)
        let root = log.event()
        let forks = (0..<2 * half).map { log.event(after: root, at: Int64(2 + $0)) }
        try cluster["ann"].ingest([root] + forks[..<half])
        try cluster["bob"].ingest([root] + forks[half...])
        for meeting in 0..<5 {
            for device in cluster.all { try device.send("\(device) \(meeting)") }
            try cluster.sync(meeting % 2, 1 - meeting % 2)
        }
        try cluster.sync("ann", "bob")
        #expect(cluster["bob"].said.count { $0.hasPrefix("ann") } == 5)
        #expect(cluster["ann"].said.count { $0.hasPrefix("bob") } == 5)
        #expect(cluster.errors.isEmpty)
    }

    @Test("a text is delivered that waited for a branch that is then refused")
    func waiting() throws {
        let cluster = try Cluster("ann", "bob", seed: 9_103, meetings: .all())
        var log = Attacker(seed: 1).log(in: cluster.group)
        let root = log.event()
        let forks = (0..<65).map { log.event(after: root, at: Int64(2 + $0)) }
        var friend = cluster.foreignLog(seed: 4)
        let text = friend.event(after: nil, parents: [forks[64]], "heard")
        try cluster["bob"].ingest([text])
        #expect(!cluster["bob"].said.contains("heard"))
        try cluster["bob"].ingest([root] + forks)
        #expect(cluster["bob"].said.contains("heard"))
    }

    @Test("a stranger to a private group does not keep two of its members apart", arguments: [32, 64, 200])
    func state(half: Int) throws {
        let cluster = try Cluster.sealed("ann", "bob", "cat", "dan", seed: 9_102, role: .member)
        try cluster.syncAll()
        for name in ["cat", "dan"] { try cluster["ann"].remove(name) }
        try cluster.sync("ann", "bob")
        var log = Attacker(seed: 2).log(in: cluster.group, isStateLog: true)
        let root = log.event(.setting)
        let forks = (0..<2 * half).map { log.event(after: root, .setting, at: Int64(2 + $0)) }
        try cluster["cat"].ingest([root] + forks[..<half])
        try cluster["dan"].ingest([root] + forks[half...])
        try cluster.sync("cat", "ann")
        try cluster.sync("dan", "bob")
        for meeting in 1...4 {
            for device in cluster["ann", "bob"] { #expect(try device.send("\(device) \(meeting)") != nil) }
            try cluster.sync(meeting % 2, 1 - meeting % 2)
        }
        try cluster.sync("ann", "bob")
        #expect(cluster["bob"].said.count { $0.hasPrefix("ann") } == 4)
        #expect(cluster["ann"].said.count { $0.hasPrefix("bob") } == 4)
        #expect(cluster.errors.isEmpty)
    }
}
