import Testing
import TomboloCore

/// Erasure, tested between engines. Each test would fail if one of the checks were removed.
struct ErasureTests {
    private let day: UInt64 = 86_400_000

    /// Starts to watch for a text. The result tells whether the wire has not carried it since, and no store holds it.
    private func watch(for text: String, in cluster: Cluster) -> () -> Bool {
        let carried = Carried()
        cluster.watch { wire in if wire.bytes.contains(text) { carried.isSeen = true } }
        return { !carried.isSeen && !cluster.all.contains { $0.holds(text) } }
    }

    private final class Carried { var isSeen = false }

    /// Expects that the event is delivered on all devices and its content is erased.
    private func expectErased(_ event: EventReference, in cluster: Cluster) throws {
        for device in cluster.all {
            let stored = try #require(device.held(event), "\(device)")
            #expect(stored.event.content == nil && stored.event.salt == nil, "\(device)")
            #expect(stored.status == .delivered, "\(device)")
        }
    }

    // MARK: Expiry

    @Test func expiredContentGoesAwayEverywhere() throws {
        let cluster = try Cluster("ann", "bob", "cat", seed: 1, meetings: .withFirst())
        let event = try cluster["ann"].say("for a day", expiring: day)
        try cluster["ann"].say("for ever")
        try cluster.sync("ann", "bob")
        #expect(cluster["bob"].holds("for a day"))
        #expect(cluster["bob"].nextWake == cluster["ann"].held(event)?.event.header.expiry)
        // One millisecond before the expiry nothing happens.
        let time = cluster["bob"].nextWake
        cluster.now = try #require(time) - 1
        try cluster.wakeAll(cluster["ann", "bob"])
        #expect(cluster["bob"].holds("for a day"))
        try cluster.pass(1)
        let isGone = watch(for: "for a day", in: cluster)
        #expect(cluster["bob"].changes(of: event) == [.delivered, .erased])
        // Cat was away. It receives the event from one that no longer has the content.
        try cluster.sync("bob", "cat")
        try cluster.sync("ann", "bob")
        try expectErased(event, in: cluster)
        #expect(isGone())
        #expect(cluster["cat"].changes(of: event) == [.erased])
        #expect(cluster["cat"].said == ["for ever"])
        for device in cluster.all { #expect(device.nextWake == nil, "\(device)") }
    }

    @Test func aPeerThatOffersExpiredContentBringsNothingBack() throws {
        let cluster = try Cluster("ann", "bob", seed: 2, meetings: .withFirst())
        try cluster["ann"].say("for a day", expiring: day)
        let whole = try #require(cluster["ann"].held("for a day")).event
        cluster.advance(by: day)
        for _ in 0..<2 {
            try cluster["bob"].ingest([whole])
            #expect(!cluster["bob"].holds("for a day"))
        }
        let stored = try #require(cluster["bob"].held(whole.reference))
        #expect(stored.status == .delivered)
        // A device that still held the content when others erased it does not bring it back either.
        try cluster["ann"].wake()
        try cluster["ann"].ingest([whole])
        #expect(!cluster["ann"].holds("for a day"))
    }

    @Test func aBackupThatIsPutBackBringsNothingBack() throws {
        let cluster = try Cluster("ann", "bob", seed: 3, meetings: .withFirst())
        let expiring = try cluster["ann"].say("for a day", expiring: day)
        let redacted = try cluster["ann"].say("taken back")
        try cluster.sync("ann", "bob")
        let backup = cluster["bob"].backup()
        try cluster["ann"].takeBack(redacted)
        try cluster.sync("ann", "bob")
        try cluster.pass(day)
        try cluster["bob"].restart(seed: 77, from: backup)
        try cluster["bob"].wake()
        #expect(!cluster["bob"].holds("for a day"))
        #expect(cluster["bob"].holds("taken back"))
        let isGone = watch(for: "taken back", in: cluster)
        try cluster.sync("ann", "bob")
        try expectErased(expiring, in: cluster)
        try expectErased(redacted, in: cluster)
        #expect(isGone())
    }

    @Test func whatAGroupSaysGoesAwayAfterItsOwnTime() throws {
        let cluster = try Cluster("ann", "bob", seed: 4, meetings: .withFirst())
        try cluster["ann"].say("before")
        func setExpiry(_ value: String?) throws {
            try cluster["ann"].set("expiry", to: value)
            try cluster.sync("ann", "bob")
        }
        try setExpiry("1000")
        let start = cluster.now
        let short = try cluster["bob"].say("short")
        let shorter = try cluster["bob"].say("shorter", expiring: 10)
        let long = try cluster["bob"].say("longer", expiring: day)
        for (event, expected) in [(short, start + 1_001), (shorter, start + 12), (long, start + 1_003)] {
            #expect(cluster["bob"].held(event)?.event.header.expiry == expected)
        }
        for value in ["0", "soon", "", "-5"] {
            try setExpiry(value)
            let event = try cluster["bob"].say("kept with \(value)")
            #expect(cluster["bob"].held(event)?.event.header.expiry == nil)
        }
        try setExpiry(nil)
        let kept = try cluster["bob"].say("kept")
        #expect(cluster["bob"].held(kept)?.event.header.expiry == nil)
        // Only admins set the group's expiry. A message that has already expired is refused.
        let refusal = try cluster["bob"].set("expiry", to: "1")
        #expect(refusal?.isForbidden == true, "a member has set the group's expiry")
        try cluster["bob"].append([1], expiry: cluster.now)
        guard case .failed(_, .notAllowed)? = cluster["bob"].effects.last else {
            Issue.record("something was said that has expired")
            return
        }
    }

    // MARK: Redaction

    @Test func whatItsAuthorTakesBackGoesAwayEverywhere() throws {
        let cluster = try Cluster("ann", "bob", "cat", "dan", seed: 5, meetings: .withFirst())
        let event = try cluster["bob"].say("my address")
        try cluster.sync("ann", "bob")
        try cluster.sync("ann", "cat")
        try cluster["cat"].say("an answer")
        #expect(try cluster["bob"].takeBack(event) == nil)
        #expect(cluster["bob"].held(event)?.event.content == nil)
        let isGone = watch(for: "my address", in: cluster)
        try cluster.sync("bob", "ann")
        // A device that was away with the content meets one that was away without it. The redaction comes later.
        try cluster.sync("cat", "ann")
        try cluster.sync("dan", "ann")
        try expectErased(event, in: cluster)
        #expect(isGone())
        #expect(cluster["cat"].changes(of: event) == [.delivered, .erased])
        #expect(cluster["dan"].changes(of: event) == [.erased])
        #expect(cluster["dan"].said == ["an answer"])
        #expect(try cluster["bob"].takeBack(event)?.contains("already") == true)
    }

    @Test func theRedactionMayComeFirst() throws {
        let cluster = try Cluster("ann", "bob", "cat", seed: 6, meetings: .withFirst())
        let event = try cluster["bob"].say("my address")
        let whole = try #require(cluster["bob"].held(event)).event
        try cluster["bob"].takeBack(event)
        let redaction = try #require(cluster["bob"].events.first { $0.event.header.kind == .redaction }).event
        try cluster["cat"].ingest([redaction])
        try cluster["cat"].ingest([whole])
        let stored = try #require(cluster["cat"].held(event))
        #expect(stored.event.content == nil && stored.status == .delivered)
        #expect(cluster["cat"].changes(of: event) == [.erased])
    }

    @Test func nobodyElseTakesItBackButAdmins() throws {
        let cluster = try Cluster("ann", "bob", "cat", seed: 7, meetings: .withFirst())
        let event = try cluster["bob"].say("what I think")
        try cluster.sync("ann", with: cluster["bob", "cat"])
        #expect(try cluster["cat"].takeBack(event) != nil)
        // A modified client redacts the event all the same.
        let author = cluster["bob"].member
        for claimed in [author, cluster["cat"].member] {
            let position = LogPosition(log: event.log, sequence: event.sequence, id: event.id)
            let action = StateAction.redact(Redaction(of: position, by: claimed, reason: ""))
            #expect(try cluster["cat"].append(action.encoded, kind: .redaction) != nil, "nothing was tried")
        }
        try cluster.sync("ann", "cat")
        try cluster.sync("ann", "bob")
        for device in cluster.all { #expect(device.holds("what I think"), "\(device)") }
        #expect(try cluster["ann"].takeBack(event) == nil)
        try cluster.sync("ann", with: cluster["bob", "cat"])
        try expectErased(event, in: cluster)
    }

    /// Opens a store in which events wait without an expired content. They wait for their causes and for nothing else.
    @Test func whatHasExpiredIsNotWaitedForAfterARestart() throws {
        let cluster = try Cluster("ann", "bob", seed: 14, meetings: .withFirst())
        try cluster["ann"].say("first")
        let before = try cluster["ann"].say("before")
        let middle = try cluster["ann"].say("for a day", expiring: day)
        try cluster["ann"].say("after")
        try cluster["bob"].ingest(cluster["ann"].events.map(\.event).filter { $0.id != before.id })
        #expect(cluster["bob"].held(middle)?.status == .waiting)
        cluster.advance(by: day)
        try cluster["bob"].wake()
        try cluster["bob"].restart(seed: 79)
        try cluster.sync("ann", "bob")
        #expect(cluster["bob"].said == ["first", "before", "after"])
        #expect(cluster["bob"].held(middle)?.status == .delivered)
    }

    /// Expects that no device waits for a content that nobody may have any more, since others may have erased it
    /// already.
    @Test func whatARemovedAdminTookBackIsKeptByWhoHeardOfTheRemovalFirst() throws {
        let cluster = try Cluster("ann", "bob", "cat", "dan", "eve", seed: 8, meetings: .withFirst())
        try cluster["ann"].setRole(of: "bob", to: .admin)
        try cluster.sync("ann", with: cluster["bob", "cat", "dan"])
        let event = try cluster["cat"].say("evidence")
        try cluster.sync("cat", with: cluster["ann", "bob", "dan"])
        // The two acts are concurrent.
        #expect(try cluster["bob"].takeBack(event) == nil)
        try cluster["ann"].setRole(of: "bob", to: .none)
        try cluster.sync("ann", "dan")
        try cluster.sync("bob", "cat")
        #expect(cluster["cat"].held(event)?.event.content == nil)
        try cluster.sync("dan", "bob")
        #expect(cluster["dan"].holds("evidence"))
        // A device that joins later is not delayed by a device without the content.
        try cluster.sync("cat", "ann")
        try cluster.sync("cat", "eve")
        try cluster["cat"].say("more")
        try cluster.sync("cat", "eve")
        #expect(cluster["eve"].held(event)?.status == .delivered)
        #expect(cluster["eve"].held("more")?.status == .delivered)
    }

    @Test func onlyWhatWasSaidIsTakenBack() throws {
        let cluster = try Cluster("ann", "bob", seed: 9, meetings: .withFirst())
        try cluster["ann"].set("title", to: [0x61])
        let state = try #require(cluster["ann"].events.last { $0.event.header.kind == .setting }).event
        #expect(try cluster["ann"].takeBack(state.reference) != nil)
        var unknown = state.reference
        unknown.log = LogID(.zero)
        #expect(try cluster["ann"].takeBack(unknown) != nil)
        // Events with unsalted content, and state events, are not accepted without their content.
        var foreign = cluster.foreignLog(seed: 3)
        for event in [foreign.event(after: nil, "unsalted").erased, state.erased] {
            let effects = try cluster["bob"].ingest([event])
            guard case .failed(_, .invalidEvent)? = effects.first else {
                Issue.record("an event without its content is taken")
                return
            }
        }
    }

    /// Contents that were planned and read ahead are sent as they are at the time of sending.
    @Test func whatIsBeingSentWhenItIsTakenBackIsNotSent() throws {
        let cluster = try Cluster("ann", "bob", seed: 10, meetings: .withFirst())
        var last: EventReference?
        for number in 0..<100 { last = try cluster["ann"].say(String(repeating: "\(number),", count: 2_000)) }
        let event = try cluster["ann"].say("the last one")
        let isGone = watch(for: "the last one", in: cluster)
        let session = try cluster.connect("bob", "ann", windowLimit: 16_384)
        while !cluster.isIdle, cluster["bob"].held(try #require(last)) == nil, cluster["bob"].events.count < 60 {
            try cluster.carry(most: 1)
        }
        try cluster["ann"].takeBack(event)
        try cluster.settle()
        try cluster.disconnect(session)
        try expectErased(event, in: cluster)
        #expect(isGone())
    }

    // MARK: Contents that are withheld

    @Test func whoWithholdsAContentDelaysIt() throws {
        let cluster = try Cluster("ann", "bob", "cat", seed: 11, meetings: .withFirst())
        let first = try cluster["ann"].say("first")
        try cluster["ann"].say("second")
        // The peer gives everything except one event's content, to a device that restarts meanwhile.
        let stripped = cluster["ann"].events.map { $0.event.id == first.id ? $0.event.erased : $0.event }
        try cluster["bob"].ingest(stripped)
        #expect(cluster["bob"].held(first)?.status == .waiting)
        #expect(cluster["bob"].said.isEmpty)
        try cluster["bob"].restart(seed: 42)
        // That device can give others no more than it has.
        try cluster.sync("bob", "cat")
        #expect(cluster["cat"].held(first)?.status == .waiting)
        try cluster.sync("cat", "ann")
        #expect(cluster["cat"].said == ["first", "second"])
        try cluster.sync("bob", "cat")
        #expect(cluster["bob"].said == ["first", "second"])
        for device in cluster.all {
            #expect(isCausal(device.delivered), "\(device)")
            #expect(device.errors.isEmpty, "\(device)")
        }
    }

    @Test func whatWaitsForAContentUntilItExpiresGoesOnWithoutIt() throws {
        let cluster = try Cluster("ann", "bob", seed: 12, meetings: .withFirst())
        let first = try cluster["ann"].say("first", expiring: day)
        try cluster["ann"].say("second")
        try cluster["bob"].ingest(cluster["ann"].events.map { $0.event.id == first.id ? $0.event.erased : $0.event })
        #expect(cluster["bob"].said.isEmpty)
        cluster.advance(by: day)
        try cluster["bob"].wake()
        #expect(cluster["bob"].said == ["second"])
        #expect(cluster["bob"].changes(of: first) == [.erased])
        // The same holds for a redacted content.
        let third = try cluster["ann"].say("third")
        try cluster["ann"].say("fourth")
        try cluster["bob"].ingest(cluster["ann"].events.map { $0.event.id == third.id ? $0.event.erased : $0.event })
        #expect(cluster["bob"].said == ["second"])
        try cluster["ann"].takeBack(third)
        try cluster.sync("ann", "bob")
        #expect(cluster["bob"].said == ["second", "fourth"])
        // Every reported event comes after its causes, in whatever way it was reported.
        #expect(isCausal(cluster["bob"].changes.map(\.event.event)))
    }

    // MARK: Receipts

    @Test func aQuietDeviceSaysThatItHasErased() throws {
        let cluster = try Cluster("ann", "bob", "cat", seed: 13, meetings: .withFirst())
        let event = try cluster["ann"].say("my address")
        for device in cluster.others(than: "ann") { try device.say("hello") }
        try cluster.sync("ann", with: cluster["bob", "cat", "bob"])
        try cluster["ann"].takeBack(event)
        let redaction = try #require(cluster["ann"].events.last).event
        #expect(redaction.header.kind == .redaction)
        /// The events of a device that name the redaction.
        func says(_ device: String) -> [Event] {
            cluster["ann"].events.map(\.event).filter { stored in
                let log = cluster["ann"].events.first { $0.event.log == stored.log && $0.event.sequence == 1 }
                return log?.event.header.certificate?.device == cluster[device].key
                    && stored.header.stateHeads.contains { $0.id == redaction.id }
            }
        }
        for device in cluster.others(than: "ann") { try device.ingest([redaction]) }
        try cluster["cat"].say("by the way")
        // After a while a silent device confirms the erasure by an empty event. A device that has written since has
        // confirmed it.
        cluster.advance(by: 60_000)
        // The confirmation is synced to disk before it leaves, like every own event. The next own event follows it.
        #expect(cluster["bob"].mustSync(.timePassed))
        try cluster.wakeAll()
        #expect(!cluster["bob"].mustSync(.timePassed))
        try cluster["bob"].restart(seed: 78)
        try cluster["bob"].say("after the receipt")
        try cluster.sync("ann", with: cluster["bob", "cat"])
        for device in cluster.all { #expect(device.forks == 0, "\(device)") }
        #expect(says("bob").map(\.header.kind) == [.merge, .message])
        #expect(says("cat").map(\.header.kind) == [.message])
        #expect(says("ann").isEmpty, "who redacts has said so by that")
        // Nothing more is written about it.
        let count = cluster["ann"].events.count
        try cluster.pass(60_000)
        try cluster.sync("ann", with: cluster["bob", "cat"])
        #expect(cluster["ann"].events.count == count)
    }
}

extension Cluster.Device {
    /// Sends a message, and looks up how other events refer to it.
    @discardableResult
    fileprivate func say(_ text: String, expiring lifetime: UInt64? = nil) throws -> EventReference {
        try send(text, expiring: lifetime)
        return try #require(held(text)).event.reference
    }

    /// Redacts an event, a millisecond later.
    ///
    /// - Returns: the reason of the refusal; nil if the redaction was accepted.
    @discardableResult
    fileprivate func takeBack(_ event: EventReference) throws -> String? {
        cluster.advance(by: 1)
        return try redact(event, reason: "a mistake")?.description
    }
}
