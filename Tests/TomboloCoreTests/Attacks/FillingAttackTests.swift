import Testing
import TomboloCore

@Suite("Attack: logs of authors without a right")
struct FillingAttackTests {
    @Test("a stranger's logs do not keep a new member from writing, and its own logs are bounded")
    func stranger() throws {
        let cluster = try Cluster("ann", policy: .private, seed: 9_601)
        let mallory = Attacker(seed: 21)
        var events: [Event] = []
        for number in 0..<4_200 {
            // Half of them claim a role change that nobody has.
            let claimed = EventReference(
                id: EventID(Bytes32(word: UInt64(number))), log: LogID(Bytes32(word: 9)), sequence: 1, lamport: 1)
            var log = mallory.log(
                in: cluster.group, number: UInt64(number), under: number.isMultiple(of: 2) ? claimed : nil)
            events.append(log.event())
        }
        let before = cluster["ann"].countOfLogs
        try cluster["ann"].ingest(events)
        #expect(cluster["ann"].countOfLogs - before == 4_096)
        try cluster.add("bob", seed: 9_602)
        try cluster.join("bob", by: "ann")
        try cluster.sync("bob", "ann")
        try cluster["bob"].send("here I am")
        try cluster.sync("bob", "ann")
        #expect(cluster["ann"].said.contains("here I am"))
        #expect(cluster.errors.isEmpty)
        // After it is opened again, the device counts the same logs.
        try cluster["ann"].restart(seed: 4)
        try cluster["ann"].ingest(events)
        #expect(cluster["ann"].countOfLogs - before == 4_096 + 2)
    }

    @Test("a log whose role change comes later counts as its author's, and makes room for others")
    func proven() throws {
        let cluster = try Cluster("ann", "bob", policy: .open, seed: 9_603, meetings: .all())
        let member = Attacker(seed: 22)
        try cluster["ann"].setRole(of: member.member, to: .admin)
        let grant = try #require(cluster["ann"].grant(to: member.member))
        var log = member.log(in: cluster.group, under: grant)
        let word = log.event()
        try cluster["bob"].ingest([word])
        #expect(cluster["bob"].status(of: word) == .waiting)
        try cluster.sync("ann", "bob")
        #expect(cluster["bob"].status(of: word) == .delivered && cluster["ann"].status(of: word) == .delivered)
    }
}

extension Cluster.Device {
    fileprivate var countOfLogs: Int { store.logs(inGroup: groupReference).count { $0.lastSequence > 0 } }
}
