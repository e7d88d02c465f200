import Testing

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
