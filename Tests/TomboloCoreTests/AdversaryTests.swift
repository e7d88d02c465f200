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
        let devices = try Devices(2, seed: 51)
        let group = try devices.makeGroup()
        var log = ForeignLog(group: group, seed: 1)
        var run: [Event] = []
        for number in 0..<128 { run.append(log.event(after: run.last, "\(number)", signed: number == 127)) }
        try devices.ingest(run, into: 0, group: group)
        #expect(devices.delivered(0, in: group).count == 128)
        let first = log.event(after: nil, "0")
        #expect(first.id == run[0].id)
        try devices.ingest([first, run[127]], into: 1, group: group)
        #expect(devices.delivered(1, in: group).count == 1)
        try devices.meet(0, 1)
        #expect(devices.delivered(1, in: group).count == 128)
        #expect(devices.errors(0).isEmpty && devices.errors(1).isEmpty)
    }

    @Test(
        "no event above a gap is held before a signed one, so any device with other signatures can fill the gap"
    )
    func unsignedAboveGap() throws {
        let devices = try Devices(2, seed: 52)
        let group = try devices.makeGroup()
        var log = ForeignLog(group: group, seed: 1)
        let all = log.chain(400, "event")
        try devices.ingest(all, into: 0, group: group)
        let unsigned = all[200..<328].map { $0 == all[327] ? $0 : $0.signed(with: nil) }
        try devices.ingest([all[0]] + unsigned, into: 1, group: group)
        try devices.meet(0, 1)
        for device in 0..<2 { #expect(devices.errors(device).isEmpty) }
        #expect(devices.delivered(1, in: group).count == 400)
        #expect(devices.haveAgreed(0) && devices.haveAgreed(1))
    }

    @Test("a trunk is authenticated by the nearer signature of two branches", arguments: 0..<6 as Range<UInt64>)
    func sparselySignedFork(seed: UInt64) throws {
        let devices = try Devices(2, seed: 61 + seed)
        let group = try devices.makeGroup()
        var log = ForeignLog(group: group, seed: seed)
        let trunk = log.chain(100, "trunk")
        let (left, right) = (log.chain(1, after: trunk.last, "left"), log.chain(50, after: trunk.last, "right"))
        func onlyLastSigned(_ events: [Event]) -> [Event] {
            events.map { $0 == events.last ? $0 : $0.signed(with: nil) }
        }
        try devices.ingest(onlyLastSigned(trunk + left), into: 0, group: group)
        try devices.ingest(onlyLastSigned(right), into: 0, group: group)
        #expect(devices.delivered(0, in: group).count == 151)
        try devices.meet(0, 1)
        for device in 0..<2 { #expect(devices.errors(device).isEmpty) }
        #expect(devices.delivered(1, in: group).count == 151)
    }

    @Test("an event whose previous is in another log takes nothing from that log")
    func foreignPrevious() throws {
        let devices = try Devices(1, seed: 68)
        let group = try devices.makeGroup()
        var (victim, thief) = (ForeignLog(group: group, seed: 1), ForeignLog(group: group, seed: 2))
        let run = victim.chain(3, "victim").map { $0.sequence == 3 ? $0 : $0.signed(with: nil) }
        let first = thief.event(after: nil, "thief")
        let claim = thief.event(after: first, "claim") { header in
            header.previous = Backlink(id: run[1].id, lamport: run[1].lamport)
            header.lamport = run[1].lamport + 1
        }
        try devices.ingest([run[0], first, run[1], claim, run[2]], into: 0, group: group)
        #expect(Set(devices.texts(0, in: group)).isSuperset(of: ["victim 0", "victim 1", "victim 2"]))
    }

    @Test("filling a gap in one branch claims nothing of another branch")
    func branchesWithGaps() throws {
        let devices = try Devices(2, seed: 53)
        let group = try devices.makeGroup()
        var log = ForeignLog(group: group, seed: 1)
        let root = log.event(after: nil, "root")
        let (a2, b2) = (log.event(after: root, "a2"), log.event(after: root, "b2"))
        let (a3, b3) = (log.event(after: a2, "a3"), log.event(after: b2, "b3"))
        for events in [[root], [a3], [b3], [a2]] { try devices.ingest(events, into: 0, group: group) }
        try devices.ingest([root, a2, b2, a3, b3], into: 1, group: group)
        try devices.meet(0, 1)
        #expect(Set(devices.texts(0, in: group)) == ["root", "a2", "a3", "b2", "b3"])
        #expect(devices.haveAgreed(0) && devices.haveAgreed(1))
    }

    @Test(
        "all branches of a fork are sent with their signatures, however many there are", arguments: [2, 3, 64])
    func manyBranches(branches: Int) throws {
        let devices = try Devices(2, seed: 54)
        let group = try devices.makeGroup()
        var log = ForeignLog(group: group, seed: 1)
        let trunk = log.chain(100, "trunk")
        var all = trunk
        for branch in 0..<branches { all += log.chain(branches == 64 ? 1 : 5, after: trunk.last, "branch \(branch)") }
        try devices.ingest(all, into: 0, group: group)
        let before = devices.now
        let session = try devices.connect(0, 1)
        try devices.settle(wakes: 0)
        #expect(devices.delivered(1, in: group).count == all.count, "without saying anything again")
        #expect(devices.now == before)
        try devices.settle()
        try devices.disconnect(session)
        #expect(devices.haveAgreed(0) && devices.haveAgreed(1))
    }

    @Test(
        "a log with too many branches stops only itself; its sender is not blamed, and the difference is reported")
    func tooManyBranches() throws {
        let devices = try Devices(2, seed: 55)
        let group = try devices.makeGroup()
        var log = ForeignLog(group: group, seed: 1)
        let root = log.event(after: nil, "root")
        let branches = (0..<65).map { log.event(after: root, "branch \($0)") }
        try devices.ingest([root] + branches.dropLast(), into: 0, group: group)
        try devices.ingest([root] + branches.dropFirst(), into: 1, group: group)
        try devices.connect(0, 1)
        try devices.settle()
        for device in 0..<2 { #expect(devices.errors(device).isEmpty) }
        try devices.say(0, "and yet we talk", in: group)
        try devices.settle(wakes: 3)
        #expect(devices.texts(1, in: group).last == "and yet we talk" || devices.delivered(1, in: group).count == 65)
        let differed = devices.devices[0].effects.contains { if case .differed = $0 { true } else { false } }
        #expect(differed)
    }

    @Test("a second first event with another certificate is refused, whether or not the log is known")
    func secondCertificate() throws {
        let devices = try Devices(2, seed: 56)
        let group = try devices.makeGroup()
        var log = ForeignLog(group: group, seed: 1)
        let root = log.event(after: nil, "root")
        var junk: Bytes = []
        junk += [1, 3, 7, 7, 7]
        let second = log.event(after: nil, "second") { $0.extensions = junk }
        try devices.ingest([root], into: 0, group: group)
        for device in 0..<2 { try devices.ingest([second], into: device, group: group) }
        #expect(devices.texts(0, in: group) == ["root"])
        #expect(devices.texts(1, in: group).isEmpty)
        try devices.meet(0, 1)
        for device in 0..<2 {
            #expect(devices.texts(device, in: group) == ["root"])
            #expect(devices.errors(device).isEmpty)
        }
    }

    @Test("an event with a misplaced previous is treated alike, whatever a device remembers")
    func misplacedPrevious() throws {
        let devices = try Devices(2, seed: 57)
        let group = try devices.makeGroup()
        var log = ForeignLog(group: group, seed: 1)
        let chain = log.chain(2, "chain")
        let misplaced = log.event(after: chain[1], "misplaced") { header in
            header.sequence = 5
            header.previous = Backlink(id: chain[0].id, lamport: 4)
            header.lamport = 5
        }
        try devices.ingest(chain + [misplaced], into: 0, group: group)
        try devices.ingest([chain[0]], into: 1, group: group)
        try devices.ingest([misplaced], into: 1, group: group)
        try devices.ingest([chain[1]], into: 1, group: group)
        try devices.meet(0, 1)
        #expect(devices.haveAgreed(0) && devices.haveAgreed(1))
        for device in 0..<2 { #expect(devices.texts(device, in: group) == ["chain 0", "chain 1"]) }
    }

    @Test("no event of a log is held before its first event")
    func withoutFirst() throws {
        let devices = try Devices(2, seed: 58)
        let group = try devices.makeGroup()
        var log = ForeignLog(group: group, seed: 1)
        let first = log.event(after: nil, "1", signed: false)
        let second = log.event(after: first, "2")
        let third = log.event(after: second, "3")
        try devices.ingest([first, third], into: 0, group: group)
        #expect(devices.devices[0].store.logs(inGroup: 1).allSatisfy { $0.id != log.id || $0.ends.isEmpty })
        try devices.ingest([first, second, third], into: 1, group: group)
        try devices.meet(0, 1)
        #expect(devices.texts(0, in: group) == ["1", "2", "3"])
    }

    @Test("very many heads are joined a few at a time, and the conversation continues")
    func manyHeads() throws {
        let devices = try Devices(1, seed: 59)
        let group = try devices.makeGroup()
        for seed in 0..<10 as Range<UInt64> {
            var log = ForeignLog(group: group, seed: seed)
            let root = log.event(after: nil, "root")
            try devices.ingest([root] + (0..<64).map { log.event(after: root, "\($0)") }, into: 0, group: group)
        }
        let before = devices.delivered(0, in: group).count
        #expect(before == 650)
        try devices.say(0, "on we go", in: group)
        let said = devices.delivered(0, in: group)
        #expect(said.last.map { String(decoding: $0.content ?? [], as: UTF8.self) } == "on we go")
        #expect(said.count - before <= 17)
        #expect(isCausal(said))
    }

    @Test("at most 65,536 events of a log, and a run more, wait for missing ancestors; other logs continue")
    func waitingQuota() throws {
        let devices = try Devices(1, seed: 69)
        let group = try devices.makeGroup()
        var log = ForeignLog(group: group, seed: 1)
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
            try devices.ingest(batch, into: 0, group: group)
            waiting += batch.count
        }
        let held = try #require(devices.devices[0].store.logs(inGroup: 1).first { $0.id == log.id })
        #expect((65_536...65_536 + 127).contains(held.waitingForAncestors))
        #expect(held.lastSequence == UInt64(held.waitingForAncestors))
        #expect(devices.delivered(0, in: group).isEmpty)
        var other = ForeignLog(group: group, seed: 2)
        try devices.ingest(other.chain(3, "other"), into: 0, group: group)
        #expect(devices.delivered(0, in: group).count == 3)
    }

    @Test("many logs with long runs of large headers are sent in windows that receivers accept")
    func heavyWindows() throws {
        let devices = try Devices(2, seed: 60)
        let group = try devices.makeGroup()
        let invented = (0..<16).map { number in
            EventReference(
                id: EventID(SwiftCryptography().sha256(Array("\(number)".utf8))), log: LogID(Bytes32.zero), sequence: 1,
                lamport: 1)
        }
        for seed in 0..<60 as Range<UInt64> {
            var log = ForeignLog(group: group, seed: seed)
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
            try devices.ingest(run, into: 0, group: group)
        }
        try devices.meet(0, 1)
        #expect(devices.errors(0).isEmpty && devices.errors(1).isEmpty)
        #expect(devices.haveAgreed(0) && devices.haveAgreed(1))
        #expect(devices.devices[1].store.lastOrdinal() == 60 * 128)
    }
}
