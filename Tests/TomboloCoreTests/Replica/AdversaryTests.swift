import Testing
import TomboloCore
import TomboloCrypto

// Each of these attacks once succeeded. A review from the view of a hostile peer found them.
@Suite("Attacks by a member with a modified client")
struct AdversaryTests {
    @Test("a first event with a previous, and a later event without one, are malformed")
    func previousWithoutSequence() throws {
        let id = EventID(Bytes32.zero)
        var header = EventHeader(
            kind: .message, isSalted: false, log: LogID(Bytes32.zero), sequence: 2,
            previous: Backlink(id: id, lamport: 1), contentLength: 0, commitment: .zero)
        #expect(throws: Never.self) { try header.check() }
        header.sequence = 1
        #expect(throws: EventError.self) { try header.check() }
        header.sequence = 2
        header.previous = nil
        header.lamport = 1
        #expect(throws: EventError.self) { try header.check() }
    }

    @Test("a gap below a signed event is filled by a run that only that signature authenticates")
    func gapBelowSigned() throws {
        let cluster = try Cluster("ann", "bob", seed: 51)
        var log = cluster.foreignLog(seed: 1)
        var run: [Event] = []
        for number in 0..<128 { run.append(log.event(after: run.last, "\(number)", signed: number == 127)) }
        try cluster["ann"].ingest(run)
        #expect(cluster["ann"].delivered.count == 128)
        let first = log.event(after: nil, "0")
        #expect(first.id == run[0].id)
        try cluster["bob"].ingest([first, run[127]])
        #expect(cluster["bob"].delivered.count == 1)
        try cluster.sync("ann", "bob")
        #expect(cluster["bob"].delivered.count == 128)
        #expect(cluster.errors.isEmpty)
    }

    @Test(
        "no event above a gap is held before a signed one, so any device with other signatures can fill the gap"
    )
    func unsignedAboveGap() throws {
        let cluster = try Cluster("ann", "bob", seed: 52)
        var log = cluster.foreignLog(seed: 1)
        let all = log.chain(400, "event")
        try cluster["ann"].ingest(all)
        let unsigned = all[200..<328].map { $0 == all[327] ? $0 : $0.signed(with: nil) }
        try cluster["bob"].ingest([all[0]] + unsigned)
        try cluster.sync("ann", "bob")
        #expect(cluster.errors.isEmpty)
        #expect(cluster["bob"].delivered.count == 400)
        #expect(cluster["ann"].hasAgreed && cluster["bob"].hasAgreed)
    }

    @Test("a trunk is authenticated by the nearer signature of two branches", arguments: 0..<6 as Range<UInt64>)
    func sparselySignedFork(seed: UInt64) throws {
        let cluster = try Cluster("ann", "bob", seed: 61 + seed)
        var log = cluster.foreignLog(seed: seed)
        let trunk = log.chain(100, "trunk")
        let (left, right) = (log.chain(1, after: trunk.last, "left"), log.chain(50, after: trunk.last, "right"))
        func onlyLastSigned(_ events: [Event]) -> [Event] {
            events.map { $0 == events.last ? $0 : $0.signed(with: nil) }
        }
        try cluster["ann"].ingest(onlyLastSigned(trunk + left))
        try cluster["ann"].ingest(onlyLastSigned(right))
        #expect(cluster["ann"].delivered.count == 151)
        try cluster.sync("ann", "bob")
        #expect(cluster.errors.isEmpty)
        #expect(cluster["bob"].delivered.count == 151)
    }

    @Test("an event whose previous is in another log takes nothing from that log")
    func foreignPrevious() throws {
        let cluster = try Cluster("ann", seed: 68)
        var (victim, thief) = (cluster.foreignLog(seed: 1), cluster.foreignLog(seed: 2))
        let run = victim.chain(3, "victim").map { $0.sequence == 3 ? $0 : $0.signed(with: nil) }
        let first = thief.event(after: nil, "thief")
        let claim = thief.event(after: first, "claim") { header in
            header.previous = Backlink(id: run[1].id, lamport: run[1].lamport)
            header.lamport = run[1].lamport + 1
        }
        try cluster["ann"].ingest([run[0], first, run[1], claim, run[2]])
        #expect(Set(cluster["ann"].texts).isSuperset(of: ["victim 0", "victim 1", "victim 2"]))
    }

