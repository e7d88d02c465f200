import Foundation
import TestSupport
import Testing
import Tombolo
import TomboloCore
import TomboloSQLite
import TomboloSimulation
import TomboloTesting

/// Bundles that people carry between devices that never meet.
@Suite("A bundle")
struct BundleTests {
    private func texts(_ group: SyncGroup) async throws -> [String] {
        try await group.timeline(limit: 10_000).map {
            $0.content(as: PlainText.self)?.string ?? ($0.isErased ? "(gone)" : "")
        }
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

    /// Three devices of an open group, of which the last two have met nobody since they joined.
    private func withThree(
        _ body: (URL, MemoryNetwork, _ a: Node, _ b: Node, _ c: Node, _ group: SyncGroup) async throws -> Void
    ) async throws {
        try await withDirectory { root in
            let network = MemoryNetwork()
            let a = try await network.openNode(at: root.appendingPathComponent("a"))
            let group = try await a.createGroup(named: "crew")
            try await a.listen(host: "a", port: 1)
            var others: [Node] = []
            for name in ["b", "c"] {
                let node = try await network.openNode(at: root.appendingPathComponent(name))
                _ = try await node.join(try await group.invite(addresses: ["a:1"]))
                others.append(node)
            }
            try await body(root, network, a, others[0], others[1], group)
        }
    }

    @Test(
        "brings what was said, and its answer what the other lacks, and in a private group the secrets",
        arguments: [Policy.open, .private])
    func carried(policy: Policy) async throws {
        try await withPair(policy) { root, a, b, group, joined in
            for number in 0..<300 { try await group.send(PlainText("\(number)")) }
            let files = (0..<4).map { root.appendingPathComponent("\($0).bundle") }
            let summary = try await group.writeBundle(to: files[0])
            #expect(summary.events >= 300 && summary.secrets == 0)
            #expect(try Data(contentsOf: files[0]).count == summary.bytes)
            let reading = try await b.readBundle(at: files[0])
            #expect(reading.group == group.id && reading.writer == a.device && reading.isComplete)
            #expect(reading.newEvents >= 300)
            #expect(try await joined.digest == group.digest)
            #expect(try await joined.verify() == [])
            // Once more, nothing is new.
            let again = try await b.readBundle(at: files[0])
            #expect(again.newEvents == 0 && again.heldEvents == summary.events)
            try await joined.send(PlainText("I have read it"))
            let written = try await joined.writeBundle(to: files[1], answering: files[0])
            #expect(written.events <= 5, "the answer, and what begins its logs")
            #expect(try await a.readBundle(at: files[1]).isComplete)
            if policy == .private {
                #expect(try await texts(joined) == ["I have read it"])
                #expect(try await texts(group).count == 301)
                #expect(try answerSeeds(root, "b") == 32)
                let secrets = try await group.writeBundle(to: files[2], answering: files[1])
                #expect(secrets.secrets == 2 && secrets.events == 0, "its own, and the other's")
                _ = try await b.readBundle(at: files[2])
                // The key that they were sealed to has done its work.
                #expect(try answerSeeds(root, "b") == 0)
                _ = try await b.readBundle(at: files[2])
                _ = try await joined.writeBundle(to: files[3], answering: files[2])
                _ = try await a.readBundle(at: files[3])
            }
            #expect(try await Set(texts(group)) == Set((0..<300).map { "\($0)" } + ["I have read it"]))
            #expect(try await texts(joined) == texts(group))
            #expect(try await joined.digest == group.digest)
            #expect(try await joined.verify() == [])
        }
    }

    /// Bytes of what keys for answers follow from, on a device.
    private func answerSeeds(_ root: URL, _ name: String) throws -> Int {
        let storage = try SQLiteStorage(directory: root.appendingPathComponent(name), isReadOnly: true)
        defer { try? storage.close() }
        return try storage.read { try $0.value(forKey: IdentityKeys.answerSeeds)?.count ?? 0 }
    }

    @Test("brings what came in another order than it was said, and of which not all is signed")
    func gaps() async throws {
        try await withThree { root, network, a, b, c, group in
            let joined = try #require(try await b.group(group.id))
            let copy = try #require(try await c.group(group.id))
            for number in 0..<400 { try await group.send(PlainText("\(number)")) }
            let storage = try SQLiteStorage(directory: root.appendingPathComponent("a"), isReadOnly: true)
            let record = try #require(try storage.read { try $0.groups() }.first { $0.id == group.id })
            let events = try storage.read { try $0.events(of: record, after: 0, limit: 1_000) }.map(\.event)
            try storage.close()
            let state = events.filter(\.header.kind.isState)
            let said = events.filter { $0.header.kind == .message }
            func message(_ event: Event, isSigned: Bool) -> Message {
                (isSigned ? event : event.signed(with: nil)).message(in: group.id)
            }
            _ = try await joined.ingest(state.map { message($0, isSigned: true) })
            // Each hundredth comes first, and vouches for those between, which come later.
            _ = try await joined.ingest(
                said.filter { $0.sequence % 100 == 1 || $0.sequence == 400 }.map { message($0, isSigned: true) })
            for hundred in [2, 0, 3, 1] {
                let between = said.filter { ($0.sequence - 1) / 100 == UInt64(hundred) && $0.sequence % 100 != 1 }
                _ = try await joined.ingest(between.map { message($0, isSigned: $0.sequence == 400) })
            }
            #expect(try await joined.digest == group.digest)
            let file = root.appendingPathComponent("gaps.bundle")
            let summary = try await joined.writeBundle(to: file)
            #expect(summary.events == events.count)
            #expect(try await c.readBundle(at: file).isComplete)
            #expect(try await copy.digest == group.digest)
            #expect(try await texts(copy).count == 400)
            #expect(try await copy.verify() == [])
            for node in [a, b, c] { try await node.close() }
        }
    }

    @Test("is not answered to another key than its writer's, whoever of the group asks in its name")
    func impostor() async throws {
        try await withPair { root, a, b, group, joined in
            try await group.send(PlainText("among us"))
            let file = root.appendingPathComponent("b.bundle")
            _ = try await joined.writeBundle(to: file)
            let good = try Data(contentsOf: file)
            let storage = try SQLiteStorage(directory: root.appendingPathComponent("a"), isReadOnly: true)
            let discovery = try #require(try storage.read { try $0.groups() }.first { $0.id == group.id }?.discovery)
            try storage.close()
            let key = BundleFile.Key(group.id, discovery: discovery, nonce: Array(good[16..<48]))
            var plain = try #require(key.open(Array(good[68...]), number: 0, isLast: true))
            // The record begins behind its kind and length: the device, the time, and the key for an answer.
            #expect(Array(plain[3..<35]) == b.device.bytes || Array(plain[2..<34]) == b.device.bytes)
            let start = Array(plain[2..<34]) == b.device.bytes ? 2 : 3
            plain[start + 40] ^= 1
            let sealed = key.seal(plain, number: 0, isLast: true)
            var bytes = Array(good.prefix(64))
            bytes.append(fixed32: UInt32(sealed.count))
            let bad = root.appendingPathComponent("bad.bundle")
            try Data(bytes + sealed).write(to: bad)
            let answer = root.appendingPathComponent("answer.bundle")
            await #expect(throws: TomboloError.self) { try await group.writeBundle(to: answer, answering: bad) }
            await #expect(throws: TomboloError.self) { try await a.readBundle(at: bad) }
            #expect(try await group.writeBundle(to: answer, answering: file).secrets == 1)
        }
    }

    @Test("of a device that keeps a part brings that part, and who reads it does not wait for the rest")
    func retention() async throws {
        try await withThree { root, network, a, b, c, group in
            let joined = try #require(try await b.group(group.id))
            let copy = try #require(try await c.group(group.id))
            for number in 0..<20 { try await group.send(PlainText("\(number)")) }
            #expect(try await b.sync().failures == [:])
            try await joined.setRetention(Retention(count: 5))
            #expect(try await joined.retention == Retention(count: 5))
            let left = [String](repeating: "(gone)", count: 15) + (15..<20).map { "\($0)" }
            #expect(try await texts(joined) == left)
            #expect(try await joined.timeline(limit: 30).compactMap(\.erasure).allSatisfy { $0 == .notKept })
            #expect(try await group.timeline(limit: 30).allSatisfy { !$0.isErased })
            // It stays so where the store is made anew.
            try await b.close()
            _ = try await Node.rebuildStore(at: root.appendingPathComponent("b"))
            let again = try await network.openNode(at: root.appendingPathComponent("b"))
            let rebuilt = try #require(try await again.group(group.id))
            #expect(try await texts(rebuilt) == left)
            #expect(try await rebuilt.retention == Retention(count: 5))
            #expect(try await rebuilt.verify() == [])
            let part = root.appendingPathComponent("b.bundle")
            _ = try await rebuilt.writeBundle(to: part)
            #expect(try await c.readBundle(at: part).isComplete)
            #expect(try await texts(copy) == left)
            // Missing events come from the device that has them.
            #expect(try await c.sync().failures == [:])
            #expect(try await texts(copy) == (0..<20).map { "\($0)" })
            #expect(try await copy.digest == group.digest)
            #expect(try await copy.verify() == [])
            for node in [a, again, c] { try await node.close() }
        }
    }

    @Test("says nothing to who is not in the group, not even of which group it is")
    func stranger() async throws {
        try await withPair { root, a, _, group, _ in
            let text = secret(1, bytes: 200)
            try await group.send(PlainText(text))
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
        try await withPair(.open) { root, _, b, group, joined in
            try await group.send(PlainText("stays"))
            let text = secret(7, bytes: 400)
            let redacted = try await group.send(PlainText(text))
            let before = root.appendingPathComponent("before.bundle")
            _ = try await group.writeBundle(to: before)
            let entry = try #require(try await group.timeline(limit: 10).first { $0.id == redacted })
            try await group.redact(entry)
            let after = root.appendingPathComponent("after.bundle")
            _ = try await group.writeBundle(to: after)
            _ = try await b.readBundle(at: after)
            #expect(try await texts(joined) == ["stays", "(gone)"])
            _ = try await b.readBundle(at: before)
            #expect(try await texts(joined) == ["stays", "(gone)"])
            #expect(try traces(of: [text], in: root).isEmpty)
            #expect(try await joined.digest == group.digest)
            #expect(try await joined.verify() == [])
        }
    }

    @Test("that is cut anywhere brings what comes before, and a changed one is refused from there on")
    func damaged() async throws {
        try await withPair(.open) { root, _, b, group, joined in
            for number in 0..<40 { try await group.send(PlainText(secret(number, bytes: 30_000))) }
            let file = root.appendingPathComponent("whole.bundle")
            _ = try await group.writeBundle(to: file)
            let whole = try Data(contentsOf: file)
            let part = root.appendingPathComponent("part.bundle")
            var seen = 0
            for count in [0, 15, 63, 64, 70, 1_000, whole.count / 2, whole.count - 1] {
                try whole.prefix(count).write(to: part)
                if count <= 1_000 {
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
            #expect(try await joined.digest == group.digest)
            #expect(try await texts(joined).count == 40)
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
            // But for the place whose folder is not there, which is found out late.
            #expect(try answerSeeds(root, "a") == 32)
            let left = try FileManager.default.contentsOfDirectory(atPath: root.path).sorted()
            #expect(left == [".a.token", ".b.token", "a", "b", "other.bundle", "taken"])
        }
    }

    @Test("of whoever has the group's secret may say anything: nobody is harmed", arguments: [UInt64(3), 4])
    func hostile(seed: UInt64) async throws {
        try await withPair(.open) { root, _, b, group, joined in
            try await group.send(PlainText("the tide is out"))
            let file = root.appendingPathComponent("good.bundle")
            _ = try await group.writeBundle(to: file)
            let storage = try SQLiteStorage(directory: root.appendingPathComponent("a"), isReadOnly: true)
            let discovery = try #require(try storage.read { try $0.groups() }.first { $0.id == group.id }?.discovery)
            try storage.close()
            let nonce = [UInt8](repeating: 9, count: 32)
            let key = BundleFile.Key(group.id, discovery: discovery, nonce: nonce)
            // A good part, changed after it was opened, as only a member's device can.
            let good = try Data(contentsOf: file)
            let goodKey = BundleFile.Key(group.id, discovery: discovery, nonce: Array(good[16..<48]))
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
            #expect(try await joined.verify() == [], "seed \(seed)")
            _ = try await b.readBundle(at: file)
            #expect(try await texts(joined) == ["the tide is out"], "seed \(seed)")
            #expect(try await joined.digest == group.digest, "seed \(seed)")
        }
    }

    @Test("to who was removed brings no secret of what is said after, however it asks")
    func removed() async throws {
        try await withPair { root, _, b, group, joined in
            try await group.send(PlainText("before"))
            #expect(try await b.sync().failures == [:])
            let asking = root.appendingPathComponent("asking.bundle")
            _ = try await joined.writeBundle(to: asking)
            try await group.remove(b.member)
            try await group.send(PlainText("after"))
            let answer = root.appendingPathComponent("answer.bundle")
            #expect(try await group.writeBundle(to: answer, answering: asking).secrets == 0)
            #expect(try await b.readBundle(at: answer).newEvents > 0)
            #expect(try await texts(joined) == ["before"])
        }
    }
}
