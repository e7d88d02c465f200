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
        let (devices, group) = try makeGroup(4, seed: 5) { $0 == 1 ? .admin : .reader }
        for number in 0..<5 { try say(0, "stays \(number)", for: nil, devices, group) }
        try say(0, "goes", devices, group)
        try meetAll(devices, [0, 1])
        let log = try #require(conversation(0, devices).last { $0.event.content?.isEmpty == false }?.event.log)
        try propose([.init(log: log, sequence: 3)], by: 1, devices, group)
        // This one asks the log's author, which finds that nothing is gone.
        try propose(
            [.init(log: log, sequence: 100)], to: [devices.devices[0].engine.member], by: 1, devices, group)
        try devices.meet(1, 2)
        try devices.meet(0, 3)
        try meetAll(devices)
        try pass(Self.day, devices)
        try meetAll(devices)
        for device in 0..<4 {
            #expect(texts(device, devices, group).count == 5)
            #expect(floors(device, devices, group).allSatisfy { $0 == 0 })
        }
        #expect(roots(devices, group).count == 1)
    }

    @Test("a device whose own events a checkpoint forgets writes them again with its next event")
    func own() throws {
        let (devices, group) = try makeGroup(3, seed: 8) { _ in .admin }
        for number in 0..<5 { try say(1, "own \(number)", for: nil, devices, group) }
        try devices.meet(0, 1)
        let last = try #require(conversation(1, devices).last { $0.event.content?.isEmpty == false }?.event)
        try propose(
            [.init(log: last.log, sequence: last.sequence)].sorted { $0.log < $1.log }, by: 1, devices, group)
        // A floor that the log never reaches has no effect.
        try propose([.init(log: last.log, sequence: 1 << 40)], by: 1, devices, group)
        try meetAll(devices)
        for device in 0..<3 { #expect(texts(device, devices, group).count == 5) }
        try say(1, "next", for: nil, devices, group)
        try meetAll(devices)
        for device in 0..<3 {
            #expect(texts(device, devices, group) == ["next", "own 0", "own 1", "own 2", "own 3", "own 4"])
            #expect(try #require(floors(device, devices, group).max()) >= 5)
        }
        #expect(roots(devices, group).count == 1)
        #expect((0..<3).allSatisfy { devices.errors($0).isEmpty })
    }

    @Test("a lost device cannot make others forget events of its member's other devices; its admitter can")
    func lostDevice() throws {
        let (devices, group) = try makeGroup(3, seed: 9) { _ in .admin }
        try devices.link(Devices.Device(seed: 78), to: 1, in: group)
        for device in 0..<4 {
            for number in 0..<3 { try say(device, "stays \(number)", for: nil, devices, group) }
        }
        try meetAll(devices)
        func log(_ device: Int) throws -> LogID {
            try #require(devices.devices[device].store.groups().first { $0.id == group }?.ownLog)
        }
        // The linked device names both logs. Of its own log only the last event remains.
        let floors = try [log(1), log(3)].sorted().map { Checkpoint.LogFloor(log: $0, sequence: 2) }
        func floor(_ log: LogID, on device: Int) -> UInt64 {
            devices.devices[device].store.floor(ofLog: log, in: group)
        }
        let (first, linked) = (try log(1), try log(3))
        try propose(floors, by: 3, devices, group)
        try meetAll(devices)
        for device in 0..<4 { #expect(floor(first, on: device) == 0 && floor(linked, on: device) == 2) }
        // The device that admitted it proposes the same.
        try propose(floors, by: 1, devices, group)
        try meetAll(devices)
        try meetAll(devices)
        for device in 0..<4 {
            #expect(floor(first, on: device) == 2 && floor(linked, on: device) == 2)
            // The contents are in other events now.
            #expect(texts(device, devices, group).count == 12)
        }
        #expect(roots(devices, group).count == 1)
    }

    @Test("a log with the largest possible gap costs no device anything")
    func largeGap() throws {
        let (devices, group) = try makeGroup(2, seed: 10) { _ in .admin }
        var foreign = ForeignLog(group: group, seed: 3)
        let first = foreign.event(after: nil, "first")
        let last = foreign.event(after: first, "last") {
            $0.sequence = 1 << 51
            $0.previous = Backlink(id: EventID(Bytes32(word: 9)), lamport: 1 << 51)
            $0.lamport = (1 << 51) + 1
        }
        try devices.ingest([first, last], into: 0, group: group)
        try propose([.init(log: foreign.id, sequence: 1 << 51)], to: [foreign.member], by: 0, devices, group)
        // The member is demoted, so its wanted chain is searched. The demotion keeps the events that its author knew.
        try devices.step(0, [.setRole(7, group: group, of: foreign.member, to: .none)])
        try meetAll(devices)
        #expect(roots(devices, group).count == 1)
        for device in 0..<2 { #expect(devices.devices[device].store.status(of: first, in: group) == .delivered) }
    }

    @Test("a reference to a forgotten event cannot exhaust the group's Lamport time")
    func endOfTime() throws {
        let (devices, group) = try makeGroup(2, seed: 11)
        for number in 0..<5 { try say(0, "gone \(number)", devices, group) }
        try say(0, "stays", for: nil, devices, group)
        let third = try #require(conversation(0, devices).map(\.event).first { $0.sequence == 3 })
        try pass(Self.day, devices)
        try propose([.init(log: third.log, sequence: 5)], by: 0, devices, group)
        try devices.meet(0, 1)
        var foreign = ForeignLog(group: group, seed: 4)
        for (lamport, status) in [(Limits.integer - 2, EventStatus.invalid), ((1 << 52) - 1, .delivered)] {
            var late = third.reference
            late.lamport = lamport
            let event = foreign.event(after: nil, "\(lamport)") {
                $0.parents = [late]
                $0.lamport = lamport + 1
            }
            try devices.ingest([event], into: 0, group: group)
            #expect(devices.devices[0].store.status(of: event, in: group) == status)
        }
        try devices.meet(0, 1)
        for device in 0..<2 { #expect(try devices.say(device, "on", in: group) != nil) }
        try devices.meet(0, 1)
        #expect(roots(devices, group).count == 1 && devices.errors(0).isEmpty)
    }

    @Test("the end of a log without its beginning is neither held nor passed unless a checkpoint allows it")
    func onlyTheEnd() throws {
        let (devices, group) = try makeGroup(4, seed: 14) { _ in .admin }
        for number in 0..<10 { try say(1, "stays \(number)", for: nil, devices, group) }
        try say(0, "here", for: nil, devices, group)
        try say(2, "here", for: nil, devices, group)
        let said = conversation(1, devices).map(\.event).filter { $0.kind == .message || $0.kind == .merge }
        let certificate = try #require(said.lazy.compactMap(\.header.certificate).first)
        let log = try #require(said.last?.log)
        let end = said.filter { $0.log == log }.suffix(5)
        // The source of the events plays no part.
        try devices.step(
            2, [.ingest(9, group: group, end.map { $0.message(in: group) }, certificates: [certificate])])
        #expect(devices.devices[2].store.status(of: end[end.startIndex], in: group) == nil)
        try propose(2, devices, group)
        try devices.meet(0, 2)
        try meetAll(devices)
        for device in 0..<4 { #expect(texts(device, devices, group).count == 12) }
        #expect(roots(devices, group).count == 1)
    }

    @Test("an event that names a forgotten event has one verdict, whenever it arrives")
    func oneVerdict() throws {
        let (devices, group) = try makeGroup(2, seed: 6)
        for number in 0..<10 { try say(0, "gone \(number)", devices, group) }
        try say(0, "stays", for: nil, devices, group)
        let third = try #require(conversation(0, devices).map(\.event).first { $0.sequence == 3 })
        // One event names an unknown id, the other the right event with a wrong time. Each log continues.
        var (strange, wrong) = (ForeignLog(group: group, seed: 1), ForeignLog(group: group, seed: 2))
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
        try devices.ingest([one, next, two, after], into: 0, group: group)
        func statuses(_ device: Int) -> [EventStatus?] {
            [one, next, two, after].map { devices.devices[device].store.status(of: $0, in: group) }
        }
        #expect(statuses(0) == [.waiting, .waiting, .invalid, .invalid])
        try pass(Self.day, devices)
        // The members of the foreign logs need not pass the checkpoint.
        try propose([.init(log: third.log, sequence: 10)], by: 0, devices, group)
        #expect(statuses(0) == [.delivered, .delivered, .delivered, .delivered])
        for _ in 0..<2 { try devices.meet(0, 1) }
        #expect(statuses(1) == statuses(0) && roots(devices, group).count == 1)
        #expect(devices.errors(0).isEmpty && devices.errors(1).isEmpty)
        #expect(try isQuiet(0, 1, devices))
    }

    @Test("an invalid certificate closes the link")
    func wrongCertificate() throws {
        let (devices, group) = try makeGroup(2, seed: 13)
        for number in 0..<3 { try say(0, "gone \(number)", devices, group) }
        try say(0, "stays", for: nil, devices, group)
        try pass(Self.day, devices)
        try propose(0, devices, group)
        for isSpoilt in [true, false] {
            devices.intercept = { wire in
                guard var payload = try? Payload(decoding: wire.bytes[...]) else { return wire.bytes }
                for index in payload.groups.indices where isSpoilt {
                    payload.groups[index].certificates = payload.groups[index].certificates.map { certificate in
                        var bytes = Array(certificate)
                        bytes[140] ^= 1
                        return bytes[...]
                    }
                }
                return payload.encoded
            }
            try devices.meet(1, 0)
            #expect(texts(1, devices, group) == (isSpoilt ? [] : ["stays"]))
        }
        #expect(devices.errors(1).count == 1)
        #expect(roots(devices, group).count == 1)
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
