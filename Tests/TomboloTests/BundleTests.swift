import Foundation
import Testing
import Tombolo
import TomboloCore
import TomboloSQLite
import TomboloSimulation
import TomboloTesting

/// What is carried by hand between devices that never meet.
@Suite("A bundle")
struct BundleTests {
    private func texts(_ group: SyncGroup) throws -> [String] {
        try group.timeline(limit: 10_000).map { try $0.content(as: Text.self)?.string ?? ($0.isErased ? "(gone)" : "") }
            .filter { !$0.isEmpty }
    }

    /// Two devices of a group that have met once, when the second joined, and no more.
    private func withPair(
        _ policy: Policy = .private,
        _ body: (URL, _ a: Node, _ b: Node, _ group: SyncGroup, _ joined: SyncGroup) async throws -> Void
    ) async throws {
        try await withDirectory { root in
            let network = MemoryNetwork()
            let a = try await network.openNode(at: root.appendingPathComponent("a"))
            let b = try await network.openNode(at: root.appendingPathComponent("b"))
            let group = try await a.createGroup(named: "crew", policy: policy)
            try await a.listen(host: "a", port: 1)
            let joined = try await b.join(try await group.invite(addresses: ["a:1"]))
            #expect(try await b.sync().failures == [:])
            try await body(root, a, b, group, joined)
            try await a.close()
            try await b.close()
        }
    }

    @Test("brings what was said, and the secrets that it is sealed under", arguments: [Policy.open, .private])
    func carried(policy: Policy) async throws {
        try await withPair(policy) { root, a, b, group, joined in
            for number in 0..<300 { try await group.send(Text("\(number)")) }
            let file = root.appendingPathComponent("one.bundle")
            let summary = try await group.writeBundle(to: file)
            #expect(summary.events >= 300 && summary.secrets == (policy == .private ? 1 : 0))
            #expect(try Data(contentsOf: file).count == summary.bytes)
            let reading = try await b.readBundle(at: file)
            #expect(reading.group == group.id && reading.writer == a.device && reading.isComplete)
            #expect(reading.newEvents >= 300)
            #expect(try texts(joined) == texts(group) && texts(joined).count == 300)
            #expect(try joined.digest == group.digest && joined.verify() == [])
            // Once more, nothing is new.
            let again = try await b.readBundle(at: file)
            #expect(again.newEvents == 0 && again.heldEvents == summary.events)
            // It answers with what the other lacks, and no more.
            try await joined.send(Text("I have read it"))
            let answer = root.appendingPathComponent("answer.bundle")
            let written = try await joined.writeBundle(to: answer, answering: file)
            #expect(written.events <= 4, "the answer, and what begins its logs")
            #expect(try await a.readBundle(at: answer).isComplete)
            #expect(try texts(group).last == "I have read it")
            #expect(try joined.digest == group.digest)
        }
    }

    @Test("says nothing to who is not in the group, not even of which group it is")
    func stranger() async throws {
        try await withPair { root, a, _, group, _ in
            let text = secret(1, bytes: 200)
            try await group.send(Text(text))
            let files = ["one", "two"].map { root.appendingPathComponent("\($0).bundle") }
            for file in files { _ = try await group.writeBundle(to: file) }
            let bytes = try files.map { try Data(contentsOf: $0) }
            for bytes in bytes {
                for known in [Data(text.utf8), Data(group.id.bytes), Data(a.device.bytes), Data(a.member.bytes)] {
                    #expect(bytes.range(of: known) == nil)
                }
            }
            // Two of the same have nothing in common but what every bundle begins with.
            #expect(zip(bytes[0].dropFirst(16), bytes[1].dropFirst(16)).count { $0 == $1 } < bytes[0].count / 64)
            let c = try await MemoryNetwork().openNode(at: root.appendingPathComponent("c"))
            _ = try await c.createGroup(named: "another")
            await #expect(throws: TomboloError.self) { try await c.readBundle(at: files[0]) }
            try await c.close()
        }
    }

    @Test("brings nothing back: not what was redacted, not what has expired")
    func erased() async throws {
        try await withPair { root, _, b, group, joined in
            try await group.send(Text("stays"))
            let text = secret(7, bytes: 400)
            let redacted = try await group.send(Text(text))
            let before = root.appendingPathComponent("before.bundle")
            _ = try await group.writeBundle(to: before)
            let entry = try #require(try group.timeline(limit: 10).first { $0.id == redacted })
            try await group.redact(entry)
            let after = root.appendingPathComponent("after.bundle")
            _ = try await group.writeBundle(to: after)
            _ = try await b.readBundle(at: after)
            #expect(try texts(joined) == ["stays", "(gone)"])
            _ = try await b.readBundle(at: before)
            #expect(try texts(joined) == ["stays", "(gone)"])
            #expect(try traces(of: [text], in: root).isEmpty)
            #expect(try joined.digest == group.digest && joined.verify() == [])
        }
    }

