import Testing
import TomboloCore

/// Erasure, tested between engines. Each test would fail if one of the checks were removed.
struct ErasureTests {
    private let day: UInt64 = 86_400_000

    private func makeGroup(_ count: Int, seed: UInt64, _ policy: Policy = .open) throws -> (Devices, GroupID) {
        let devices = try Devices(count, seed: seed)
        let group = try devices.makeGroup(policy)
        for index in 1..<count { try devices.meet(0, index) }
        return (devices, group)
    }

    @discardableResult
    private func say(
        _ device: Int, _ text: String, for lifetime: UInt64? = nil, _ devices: Devices, _ group: GroupID
    ) throws -> EventReference {
        devices.now += 1
        try devices.step(
            device,
            [
                .append(
                    5, group: group, kind: .message, content: Array(text.utf8),
                    expiry: lifetime.map { devices.now + $0 })
            ])
        return try #require(held(text, device, devices)).event.reference
    }

    /// - Returns: the reason of the refusal; nil if the redaction was accepted.
    @discardableResult
    private func redact(
        _ event: EventReference, by device: Int, _ devices: Devices, _ group: GroupID
    ) throws -> String? {
        devices.now += 1
        let before = devices.devices[device].effects.count
        try devices.step(device, [.redact(6, group: group, event, reason: "a mistake")])
        for case .failed(_, let error) in devices.devices[device].effects[before...] { return error.description }
        return nil
    }

    private func events(_ device: Int, _ devices: Devices) -> [StoredEvent] {
        let store = devices.devices[device].store
        return store.events(ordinals: Array(1...max(1, store.lastOrdinal())))
    }

    private func said(_ device: Int, _ devices: Devices, _ group: GroupID) -> [String] {
        devices.delivered(device, in: group).filter { $0.header.kind == .message }
            .map { String(decoding: $0.content ?? [], as: UTF8.self) }
    }

    private func held(_ text: String, _ device: Int, _ devices: Devices) -> StoredEvent? {
        events(device, devices).first { $0.event.content.map { Array($0) } == Array(text.utf8) }
    }

    private func held(_ event: EventReference, _ device: Int, _ devices: Devices) -> StoredEvent? {
        events(device, devices).first { $0.event.id == event.id }
    }

    private func changes(_ event: EventReference, _ device: Int, _ devices: Devices, _ group: GroupID) -> [ChangeKind] {
        devices.devices[device].store.changes(in: group).filter { $0.event.event.id == event.id }.map(\.kind)
    }

    /// Starts to watch for a text. The result tells whether the wire has not carried it since, and no store holds it.
    private func watch(for text: String, _ devices: Devices) -> () -> Bool {
        let carried = Carried()
        devices.intercept = { wire in
            if wire.bytes.contains(text) { carried.isSeen = true }
            return wire.bytes
        }
        return { !carried.isSeen && devices.devices.indices.allSatisfy { held(text, $0, devices) == nil } }
    }

    private final class Carried { var isSeen = false }

    /// Expects that the event is delivered on all devices and its content is erased.
    private func expectErased(_ event: EventReference, _ devices: Devices) throws {
        for device in devices.devices.indices {
            let stored = try #require(held(event, device, devices), "device \(device)")
            #expect(stored.event.content == nil && stored.event.salt == nil, "device \(device)")
            #expect(stored.status == .delivered, "device \(device)")
        }
    }

    // MARK: Expiry

