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
        let (devices, group) = try makeGroup(3, policy, seed: 1)
        for number in 0..<10 { for device in 0..<3 { try say(device, "gone \(number)", devices, group) } }
        for device in 0..<3 { try say(device, "stays", for: nil, devices, group) }
        try meetAll(devices)
        try propose(0, devices, group)
        #expect(failure(0, devices) == "no log begins with an erased event: there is nothing to forget")
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

    @Test("two who sync once, and hang up as soon as they know the same, have passed what they can", arguments: 0..<2)
    func once(dialler: Int) throws {
        let (devices, group) = try makeGroup(2, seed: 30)
        for number in 0..<10 { for device in 0..<2 { try say(device, "gone \(number)", devices, group) } }
        for device in 0..<2 { try say(device, "stays", for: nil, devices, group) }
        try meetAll(devices)
        try pass(Self.day, devices)
        try propose(0, devices, group)
        #expect(failure(0, devices) == nil)
        devices.devices[dialler].effects = []
        let session = try devices.connect(dialler, 1 - dialler)
        while !devices.haveAgreed(dialler) {
            try devices.carry { devices.haveAgreed(dialler) }
            if !devices.haveAgreed(dialler) {
                devices.now = max(devices.now, try #require(devices.devices.compactMap { $0.engine.nextWake }.min()))
                for device in 0..<2 { try devices.step(device, [.timePassed]) }
            }
        }
        try devices.disconnect(session)
        for device in 0..<2 { #expect(floors(device, devices, group).allSatisfy { $0 >= 10 }) }
        #expect(roots(devices, group).count == 1)
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
}
