import Foundation
import Synchronization
import TestSupport
import Testing
import Tombolo
import TomboloCore
import TomboloCrypto
import TomboloNIO
import TomboloSQLite
import TomboloTesting

/// What goes away, as an application, a disk and a thief see it.
@Suite(.serialized)
struct GroupErasureTests {
    /// Small ones between others on a page, and large ones on pages of their own; some were there before a checkpoint, some not.
    @Test func noByteOfWhatWasErasedIsLeftInTheFiles() async throws {
        try await withDirectory { root in
            let node = try await Node.open(at: root)
            let group = try await node.createGroup(named: "crew")
            var kept: [String] = []
            var erased: [String] = []
            for number in 0..<200 {
                let size = number.isMultiple(of: 16) ? 60_000 : [24, 90, 700, 3_000][number % 4]
                let text = secret(number, bytes: size)
                try await group.send(PlainText(text))
                if number % 3 == 0 { erased.append(text) } else { kept.append(text) }
                if number == 100 {
                    try await node.suspend()
                    try await node.resume()
                }
            }
            #expect(try traces(of: erased, in: root).count >= erased.count, "nothing is found where it is")
            for entry in try await group.timeline(limit: 1_000) {
                let text = try #require(entry.content(as: PlainText.self)?.string)
                if erased.contains(text) { try await group.redact(entry) }
            }
            #expect(try traces(of: erased, in: root).isEmpty)
            #expect(try await group.verify() == [])
            let left = try await group.timeline(limit: 1_000).compactMap { $0.content(as: PlainText.self)?.string }
            #expect(left == kept)
            #expect(try await group.timeline(limit: 1_000).count { $0.isErased } == erased.count)
            try await node.close()
            #expect(try traces(of: erased, in: root).isEmpty)
        }
    }

    @Test func whoReadsAnOlderSnapshotDelaysItAndACrashDoesNotPreventIt() async throws {
        try await withDirectory { root in
            let data = root.appendingPathComponent("data")
            let node = try await Node.open(at: data)
            let group = try await node.createGroup(named: "crew")
            let text = secret(1, bytes: 500)
            try await group.send(PlainText(text))
            try await node.close()
            let storage = try SQLiteStorage(directory: data)
            let reader = try SQLiteStorage(directory: data, isReadOnly: true)
            try reader.read { snapshot in
                _ = try snapshot.groups()
                // The erasure is committed meanwhile, and what the reader sees is still in the files.
                try storage.write(isDurable: true) { store in
                    let last = try store.lastOrdinal()
                    try store.erase(try store.headers(ordinals: [last]), forGood: true, inGroup: 1)
                }
                #expect(try storage.purge() == false)
            }
            try reader.close()
            #expect(try !traces(of: [text], in: data).isEmpty)
            // As after a crash: a copy of the files as they are, opened again.
            let copy = root.appendingPathComponent("copy")
            try FileManager.default.createDirectory(at: copy, withIntermediateDirectories: true)
            for file in ["tombolo.sqlite", "tombolo.sqlite-wal"] {
                try FileManager.default.copyItem(
                    at: data.appendingPathComponent(file), to: copy.appendingPathComponent(file))
            }
            #expect(try !traces(of: [text], in: copy).isEmpty)
            let again = try SQLiteStorage(directory: copy)
            #expect(try traces(of: [text], in: copy).isEmpty)
            try again.close()
            #expect(try storage.purge())
            #expect(try traces(of: [text], in: data).isEmpty)
            try storage.close()
        }
    }

