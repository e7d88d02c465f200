import Testing
import TomboloCrypto

@testable import TomboloCore

@Suite("Recent and pending events")
struct RecentEventsTests {
    private func place(_ sequence: UInt64) -> RecentEvents.Place {
        RecentEvents.Place(log: LogID(.zero), sequence: sequence, lamport: sequence, status: .delivered)
    }

    @Test("nothing is forgotten within a batch, and a place that is not used for two generations is")
    func generations() {
        var recent = RecentEvents(capacity: 4)
        let ids = (0..<12).map(Workbench.eventID)
        recent.beginBatch()
        for (number, id) in ids.enumerated() { recent[id] = place(UInt64(number)) }
        for (number, id) in ids.enumerated() { #expect(recent[id] == place(UInt64(number))) }
        recent.beginBatch()
        // The first is used, and moves up.
        #expect(recent[ids[0]] != nil)
        for number in 100..<103 { recent[Workbench.eventID(number)] = place(1) }
        recent.beginBatch()
        #expect(recent[ids[0]] != nil && recent[ids[1]] == nil)
        #expect(recent[Workbench.eventID(100)] != nil)
    }

    @Test("a generation below its capacity stays", arguments: [3, 4])
    func capacity(count: Int) {
        var recent = RecentEvents(capacity: 4)
        recent[Workbench.eventID(0)] = place(0)
        for _ in 0..<2 {
            recent.beginBatch()
            for number in 1..<count { recent[Workbench.eventID(number)] = place(1) }
        }
        // Three never make a generation old. Four do, twice, and the first of them is not used meanwhile.
        recent.beginBatch()
        recent[Workbench.eventID(9)] = place(1)
        recent.beginBatch()
        #expect((recent[Workbench.eventID(0)] != nil) == (count < 4))
        recent.removeAll()
        #expect(recent[Workbench.eventID(0)] == nil)
    }

    @Test("pending events have ordinals in order, and the first at a place is known before and after it is asked for")
    func pending() {
        var log = ForeignLog(group: GroupID(.zero), seed: 1)
        let first = log.event(after: nil, "first", signed: false)
        let (left, right) = (
            log.event(after: first, "left", signed: false), log.event(after: first, "right", signed: false)
        )
        var pending = PendingEvents(first: 41, capacity: 3)
        #expect(pending.nextOrdinal == 41)
        pending.append(first, log: 2, .delivered)
        #expect(pending.event(ofLog: 2, at: 1) == first.id && pending.event(ofLog: 2, at: 2) == nil)
        pending.append(left, log: 2, .waiting)
        pending.append(right, log: 2, .invalid)
        #expect(pending.event(ofLog: 2, at: 2) == left.id && pending.event(ofLog: 1, at: 1) == nil)
        #expect(pending.nextOrdinal == 44 && pending.statuses == [.delivered, .waiting, .invalid])
    }
}

@Suite("Secrets that came early")
struct EarlySecretsTests {
    private func secret(_ number: UInt8) -> RekeySecret {
        RekeySecret(root: SwiftCryptography().sha256([number]), using: SwiftCryptography())
    }

    @Test("each session has a share of its own, of 256")
    func shares() {
        var early = EarlySecrets()
        let (greedy, modest) = (SessionID(rawValue: 1), SessionID(rawValue: 2))
        for number in 0..<300 { early.insert(secret(1), of: Workbench.eventID(number), from: greedy) }
        early.insert(secret(2), of: Workbench.eventID(299), from: modest)
        #expect(early.remove(Workbench.eventID(255)).count == 1)
        #expect(early.remove(Workbench.eventID(256)).isEmpty)
        #expect(early.remove(Workbench.eventID(299)).map(\.values) == [secret(2).values])
        // There is room again for what was taken out.
        early.insert(secret(1), of: Workbench.eventID(256), from: greedy)
        #expect(early.remove(Workbench.eventID(256)).count == 1)
    }

    @Test("candidates of all sessions come in the order of the sessions, and go with them")
    func candidates() {
        var early = EarlySecrets()
        let id = Workbench.eventID(1)
        for session in [3, 1, 2] as [UInt64] {
            early.insert(secret(UInt8(session)), of: id, from: SessionID(rawValue: session))
        }
        early.remove(from: SessionID(rawValue: 2))
        #expect(early.remove(id).map(\.values) == [secret(1).values, secret(3).values])
        #expect(early.remove(id).isEmpty)
    }
}

@Suite("Records of a session, and tables of sessions")
struct RecordSessionTests {
    @Test("ids stay in order, each once, and can come again after they left")
    func uniqueIDs() {
        var ids = UniqueIDs()
        let (a, b) = (Workbench.eventID(1), Workbench.eventID(2))
        for id in [a, b, a] { ids.append(id) }
        #expect(ids.count == 2 && ids.first == a)
        ids.removeFirst()
        ids.append(a)
        #expect(ids.removeAll() == [b, a] && ids.isEmpty && ids.first == nil)
        ids.append(b)
        #expect(ids.count == 1)
    }

    @Test("the window is full at 262,144 bytes, and a message counts once")
    func window() {
        var records = RecordSession()
        let (a, b) = (Workbench.eventID(1), Workbench.eventID(2))
        records.noteSent(a, bytes: 262_143)
        records.noteSent(a, bytes: 262_143)
        #expect(!records.isWindowFull)
        records.noteSent(b, bytes: 1)
        #expect(records.isWindowFull && records.inFlightBytes == 262_144)
        records.noteSent(a, bytes: 5)
        #expect(records.inFlightBytes == 6)
        for _ in 0..<2 { records.noteSettled(a) }
        #expect(records.inFlightBytes == 1)
        records.noteSettled(b)
        #expect(records.inFlightBytes == 0 && records.isIdle)
    }

    @Test("a table of sessions agrees with a dictionary", arguments: 1...4 as ClosedRange<UInt64>)
    func table(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var (table, model) = (SessionTable<Int>(), [SessionID: Int]())
        for number in 0..<300 {
            let id = SessionID(rawValue: .random(in: 0..<40, using: &generator))
            if model[id] == nil {
                table.insert(number, for: id)
                model[id] = number
            } else if Bool.random(using: &generator) {
                table.remove(id)
                model[id] = nil
            }
            #expect(table.ids == model.keys.sorted() && table.values == model.keys.sorted().compactMap { model[$0] })
            #expect(table[id] == model[id])
        }
        table.remove(SessionID(rawValue: 99))
        #expect(table.indices.count == model.count)
    }
}
