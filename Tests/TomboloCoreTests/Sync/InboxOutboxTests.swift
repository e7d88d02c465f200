import Testing
import TomboloCrypto

@testable import TomboloCore

@Suite("An outbox and an inbox by themselves")
struct InboxOutboxTests {
    private var sender: Workbench
    private var receiver: Workbench
    private var outbox = Outbox()
    private var inbox = Inbox()
    private var tables = (outgoing: LogTable(), incoming: LogTable())

    init() throws {
        sender = try Workbench(seed: 1)
        receiver = try Workbench(seed: 2, joining: sender.replica.record)
    }

    private enum Outcome: Equatable {
        case incomplete
        case complete(Int)
        case stuck
    }

    private func makeEvents(_ count: Int, bytes: Int = 10, seed: UInt64 = 3) -> [Event] {
        var log = ForeignLog(group: sender.replica.id, seed: seed)
        return log.chain(count, String(repeating: "x", count: bytes))
    }

    /// Plans by a frontier of the peer, and sends all windows that may begin.
    private mutating func send(_ peer: PeerFrontier? = nil) throws -> [GroupSync] {
        var (outbox, table) = (outbox, tables.outgoing)
        let sent = try sender.run { replica, batch in
            if let peer { try outbox.plan(for: peer, replica, in: batch.store) }
            while let window = try outbox.nextWindow(limit: Limits.inFlight, replica.frontier, in: batch.store) {
                outbox.send(window, of: replica, number: 0, &table, over: Workbench.link(1), in: &batch)
            }
        }.sent
        (self.outbox, tables.outgoing) = (outbox, table)
        return sent
    }

    private mutating func receive(_ bytes: Bytes) throws -> Outcome {
        var (inbox, table) = (inbox, tables.incoming)
        defer { (self.inbox, tables.incoming) = (inbox, table) }
        let outcome = try receiver.run { replica, batch in
            try inbox.receive(bytes, &replica, &table, in: &batch)
        }.result
        switch outcome {
        case .incomplete: return .incomplete
        case .stuck: return .stuck
        case .complete(let events):
            try receiver.ingest(events)
            return .complete(events.count)
        }
    }

    private mutating func acknowledge() throws -> [GroupSync] {
        var (inbox, table) = (inbox, LogTable())
        let sent = try receiver.run { replica, batch in
            inbox.acknowledge(replica.frontier, number: 0, &table, over: Workbench.link(1), in: &batch)
        }.sent
        self.inbox = inbox
        return sent
    }

    @Test("a window arrives as it was sent, in parts below the bound of a payload")
    mutating func window() throws {
        let events = makeEvents(120, bytes: 2_000)
        try sender.ingest(events)
        let sent = try send(PeerFrontier(basis: .nothing, entries: [:]))
        let parts = sent.compactMap(\.events)
        #expect(parts.count >= 3 && parts.allSatisfy { $0.count <= Limits.payload })
        var (received, ends) = (0, 0)
        for part in parts {
            if case .complete(let count) = try receive(part) { (received, ends) = (received + count, ends + 1) }
        }
        // Two windows may be under way. The rest follows once they are processed.
        #expect(ends == 2 && received > 0 && !outbox.isIdle)
        inbox.noteProcessed()
        let processed = try #require(try acknowledge().first?.processed)
        #expect(processed == UInt64(parts.reduce(0) { $0 + $1.count }))
        try outbox.noteProcessed(processed, at: sender.now + 1)
        for part in try send().compactMap(\.events) {
            if case .complete(let count) = try receive(part) { received += count }
        }
        #expect(received == 120)
        #expect(receiver.replica.root(using: SwiftCryptography()) == sender.replica.root(using: SwiftCryptography()))
    }

    @Test("only what a peer's frontier lacks is planned")
    mutating func lacking() throws {
        let events = makeEvents(10)
        try sender.ingest(events)
        try receiver.ingest(Array(events.prefix(4)))
        let entry = FrontierEntry(ranges: [.init(start: 1, end: 4, id: .full(events[3].id))])
        let sent = try send(PeerFrontier(basis: .nothing, entries: [events[0].log: entry]))
        #expect(sent.count == 1)
        #expect(try receive(try #require(sent[0].events)) == .complete(6))
        // A peer whose fourth event is another one is sent them all.
        let other = FrontierEntry(ranges: [.init(start: 1, end: 4, id: .short(0))])
        outbox = Outbox()
        tables.outgoing = LogTable()
        (inbox, tables.incoming) = (Inbox(), LogTable())
        let all = try send(PeerFrontier(basis: .nothing, entries: [events[0].log: other]))
        #expect(try receive(try #require(all.first?.events)) == .complete(10))
    }

