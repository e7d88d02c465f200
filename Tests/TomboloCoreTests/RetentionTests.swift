import Testing
import TomboloCore
import TomboloCrypto

/// Devices that keep only a part of the contents.
@Suite("Retention on a device")
struct RetentionTests {
    private func makeGroup(_ count: Int, _ policy: Policy = .open, seed: UInt64) throws -> (Devices, GroupID) {
        let devices = try Devices(count, seed: seed)
        let group = try devices.makeGroup(policy) { _ in .admin }
        for _ in 0..<2 { for index in 1..<count { try devices.meet(0, index) } }
        return (devices, group)
    }

    private func keep(_ retention: Retention, on device: Int, _ devices: Devices, _ group: GroupID) throws {
        try devices.step(device, [.setRetention(4, group: group, retention)])
    }

    /// Removes all erasable contents from a device without its knowledge, so that it withholds them.
    private func strip(_ device: Int, _ devices: Devices) throws {
        let store = devices.devices[device].store
        let events = store.headers(ordinals: Array(1...store.lastOrdinal())).filter(\.header.isErasable)
        store.erase(events, forGood: true, inGroup: 1)
        devices.devices[device] = try Devices.Device(seed: 50 + UInt64(device), store: store)
    }

    /// Lets time pass and wakes every device.
    private func pass(_ milliseconds: UInt64, _ devices: Devices) throws {
        devices.now += milliseconds
        for _ in 0..<4 { for device in devices.devices.indices { try devices.step(device, [.timePassed]) } }
    }

    /// The texts that a device can show, in the order of arrival, with a dash for each missing content.
    private func shown(_ device: Int, _ devices: Devices, _ group: GroupID) -> [String] {
        let store = devices.devices[device].store
        return store.events(ordinals: Array(1...max(1, store.lastOrdinal())))
            .filter { $0.event.header.kind == .message && $0.status == .delivered }
            .map { devices.text(of: $0.event, on: device, in: group) ?? "-" }
    }

    private func roots(_ devices: Devices, _ group: GroupID) -> Set<Bytes32?> {
        Set(devices.devices.indices.map { devices.devices[$0].engine.root(of: group) })
    }

    /// Tells whether two devices in sync exchange no more than that fact.
    private func isQuiet(_ one: Int, _ other: Int, _ devices: Devices) throws -> Bool {
        let before = devices.bytesSent.values.reduce(0, +)
        try devices.meet(one, other)
        return devices.bytesSent.values.reduce(0, +) - before < 400
    }

    @Test("a content that comes back expires in its time, whatever had removed it")
    func backAndGone() throws {
        let (devices, group) = try makeGroup(2, seed: 31)
        let day: UInt64 = 86_400_000
        for number in 0..<10 {
            devices.now += 1
            let expiry = devices.now + day
            try devices.step(
                0, [.append(3, group: group, kind: .message, content: Array("\(number)".utf8), expiry: expiry)])
        }
        try devices.meet(0, 1)
        try keep(Retention(count: 2), on: 1, devices, group)
        try pass(60_000, devices)
        // The store is in the state after a redaction that no longer stands.
        let store = devices.devices[1].store
        let gone = store.headers(ordinals: Array(1...store.lastOrdinal())).filter { !$0.hasContent }
        #expect(gone.count == 8)
        store.erase(gone, forGood: true, inGroup: 1)
        try keep(.everything, on: 1, devices, group)
        try devices.meet(1, 0)
        #expect(shown(1, devices, group) == (0..<10).map { "\($0)" })
        try pass(day, devices)
        #expect(shown(1, devices, group) == [String](repeating: "-", count: 10))
    }

