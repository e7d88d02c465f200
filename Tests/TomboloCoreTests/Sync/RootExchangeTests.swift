import Testing
import TomboloCrypto

@testable import TomboloCore

@Suite("An exchange of roots by itself")
struct RootExchangeTests {
    private var bench: Workbench
    private var roots = RootExchange()
    private var log: ForeignLog
    private var said: [Event] = []
    private let link = Workbench.link(1)

    init() throws {
        bench = try Workbench(seed: 1)
        log = ForeignLog(group: bench.replica.id, seed: 2)
    }

    private mutating func say() throws {
        said.append(log.event(after: said.last, "\(said.count)"))
        #expect(try bench.ingest([said[said.count - 1]]).accepted == 1)
    }

    /// - Returns: when it is time to send the root, and how many roots were sent.
    private mutating func send(isLive: Bool) throws -> (next: UInt64?, roots: Int) {
        var roots = roots
        let link = link
        let run = try bench.run { replica, batch in
            roots.send(&replica, isLive: isLive, number: 3, over: link, in: &batch)
        }
        self.roots = roots
        #expect(run.sent.allSatisfy { $0.number == 3 })
        return (run.result, run.sent.count { $0.root != nil })
    }

    /// - Returns: the next time, whether it is a repair, and how many roots were sent.
    private mutating func repair() throws -> (next: UInt64, isRepair: Bool, roots: Int) {
        var roots = roots
        let link = link
        let run = try bench.run { _, batch in roots.nextRepair(number: 3, over: link, in: &batch) }
        self.roots = roots
        switch run.result {
        case .wait(let next): return (next, false, run.sent.count)
        case .repair(let next): return (next, true, run.sent.count)
        }
    }

    @Test("a root is sent at once after an exchange, and once")
    mutating func atOnce() throws {
        try say()
        #expect(try send(isLive: false) == (nil, 1))
        #expect(try send(isLive: false) == (nil, 0))
        #expect(roots.lastSent == bench.replica.root(using: SwiftCryptography()))
        try say()
        #expect(try send(isLive: false) == (nil, 1))
    }

    @Test("while people talk, a root is sent a second after the first event, and not before")
    mutating func live() throws {
        try say()
        let begun = bench.now
        #expect(try send(isLive: true) == (begun + 1_000, 0))
        bench.now = begun + 999
        try say()
        // Another event does not put it off.
        #expect(try send(isLive: true) == (begun + 1_000, 0))
        bench.now = begun + 1_000
        #expect(try send(isLive: true) == (nil, 1))
        #expect(try send(isLive: true) == (nil, 0))
    }

    @Test("a peer that shows the same root again is sent this side's")
    mutating func again() throws {
        try say()
        _ = try send(isLive: false)
        let shown = ShownRoot(.zero, on: link, using: SwiftCryptography())
        roots.receive(shown, at: bench.now)
        #expect(try send(isLive: true) == (nil, 0))
        roots.receive(shown, at: bench.now)
        #expect(try send(isLive: true) == (nil, 1))
        #expect(roots.peerShows(.zero, on: link, using: SwiftCryptography()))
        #expect(!roots.peerShows(.zero, on: Workbench.link(2), using: SwiftCryptography()))
    }

    @Test("probes of a silent peer back off, up to ten minutes")
    mutating func probes() throws {
        try say()
        _ = try send(isLive: false)
        var next = try repair().next
        #expect(next == bench.now + 2_000)
        bench.now = next - 1
        #expect(try repair() == (next, false, 0))
        var delays: [UInt64] = []
        for _ in 0..<10 {
            bench.now = next
            let step = try repair()
            #expect(!step.isRepair && step.roots == 1)
            next = step.next
            delays.append(next - bench.now)
        }
        #expect(delays == [4, 8, 16, 32, 64, 128, 256, 512, 600, 600].map { $0 * 1_000 })
        // The peer answers a probe: a repair follows at once.
        roots.receive(ShownRoot(.zero, on: link, using: SwiftCryptography()), at: bench.now)
        roots.noteHeard()
        #expect(try repair().isRepair)
    }

    @Test("repairs back off, and progress begins anew")
    mutating func repairs() throws {
        try say()
        _ = try send(isLive: false)
        roots.noteHeard()
        var next = try repair().next
        var delays: [UInt64] = []
        for _ in 0..<3 {
            bench.now = next
            roots.noteHeard()
            let step = try repair()
            #expect(step.isRepair && step.roots == 0)
            next = step.next
            delays.append(next - bench.now)
        }
        #expect(delays == [4_000, 8_000, 16_000] && roots.repairs == 3)
        roots.noteProgress()
        roots.noteWindow()
        #expect(try repair().next == bench.now + 2_000)
        roots.noteAgreed(.zero)
        #expect(roots.repairs == 0 && roots.agreed == .zero)
    }

    @Test("where the peer sends nothing, the end is told once, and informed of once")
    mutating func oneSided() throws {
        var policy = SendPolicy(.shared)
        policy.isPeerSilent = true
        #expect(try settle(policy, mayEnd: false) == (false, 0))
        #expect(try settle(policy, mayEnd: true) == (false, 1))
        #expect(try settle(policy, mayEnd: true) == (false, 0))
        roots.notePeerHasSentAll()
        #expect(try settle(policy, mayEnd: true) == (true, 0))
        #expect(try settle(policy, mayEnd: true) == (false, 0))
    }

    @Test("a side that only receives waits until the peer has sent all")
    mutating func onlyReceives() throws {
        let policy = SendPolicy(.visible)
        #expect(try settle(policy, mayEnd: true) == (false, 0))
        roots.notePeerHasSentAll()
        #expect(try settle(policy, mayEnd: false) == (false, 0))
        #expect(try settle(policy, mayEnd: true) == (true, 1))
        #expect(try settle(policy, mayEnd: true) == (false, 0))
    }

    private mutating func settle(_ policy: SendPolicy, mayEnd: Bool) throws -> (isDone: Bool, told: Int) {
        var roots = roots
        let link = link
        let run = try bench.run { _, batch in
            roots.settleOneSided(policy, mayEnd: mayEnd, number: 3, over: link, in: &batch)
        }
        self.roots = roots
        return (run.result, run.sent.count { $0.hasSentAll })
    }
}