    @Test("an inbox without the event that a window builds on is stuck once")
    mutating func stuck() throws {
        let events = makeEvents(60, bytes: 2_000)
        try sender.ingest(events)
        let entry = FrontierEntry(ranges: [.init(start: 1, end: 4, id: .full(events[3].id))])
        let parts = try send(PeerFrontier(basis: .nothing, entries: [events[0].log: entry])).compactMap(\.events)
        let outcomes = try parts.prefix(2).map { try receive($0) }
        #expect(outcomes == [.stuck, .incomplete])
        #expect(inbox.mustAcknowledge && receiver.replica.frontier.logs.allSatisfy { !$0.isKnown })
    }

    @Test("a part without a beginning is skipped and counted, and unknown flags are an error")
    mutating func skipped() throws {
        #expect(try receive([0, 1, 2, 3]) == .incomplete)
        #expect(try acknowledge().map(\.processed) == [4])
        #expect(try acknowledge().isEmpty)
        #expect(throws: WireError.self) { try receive([8]) }
    }

    @Test("a window that would rebuild to more than 32 MiB is refused")
    mutating func windowBound() throws {
        let event = makeEvents(1, bytes: 60_000)[0]
        var (encoder, table, parts) = (TransitEncoder(), LogTable(), [[UInt8]]())
        for flags in [WindowFlags.begins, 0] {
            var part = [flags]
            encoder.encode(
                event, signature: nil, receiverHolds: { _, _ in false }, logs: &table, into: &part)
            parts.append(part)
        }
        let each = parts[1].count + event.rebuiltSize
        var total = parts[0].count + event.rebuiltSize
        #expect(try receive(parts[0][...]) == .incomplete)
        while total + each <= Limits.window {
            #expect(try receive(parts[1][...]) == .incomplete)
            total += each
        }
        #expect(throws: EngineError.self) { try receive(parts[1][...]) }
    }

    @Test("more certificates than a window has events are refused")
    func certificates() throws {
        var inbox = inbox
        let many = [Bytes](repeating: [], count: Limits.windowCertificates + 1)
        #expect(throws: EngineError.self) {
            try inbox.receive(certificates: many, receiver.replica, using: SwiftCryptography())
        }
        // As many as are allowed are looked at, and malformed.
        #expect(throws: WireError.self) {
            try inbox.receive(certificates: many.dropLast(), receiver.replica, using: SwiftCryptography())
        }
    }

    @Test("what a peer announces is requested after a second, if it has not come")
    mutating func announcements() throws {
        let events = makeEvents(5)
        try receiver.ingest(Array(events.prefix(3)))
        inbox.noteAnnounced(events[0].log, to: 5, at: 1_000)
        inbox.noteAnnounced(events[0].log, to: 5, at: 1_900)
        #expect(inbox.announceDeadline == 2_000)
        #expect(inbox.takeAnnounced(receiver.replica.frontier).map(\.sequences) == [4...5])
        #expect(inbox.announceDeadline == nil && inbox.takeAnnounced(receiver.replica.frontier).isEmpty)
        inbox.noteAnnounced(events[0].log, to: 5, at: 1_000)
        try receiver.ingest(Array(events.dropFirst(3)))
        #expect(inbox.takeAnnounced(receiver.replica.frontier).isEmpty)
        for number in 0..<257 { inbox.noteAnnounced(LogID(Workbench.eventID(number).value), to: 1, at: 1_000) }
        #expect(inbox.takeAnnounced(receiver.replica.frontier).count == 256)
    }

    @Test("a lazy peer is told of new events, another one is sent them, and neither gets its own back")
    mutating func enqueue() throws {
        let events = makeEvents(3)
        try sender.ingest(events)
        let stored = events.map { (log: 0, event: $0) }
        var lazy = Outbox()
        lazy.setPeerLazy(true)
        #expect(lazy.enqueue(stored, sender.replica.frontier) == [0, 0, 0] && lazy.plan.isEmpty)
        outbox.noteReceived([stored[0]])
        #expect(outbox.enqueue([stored[0]], sender.replica.frontier).isEmpty && outbox.plan.isEmpty)
        #expect(outbox.enqueue(stored, sender.replica.frontier).isEmpty && !outbox.plan.isEmpty)
        #expect(outbox.covered[0] == 3 && outbox.heldByPeer[0] == 1)
    }

    @Test("a peer cannot have processed more than it was sent, nor want more than 256 ranges")
    mutating func bounds() throws {
        try outbox.noteProcessed(0, at: 1)
        #expect(throws: EngineError.self) { try outbox.noteProcessed(1, at: 1) }
        for count in [256, 257] {
            var (bytes, table) = ([UInt8(0)], LogTable())
            for _ in 0..<count {
                table.write(LogID(.zero), to: &bytes)
                bytes += [1, 2]
            }
            var (copy, incoming) = (outbox, LogTable())
            func want() throws { try copy.receive(want: bytes[...], sender.replica.frontier, &incoming) }
            if count == 256 { try want() } else { #expect(throws: WireError.self) { try want() } }
        }
    }
}
