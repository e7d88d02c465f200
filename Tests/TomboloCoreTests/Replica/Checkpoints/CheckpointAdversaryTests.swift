import Testing
import TomboloCore
import TomboloCrypto

/// Checkpoints that an attacker creates, and the harm that they must not do.
@Suite("Hostile checkpoints")
struct CheckpointAdversaryTests: CheckpointGroupTests {
    @Test(
        "an admin without the author's consent makes no device forget its events, even before they arrive"
    )
    func unasked() throws {
        let cluster = try Cluster(
            "ann", "bob", "cat", "dan", seed: 5, role: .reader, roles: ["bob": .admin], meetings: .all(rounds: 2))
        for number in 0..<5 { try cluster["ann"].send("stays \(number)") }
        try cluster["ann"].send("goes", expiring: Self.day)
        try cluster.syncAll(cluster["ann", "bob"], rounds: 2)
        let log = try #require(cluster["ann"].conversation.last { $0.event.content?.isEmpty == false }?.event.log)
        try cluster["bob"].propose([.init(log: log, sequence: 3)])
        // This one asks the log's author, which finds that nothing is gone.
        try cluster["bob"].propose([.init(log: log, sequence: 100)], to: [cluster["ann"].member])
        try cluster.sync("bob", "cat")
        try cluster.sync("ann", "dan")
        try cluster.syncAll(rounds: 2)
        try cluster.pass(Self.day, rounds: 3)
        try cluster.syncAll(rounds: 2)
        for device in cluster.all {
            #expect(device.kept.count == 5)
            #expect(device.floors.allSatisfy { $0 == 0 })
        }
        #expect(cluster.roots.count == 1)
    }