    @Test func whatExpiresGoesAtItsTime() async throws {
        let simulation = try NodeSimulation(seed: 5)
        let ann = try await simulation.addDevice("ann")
        let bob = try await simulation.addDevice("bob")
        let group = try await ann.node.createGroup(named: "crew")
        let link = try await group.invite()
        let (bobsNode, text) = (try bob.node, secret(2, bytes: 200))
        let bobs = try await simulation.run { try await bobsNode.join(link) }
        try await group.send(PlainText(text), expiring: .seconds(3_600))
        try await group.send(PlainText("for ever"))
        try await simulation.settle()
        #expect(try await bobs.timeline(limit: 10).map(\.isErased) == [false, false])
        #expect(try await bobs.unreadCount == 2)
        let directories = [ann, bob].map { $0.directory.deletingLastPathComponent() }
        for directory in directories { #expect(try !traces(of: [text], in: directory).isEmpty) }
        try await simulation.run(for: .seconds(3_600))
        for group in [group, bobs] {
            #expect(try await group.timeline(limit: 10).map(\.isErased) == [true, false])
            let changes = try await group.changes(after: .start, limit: 10)
            #expect(changes.map(\.name) == ["erased expired", "delivered", "erased expired"])
            #expect(try await group.verify() == [])
        }
        let first = try #require(try await bobs.timeline(limit: 10).first)
        #expect(first.type == nil && first.data.isEmpty)
        #expect(try await bobs.unreadCount == 1)
        for directory in directories { #expect(try traces(of: [text], in: directory).isEmpty) }
        #expect(try await bobs.digest == group.digest)
        try await simulation.close()
    }

    private final class ManualClock: NodeClock {
        private let time = Atomic<UInt64>(1_800_000_000_000)
        var now: UInt64 { time.load(ordering: .relaxed) }
        var uptime: Duration { .milliseconds(now) }
        func sleep(for duration: Duration) async throws { try await Task.sleep(for: .seconds(3_600)) }
        func advance(by milliseconds: UInt64) { time.wrappingAdd(milliseconds, ordering: .relaxed) }
    }

    @Test func nobodySeesWhatExpiredWhileTheDeviceWasOff() async throws {
        try await withDirectory { root in
            let clock = ManualClock()
            let text = secret(3, bytes: 200)
            for isOver in [false, true] {
                let node = try await Node.open(at: root, configuration: .init(clock: clock))
                if let group = try await node.groups.first {
                    #expect(try await group.timeline(limit: 1).first?.isErased == isOver)
                } else {
                    try await node.createGroup(named: "crew").send(PlainText(text), expiring: .seconds(60))
                }
                try await node.close()
                #expect(try traces(of: [text], in: root).isEmpty == isOver)
                clock.advance(by: 60_000)
            }
        }
    }

    @Test func aRedactionIsTraced() async throws {
        let simulation = try NodeSimulation(seed: 6)
        let ann = try await simulation.addDevice("ann")
        let bob = try await simulation.addDevice("bob")
        let group = try await ann.node.createGroup(named: "crew")
        let link = try await group.invite()
        let bobsNode = try bob.node
        let bobs = try await simulation.run { try await bobsNode.join(link) }
        try await bobs.send(PlainText("hello"))
        let said = try await group.send(PlainText("my address"))
        try await simulation.settle()
        let entry = try #require(try await group.entry(ofID: "\(said)"))
        await #expect(throws: TomboloError.self) { try await bobs.redact(entry) }
        #expect(
            await code { try await group.redact(entry, reason: String(repeating: "x", count: 1_025)) }
                == .contentTooLarge)
        try await group.redact(entry, reason: "not for everyone")
        let redaction = try #require(try await group.redactions(of: entry).first)
        #expect(redaction.reason == "not for everyone" && redaction.stands)
        #expect(try redaction.member == ann.node.member)
        #expect(redaction.receipts.map(\.device) == [try ann.node.device])
        try await simulation.settle()
        // Bob says nothing, and his device says for him that it is gone.
        try await simulation.run(for: .seconds(60))
        try await simulation.settle()
        let receipts = try await group.redactions(of: entry).first?.receipts.map(\.device)
        #expect(Set(receipts ?? []) == [try ann.node.device, try bob.node.device])
        #expect(try await bobs.redactions(of: entry).first?.receipts.map(\.device) == receipts)
        #expect(try await bobs.history(ofID: "\(entry.id)")?.isErased == true)
        await #expect(throws: TomboloError.self) { try await group.redact(entry) }
        try await simulation.close()
    }

    @Test func groupsSayHowLongThingsStay() async throws {
        try await withDirectory { root in
            let node = try await Node.open(at: root)
            let group = try await node.createGroup(named: "crew")
            #expect(try await group.state.expiry == nil)
            try await group.setExpiry(.seconds(86_400))
            #expect(try await group.state.expiry == .seconds(86_400))
            try await group.send(PlainText("for a day"))
            let entry = try #require(try await group.timeline(limit: 1).first)
            let expiry = try #require(entry.expiry)
            #expect(abs(expiry.timeIntervalSince(entry.timestamp) - 86_400) < 0.01)
            await #expect(throws: TomboloError.self) { try await group.setExpiry(.zero) }
            await #expect(throws: TomboloError.self) { try await group.send(PlainText("gone"), expiring: .zero) }
            try await group.setExpiry(nil)
            #expect(try await group.state.expiry == nil)
            let talk = try await node.createMVDSGroup(named: "talk")
            #expect(await code { try await talk.send(PlainText("gone"), expiring: .seconds(1)) } == .wrongDialect)
            try await node.close()
        }
    }

    @Test func aDrillCountsOnceWhatWasToldOfTwice() async throws {
        try await withDirectory { root in
            let node = try await Node.open(at: root.appendingPathComponent("data"))
            let group = try await node.createGroup(named: "crew")
            let said = try await group.send(PlainText("my address"))
            try await group.send(PlainText("for ever"))
            try await group.redact(try #require(try await group.entry(ofID: "\(said)")))
            #expect(try await group.changes(after: .start, including: .everything, limit: 10).count == 4)
            try await node.close()
            let scratch = root.appendingPathComponent("scratch")
            let drill = try await Node.drill(at: root.appendingPathComponent("data"), scratch: scratch)
            #expect(drill.groups.map(\.delivered) == [3] && drill.groups.map(\.recovered) == [0])
        }
    }
}