    @Test("that is cut anywhere brings what comes before, and a changed one is refused from there on")
    func damaged() async throws {
        try await withPair { root, _, b, group, joined in
            for number in 0..<40 { try await group.send(Text(secret(number, bytes: 30_000))) }
            let file = root.appendingPathComponent("whole.bundle")
            _ = try await group.writeBundle(to: file)
            let whole = try Data(contentsOf: file)
            let part = root.appendingPathComponent("part.bundle")
            var seen = 0
            for count in [0, 15, 63, 64, 70, 1_000, whole.count / 2, whole.count - 1] {
                try whole.prefix(count).write(to: part)
                if count < 64 {
                    await #expect(throws: TomboloError.self) { try await b.readBundle(at: part) }
                } else {
                    let reading = try await b.readBundle(at: part)
                    #expect(!reading.isComplete)
                    seen += reading.newEvents
                }
            }
            #expect(seen > 10)
            for place in [20, 50, 66, 200, whole.count / 2, whole.count - 1] {
                var changed = whole
                changed[place] ^= 4
                try changed.write(to: part)
                let result = try? await b.readBundle(at: part)
                #expect(result?.isComplete != true, "byte \(place)")
            }
            #expect(try await b.readBundle(at: file).isComplete)
            #expect(try joined.digest == group.digest && texts(joined).count == 40)
            // A part in another place, or left out, is damage as well.
            var swapped = whole.prefix(64)
            var parts: [Data] = []
            var rest = whole.dropFirst(64)
            while rest.count >= 4 {
                let count = rest.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
                parts.append(rest.prefix(4 + count))
                rest = rest.dropFirst(4 + count)
            }
            #expect(parts.count > 3)
            for part in parts.reversed() { swapped += part }
            try swapped.write(to: part)
            await #expect(throws: TomboloError.self) { try await b.readBundle(at: part) }
            try Data(whole.prefix(64) + parts[0] + parts.dropFirst(2).joined()).write(to: part)
            await #expect(throws: TomboloError.self) { try await b.readBundle(at: part) }
        }
    }

    @Test(
        "does not take the place of another file, leaves nothing behind where it cannot be written, and is no answer to another group's"
    )
    func badPlaces() async throws {
        try await withPair { root, a, _, group, _ in
            let taken = root.appendingPathComponent("taken")
            try Data("mine".utf8).write(to: taken)
            await #expect(throws: TomboloError.self) { try await group.writeBundle(to: taken) }
            #expect(try Data(contentsOf: taken) == Data("mine".utf8))
            let nowhere = root.appendingPathComponent("no/such/folder")
            await #expect(throws: TomboloError.self) { try await group.writeBundle(to: nowhere) }
            let other = try await a.createGroup(named: "other")
            let file = root.appendingPathComponent("other.bundle")
            _ = try await other.writeBundle(to: file)
            let answer = root.appendingPathComponent("answer.bundle")
            await #expect(throws: TomboloError.self) { try await group.writeBundle(to: answer, answering: file) }
            await #expect(throws: TomboloError.self) { try await group.writeBundle(to: answer, answering: taken) }
            await #expect(throws: TomboloError.self) { try await a.readBundle(at: taken) }
            await #expect(throws: TomboloError.self) { try await a.readBundle(at: nowhere) }
            let left = try FileManager.default.contentsOfDirectory(atPath: root.path).sorted()
            #expect(left == [".a.token", ".b.token", "a", "b", "other.bundle", "taken"])
        }
    }

    @Test("of whoever has the group's secret may say anything: nobody is harmed", arguments: [UInt64(3), 4])
    func hostile(seed: UInt64) async throws {
        try await withPair { root, _, b, group, joined in
            try await group.send(Text("the tide is out"))
            let file = root.appendingPathComponent("good.bundle")
            _ = try await group.writeBundle(to: file)
            let storage = try SQLiteStorage(directory: root.appendingPathComponent("a"), isReadOnly: true)
            let discovery = try #require(try storage.read { try $0.groups() }.first { $0.id == group.id }?.discovery)
            try storage.close()
            let nonce = [UInt8](repeating: 9, count: 32)
            let key = BundleFile.Key(discovery: discovery, nonce: nonce)
            // A good part, changed after it was opened, as only a member's device can.
            let good = try Data(contentsOf: file)
            let goodKey = BundleFile.Key(discovery: discovery, nonce: Array(good[16..<48]))
            let plain = try #require(goodKey.open(Array(good[68...]), number: 0, isLast: true))
            var generator = SeededGenerator(seed: seed)
            let bad = root.appendingPathComponent("bad.bundle")
            var refused = 0
            for attempt in 0..<200 {
                var part = plain
                if attempt.isMultiple(of: 4) {
                    part = (0..<Int.random(in: 0..<300, using: &generator)).map { _ in
                        .random(in: 0...255, using: &generator)
                    }
                } else {
                    for _ in 0..<Int.random(in: 1..<4, using: &generator) {
                        part[Int.random(in: part.indices, using: &generator)] = .random(in: 0...255, using: &generator)
                    }
                }
                let sealed = key.seal(part, number: 0, isLast: true)
                var bytes = BundleFile.magic + nonce + key.tag
                bytes.append(fixed32: UInt32(sealed.count))
                try Data(bytes + sealed).write(to: bad)
                do { _ = try await b.readBundle(at: bad) } catch { refused += 1 }
            }
            #expect(refused > 20, "seed \(seed)")
            #expect(try joined.verify() == [], "seed \(seed)")
            _ = try await b.readBundle(at: file)
            #expect(try texts(joined) == ["the tide is out"] && joined.digest == group.digest, "seed \(seed)")
        }
    }

    @Test("to who was removed brings no secret of what is said after")
    func removed() async throws {
        try await withPair { root, _, b, group, joined in
            try await group.send(Text("before"))
            let first = root.appendingPathComponent("first.bundle")
            _ = try await group.writeBundle(to: first)
            _ = try await b.readBundle(at: first)
            try await group.remove(b.member)
            try await group.send(Text("after"))
            for answering in [nil, first] {
                let file = root.appendingPathComponent("\(UUID()).bundle")
                let summary = try await group.writeBundle(to: file, answering: answering)
                #expect(summary.secrets == 0)
                _ = try await b.readBundle(at: file)
            }
            #expect(try texts(joined) == ["before"])
        }
    }
}