    @Test("a device whose own events a checkpoint forgets writes them again with its next event")
    func own() throws {
        let cluster = try Cluster("ann", "bob", "cat", seed: 8, role: .admin, meetings: .all(rounds: 2))
        for number in 0..<5 { try cluster["bob"].send("own \(number)") }
        try cluster.sync("ann", "bob")
        let last = try #require(cluster["bob"].conversation.last { $0.event.content?.isEmpty == false }?.event)
        try cluster["bob"].propose([.init(log: last.log, sequence: last.sequence)])
        // A floor that the log never reaches has no effect.
        try cluster["bob"].propose([.init(log: last.log, sequence: 1 << 40)])
        try cluster.syncAll(rounds: 2)
        for device in cluster.all { #expect(device.kept.count == 5) }
        try cluster["bob"].send("next")
        try cluster.syncAll(rounds: 2)
        for device in cluster.all {
            #expect(device.kept == ["next", "own 0", "own 1", "own 2", "own 3", "own 4"])
            #expect(try #require(device.floors.max()) >= 5)
        }
        #expect(cluster.roots.count == 1)
        #expect(cluster.errors.isEmpty)
    }

    @Test("a lost device cannot make others forget events of its member's other devices; its admitter can")
    func lostDevice() throws {
        let cluster = try Cluster("ann", "bob", "cat", seed: 9, role: .admin, meetings: .all(rounds: 2))
        try cluster.link("laptop", seed: 78, to: "bob")
        for device in cluster.all {
            for number in 0..<3 { try device.send("stays \(number)") }
        }
        try cluster.syncAll(rounds: 2)
        let (first, linked) = (try #require(cluster["bob"].ownLog), try #require(cluster["laptop"].ownLog))
        // The linked device names both logs. Of its own log only the last event remains.
        let floors = [first, linked].sorted().map { Checkpoint.LogFloor(log: $0, sequence: 2) }
        try cluster["laptop"].propose(floors)
        try cluster.syncAll(rounds: 2)
        for device in cluster.all { #expect(device.floor(ofLog: first) == 0 && device.floor(ofLog: linked) == 2) }
        // The device that admitted it proposes the same.
        try cluster["bob"].propose(floors)
        try cluster.syncAll(rounds: 4)
        for device in cluster.all {
            #expect(device.floor(ofLog: first) == 2 && device.floor(ofLog: linked) == 2)
            // The contents are in other events now.
            #expect(device.kept.count == 12)
        }
        #expect(cluster.roots.count == 1)
    }

    @Test("a log with the largest possible gap costs no device anything")
    func largeGap() throws {
        let cluster = try Cluster("ann", "bob", seed: 10, role: .admin, meetings: .all(rounds: 2))
        var foreign = cluster.foreignLog(seed: 3)
        let first = foreign.event(after: nil, "first")
        let last = foreign.event(after: first, "last") {
            $0.sequence = 1 << 51
            $0.previous = Backlink(id: EventID(Bytes32(word: 9)), lamport: 1 << 51)
            $0.lamport = (1 << 51) + 1
        }
        try cluster["ann"].ingest([first, last])
        try cluster["ann"].propose([.init(log: foreign.id, sequence: 1 << 51)], to: [foreign.member])
        // The member is demoted, so its wanted chain is searched. The demotion keeps the events that its author knew.
        try cluster["ann"].setRole(of: foreign.member, to: .none)
        try cluster.syncAll(rounds: 2)
        #expect(cluster.roots.count == 1)
        for device in cluster.all { #expect(device.status(of: first) == .delivered) }
    }

    @Test("a reference to a forgotten event cannot exhaust the group's Lamport time")
    func endOfTime() throws {
        let cluster = try Cluster("ann", "bob", seed: 11, meetings: .all(rounds: 2))
        for number in 0..<5 { try cluster["ann"].send("gone \(number)", expiring: Self.day) }
        try cluster["ann"].send("stays")
        let third = try #require(cluster["ann"].conversation.map(\.event).first { $0.sequence == 3 })
        try cluster.pass(Self.day, rounds: 3)
        try cluster["ann"].propose([.init(log: third.log, sequence: 5)])
        try cluster.sync("ann", "bob")
        var foreign = cluster.foreignLog(seed: 4)
        for (lamport, status) in [(Limits.integer - 2, EventStatus.invalid), ((1 << 52) - 1, .delivered)] {
            var late = third.reference
            late.lamport = lamport
            let event = foreign.event(after: nil, "\(lamport)") {
                $0.parents = [late]
                $0.lamport = lamport + 1
            }
            try cluster["ann"].ingest([event])
            #expect(cluster["ann"].status(of: event) == status)
        }
        try cluster.sync("ann", "bob")
        for device in cluster.all { #expect(try device.send("on") != nil) }
        try cluster.sync("ann", "bob")
        #expect(cluster.roots.count == 1 && cluster["ann"].errors.isEmpty)
    }

    @Test("the end of a log without its beginning is neither held nor passed unless a checkpoint allows it")
    func onlyTheEnd() throws {
        let cluster = try Cluster("ann", "bob", "cat", "dan", seed: 14, role: .admin, meetings: .all(rounds: 2))
        for number in 0..<10 { try cluster["bob"].send("stays \(number)") }
        try cluster["ann"].send("here")
        try cluster["cat"].send("here")
        let said = cluster["bob"].conversation.map(\.event).filter { $0.kind == .message || $0.kind == .merge }
        let certificate = try #require(said.lazy.compactMap(\.header.certificate).first)
        let log = try #require(said.last?.log)
        let end = said.filter { $0.log == log }.suffix(5)
        // The source of the events plays no part.
        try cluster["cat"].ingest(Array(end), certificates: [certificate])
        #expect(cluster["cat"].status(of: end[end.startIndex]) == nil)
        try cluster["cat"].proposeCheckpoint()
        try cluster.sync("ann", "cat")
        try cluster.syncAll(rounds: 2)
        for device in cluster.all { #expect(device.kept.count == 12) }
        #expect(cluster.roots.count == 1)
    }

    @Test("an event that names a forgotten event has one verdict, whenever it arrives")
    func oneVerdict() throws {
        let cluster = try Cluster("ann", "bob", seed: 6, meetings: .all(rounds: 2))
        for number in 0..<10 { try cluster["ann"].send("gone \(number)", expiring: Self.day) }
        try cluster["ann"].send("stays")
        let third = try #require(cluster["ann"].conversation.map(\.event).first { $0.sequence == 3 })
        // One event names an unknown id, the other the right event with a wrong time. Each log continues.
        var (strange, wrong) = (cluster.foreignLog(seed: 1), cluster.foreignLog(seed: 2))
        var other = third.reference
        other.id = EventID(Bytes32(word: 7))
        let one = strange.event(after: nil, "one") {
            $0.parents = [other]
            $0.lamport = $0.lamportOfReferences + 1
        }
        let next = strange.event(after: one, "next")
        var late = third.reference
        late.lamport += 100
        let two = wrong.event(after: nil, "two") {
            $0.parents = [late]
            $0.lamport = $0.lamportOfReferences + 1
        }
        let after = wrong.event(after: two, "after")
        try cluster["ann"].ingest([one, next, two, after])
        func statuses(_ device: String) -> [EventStatus?] {
            [one, next, two, after].map { cluster[device].status(of: $0) }
        }
        #expect(statuses("ann") == [.waiting, .waiting, .invalid, .invalid])
        try cluster.pass(Self.day, rounds: 3)
        // The members of the foreign logs need not pass the checkpoint.
        try cluster["ann"].propose([.init(log: third.log, sequence: 10)])
        #expect(statuses("ann") == [.delivered, .delivered, .delivered, .delivered])
        for _ in 0..<2 { try cluster.sync("ann", "bob") }
        #expect(statuses("bob") == statuses("ann") && cluster.roots.count == 1)
        #expect(cluster.errors.isEmpty)
        #expect(try cluster.isQuiet("ann", "bob"))
    }

    @Test("an invalid certificate closes the link")
    func wrongCertificate() throws {
        let cluster = try Cluster("ann", "bob", seed: 13, meetings: .all(rounds: 2))
        for number in 0..<3 { try cluster["ann"].send("gone \(number)", expiring: Self.day) }
        try cluster["ann"].send("stays")
        try cluster.pass(Self.day, rounds: 3)
        try cluster["ann"].proposeCheckpoint()
        for isSpoilt in [true, false] {
            cluster.rewriteGroups { sync in
                guard isSpoilt else { return }
                sync.certificates = sync.certificates.map { certificate in
                    var bytes = Array(certificate)
                    bytes[140] ^= 1
                    return bytes[...]
                }
            }
            try cluster.sync("bob", "ann")
            #expect(cluster["bob"].kept == (isSpoilt ? [] : ["stays"]))
        }
        #expect(cluster["bob"].errors.count == 1)
        #expect(cluster.roots.count == 1)
    }

    @Test("malformed checkpoints are refused")
    func forms() throws {
        let (one, other) = (MemberKey(Bytes32(word: 1)), MemberKey(Bytes32(word: 2)))
        let (log, next) = (LogID(Bytes32(word: 1)), LogID(Bytes32(word: 2)))
        let made = StateAction.checkpoint(
            Checkpoint(floors: [.init(log: log, sequence: 7), .init(log: next, sequence: 1)], members: [one, other]))
        #expect(try StateAction(decoding: made.encoded[...], kind: .checkpoint) == made)
        let passed = StateAction.pass(EventID(Bytes32(word: 3)))
        #expect(try StateAction(decoding: passed.encoded[...], kind: .checkpoint) == passed)
        let wrong: [StateAction] = [
            .checkpoint(Checkpoint(floors: [.init(log: log, sequence: 0)], members: [])),
            .checkpoint(
                Checkpoint(floors: [.init(log: next, sequence: 1), .init(log: log, sequence: 1)], members: [])),
            .checkpoint(Checkpoint(floors: [.init(log: log, sequence: 1), .init(log: log, sequence: 1)], members: [])),
            .checkpoint(Checkpoint(floors: [], members: [other, one])),
            .checkpoint(Checkpoint(floors: [], members: [one, one])),
        ]
        for action in wrong {
            #expect(throws: WireError.self) { try StateAction(decoding: action.encoded[...], kind: .checkpoint) }
        }
        #expect(throws: WireError.self) { try StateAction(decoding: [], kind: .checkpoint) }
        #expect(throws: WireError.self) { try StateAction(decoding: [3], kind: .checkpoint) }
        #expect(throws: WireError.self) { try StateAction(decoding: passed.encoded[...] + [0], kind: .checkpoint) }
        // The bounds are tested from both sides.
        for (logs, members, isAllowed) in [
            (Limits.checkpointLogs, Limits.checkpointMembers, true), (Limits.checkpointLogs + 1, 0, false),
            (0, Limits.checkpointMembers + 1, false),
        ] {
            let large = StateAction.checkpoint(
                Checkpoint(
                    floors: (0..<logs).map { .init(log: LogID(Bytes32(word: UInt64($0))), sequence: 1) },
                    members: (0..<members).map { MemberKey(Bytes32(word: UInt64($0))) })
            ).encoded
            #expect(large.count <= Limits.content)
            let decoded = try? StateAction(decoding: large[...], kind: .checkpoint)
            #expect((decoded != nil) == isAllowed)
        }
    }
}
