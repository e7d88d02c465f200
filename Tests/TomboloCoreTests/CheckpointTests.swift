import Testing
import TomboloCore
import TomboloCrypto

/// Forgetting what has gone away, headers and all, once every member has passed a checkpoint.
@Suite("Checkpoints")
struct CheckpointTests {
    /// Longer than devices that settle let pass.
    static let day: UInt64 = 86_400_000

    private func makeGroup(
        _ count: Int, _ policy: Policy = .open, seed: UInt64, roles: (Int) -> Role = { _ in .member }
    ) throws -> (Devices, GroupID) {
        let devices = try Devices(count, seed: seed)
        let group = try devices.makeGroup(policy, roles: roles)
        try meetAll(devices)
        return (devices, group)
    }

    private func meetAll(_ devices: Devices, _ some: [Int]? = nil) throws {
        let some = some ?? Array(devices.devices.indices)
        for _ in 0..<2 {
            for one in some { for other in some where other > one { try devices.meet(one, other) } }
        }
    }

    /// Says something that goes away after a day, or another time.
    private func say(
        _ device: Int, _ text: String, for time: UInt64? = day, _ devices: Devices, _ group: GroupID
    ) throws {
        devices.now += 1
        try devices.step(
            device,
            [
                .append(
                    7, group: group, kind: .message, content: Array(text.utf8), expiry: time.map { devices.now + $0 })
            ])
    }

    private func pass(_ milliseconds: UInt64, _ devices: Devices) throws {
        devices.now += milliseconds
        for _ in 0..<3 { for device in devices.devices.indices { try devices.step(device, [.timePassed]) } }
    }

    private func propose(_ device: Int, _ devices: Devices, _ group: GroupID) throws {
        try devices.step(device, [.proposeCheckpoint(9, group: group)])
    }

    private func failure(_ device: Int, _ devices: Devices) -> String? {
        for effect in devices.devices[device].effects.reversed() {
            if case .failed(9, let error) = effect { return error.description }
            if case .appended(9, _) = effect { return nil }
        }
        return nil
    }

    /// The events of the conversation that a device holds, in the order of their arrival.
    private func conversation(_ device: Int, _ devices: Devices) -> [StoredEvent] {
        let store = devices.devices[device].store
        return store.events(ordinals: Array(1...max(1, store.lastOrdinal()))).filter { !$0.event.header.kind.isState }
    }

    private func texts(_ device: Int, _ devices: Devices, _ group: GroupID) -> [String] {
        conversation(device, devices).filter { $0.status == .delivered && $0.event.content?.isEmpty == false }
            .map { devices.text(of: $0.event, on: device, in: group) ?? "-" }.sorted()
    }

    private func floors(_ device: Int, _ devices: Devices, _ group: GroupID) -> [UInt64] {
        devices.devices[device].store.logs(inGroup: 1).filter { $0.certificate?.isStateLog != true }
            .sorted { $0.id < $1.id }.map(\.floor)
    }

    private func roots(_ devices: Devices, _ group: GroupID) -> Set<Bytes32?> {
        Set(devices.devices.indices.map { devices.devices[$0].engine.root(of: group) })
    }

    private func isQuiet(_ one: Int, _ other: Int, _ devices: Devices) throws -> Bool {
        let before = devices.bytesSent.values.reduce(0, +)
        try devices.meet(one, other)
        return devices.bytesSent.values.reduce(0, +) - before < 400
    }

