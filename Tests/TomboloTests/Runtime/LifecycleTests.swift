import Foundation
import TestSupport
import Testing
import Tombolo
import TomboloCore
import TomboloTesting

@Suite("A node's life: budgets, suspension, reading beside a writer")
struct LifecycleTests {
    @Test("a budget is kept, what has come stays, and further syncs go on from there")
    func budget() async throws {
        try await withDirectory { root in
            let a = try await Node.open(at: root.appendingPathComponent("a"))
            let b = try await Node.open(at: root.appendingPathComponent("b"))
            let crew = try await a.createGroup(named: "crew")
            try await a.listen()
            let joined = try await b.join(try await crew.invite())
            var state: UInt64 = 1  // content that deflates to nothing less
            for _ in 0..<60 {
                let bytes = (0..<20_000).map { _ in
                    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                    return UInt8(truncatingIfNeeded: state >> 56)
                }
                try await crew.send(bytes: Data(bytes))
            }
            var meetings = 0
            var last = 0
            while true {
                meetings += 1
                let report = try await b.sync(within: .budget(bytes: 400_000))
                #expect(report.bytes <= 400_000)
                #expect(report.failures.isEmpty)
                let held = try await joined.status.held
                #expect(held > last || report.isComplete, "a meeting brought nothing")
                last = held
                if report.isComplete { break }
                try #require(meetings < 20)
            }
            #expect(meetings > 1)
            #expect(try await joined.digest == crew.digest)
            try await a.close()
            try await b.close()
        }
    }

    @Test("a suspended node lets another process have the directory, and goes on after it")
    func suspend() async throws {
        try await withDirectory { root in
            let node = try await Node.open(at: root)
            let group = try await node.createGroup(named: "notes")
            try await group.send(PlainText("before"))
            await #expect(throws: TomboloError.self) { _ = try await Node.open(at: root) }
            try await node.suspend()
            await #expect(throws: TomboloError.self) { try await group.send(PlainText("meanwhile")) }
            let other = try await Node.open(at: root)
            try await #require(other.groups.first).send(PlainText("by another"))
            await #expect(throws: TomboloError.self) { try await node.resume() }
            try await other.close()
            try await node.resume()
            try await group.send(PlainText("after"))
            #expect(
                try await group.timeline(limit: 9).map { $0.content(as: PlainText.self)?.string } == [
                    "before", "by another", "after",
                ])
            #expect(try await group.verify().isEmpty)
            try await node.close()
        }
    }

    @Test("a second process reads beside the writer, sees what is new, and writes nothing")
    func readOnly() async throws {
        try await withDirectory { root in
            await #expect(throws: TomboloError.self) { try await Node.openReadOnly(at: root) }
            let node = try await Node.open(at: root)
            let group = try await node.createGroup(named: "notes")
            try await group.send(PlainText("one"))
            let reader = try await Node.openReadOnly(at: root)
            #expect(reader.device == node.device && reader.member == node.member)
            let seen = try #require(try await reader.groups.first)
            #expect(try await seen.timeline(limit: 9).count == 1)
            try await group.send(PlainText("two"))
            #expect(try await seen.timeline(limit: 9).count == 2)
            var changes = seen.changes().makeAsyncIterator()
            #expect(try await changes.next() != nil)
            #expect(try await changes.next() != nil)
            await #expect(throws: TomboloError.self) { try await seen.send(PlainText("three")) }
            await #expect(throws: TomboloError.self) { try await reader.createGroup(named: "x") }
            try await reader.close()
            try await node.close()
        }
    }

    @Test("what has been read is kept, and what comes late counts as unread")
    func readMarks() async throws {
        try await withDirectory { root in
            let network = MemoryNetwork()
            let a = try await network.openNode(at: root.appendingPathComponent("a"))
            let b = try await network.openNode(at: root.appendingPathComponent("b"))
            let crew = try await a.createGroup(named: "crew")
            let port = try await a.listen(host: "a")
            let joined = try await b.join(try await crew.invite())
            for number in 0..<5 { try await crew.send(PlainText("\(number)")) }
            try await joined.send(PlainText("by b, before it had seen those of a"))
            _ = try await b.sync(with: a.device, at: "a:\(port)")
            #expect(try await crew.unreadCount == 1)
            #expect(try await joined.unreadCount == 5)
            try await joined.markAllRead()
            #expect(try await joined.unreadCount == 0)
            try await crew.send(PlainText("later"))
            _ = try await b.sync(with: a.device, at: "a:\(port)")
            #expect(try await joined.unreadCount == 1)
            let mark = try await joined.readMark
            try await joined.markRead(through: .start)
            #expect(try await joined.readMark == mark)
            try await b.close()
            let again = try await network.openNode(at: root.appendingPathComponent("b"))
            #expect(try await again.groups.first?.unreadCount == 1)
            try await again.close()
            try await a.close()
        }
    }
}