    @Test("filling a gap in one branch claims nothing of another branch")
    func branchesWithGaps() throws {
        let cluster = try Cluster("ann", "bob", seed: 53)
        var log = cluster.foreignLog(seed: 1)
        let root = log.event(after: nil, "root")
        let (a2, b2) = (log.event(after: root, "a2"), log.event(after: root, "b2"))
        let (a3, b3) = (log.event(after: a2, "a3"), log.event(after: b2, "b3"))
        for events in [[root], [a3], [b3], [a2]] { try cluster["ann"].ingest(events) }
        try cluster["bob"].ingest([root, a2, b2, a3, b3])
        try cluster.sync("ann", "bob")
        #expect(Set(cluster["ann"].texts) == ["root", "a2", "a3", "b2", "b3"])
        #expect(cluster["ann"].hasAgreed && cluster["bob"].hasAgreed)
    }

    @Test(
        "all branches of a fork are sent with their signatures, however many there are", arguments: [2, 3, 64])
    func manyBranches(branches: Int) throws {
        let cluster = try Cluster("ann", "bob", seed: 54)
        var log = cluster.foreignLog(seed: 1)
        let trunk = log.chain(100, "trunk")
        var all = trunk
        for branch in 0..<branches { all += log.chain(branches == 64 ? 1 : 5, after: trunk.last, "branch \(branch)") }
        try cluster["ann"].ingest(all)
        let before = cluster.now
        let session = try cluster.connect("ann", "bob")
        try cluster.settle(wakes: 0)
        #expect(cluster["bob"].delivered.count == all.count, "without saying anything again")
        #expect(cluster.now == before)
        try cluster.settle()
        try cluster.disconnect(session)
        #expect(cluster["ann"].hasAgreed && cluster["bob"].hasAgreed)
    }

    @Test(
        "a log with too many branches stops only itself; its sender is not blamed, and the difference is reported")
    func tooManyBranches() throws {
        let cluster = try Cluster("ann", "bob", seed: 55)
        var log = cluster.foreignLog(seed: 1)
        let root = log.event(after: nil, "root")
        let branches = (0..<65).map { log.event(after: root, "branch \($0)") }
        try cluster["ann"].ingest([root] + branches.dropLast())
        try cluster["bob"].ingest([root] + branches.dropFirst())
        try cluster.connect("ann", "bob")
        try cluster.settle()
        #expect(cluster.errors.isEmpty)
        try cluster["ann"].send("and yet we talk")
        try cluster.settle(wakes: 3)
        #expect(cluster["bob"].texts.last == "and yet we talk")
        let differed = cluster["ann"].effects.contains { if case .differed = $0 { true } else { false } }
        #expect(differed)
    }

    @Test("a second first event with another certificate is refused, whether or not the log is known")
    func secondCertificate() throws {
        let cluster = try Cluster("ann", "bob", seed: 56)
        var log = cluster.foreignLog(seed: 1)
        let root = log.event(after: nil, "root")
        var junk: Bytes = []
        junk += [1, 3, 7, 7, 7]
        let second = log.event(after: nil, "second") { $0.extensions = junk }
        try cluster["ann"].ingest([root])
        for device in cluster.all { try device.ingest([second]) }
        #expect(cluster["ann"].texts == ["root"])
        #expect(cluster["bob"].texts.isEmpty)
        try cluster.sync("ann", "bob")
        for device in cluster.all {
            #expect(device.texts == ["root"])
            #expect(device.errors.isEmpty)
        }
    }

