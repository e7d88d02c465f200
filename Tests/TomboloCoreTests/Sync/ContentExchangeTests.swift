import Testing
import TomboloCrypto

@testable import TomboloCore

@Suite("An exchange of contents by itself")
struct ContentExchangeTests {
    private var bench: Workbench
    private var contents = ContentExchange()

    init() throws { bench = try Workbench(seed: 1) }

    private func reference(_ number: Int) -> EventReference {
        EventReference(
            id: Workbench.eventID(number), log: LogID(.zero), sequence: UInt64(number) + 1, lamport: UInt64(number) + 1)
    }

    private mutating func lack(_ numbers: Range<Int>) {
        for number in numbers { bench.replica.contentless[Workbench.eventID(number)] = reference(number) }
        bench.replica.contentlessNoted += numbers.count
    }

    private mutating func ask() -> [EventID] { contents.nextWaiting(bench.replica, at: bench.now).map(\.id) }

    @Test("contents are asked for once a session, at most 256 at once")
    mutating func once() {
        #expect(ask().isEmpty)
        lack(0..<300)
        let (first, second) = (ask(), ask())
        #expect(first.count == 256 && second.count == 44)
        #expect(Set(first + second) == Set((0..<300).map(Workbench.eventID)))
        #expect(ask().isEmpty)
        lack(300..<302)
        #expect(Set(ask()) == Set((300..<302).map(Workbench.eventID)))
        // In another session they are asked for again.
        contents = ContentExchange()
        #expect(ask().count == 256)
    }

    @Test("exactly 256 contents are one request")
    mutating func bound() {
        lack(0..<256)
        #expect(ask().count == 256)
        #expect(ask().isEmpty)
    }

    @Test("a peer whose horizon rises is asked again, and not one whose horizon falls")
    mutating func horizon() {
        lack(0..<5)
        contents.receive(horizon: 10)
        #expect(ask().count == 5)
        contents.receive(horizon: 9)
        #expect(ask().isEmpty && contents.peerHorizon == 9)
        contents.receive(horizon: 10)
        #expect(ask().count == 5)
    }

    @Test("requested contents are waited for 10 s, or until they come")
    mutating func waiting() {
        lack(0..<2)
        _ = ask()
        let deadline = bench.now + 10_000
        #expect(contents.requestDeadline == deadline && contents.isAwaiting)
        #expect(contents.awaitedUntil(at: deadline - 1) == deadline)
        #expect(contents.awaitedUntil(at: deadline) == nil)
        #expect(!contents.isAwaiting)
    }

    @Test("a horizon is sent once")
    mutating func sendHorizon() throws {
        var contents = contents
        let sent = try bench.run { _, batch in
            for horizon in [0, 7, 7, 8] as [UInt64] {
                contents.sendHorizon(horizon, number: 2, over: Workbench.link(1), in: &batch)
            }
        }.sent
        #expect(sent.map(\.horizon) == [7, 8])
    }

    // MARK: Dropped contents

    private enum Step: Equatable {
        case nothing
        case wait(UInt64)
        case request(Int)
    }

    /// Writes events whose contents this device then drops, and wants back.
    private mutating func dropContents(_ count: Int) throws -> [Event] {
        try bench.run { replica, batch in
            for number in 0..<count {
                try replica.append(
                    RequestID(1), .message, content: Array("\(number)".utf8), expiry: nil, files: [], in: &batch)
            }
            try replica.advance(.saveLogs, in: &batch)
        }
        let ordinals = Array(1...bench.store.lastOrdinal())
        let events = bench.store.headers(ordinals: ordinals).filter(\.header.isErasable)
        #expect(events.count == count)
        bench.store.erase(events, forGood: false, inGroup: 1)
        bench.replica.kept.noteMissing(events.map(\.header.lamport))
        return bench.store.events(ordinals: events.map(\.ordinal)).map(\.event)
    }

    private mutating func restore(
        by contents: inout ContentExchange, over link: PeerLink, requests: Bool = true
    ) throws -> Step {
        var inner = contents
        let step = try bench.run { replica, batch in
            try inner.nextDropped(&replica, requests: requests, over: link, in: &batch)
        }.result
        contents = inner
        switch step {
        case .nothing: return .nothing
        case .wait(let until): return .wait(until)
        case .request(let events): return .request(events.count)
        }
    }

    @Test("dropped contents are asked of one peer at a time, and of the next when the first does not answer")
    mutating func oneAtATime() throws {
        _ = try dropContents(3)
        var (first, second) = (ContentExchange(), ContentExchange())
        let (a, b) = (Workbench.link(1, peer: 1), Workbench.link(2, peer: 2))
        #expect(try restore(by: &first, over: a, requests: false) == .nothing)
        #expect(try restore(by: &first, over: a) == .request(3))
        let deadline = bench.now + 10_000
        #expect(try restore(by: &first, over: a) == .wait(deadline))
        #expect(try restore(by: &second, over: b) == .wait(deadline))
        bench.now = deadline
        #expect(try restore(by: &first, over: a) == .nothing)
        #expect(try restore(by: &second, over: b) == .request(3))
        // The first is not asked again in its session.
        #expect(try restore(by: &first, over: a) == .nothing)
    }

    @Test("after a peer's answers, contents are missing up to the last that did not come")
    mutating func answers() throws {
        let events = try dropContents(3)
        var contents = ContentExchange()
        let link = Workbench.link(1)
        #expect(try restore(by: &contents, over: link) == .request(3))
        var (replica, now) = (bench.replica, bench.now)
        now += 5
        // The first comes without its content, the others with it.
        contents.noteReceived([events[0]], &replica, over: link, at: now)
        contents.noteReceived(events.dropFirst().map { $0.with([1], salt: [2]) }, &replica, over: link, at: now)
        bench.replica = replica
        #expect(!contents.isAwaiting)
        #expect(try restore(by: &contents, over: link) == .nothing)
        #expect(bench.replica.kept.horizon == events[0].lamport)
        // The peer is asked again only once something else is missing.
        var later = ContentExchange()
        #expect(try restore(by: &later, over: Workbench.link(3)) == .nothing)
        bench.replica.kept.noteMissing([events[2].lamport])
        #expect(try restore(by: &later, over: Workbench.link(3)) == .request(3))
    }

    @Test("a device that keeps a part asks for nothing")
    mutating func retention() throws {
        _ = try dropContents(2)
        var contents = ContentExchange()
        bench.replica.kept.retention = Retention(count: 1)
        #expect(try restore(by: &contents, over: Workbench.link(1)) == .nothing)
    }
}