    @Test func expiredContentGoesAwayEverywhere() throws {
        let (devices, group) = try makeGroup(3, seed: 1)
        let event = try say(0, "for a day", for: day, devices, group)
        try say(0, "for ever", devices, group)
        try devices.meet(0, 1)
        #expect(held("for a day", 1, devices) != nil)
        #expect(devices.devices[1].engine.nextWake == event.expiry(in: devices))
        // One millisecond before the expiry nothing happens.
        let time = devices.devices[1].engine.nextWake
        devices.now = try #require(time) - 1
        for device in 0..<2 { try devices.step(device, [.timePassed]) }
        #expect(held("for a day", 1, devices) != nil)
        devices.now += 1
        for device in 0..<3 { try devices.step(device, [.timePassed]) }
        let isGone = watch(for: "for a day", devices)
        #expect(changes(event, 1, devices, group) == [.delivered, .erased])
        // The third device was away. It receives the event from one that no longer has the content.
        try devices.meet(1, 2)
        try devices.meet(0, 1)
        try expectErased(event, devices)
        #expect(isGone())
        #expect(changes(event, 2, devices, group) == [.erased])
        #expect(said(2, devices, group) == ["for ever"])
        for device in 0..<3 { #expect(devices.devices[device].engine.nextWake == nil, "device \(device)") }
    }

    @Test func aPeerThatOffersExpiredContentBringsNothingBack() throws {
        let (devices, group) = try makeGroup(2, seed: 2)
        try say(0, "for a day", for: day, devices, group)
        let whole = try #require(held("for a day", 0, devices)).event
        devices.now += day
        for _ in 0..<2 {
            try devices.ingest([whole], into: 1, group: group)
            #expect(held("for a day", 1, devices) == nil)
        }
        let stored = try #require(held(whole.reference, 1, devices))
        #expect(stored.status == .delivered)
        // A device that still held the content when others erased it does not bring it back either.
        try devices.step(0, [.timePassed])
        try devices.ingest([whole], into: 0, group: group)
        #expect(held("for a day", 0, devices) == nil)
    }

    @Test func aBackupThatIsPutBackBringsNothingBack() throws {
        let (devices, group) = try makeGroup(2, seed: 3)
        let expiring = try say(0, "for a day", for: day, devices, group)
        let redacted = try say(0, "taken back", devices, group)
        try devices.meet(0, 1)
        let backup = MemoryStore(copying: devices.devices[1].store)
        try redact(redacted, by: 0, devices, group)
        try devices.meet(0, 1)
        devices.now += day
        for device in 0..<2 { try devices.step(device, [.timePassed]) }
        devices.devices[1] = try Devices.Device(seed: 77, store: backup)
        try devices.step(1, [.timePassed])
        #expect(held("for a day", 1, devices) == nil)
        #expect(held("taken back", 1, devices) != nil)
        let isGone = watch(for: "taken back", devices)
        try devices.meet(0, 1)
        try expectErased(expiring, devices)
        try expectErased(redacted, devices)
        #expect(isGone())
    }

    @Test func whatAGroupSaysGoesAwayAfterItsOwnTime() throws {
        let (devices, group) = try makeGroup(2, seed: 4)
        try say(0, "before", devices, group)
        func setExpiry(_ value: String?) throws {
            try devices.step(0, [.setState(8, group: group, key: "expiry", value: value.map { Array($0.utf8) })])
            try devices.meet(0, 1)
        }
        try setExpiry("1000")
        let start = devices.now
        let short = try say(1, "short", devices, group)
        let shorter = try say(1, "shorter", for: 10, devices, group)
        let long = try say(1, "longer", for: day, devices, group)
        for (event, expected) in [(short, start + 1_001), (shorter, start + 12), (long, start + 1_003)] {
            #expect(held(event, 1, devices)?.event.header.expiry == expected)
        }
        for value in ["0", "soon", "", "-5"] {
            try setExpiry(value)
            let event = try say(1, "kept with \(value)", devices, group)
            #expect(held(event, 1, devices)?.event.header.expiry == nil)
        }
        try setExpiry(nil)
        let kept = try say(1, "kept", devices, group)
        #expect(held(kept, 1, devices)?.event.header.expiry == nil)
        // Only admins set the group's expiry. A message that has already expired is refused.
        try devices.step(1, [.setState(8, group: group, key: "expiry", value: [0x31])])
        guard case .failed(_, .notAllowed)? = devices.devices[1].effects.last else {
            Issue.record("a member has set the group's expiry")
            return
        }
        try devices.step(1, [.append(9, group: group, kind: .message, content: [1], expiry: devices.now)])
        guard case .failed(_, .notAllowed)? = devices.devices[1].effects.last else {
            Issue.record("something was said that has expired")
            return
        }
    }

    // MARK: Redaction

    @Test func whatItsAuthorTakesBackGoesAwayEverywhere() throws {
        let (devices, group) = try makeGroup(4, seed: 5)
        let event = try say(1, "my address", devices, group)
        try devices.meet(0, 1)
        try devices.meet(0, 2)
        try say(2, "an answer", devices, group)
        #expect(try redact(event, by: 1, devices, group) == nil)
        #expect(held(event, 1, devices)?.event.content == nil)
        let isGone = watch(for: "my address", devices)
        try devices.meet(1, 0)
        // A device that was away with the content meets one that was away without it. The redaction comes later.
        try devices.meet(2, 0)
        try devices.meet(3, 0)
        try expectErased(event, devices)
        #expect(isGone())
        #expect(changes(event, 2, devices, group) == [.delivered, .erased])
        #expect(changes(event, 3, devices, group) == [.erased])
        #expect(said(3, devices, group) == ["an answer"])
        #expect(try redact(event, by: 1, devices, group)?.contains("already") == true)
    }

    @Test func theRedactionMayComeFirst() throws {
        let (devices, group) = try makeGroup(3, seed: 6)
        let event = try say(1, "my address", devices, group)
        let whole = try #require(held(event, 1, devices)).event
        try redact(event, by: 1, devices, group)
        let redaction = try #require(events(1, devices).first { $0.event.header.kind == .redaction }).event
        try devices.ingest([redaction], into: 2, group: group)
        try devices.ingest([whole], into: 2, group: group)
        let stored = try #require(held(event, 2, devices))
        #expect(stored.event.content == nil && stored.status == .delivered)
        #expect(changes(event, 2, devices, group) == [.erased])
    }

    @Test func nobodyElseTakesItBackButAdmins() throws {
        let (devices, group) = try makeGroup(3, seed: 7)
        let event = try say(1, "what I think", devices, group)
        for (one, other) in [(0, 1), (0, 2)] { try devices.meet(one, other) }
        #expect(try redact(event, by: 2, devices, group) != nil)
        // A modified client redacts the event all the same.
        let author = devices.devices[1].engine.member
        for claimed in [author, devices.devices[2].engine.member] {
            let position = LogPosition(log: event.log, sequence: event.sequence, id: event.id)
            let action = StateAction.redact(Redaction(of: position, by: claimed, reason: ""))
            let before = devices.devices[2].effects.count
            try devices.step(
                2, [.append(5, group: group, kind: .redaction, content: action.encoded, expiry: nil)])
            guard case .appended = devices.devices[2].effects[before] else {
                Issue.record("nothing was tried")
                return
            }
        }
        try devices.meet(0, 2)
        try devices.meet(0, 1)
        for device in 0..<3 { #expect(held("what I think", device, devices) != nil, "device \(device)") }
        #expect(try redact(event, by: 0, devices, group) == nil)
        for (one, other) in [(0, 1), (0, 2)] { try devices.meet(one, other) }
        try expectErased(event, devices)
    }

    /// Opens a store in which events wait without an expired content. They wait for their causes and for nothing else.
    @Test func whatHasExpiredIsNotWaitedForAfterARestart() throws {
        let (devices, group) = try makeGroup(2, seed: 14)
        try say(0, "first", devices, group)
        let before = try say(0, "before", devices, group)
        let middle = try say(0, "for a day", for: day, devices, group)
        try say(0, "after", devices, group)
        try devices.ingest(events(0, devices).map(\.event).filter { $0.id != before.id }, into: 1, group: group)
        #expect(held(middle, 1, devices)?.status == .waiting)
        devices.now += day
        try devices.step(1, [.timePassed])
        devices.devices[1] = try Devices.Device(seed: 79, store: devices.devices[1].store)
        try devices.meet(0, 1)
        #expect(said(1, devices, group) == ["first", "before", "after"])
        #expect(held(middle, 1, devices)?.status == .delivered)
    }

    /// Expects that no device waits for a content that nobody may have any more, since others may have erased it
    /// already.
    @Test func whatARemovedAdminTookBackIsKeptByWhoHeardOfTheRemovalFirst() throws {
        let (devices, group) = try makeGroup(5, seed: 8)
        let admin = devices.devices[1].engine.member
        try devices.step(0, [.setRole(7, group: group, of: admin, to: .admin)])
        for index in 1..<4 { try devices.meet(0, index) }
        let event = try say(2, "evidence", devices, group)
        for index in [0, 1, 3] { try devices.meet(2, index) }
        // The two acts are concurrent.
        #expect(try redact(event, by: 1, devices, group) == nil)
        try devices.step(0, [.setRole(7, group: group, of: admin, to: .none)])
        try devices.meet(0, 3)
        try devices.meet(1, 2)
        #expect(held(event, 2, devices)?.event.content == nil)
        try devices.meet(3, 1)
        #expect(held("evidence", 3, devices) != nil)
        // A device that joins later is not delayed by a device without the content.
        try devices.meet(2, 0)
        try devices.meet(2, 4)
        try say(2, "more", devices, group)
        try devices.meet(2, 4)
        #expect(held(event, 4, devices)?.status == .delivered)
        #expect(held("more", 4, devices)?.status == .delivered)
    }

    @Test func onlyWhatWasSaidIsTakenBack() throws {
        let (devices, group) = try makeGroup(2, seed: 9)
        try devices.step(0, [.setState(8, group: group, key: "title", value: [0x61])])
        let state = try #require(events(0, devices).last { $0.event.header.kind == .setting }).event
        #expect(try redact(state.reference, by: 0, devices, group) != nil)
        var unknown = state.reference
        unknown.log = LogID(.zero)
        #expect(try redact(unknown, by: 0, devices, group) != nil)
        // Events with unsalted content, and state events, are not accepted without their content.
        var foreign = ForeignLog(group: group, seed: 3)
        for event in [foreign.event(after: nil, "unsalted").erased, state.erased] {
            let effects = try devices.ingest([event], into: 1, group: group)
            guard case .failed(_, .invalidEvent)? = effects.first else {
                Issue.record("an event without its content is taken")
                return
            }
        }
    }

    /// Contents that were planned and read ahead are sent as they are at the time of sending.
    @Test func whatIsBeingSentWhenItIsTakenBackIsNotSent() throws {
        let (devices, group) = try makeGroup(2, seed: 10)
        var last: EventReference?
        for number in 0..<100 { last = try say(0, String(repeating: "\(number),", count: 2_000), devices, group) }
        let event = try say(0, "the last one", devices, group)
        let isGone = watch(for: "the last one", devices)
        let session = try devices.connect(1, 0, windowLimit: 16_384)
        while !devices.queue.isEmpty, held(try #require(last), 1, devices) == nil, events(1, devices).count < 60 {
            let wire = devices.queue.removeFirst()
            try devices.step(wire.to, [.payloadReceived(wire.session, try #require(devices.intercept(wire))[...])])
        }
        try redact(event, by: 0, devices, group)
        try devices.settle()
        try devices.disconnect(session)
        try expectErased(event, devices)
        #expect(isGone())
    }

    // MARK: Contents that are withheld

    @Test func whoWithholdsAContentDelaysIt() throws {
        let (devices, group) = try makeGroup(3, seed: 11)
        let first = try say(0, "first", devices, group)
        try say(0, "second", devices, group)
        // The peer gives everything except one event's content, to a device that restarts meanwhile.
        let stripped = events(0, devices).map { $0.event.id == first.id ? $0.event.erased : $0.event }
        try devices.ingest(stripped, into: 1, group: group)
        #expect(held(first, 1, devices)?.status == .waiting)
        #expect(said(1, devices, group).isEmpty)
        devices.devices[1] = try Devices.Device(seed: 42, store: devices.devices[1].store)
        // That device can give others no more than it has.
        try devices.meet(1, 2)
        #expect(held(first, 2, devices)?.status == .waiting)
        try devices.meet(2, 0)
        #expect(said(2, devices, group) == ["first", "second"])
        try devices.meet(1, 2)
        #expect(said(1, devices, group) == ["first", "second"])
        for device in 0..<3 {
            #expect(isCausal(devices.delivered(device, in: group)), "device \(device)")
            #expect(devices.errors(device).isEmpty, "device \(device)")
        }
    }

    @Test func whatWaitsForAContentUntilItExpiresGoesOnWithoutIt() throws {
        let (devices, group) = try makeGroup(2, seed: 12)
        let first = try say(0, "first", for: day, devices, group)
        try say(0, "second", devices, group)
        try devices.ingest(
            events(0, devices).map { $0.event.id == first.id ? $0.event.erased : $0.event }, into: 1, group: group)
        #expect(said(1, devices, group).isEmpty)
        devices.now += day
        try devices.step(1, [.timePassed])
        #expect(said(1, devices, group) == ["second"])
        #expect(changes(first, 1, devices, group) == [.erased])
        // The same holds for a redacted content.
        let third = try say(0, "third", devices, group)
        try say(0, "fourth", devices, group)
        try devices.ingest(
            events(0, devices).map { $0.event.id == third.id ? $0.event.erased : $0.event }, into: 1, group: group)
        #expect(said(1, devices, group) == ["second"])
        try redact(third, by: 0, devices, group)
        try devices.meet(0, 1)
        #expect(said(1, devices, group) == ["second", "fourth"])
        // Every reported event comes after its causes, in whatever way it was reported.
        #expect(isCausal(devices.devices[1].store.changes(in: group).map(\.event.event)))
    }

    // MARK: Receipts

    @Test func aQuietDeviceSaysThatItHasErased() throws {
        let (devices, group) = try makeGroup(3, seed: 13)
        let event = try say(0, "my address", devices, group)
        for device in 1..<3 { try say(device, "hello", devices, group) }
        for (one, other) in [(0, 1), (0, 2), (0, 1)] { try devices.meet(one, other) }
        try redact(event, by: 0, devices, group)
        let redaction = try #require(events(0, devices).last).event
        #expect(redaction.header.kind == .redaction)
        func says(_ device: Int) -> [Event] {
            let certificate = devices.devices[device].engine.device
            return events(0, devices).map(\.event).filter { stored in
                let log = events(0, devices).first { $0.event.log == stored.log && $0.event.sequence == 1 }
                return log?.event.header.certificate?.device == certificate
                    && stored.header.stateHeads.contains { $0.id == redaction.id }
            }
        }
        for device in 1..<3 { try devices.ingest([redaction], into: device, group: group) }
        try say(2, "by the way", devices, group)
        // After a while a silent device confirms the erasure by an empty event. A device that has written since has
        // confirmed it.
        devices.now += 60_000
        // The confirmation is synced to disk before it leaves, like every own event. The next own event follows it.
        let isSynced = devices.devices[1].engine.mustBeSynced([.timePassed])
        #expect(isSynced)
        for device in 0..<3 { try devices.step(device, [.timePassed]) }
        let isSyncedStill = devices.devices[1].engine.mustBeSynced([.timePassed])
        #expect(!isSyncedStill)
        devices.devices[1] = try Devices.Device(seed: 78, store: devices.devices[1].store)
        try say(1, "after the receipt", devices, group)
        for (one, other) in [(0, 1), (0, 2)] { try devices.meet(one, other) }
        for device in 0..<3 { #expect(devices.forks(device) == 0, "device \(device)") }
        #expect(says(1).map(\.header.kind) == [.merge, .message])
        #expect(says(2).map(\.header.kind) == [.message])
        #expect(says(0).isEmpty, "who redacts has said so by that")
        // Nothing more is written about it.
        let count = events(0, devices).count
        devices.now += 60_000
        for device in 0..<3 { try devices.step(device, [.timePassed]) }
        for (one, other) in [(0, 1), (0, 2)] { try devices.meet(one, other) }
        #expect(events(0, devices).count == count)
    }
}

extension EventReference {
    fileprivate func expiry(in devices: Devices) -> UInt64? {
        let store = devices.devices[0].store
        return store.events(ordinals: Array(1...store.lastOrdinal())).first { $0.event.id == id }?.event.header.expiry
    }
}
