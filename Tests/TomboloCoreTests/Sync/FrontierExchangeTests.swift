import Testing
import TomboloCrypto

@testable import TomboloCore

@Suite("An exchange of frontiers by itself")
struct FrontierExchangeTests {
    private var bench: Workbench
    private let link = Workbench.link(1)

    init() throws { bench = try Workbench(seed: 1) }

    private func agreement(_ token: UInt64) -> Agreement { Agreement(token: token, ordinal: 5, lastLog: 2) }

    private mutating func receive(_ bytes: Bytes, by exchange: inout FrontierExchange) throws {
        var (inner, tables, report) = (exchange, LogTables(), ReconciliationReport())
        let link = link
        try bench.run { replica, batch in
            try inner.receive(bytes, &replica, number: 0, &tables, over: link, &report, in: &batch)
        }
        exchange = inner
    }

    @Test("it opens once, and pushes once the peer's frontier is known")
    func phases() {
        var exchange = FrontierExchange()
        #expect(exchange.open() && !exchange.open() && !exchange.isOpen && !exchange.mustSend)
        exchange.noteDifferent(isDialler: true)
        #expect(exchange.mustSend && !exchange.isOpen)
        exchange.noteSent()
        #expect(!exchange.mustSend)
        exchange.note(PeerFrontier(basis: .nothing, entries: [:]), isExchanging: true)
        #expect(exchange.isOpen && exchange.takeUnplanned() != nil && exchange.takeUnplanned() == nil)
        exchange.sendAgain()
        #expect(exchange.mustSend)
        exchange.noteSame()
        #expect(exchange.isOpen && !exchange.mustSend)
    }

    @Test("both sides choose the newest common agreement of the dialler's list")
    func base() {
        var (dialler, listener) = (FrontierExchange(), FrontierExchange())
        let (ours, theirs) = ([3, 2, 1].map(agreement), [1, 2, 4].map(agreement))
        dialler.noteIntroduction(naming: ours, logs: nil)
        dialler.noteIntroduction(ofPeer: theirs.map(\.token), logs: nil)
        listener.noteIntroduction(naming: theirs, logs: nil)
        listener.noteIntroduction(ofPeer: ours.map(\.token), logs: nil)
        dialler.noteDifferent(isDialler: true)
        listener.noteDifferent(isDialler: false)
        #expect(dialler.base?.token == 2 && listener.base?.token == 2)
        dialler.restart()
        #expect(dialler.base == nil && dialler.phase == .exchanging)
    }

    @Test(
        "coded symbols need 24 logs on both sides, of similar number",
        arguments: [(24, 24, true), (23, 24, false), (24, 23, false), (24, 49, true), (24, 50, false)]
            as [(UInt64, UInt64, Bool)])
    func coded(ours: UInt64, theirs: UInt64, isUsed: Bool) {
        var exchange = FrontierExchange()
        exchange.noteIntroduction(naming: [], logs: ours)
        exchange.noteIntroduction(ofPeer: [], logs: theirs)
        #expect(exchange.usesCodedFrontier == isUsed)
        var agreeing = FrontierExchange()
        agreeing.noteIntroduction(naming: [agreement(1)], logs: ours)
        agreeing.noteIntroduction(ofPeer: [1], logs: theirs)
        agreeing.noteDifferent(isDialler: true)
        #expect(!agreeing.usesCodedFrontier)
    }

    @Test("a whole frontier tells what is held of each log", arguments: [false, true])
    mutating func whole(fullIDs: Bool) throws {
        let graph = (0..<5).map { number -> [Event] in
            var log = ForeignLog(group: bench.replica.id, seed: UInt64(10 + number))
            return log.chain(number + 1, "log")
        }
        try bench.ingest(graph.flatMap(\.self))
        var (exchange, table, report) = (FrontierExchange(), LogTable(), ReconciliationReport())
        let link = link
        let sent = try bench.run { replica, batch in
            try exchange.send(
                &replica, fullIDs: fullIDs, number: 0, &table, over: link, &report, in: &batch)
        }.sent
        #expect(sent.count == 1 && report.logs == 5)
        var other = FrontierExchange()
        try receive(try #require(sent[0].frontier), by: &other)
        let unplanned = other.takeUnplanned()
        let told = try #require(unplanned)
        #expect(told.basis == .nothing && told.entries.count == 5)
        for events in graph {
            let (entry, last) = (try #require(told.entries[events[0].log]), events[events.count - 1])
            #expect(entry.ranges.map(\.end) == [last.sequence] && entry.ranges[0].id.matches(last.id))
        }
    }

    @Test("a frontier since an agreement that was not offered is an error")
    mutating func unofferedAgreement() throws {
        var bytes: [UInt8] = [FrontierFlags.since]
        bytes.append(fixed64: 77)
        bytes.append(varint: 0)
        var exchange = FrontierExchange()
        #expect(throws: EngineError.self) { try receive(bytes[...], by: &exchange) }
        exchange.noteIntroduction(naming: [agreement(77)], logs: nil)
        try receive(bytes[...], by: &exchange)
        #expect(exchange.takeUnplanned()?.basis == .agreement(5))
        // The count of the agreement's logs must be right.
        bytes[bytes.count - 1] = 1
        #expect(throws: EngineError.self) { try receive(bytes[...], by: &exchange) }
    }

    @Test("a frontier of more than 16 MiB is refused before it is read")
    mutating func bound() throws {
        var exchange = FrontierExchange()
        for count in [Limits.frontier, Limits.frontier + 1] {
            exchange = FrontierExchange()
            do {
                try receive([UInt8](repeating: 0, count: count)[...], by: &exchange)
                Issue.record("it was read")
            } catch WireError.tooLarge { #expect(count > Limits.frontier) } catch is WireError {
                #expect(count == Limits.frontier)
            }
        }
    }
}