    @Test("a device keeps the latest contents by number, by size or by age", arguments: [Policy.open, .private])
    func kept(policy: Policy) throws {
        let (devices, group) = try makeGroup(2, policy, seed: 1)
        for number in 0..<20 { try devices.say(0, "\(number)", in: group) }
        try devices.meet(0, 1)
        try keep(Retention(count: 5), on: 1, devices, group)
        try pass(60_000, devices)
        let dashes = [String](repeating: "-", count: 15)
        #expect(shown(1, devices, group) == dashes + (15..<20).map { "\($0)" })
        #expect(shown(0, devices, group) == (0..<20).map { "\($0)" })
        #expect(roots(devices, group).count == 1)
        #expect(try isQuiet(0, 1, devices) && isQuiet(1, 0, devices))
        #expect(shown(1, devices, group).prefix(15) == dashes[...], "nothing is fetched again")
        // The application was told.
        #expect(devices.devices[1].store.changes(in: group).count { $0.kind == .erased } == 15)
        // More contents arrive, and more are dropped.
        for number in 20..<30 { try devices.say(0, "\(number)", in: group) }
        try devices.meet(0, 1)
        try pass(60_000, devices)
        #expect(shown(1, devices, group).filter { $0 != "-" } == (25..<30).map { "\($0)" })
        // The limit is by size. A sealed content takes 16 bytes more.
        try keep(Retention(bytes: policy == .private ? 3 * 18 : 3 * 2), on: 1, devices, group)
        try pass(0, devices)
        #expect(shown(1, devices, group).filter { $0 != "-" } == ["27", "28", "29"])
        // The limit is by age since arrival, whatever the author's clock states.
        let day: UInt64 = 86_400_000
        try keep(Retention(age: .seconds(30 * 86_400)), on: 1, devices, group)
        try pass(0, devices)
        try pass(20 * day, devices)
        #expect(shown(1, devices, group).filter { $0 != "-" } == ["27", "28", "29"])
        try devices.say(0, "later", in: group)
        try devices.meet(0, 1)
        try pass(15 * day, devices)
        #expect(shown(1, devices, group).filter { $0 != "-" } == ["later"])
        #expect(roots(devices, group).count == 1 && devices.errors(0).isEmpty && devices.errors(1).isEmpty)
    }