    @Test(
        "what has gone away is forgotten once every member has passed it, and not before",
        arguments: [Policy.open, .private, .privateFromJoining])
    func forgotten(policy: Policy) throws {
        let (devices, group) = try makeGroup(3, policy, seed: 1)
        for number in 0..<10 { for device in 0..<3 { try say(device, "gone \(number)", devices, group) } }
        for device in 0..<3 { try say(device, "stays", for: nil, devices, group) }
        try meetAll(devices)
        try propose(0, devices, group)
        #expect(failure(0, devices) == "nothing has gone away with which a log begins: there is nothing to forget")
        try pass(Self.day, devices)
        try propose(1, devices, group)
        #expect(failure(1, devices)?.contains("ask an admin") == true)
        try propose(0, devices, group)
        #expect(failure(0, devices) == nil)
        // One member has not met anybody since.
        try meetAll(devices, [0, 1])
        #expect(conversation(0, devices).count >= 33 && conversation(1, devices).count >= 33)
        #expect(Set(floors(0, devices, group)) == [0])
        try meetAll(devices)
        #expect(roots(devices, group).count == 1)
        for device in 0..<3 {
            // Where a log has begun with an empty event, that has gone as well.
            #expect(floors(device, devices, group).allSatisfy { $0 >= 10 })
            #expect(conversation(device, devices).count <= 6)
            #expect(texts(device, devices, group) == ["stays", "stays", "stays"])
        }
        #expect(try isQuiet(0, 1, devices) && isQuiet(1, 2, devices) && isQuiet(0, 2, devices))
        // It goes on, also after a start.
        for device in 0..<3 {
            let store = devices.devices[device].store
            devices.devices[device] = try Devices.Device(seed: 70 + UInt64(device), store: store)
            try say(device, "on", for: nil, devices, group)
        }
        try meetAll(devices)
        #expect(roots(devices, group).count == 1)
        for device in 0..<3 { #expect(texts(device, devices, group).count { $0 == "on" } == 3) }
        #expect((0..<3).allSatisfy { devices.errors($0).isEmpty })
    }

    @Test("who joins later is told nothing of it, and holds the same", arguments: [Policy.open, .private])
    func later(policy: Policy) throws {
        let (devices, group) = try makeGroup(2, policy, seed: 2)
        // Long runs, of which only the last event travels with its signature.
        for number in 0..<300 { for device in 0..<2 { try say(device, "gone \(number)", devices, group) } }
        for number in 0..<20 { for device in 0..<2 { try say(device, "stays \(number)", for: nil, devices, group) } }
        try meetAll(devices)
        try pass(Self.day, devices)
        try propose(0, devices, group)
        try meetAll(devices)
        #expect(floors(0, devices, group).allSatisfy { $0 >= 300 })
        devices.devices.append(try Devices.Device(seed: 99))
        try devices.step(1, [])
        try devices.step(0, [.invite(2, group: group, addresses: [], expiry: devices.now + 1_000_000, role: .member)])
        let session = try devices.connect(2, 0, invitation: devices.invitation(by: 0))
        try devices.settle()
        try devices.disconnect(session)
        try devices.meet(2, 0)
        #expect(texts(2, devices, group) == texts(0, devices, group) && texts(2, devices, group).count == 40)
        #expect(floors(2, devices, group).filter { $0 > 0 }.count == 2)
        #expect(devices.devices[2].engine.root(of: group) == devices.devices[0].engine.root(of: group))
        try say(2, "hello", for: nil, devices, group)
        // What it got it passes on.
        devices.devices.append(try Devices.Device(seed: 98))
        try devices.step(0, [.invite(2, group: group, addresses: [], expiry: devices.now + 1_000_000, role: .member)])
        try devices.meet(0, 2)
        let other = try devices.connect(3, 0, invitation: devices.invitation(by: 0))
        try devices.settle()
        try devices.disconnect(other)
        try meetAll(devices)
        #expect(roots(devices, group).count == 1)
        #expect(texts(3, devices, group) == texts(0, devices, group))
        #expect((0..<4).allSatisfy { devices.errors($0).isEmpty })
    }

    @Test("a device that was away brings nothing back, and what it has said meanwhile arrives")
    func away() throws {
        let (devices, group) = try makeGroup(3, .private, seed: 3)
        try devices.link(Devices.Device(seed: 77), to: 2, in: group)
        for number in 0..<20 { for device in 0..<4 { try say(device, "gone \(number)", devices, group) } }
        try meetAll(devices)
        // The fourth goes away, and says something in answer to what is forgotten meanwhile.
        for number in 0..<3 { try say(3, "away \(number)", for: nil, devices, group) }
        for device in 0..<3 { try say(device, "stays", for: nil, devices, group) }
        try meetAll(devices, [0, 1, 2])
        devices.now += Self.day
        for _ in 0..<3 { for device in 0..<3 { try devices.step(device, [.timePassed]) } }
        try propose(0, devices, group)
        try meetAll(devices, [0, 1, 2])
        #expect(floors(0, devices, group).filter { $0 >= 19 }.count == 4)
        #expect(conversation(3, devices).count >= 83)
        let sent = devices.bytesSent[3] ?? 0
        try devices.meet(3, 0)
        #expect(try #require(devices.bytesSent[3]) - sent < 8_000, "nothing that is forgotten is sent")
        try meetAll(devices)
        #expect(roots(devices, group).count == 1)
        for device in 0..<4 {
            #expect(texts(device, devices, group) == ["away 0", "away 1", "away 2", "stays", "stays", "stays"])
            #expect(conversation(device, devices).allSatisfy { $0.event.content != nil || $0.event.sequence > 18 })
        }
        #expect((0..<4).allSatisfy { devices.errors($0).isEmpty })
    }

    @Test("a member whose clock is slow does not pass, nor who lacks something")
    func notPassed() throws {
        let (devices, group) = try makeGroup(2, seed: 4)
        // Who has said nothing is not asked.
        try say(1, "here", for: nil, devices, group)
        try devices.meet(0, 1)
        for number in 0..<5 { try say(0, "gone \(number)", devices, group) }
        // It hears of the state, and not of what was said.
        devices.intercept = { wire in
            guard wire.from == 0, var payload = try? Payload(decoding: wire.bytes[...]) else { return wire.bytes }
            for index in payload.groups.indices { payload.groups[index].events = nil }
            return payload.encoded
        }
        try devices.meet(0, 1)
        devices.intercept = { $0.bytes }
        #expect(texts(1, devices, group) == ["here"])
        try say(0, "stays", for: nil, devices, group)
        try devices.meet(0, 1)
        let before = devices.now
        devices.now += Self.day
        try devices.step(0, [.timePassed])
        try propose(0, devices, group)
        devices.now = before
        try devices.meet(0, 1)
        #expect(floors(1, devices, group).allSatisfy { $0 == 0 } && texts(1, devices, group).count == 7)
        try pass(2 * Self.day, devices)
        try devices.meet(0, 1)
        try devices.meet(0, 1)
        #expect(floors(0, devices, group).max() ?? 0 >= 5 && roots(devices, group).count == 1)
    }

    /// A checkpoint of one's own making: whatever an honest device would not say.
    private func propose(
        _ floors: [Checkpoint.LogFloor], to members: [MemberKey] = [], by device: Int, _ devices: Devices,
        _ group: GroupID
    ) throws {
        let action = StateAction.checkpoint(Checkpoint(floors: floors, members: members))
        try devices.step(device, [.append(5, group: group, kind: .checkpoint, content: action.encoded, expiry: nil)])
    }

    @Test(
        "an admin who asks nobody has nothing forgotten that others have said, nowhere, not even where it has not come yet"
    )
    func unasked() throws {
        let (devices, group) = try makeGroup(4, seed: 5) { $0 == 1 ? .admin : .reader }
        for number in 0..<5 { try say(0, "stays \(number)", for: nil, devices, group) }
        try say(0, "goes", devices, group)
        try meetAll(devices, [0, 1])
        let log = try #require(conversation(0, devices).last { $0.event.content?.isEmpty == false }?.event.log)
        try propose([.init(log: log, sequence: 3)], by: 1, devices, group)
        // It asks another one than the author, who would find nothing that has gone.
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

    @Test("an author has of its own forgotten what it likes, once there is more, and goes on")
    func own() throws {
        let (devices, group) = try makeGroup(3, seed: 8) { _ in .admin }
        for number in 0..<5 { try say(1, "own \(number)", for: nil, devices, group) }
        try devices.meet(0, 1)
        let last = try #require(conversation(1, devices).last { $0.event.content?.isEmpty == false }?.event)
        try propose(
            [.init(log: last.log, sequence: last.sequence)].sorted { $0.log < $1.log }, by: 1, devices, group)
        // Of what never comes, nothing comes of it.
        try propose([.init(log: last.log, sequence: 1 << 40)], by: 1, devices, group)
        try meetAll(devices)
        for device in 0..<3 { #expect(texts(device, devices, group).count == 5) }
        try say(1, "next", for: nil, devices, group)
        try meetAll(devices)
        for device in 0..<3 { #expect(texts(device, devices, group) == ["next"]) }
        #expect(roots(devices, group).count == 1)
        #expect((0..<3).allSatisfy { devices.errors($0).isEmpty })
    }

    @Test("a lost device has nothing forgotten that its member's others have said; who admitted another one may")
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
        // The linked one names both; of its own nothing is left but the last.
        let floors = try [log(1), log(3)].sorted().map { Checkpoint.LogFloor(log: $0, sequence: 2) }
        try propose(floors, by: 3, devices, group)
        try meetAll(devices)
        for device in 0..<4 { #expect(texts(device, devices, group).count == 12 - 2) }
        // The one that has admitted it asks for the same.
        try propose(floors, by: 1, devices, group)
        try meetAll(devices)
        for device in 0..<4 { #expect(texts(device, devices, group).count == 12 - 4) }
        #expect(roots(devices, group).count == 1)
    }

    @Test("a log with a gap as large as can be costs nobody anything")
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
        // It may not write any more: what is wanted of it is looked through. What is kept of it is what was known.
        try devices.step(0, [.setRole(7, group: group, of: foreign.member, to: .none)])
        try meetAll(devices)
        #expect(roots(devices, group).count == 1)
        for device in 0..<2 { #expect(devices.devices[device].store.status(of: first, in: group) == .delivered) }
    }

    @Test("nobody ends the group's time by what it says of something forgotten")
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

    @Test("what names something that was forgotten is judged alike, whenever it has come")
    func oneVerdict() throws {
        let (devices, group) = try makeGroup(2, seed: 6)
        for number in 0..<10 { try say(0, "gone \(number)", devices, group) }
        try say(0, "stays", for: nil, devices, group)
        let third = try #require(conversation(0, devices).map(\.event).first { $0.sequence == 3 })
        // One names what is not there, one the right event with a wrong time; each log goes on.
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
        // The strangers need not pass it.
        try propose([.init(log: third.log, sequence: 10)], by: 0, devices, group)
        #expect(statuses(0) == [.delivered, .delivered, .delivered, .delivered])
        for _ in 0..<2 { try devices.meet(0, 1) }
        #expect(statuses(1) == statuses(0) && roots(devices, group).count == 1)
        #expect(devices.errors(0).isEmpty && devices.errors(1).isEmpty)
        #expect(try isQuiet(0, 1, devices))
    }

    @Test(
        "whoever is away, whatever goes, whoever proposes: in the end all hold the same, and nothing that has not gone is lost",
        arguments: [UInt64(0), 1, 2, 3])
    func random(block: UInt64) throws {
        var forgotten = 0
        for seed in block * 10..<block * 10 + 10 {
            var generator = SeededGenerator(seed: seed &+ 500)
            let policy: Policy = [.open, .private, .privateFromJoining][Int(seed % 3)]
            let (devices, group) = try makeGroup(4, policy, seed: seed &* 6_151) { $0 == 1 ? .admin : .member }
            var (kept, said): (Set<String>, Int) = ([], 0)
            for step in 0..<80 {
                devices.now += 1_000
                let device = Int.random(in: 0..<4, using: &generator)
                let other = Int.random(in: 0..<4, using: &generator)
                switch Int.random(in: 0..<16, using: &generator) {
                case 0..<5:
                    said += 1
                    try say(
                        device, "goes \(step)", for: UInt64.random(in: 1..<30_000, using: &generator), devices, group)
                case 5 where step > 50:
                    kept.insert("stays \(step)")
                    try say(device, "stays \(step)", for: nil, devices, group)
                case 6:
                    guard
                        let event = conversation(device, devices).filter({ $0.event.content?.isEmpty == false })
                            .map(\.event).randomElement(using: &generator)
                    else { break }
                    let before = failures(device, devices)
                    let text = devices.text(of: event, on: device, in: group)
                    try devices.step(device, [.redact(7, group: group, event.reference, reason: "")])
                    if failures(device, devices) == before {
                        kept.remove(text ?? "")
                    }
                case 7: try propose(Int.random(in: 0..<2, using: &generator), devices, group)
                case 8:
                    devices.devices[device] = try Devices.Device(
                        seed: seed &* 37 &+ UInt64(step), store: devices.devices[device].store)
                case 9:
                    // A link that breaks at any place.
                    guard device != other else { break }
                    let session = try devices.connect(device, other)
                    for _ in 0..<Int.random(in: 0..<12, using: &generator) where !devices.queue.isEmpty {
                        let wire = devices.queue.removeFirst()
                        try devices.step(wire.to, [.payloadReceived(wire.session, wire.bytes[...])])
                    }
                    try devices.disconnect(session)
                default: if device != other { try devices.meet(device, other) }
                }
            }
            try pass(30_000, devices)
            for _ in 0..<2 { try meetAll(devices) }
            try propose(0, devices, group)
            for _ in 0..<2 { try meetAll(devices) }
            #expect(roots(devices, group).count == 1, "seed \(seed)")
            let statuses = (0..<4).map { device in
                Dictionary(
                    uniqueKeysWithValues: conversation(device, devices).map {
                        ($0.event.id, "\($0.status) \($0.event.content == nil)")
                    })
            }
            for device in 0..<4 {
                #expect(Set(texts(device, devices, group)) == kept, "seed \(seed), device \(device)")
                #expect(statuses[device] == statuses[0], "seed \(seed), device \(device)")
                #expect(devices.errors(device).isEmpty, "seed \(seed), device \(device)")
                #expect(try device == 0 || isQuiet(0, device, devices), "seed \(seed), device \(device)")
            }
            forgotten += floors(0, devices, group).reduce(0) { $0 + Int($1) }
        }
        #expect(forgotten > 100, "nothing was tried: \(forgotten)")
    }

    private func failures(_ device: Int, _ devices: Devices) -> Int {
        devices.devices[device].effects.count { if case .failed = $0 { true } else { false } }
    }

    @Test(
        "what an older copy of a device has said where its log is forgotten it says again",
        arguments: [Policy.open, .private])
    func olderCopy(policy: Policy) throws {
        let (devices, group) = try makeGroup(2, policy, seed: 12)
        for number in 0..<3 { try say(1, "gone \(number)", devices, group) }
        try meetAll(devices)
        let copy = MemoryStore(copying: devices.devices[1].store)
        for number in 3..<12 { try say(1, "gone \(number)", devices, group) }
        try say(1, "stays", for: nil, devices, group)
        try say(0, "here", for: nil, devices, group)
        try meetAll(devices)
        try pass(Self.day, devices)
        try propose(0, devices, group)
        try meetAll(devices)
        #expect(try #require(floors(0, devices, group).max()) >= 12)
        devices.devices[1] = try Devices.Device(seed: 90, store: copy)
        for number in 0..<3 { try say(1, "anew \(number)", for: nil, devices, group) }
        for _ in 0..<2 { try meetAll(devices) }
        for device in 0..<2 {
            #expect(texts(device, devices, group) == ["anew 0", "anew 1", "anew 2", "here", "stays"])
            #expect(devices.errors(device).isEmpty)
        }
        #expect(roots(devices, group).count == 1)
        #expect(try isQuiet(0, 1, devices))
    }

    @Test("a certificate that does not verify costs the link")
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

    @Test("forms that are no checkpoint")
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
        // The bounds, from both sides.
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

extension Bytes32 {
    /// Ascending as the numbers are.
    fileprivate init(word: UInt64) {
        var bytes = [UInt8](repeating: 0, count: 32)
        for index in 0..<8 { bytes[index] = UInt8(truncatingIfNeeded: word >> (56 - 8 * UInt64(index))) }
        self = Bytes32(bytes) ?? .zero
    }
}