    @Test("an event with a misplaced previous is treated alike, whatever a device remembers")
    func misplacedPrevious() throws {
        let cluster = try Cluster("ann", "bob", seed: 57)
        var log = cluster.foreignLog(seed: 1)
        let chain = log.chain(2, "chain")
        let misplaced = log.event(after: chain[1], "misplaced") { header in
            header.sequence = 5
            header.previous = Backlink(id: chain[0].id, lamport: 4)
            header.lamport = 5
        }
        try cluster["ann"].ingest(chain + [misplaced])
        try cluster["bob"].ingest([chain[0]])
        try cluster["bob"].ingest([misplaced])
        try cluster["bob"].ingest([chain[1]])
        try cluster.sync("ann", "bob")
        #expect(cluster["ann"].hasAgreed && cluster["bob"].hasAgreed)
        for device in cluster.all { #expect(device.texts == ["chain 0", "chain 1"]) }
    }

    @Test("no event of a log is held before its first event")
    func withoutFirst() throws {
        let cluster = try Cluster("ann", "bob", seed: 58)
        var log = cluster.foreignLog(seed: 1)
        let first = log.event(after: nil, "1", signed: false)
        let second = log.event(after: first, "2")
        let third = log.event(after: second, "3")
        try cluster["ann"].ingest([first, third])
        #expect(cluster["ann"].store.logs(inGroup: 1).allSatisfy { $0.id != log.id || $0.ends.isEmpty })
        try cluster["bob"].ingest([first, second, third])
        try cluster.sync("ann", "bob")
        #expect(cluster["ann"].texts == ["1", "2", "3"])
    }

    @Test("very many heads are joined a few at a time, and the conversation continues")
    func manyHeads() throws {
        let cluster = try Cluster("ann", seed: 59)
        for seed in 0..<10 as Range<UInt64> {
            var log = cluster.foreignLog(seed: seed)
            let root = log.event(after: nil, "root")
            try cluster["ann"].ingest([root] + (0..<64).map { log.event(after: root, "\($0)") })
        }
        let before = cluster["ann"].delivered.count
        #expect(before == 650)
        try cluster["ann"].send("on we go")
        let said = cluster["ann"].delivered
        #expect(said.last.map { String(decoding: $0.content ?? [], as: UTF8.self) } == "on we go")
        #expect(said.count - before <= 17)
        #expect(isCausal(said))
    }

    @Test("at most 65,536 events of a log, and a run more, wait for missing ancestors; other logs continue")
    func waitingQuota() throws {
        let cluster = try Cluster("ann", seed: 69)
        var log = cluster.foreignLog(seed: 1)
        let missing = EventReference(
            id: EventID(SwiftCryptography().sha256([1])), log: LogID(Bytes32.zero), sequence: 1, lamport: 1)
        var last: Event?
        var waiting = 0
        while waiting < 66_048 {
            var batch: [Event] = []
            for number in 0..<4_096 {
                let isFirst = last == nil
                let next = log.event(after: last, "", signed: number % 128 == 127) { header in
                    guard isFirst else { return }
                    header.parents = [missing]
                    header.lamport = 2
                }
                batch.append(next)
                last = next
            }
            try cluster["ann"].ingest(batch)
            waiting += batch.count
        }
        let held = try #require(cluster["ann"].store.logs(inGroup: 1).first { $0.id == log.id })
        #expect((65_536...65_536 + 127).contains(held.waitingForAncestors))
        #expect(held.lastSequence == UInt64(held.waitingForAncestors))
        #expect(cluster["ann"].delivered.isEmpty)
        var other = cluster.foreignLog(seed: 2)
        try cluster["ann"].ingest(other.chain(3, "other"))
        #expect(cluster["ann"].delivered.count == 3)
    }

    @Test("many logs with long runs of large headers are sent in windows that receivers accept")
    func heavyWindows() throws {
        let cluster = try Cluster("ann", "bob", seed: 60)
        let invented = (0..<16).map { number in
            EventReference(
                id: EventID(SwiftCryptography().sha256(Array("\(number)".utf8))), log: LogID(Bytes32.zero), sequence: 1,
                lamport: 1)
        }
        for seed in 0..<60 as Range<UInt64> {
            var log = cluster.foreignLog(seed: seed)
            var run: [Event] = []
            for number in 0..<128 {
                run.append(
                    log.event(after: run.last, "\(number)", signed: number == 127) { header in
                        guard number > 0 else { return }
                        header.parents = invented.sorted()
                        header.stateHeads = invented.sorted()
                        header.rekeys = invented.sorted()
                    })
            }
            try cluster["ann"].ingest(run)
        }
        try cluster.sync("ann", "bob")
        #expect(cluster.errors.isEmpty)
        #expect(cluster["ann"].hasAgreed && cluster["bob"].hasAgreed)
        #expect(cluster["bob"].store.lastOrdinal() == 60 * 128)
    }
}