    @Test("a device keeps its own contents, so some device has each content whatever others drop")
    func ownIsKept() throws {
        let (devices, group) = try makeGroup(2, seed: 2)
        for device in 0..<2 { try keep(Retention(count: 1), on: device, devices, group) }
        for number in 0..<5 {
            for device in 0..<2 { try devices.say(device, "\(number) of \(device)", in: group) }
            try devices.meet(0, 1)
        }
        try pass(120_000, devices)
        for device in 0..<2 {
            let own = shown(device, devices, group).filter { $0.hasSuffix("of \(device)") }
            #expect(own == (0..<5).map { "\($0) of \(device)" })
            #expect(shown(device, devices, group).count { $0 == "-" } == 4)
        }
        for device in 0..<2 { try keep(.everything, on: device, devices, group) }
        try devices.meet(0, 1)
        for device in 0..<2 { #expect(!shown(device, devices, group).contains("-"), "device \(device)") }
    }

    @Test(
        "a partial device gives all that it has; its peer does not wait for the rest and gets it elsewhere"
    )
    func newcomer() throws {
        let (devices, group) = try makeGroup(4, .private, seed: 3)
        for number in 0..<300 { try devices.say(0, "\(number)", in: group) }
        try devices.meet(0, 1)
        try keep(Retention(count: 10), on: 1, devices, group)
        try pass(60_000, devices)
        // The device has joined, and has been away since.
        try devices.meet(1, 2)
        #expect(shown(2, devices, group) == [String](repeating: "-", count: 290) + (290..<300).map { "\($0)" })
        #expect(!devices.devices[2].store.delivered(in: group).isEmpty)
        #expect(try isQuiet(1, 2, devices))
        // After a restart it still knows that, and passes it on to a device that also lacks the contents.
        devices.devices[2] = try Devices.Device(seed: 40, store: devices.devices[2].store)
        try devices.meet(2, 3)
        #expect(shown(3, devices, group).filter { $0 != "-" } == (290..<300).map { "\($0)" })
        #expect(try isQuiet(2, 3, devices))
        for device in 2..<4 {
            try devices.meet(0, device)
            #expect(shown(device, devices, group) == (0..<300).map { "\($0)" }, "device \(device)")
            let changes = devices.devices[device].store.changes(in: group)
            #expect(changes.count { $0.kind == .restored } == 290)
            #expect(try isQuiet(0, device, devices))
        }
        #expect(try isQuiet(2, 3, devices) && isQuiet(1, 3, devices))
        #expect(shown(1, devices, group).filter { $0 != "-" }.count == 10)
        #expect(roots(devices, group).count == 1)
        #expect((0..<4).allSatisfy { devices.errors($0).isEmpty })
    }

    @Test("a device that keeps everything again receives the contents that others have")
    func everythingAgain() throws {
        let (devices, group) = try makeGroup(2, seed: 4)
        for number in 0..<50 { try devices.say(0, "\(number)", in: group) }
        try devices.meet(0, 1)
        try keep(Retention(count: 5), on: 1, devices, group)
        try pass(60_000, devices)
        try keep(.everything, on: 1, devices, group)
        #expect(devices.devices[1].engine.retention(of: group) == .everything)
        try devices.meet(0, 1)
        #expect(shown(1, devices, group) == (0..<50).map { "\($0)" })
        // A dropped content that expired or was redacted meanwhile does not come back, and nobody asks for it forever.
        try keep(Retention(count: 5), on: 1, devices, group)
        try pass(0, devices)
        #expect(shown(1, devices, group).count { $0 == "-" } == 45)
        let event = try #require(devices.delivered(0, in: group).first { $0.header.kind == .message })
        try devices.step(0, [.redact(6, group: group, event.reference, reason: "")])
        try devices.meet(0, 1)
        try keep(.everything, on: 1, devices, group)
        try devices.meet(0, 1)
        #expect(shown(1, devices, group) == ["-"] + (1..<50).map { "\($0)" })
        #expect(try isQuiet(0, 1, devices) && isQuiet(0, 1, devices))
    }

    @Test("a device that recovers contents passes them on to connected devices", arguments: [false, true])
    func alongTheLine(firstLinked: Bool) throws {
        let (devices, group) = try makeGroup(3, seed: 9)
        for number in 0..<50 { try devices.say(0, "\(number)", in: group) }
        for index in 1..<3 { try devices.meet(0, index) }
        for index in 1..<3 { try keep(Retention(count: 5), on: index, devices, group) }
        try pass(60_000, devices)
        for index in 1..<3 { try keep(.everything, on: index, devices, group) }
        // Neither device has what the other lacks, and they stay connected.
        if firstLinked { try devices.connect(2, 1) } else { try devices.meet(2, 1) }
        try devices.settle()
        #expect(shown(2, devices, group).count { $0 == "-" } == 45)
        try devices.connect(0, 1)
        if !firstLinked { try devices.connect(1, 2) }
        try devices.settle()
        for device in 1..<3 { #expect(shown(device, devices, group) == (0..<50).map { "\($0)" }) }
    }

    @Test("a dropped content that came back still expires")
    func expiry() throws {
        let (devices, group) = try makeGroup(2, seed: 5)
        let expiry = devices.now + 50_000_000
        try devices.step(
            0, [.append(8, group: group, kind: .message, content: Array("for a while".utf8), expiry: expiry)])
        try devices.say(0, "for good", in: group)
        try devices.meet(0, 1)
        try keep(Retention(count: 1), on: 1, devices, group)
        try pass(60_000, devices)
        #expect(shown(1, devices, group) == ["-", "for good"])
        try keep(.everything, on: 1, devices, group)
        try devices.meet(0, 1)
        #expect(shown(1, devices, group) == ["for a while", "for good"])
        try pass(60_000_000, devices)
        for device in 0..<2 { #expect(shown(device, devices, group) == ["-", "for good"]) }
    }

    @Test("a peer that claims to keep nothing delays what it withholds until another peer is met")
    func withheld() throws {
        let (devices, group) = try makeGroup(3, seed: 6)
        for number in 0..<20 { try devices.say(0, "\(number)", in: group) }
        try devices.meet(0, 1)
        // The peer strips the events that it passes on, and claims to keep nothing.
        devices.intercept = { wire in
            guard wire.from == 1, var payload = try? Payload(decoding: wire.bytes[...]) else { return wire.bytes }
            for index in payload.groups.indices { payload.groups[index].horizon = 1 << 52 }
            return payload.encoded
        }
        try strip(1, devices)
        try devices.meet(1, 2)
        #expect(Set(shown(2, devices, group)) == ["-"])
        try devices.meet(0, 2)
        #expect(shown(2, devices, group) == (0..<20).map { "\($0)" })
        #expect(devices.errors(2).isEmpty)
    }

    @Test("nobody waits forever for a peer that claims to have everything and has nothing")
    func lying() throws {
        let (devices, group) = try makeGroup(3, seed: 7)
        for number in 0..<20 { try devices.say(0, "\(number)", in: group) }
        try devices.meet(0, 1)
        try devices.meet(0, 2)
        try keep(Retention(count: 2), on: 1, devices, group)
        try pass(60_000, devices)
        try keep(.everything, on: 1, devices, group)
        devices.intercept = { wire in
            guard wire.from == 2, var payload = try? Payload(decoding: wire.bytes[...]) else { return wire.bytes }
            payload.groups.removeAll { $0.events != nil }
            return payload.encoded
        }
        devices.devices[1].effects = []
        try devices.meet(1, 2)
        #expect(shown(1, devices, group).count { $0 == "-" } == 18)
        #expect(devices.devices[1].effects.contains { if case .agreed = $0 { true } else { false } })
        try devices.meet(0, 1)
        #expect(shown(1, devices, group) == (0..<20).map { "\($0)" })
    }

    @Test("an event that was held for long and is delivered late counts too")
    func late() throws {
        let (devices, group) = try makeGroup(2, .private, seed: 12)
        devices.intercept = { wire in
            guard wire.to == 1, let payload = try? Payload(decoding: wire.bytes[...]) else { return wire.bytes }
            return payload.groups.contains { $0.share != nil } ? nil : wire.bytes
        }
        for number in 0..<10 { try devices.say(0, "\(number)", in: group) }
        try devices.meet(0, 1)
        try keep(Retention(count: 3), on: 1, devices, group)
        try pass(60_000, devices)
        #expect(shown(1, devices, group).isEmpty)
        devices.intercept = { $0.bytes }
        try devices.meet(0, 1)
        try pass(120_000, devices)
        #expect(shown(1, devices, group).filter { $0 != "-" } == ["7", "8", "9"])
    }

    @Test("a dropped content also comes back by a manual ingest")
    func byHand() throws {
        let (devices, group) = try makeGroup(2, seed: 13)
        for number in 0..<10 { try devices.say(0, "\(number)", in: group) }
        try devices.meet(0, 1)
        try keep(Retention(count: 3), on: 1, devices, group)
        try pass(60_000, devices)
        try keep(.everything, on: 1, devices, group)
        let store = devices.devices[0].store
        let events = store.events(ordinals: Array(1...store.lastOrdinal()))
        try devices.step(1, [.ingest(9, group: group, events.map { $0.event.message(in: group) })])
        #expect(shown(1, devices, group) == (0..<10).map { "\($0)" })
    }

    @Test("an undeliverable event raises no horizon, and contents withheld later are waited for")
    func inventedTime() throws {
        let (devices, group) = try makeGroup(3, seed: 8)
        // The event is a stranger's, states a time that no known event leads to, and lacks its content.
        var own = ForeignLog(group: group, seed: 6)
        let invented = EventReference(
            id: EventID(SwiftCryptography().sha256([7])), log: LogID(SwiftCryptography().sha256([8])), sequence: 3,
            lamport: Limits.integer - 2)
        let bait = own.event(after: nil, "bait") { header in
            header.isSalted = true
            header.parents = [invented]
            header.lamport = invented.lamport + 1
        }
        #expect(bait.header.lamport == Limits.integer - 1)
        try devices.step(
            1, [.ingest(9, group: group, [bait.erased.message(in: group)], horizon: Limits.integer - 1)])
        #expect(devices.devices[1].store.lastOrdinal() > 0)
        devices.intercept = { wire in
            guard wire.from == 1 || wire.to == 1, var payload = try? Payload(decoding: wire.bytes[...]) else {
                return wire.bytes
            }
            for index in payload.groups.indices where payload.groups[index].horizon != nil {
                payload.groups[index].horizon = nil
                Issue.record("a horizon was said")
            }
            return payload.encoded
        }
        for number in 0..<5 { try devices.say(0, "\(number)", in: group) }
        try devices.meet(0, 2)
        // This device strips contents and does not claim to keep nothing.
        try strip(2, devices)
        try devices.meet(2, 1)
        #expect(shown(1, devices, group).isEmpty, "it waits")
        try devices.meet(0, 1)
        #expect(shown(1, devices, group) == (0..<5).map { "\($0)" })
    }

    @Test("a withheld content that a peer claims to have dropped is first asked of that peer, then skipped")
    func withheldAndDropped() throws {
        let (devices, group) = try makeGroup(4, seed: 9)
        for number in 0..<3 { try devices.say(0, "\(number)", in: group) }
        for device in 1..<3 { try devices.meet(0, device) }
        // The second device strips contents. The third claims to keep a part, and has everything all the same.
        try strip(1, devices)
        try devices.meet(1, 3)
        #expect(shown(3, devices, group).isEmpty)
        devices.intercept = { wire in
            guard wire.from == 2, var payload = try? Payload(decoding: wire.bytes[...]) else { return wire.bytes }
            for index in payload.groups.indices where payload.groups[index].tag != nil {
                payload.groups[index].horizon = 1_000
            }
            return payload.encoded
        }
        try devices.meet(3, 2)
        #expect(shown(3, devices, group) == ["0", "1", "2"])
        devices.intercept = { $0.bytes }
        try keep(Retention(count: 1), on: 2, devices, group)
        try pass(60_000, devices)
        devices.devices.append(try Devices.Device(seed: 62))
        try devices.link(4, to: 3)
        try devices.open(group, on: 4, from: 3)
        try devices.meet(4, 1)
        #expect(shown(4, devices, group).isEmpty)
        try devices.meet(4, 2)
        #expect(shown(4, devices, group) == ["-", "-", "2"])
        try devices.meet(4, 0)
        #expect(shown(4, devices, group) == ["0", "1", "2"])
    }

    @Test("a bound beyond all limits is stored as such and read again at a restart")
    func hugeBounds() throws {
        let (devices, group) = try makeGroup(2, seed: 14)
        try devices.say(0, "a content", in: group)
        try devices.meet(0, 1)
        try keep(Retention(age: .seconds(Int64.max), count: .max, bytes: .max), on: 1, devices, group)
        try pass(60_000, devices)
        devices.devices[1] = try Devices.Device(seed: 63, store: devices.devices[1].store)
        try devices.step(1, [.timePassed])
        #expect(shown(1, devices, group) == ["a content"])
    }

    @Test("a clock that was wrong does not keep later contents forever")
    func clocks() throws {
        let (devices, group) = try makeGroup(2, seed: 10)
        let day: UInt64 = 86_400_000
        try keep(Retention(age: .seconds(30 * 86_400)), on: 1, devices, group)
        let right = devices.now
        try pass(400 * day, devices)
        devices.now = right + 1_000_000
        try devices.say(0, "after it was put right", in: group)
        try devices.meet(0, 1)
        try pass(120_000, devices)
        #expect(shown(1, devices, group) == ["after it was put right"])
        for _ in 0..<20 { try pass(day, devices) }
        #expect(shown(1, devices, group) == ["after it was put right"])
        try pass(20 * day, devices)
        #expect(shown(1, devices, group) == ["-"])
    }

    @Test("unwanted events push out no contents")
    func unwantedIsNotCounted() throws {
        let (devices, group) = try makeGroup(3, seed: 11)
        for number in 0..<5 { try devices.say(0, "\(number)", in: group) }
        for device in 1..<3 { try devices.meet(0, device) }
        try devices.step(0, [.setRole(7, group: group, of: devices.devices[2].engine.member, to: .none)])
        try devices.meet(0, 1)
        for number in 0..<50 { try devices.say(2, "late \(number)", in: group) }
        try devices.meet(1, 2)
        try keep(Retention(count: 5), on: 1, devices, group)
        try pass(60_000, devices)
        #expect(shown(1, devices, group) == (0..<5).map { "\($0)" })
    }

    @Test(
        "a content that any device keeps reaches every device that wants it, whatever others drop",
        arguments: [UInt64(0), 1, 2, 3])
    func random(block: UInt64) throws {
        var (dropped, restored) = (0, 0)
        for seed in block * 20..<block * 20 + 20 {
            var generator = SeededGenerator(seed: seed)
            let policy: Policy = [.open, .private, .privateFromJoining][Int(seed % 3)]
            let (devices, group) = try makeGroup(4, policy, seed: seed &* 7_919)
            for step in 0..<40 {
                devices.now += 10
                let device = Int.random(in: 0..<4, using: &generator)
                let other = Int.random(in: 0..<4, using: &generator)
                switch Int.random(in: 0..<12, using: &generator) {
                case 0..<4: try devices.say(device, "\(step)", in: group)
                case 4:
                    let expiry = devices.now + UInt64.random(in: 1..<400, using: &generator)
                    try devices.step(
                        device, [.append(8, group: group, kind: .message, content: [UInt8(step)], expiry: expiry)])
                case 5:
                    let store = devices.devices[device].store
                    let said = store.events(ordinals: Array(1...max(1, store.lastOrdinal())))
                        .filter { $0.event.header.kind == .message }
                    guard let event = said.randomElement(using: &generator)?.event else { break }
                    try devices.step(device, [.redact(7, group: group, event.reference, reason: "")])
                case 6 where device > 0:
                    let count = Int.random(in: 1..<8, using: &generator)
                    try keep(
                        Bool.random(using: &generator) ? .everything : Retention(count: count), on: device, devices,
                        group)
                    try devices.step(device, [.timePassed])
                case 7:
                    devices.devices[device] = try Devices.Device(
                        seed: seed &* 37 &+ UInt64(step), store: devices.devices[device].store)
                default: if device != other { try devices.meet(device, other) }
                }
            }
            // Each author has its own contents, whatever the others have dropped.
            for device in 1..<4 { try keep(.everything, on: device, devices, group) }
            devices.now += 1_000
            for device in 0..<4 { try devices.step(device, [.timePassed]) }
            for _ in 0..<4 {
                for one in 0..<4 { for other in 0..<4 where other > one { try devices.meet(one, other) } }
            }
            let logs = (0..<4).map { device in
                Dictionary(
                    uniqueKeysWithValues: devices.devices[device].store.events(
                        ordinals: Array(1...devices.devices[device].store.lastOrdinal())
                    ).filter { $0.event.header.kind == .message }.map {
                        ($0.event.id, "\($0.status) \(devices.text(of: $0.event, on: device, in: group) ?? "-")")
                    })
            }
            for device in 1..<4 {
                let differing = logs[device].filter { logs[0][$0.key] != $0.value }
                for (event, said) in logs[device] where said.hasSuffix("delivered -") {
                    let stored = devices.devices[device].store.events(
                        ordinals: Array(1...devices.devices[device].store.lastOrdinal())
                    ).first { $0.event.id == event }
                    let isOver = stored?.event.header.expiry.map { $0 <= devices.now } ?? false
                    let isRedacted = devices.devices[device].engine.state(of: group)?.nodes.contains {
                        if case .redact(let redaction) = $0.action { redaction.event.id == event } else { false }
                    }
                    #expect(
                        isOver || isRedacted == true,
                        "seed \(seed), device \(device): it is gone, and nobody took it back")
                }
                #expect(
                    differing.isEmpty,
                    "seed \(seed), device \(device): \(differing) \(differing.map { logs[0][$0.key] ?? "" })")
                #expect(try isQuiet(0, device, devices), "seed \(seed), device \(device)")
                #expect(devices.errors(device).isEmpty, "seed \(seed), device \(device)")
                restored += devices.devices[device].store.changes(in: group).count { $0.kind == .restored }
                dropped += devices.devices[device].store.changes(in: group).count { $0.kind == .erased }
            }
            #expect(roots(devices, group).count == 1, "seed \(seed)")
        }
        #expect(dropped > 0 && restored > 0, "nothing was tried: \(dropped), \(restored)")
    }
}
