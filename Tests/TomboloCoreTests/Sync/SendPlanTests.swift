import Testing

@testable import TomboloCore

@Suite("A plan of events to send")
struct SendPlanTests {
    /// Logs of random events, and a plan of all of them.
    private func makePlan(_ graph: RandomGraph) -> (StoredLogs, SendPlan) {
        var logs = StoredLogs()
        logs.add(graph.events)
        var plan = SendPlan()
        for log in logs.frontier.logs.indices { plan.add(log: log, 1...logs.frontier[log].lastSequence) }
        return (logs, plan)
    }

    /// One log with `count` events.
    private func makeLog(_ count: Int) -> (StoredLogs, [Event]) {
        var log = ForeignLog(group: GroupID(.zero), seed: 4)
        var events: [Event] = []
        for number in 0..<count { events.append(log.event(after: events.last, "\(number)", signed: false)) }
        var logs = StoredLogs()
        logs.add(events)
        return (logs, events)
    }

    @Test("parents come first over several logs, and each event once", arguments: 1...6 as ClosedRange<UInt64>)
    func parentsFirst(seed: UInt64) throws {
        let graph = RandomGraph(logs: 5, events: 300, seed: seed)
        var (logs, plan) = makePlan(graph)
        let sent = try logs.drain(&plan)
        #expect(isCausal(sent))
        #expect(sent.map(\.id) == graph.events.sorted { ($0.lamport, $0.id) < ($1.lamport, $1.id) }.map(\.id))
        #expect(plan.isEmpty)
        // A plan that has ended begins again for what is added.
        plan.add(log: 0, 1...1)
        #expect(!plan.isEmpty)
        #expect(try logs.drain(&plan).count == 1)
    }

    @Test("ranges that meet are joined, and others stay apart")
    func ranges() throws {
        let (logs, _) = makeLog(60)
        var plan = SendPlan()
        for range in [10...20, 15...30, 31...33, 5...9, 40...41, 43...44] as [ClosedRange<UInt64>] {
            plan.add(log: 0, range)
        }
        #expect(try logs.drain(&plan).map(\.sequence) == Array(5...33) + [40, 41, 43, 44])
    }

    @Test("beyond 1,024 ranges of a log, the gap before the last is filled")
    func rangeBound() throws {
        let (logs, _) = makeLog(2_049)
        for count in [1_023, 1_024, 1_025] {
            var plan = SendPlan()
            for number in 0..<count { plan.add(log: 0, UInt64(2 * number + 1)...UInt64(2 * number + 1)) }
            #expect(try logs.drain(&plan).count == (count > 1_024 ? count + 1 : count))
        }
    }

    @Test("events from before an agreement are left out unless they are asked for")
    func agreement() throws {
        let graph = RandomGraph(logs: 3, events: 120, seed: 8)
        var logs = StoredLogs()
        logs.add(Array(graph.events.prefix(70)))
        let agreed = logs.last
        logs.add(Array(graph.events.dropFirst(70)))
        for isAskedFor in [false, true] {
            var plan = SendPlan()
            plan.after = agreed
            for log in logs.frontier.logs.indices {
                plan.add(log: log, 1...logs.frontier[log].lastSequence, isAskedFor: isAskedFor)
            }
            let expected = isAskedFor ? graph.events : Array(graph.events.dropFirst(70))
            #expect(Set(try logs.drain(&plan).map(\.id)) == Set(expected.map(\.id)))
        }
    }

    @Test("events that the peer holds are left out of a forked log unless they are asked for")
    func excluded() throws {
        var log = ForeignLog(group: GroupID(.zero), seed: 5)
        let trunk = log.chain(3, "trunk")
        let (left, right) = (log.chain(150, after: trunk.last, "left"), log.chain(150, after: trunk.last, "right"))
        var logs = StoredLogs()
        logs.add(trunk + left + right)
        #expect(!logs.frontier[0].isLinear)
        for isAskedFor in [false, true] {
            var plan = SendPlan()
            plan.excluded[0] = Set((trunk + left).map(\.id))
            plan.add(log: 0, 1...153, isAskedFor: isAskedFor)
            let sent = try logs.drain(&plan)
            #expect(sent.count == (isAskedFor ? 303 : 150))
            #expect(Set(sent.map(\.id)).isSuperset(of: right.map(\.id)))
            #expect(Set(sent.map(\.id)).count == sent.count)
        }
    }

    @Test("events that are put back are the next ones of their log", arguments: 1...4 as ClosedRange<UInt64>)
    func putBack(seed: UInt64) throws {
        let graph = RandomGraph(logs: 3, events: 90, seed: seed)
        var (logs, plan) = makePlan(graph)
        var taken: [PlannedEvent] = []
        for _ in 0..<40 { taken.append(try #require(try plan.next(logs.frontier, in: logs.store))) }
        let ofOne = taken.filter { $0.cursor == taken[0].cursor }
        let back = Array(ofOne.suffix(3))
        plan.putBack(back)
        let kept = taken.filter { planned in !back.contains { $0.event.id == planned.event.id } }
        let next = try #require(try plan.next(ofCursor: taken[0].cursor, logs.frontier, in: logs.store))
        #expect(next.event.id == back.first?.event.id)
        let rest = try logs.drain(&plan)
        let all = kept.map(\.event) + [next.event] + rest
        #expect(all.count == 90 && Set(all.map(\.id)).count == 90)
        for log in 0..<3 {
            let id = logs.frontier[log].id
            let sequences = all.filter { $0.log == id }.map(\.sequence)
            #expect(sequences == sequences.sorted())
        }
    }

    @Test("events of the whole of an ended log can be put back")
    func putBackAtEnd() throws {
        let (logs, events) = makeLog(5)
        var plan = SendPlan()
        plan.add(log: 0, 1...5)
        var taken: [PlannedEvent] = []
        while let planned = try plan.next(logs.frontier, in: logs.store) { taken.append(planned) }
        #expect(plan.isEmpty)
        plan.putBack(Array(taken.suffix(2)))
        #expect(!plan.isEmpty)
        #expect(try logs.drain(&plan).map(\.id) == events.suffix(2).map(\.id))
    }

    @Test("a dropped log is sent no more, and the others are")
    func drop() throws {
        let graph = RandomGraph(logs: 3, events: 90, seed: 9)
        var (logs, plan) = makePlan(graph)
        let first = try #require(try plan.next(logs.frontier, in: logs.store))
        plan.drop(first.cursor)
        let sent = try logs.drain(&plan)
        #expect(sent.map(\.id).allSatisfy { id in id != first.event.id })
        #expect(Set(sent.map(\.log)) == Set(graph.events.map(\.log)).subtracting([first.event.log]))
        #expect(sent.count == graph.events.count { $0.log != first.event.log })
    }

    @Test("contents that are erased after they were read ahead are not sent")
    func erase() throws {
        let (logs, events) = makeLog(20)
        var plan = SendPlan()
        plan.add(log: 0, 1...20)
        _ = try plan.next(logs.frontier, in: logs.store)
        plan.erase([events[4].id, events[11].id])
        let sent = try logs.drain(&plan)
        #expect(sent.count == 19)
        #expect(sent.filter { $0.content == nil }.map(\.sequence) == [5, 12])
    }

    @Test("state events go first only where that is asked for")
    func stateFirst() throws {
        var (messages, states) = (
            ForeignLog(group: GroupID(.zero), seed: 6), ForeignLog(group: GroupID(.zero), seed: 7, isStateLog: true)
        )
        var (said, stated): ([Event], [Event]) = ([], [])
        for number in 0..<6 {
            said.append(messages.event(after: said.last, "\(number)", signed: false))
            stated.append(states.event(after: stated.last, "\(number)", signed: false) { $0.kind = .setting })
        }
        for isStateFirst in [false, true] {
            var logs = StoredLogs()
            logs.add(said + stated)
            var plan = SendPlan()
            plan.isStateFirst = isStateFirst
            for log in 0..<2 { plan.add(log: log, 1...6) }
            let kinds = try logs.drain(&plan).map(\.kind.isState)
            #expect(kinds.count == 12)
            #expect((kinds.prefix(6).allSatisfy { $0 }) == isStateFirst)
        }
    }
}
