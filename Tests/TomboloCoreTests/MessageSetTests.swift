import TestSupport
import Testing
import TomboloCore
import TomboloCrypto

@Suite("Groups of the mvds dialect between Tombolo devices")
struct MessageSetTests {
    /// Two devices that share a group of the mvds dialect.
    private struct Pair {
        let devices: Devices
        let group: GroupID

        init(seed: UInt64, sharing: Bool = true) throws {
            devices = try Devices(2, seed: seed)
            group = GroupID(SwiftCryptography().sha256(Array("group \(seed)".utf8)))
            for device in 0..<2 { try devices.step(device, [.createMVDSGroup(1, group, name: "crew")]) }
            if sharing { try share() }
        }

        func share() throws {
            for device in 0..<2 {
                let other = devices.devices[1 - device].engine.device
                try devices.step(device, [.share(2, group: group, with: other)])
            }
        }

        func messages(_ range: Range<Int>, at second: (Int) -> Int64 = { Int64(1_700_000_000 + $0) }) -> [Message] {
            range.map {
                Message(groupID: group.bytes[...], timestamp: second($0), body: Array("message \($0)".utf8)[...])
            }
        }

        func ingest(_ messages: [Message], into device: Int) throws {
            try devices.step(device, [.ingest(3, group: group, messages)])
        }

        func ids(_ device: Int) -> Set<EventID> {
            Set(devices.devices[device].store.deliveredMessages(in: group).map(\.id))
        }

        func reports(_ device: Int) -> [ReconciliationReport] {
            devices.devices[device].effects.compactMap {
                if case .agreed(_, _, let report) = $0 { return report }
                return nil
            }
        }

        /// Tells whether nothing is outstanding towards the other device.
        func isQuiet(_ device: Int) -> Bool {
            devices.devices[device].store.nextRecord(with: devices.devices[1 - device].engine.device) == nil
        }

        func check(_ count: Int, _ note: String = "") {
            for device in 0..<2 {
                #expect(devices.errors(device).isEmpty, "\(note)")
                #expect(ids(device).count == count, "\(note)")
                #expect(isQuiet(device), "\(note)")
            }
            #expect(ids(0) == ids(1), "\(note)")
        }
    }

    @Test("messages from before a group was shared are received too")
    func history() throws {
        let pair = try Pair(seed: 1, sharing: false)
        try pair.ingest(pair.messages(0..<700), into: 0)
        try pair.share()
        try pair.devices.meet(1, 0)
        pair.check(700)
        #expect(pair.reports(0).last != nil && pair.reports(1).last != nil)
    }

    @Test("any difference is found, and bodies cross once", arguments: Tier.seeds(16, long: 160))
    func differences(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let pair = try Pair(seed: 100 + seed, sharing: false)
        let common = pair.messages(0..<[0, 40, 3_000][Int(seed % 3)])
        let sizes = [0, 1, 12, 400]
        func some(_ first: Int) -> [Message] {
            pair.messages(first..<first + (sizes.randomElement(using: &generator) ?? 0)) { Int64($0 % 7_000 * 3) }
        }
        let (a, b) = (some(10_000), some(50_000))
        try pair.ingest(common + a, into: 0)
        try pair.ingest(common + b, into: 1)
        try pair.share()
        var bodies = 0
        pair.devices.intercept = { wire in
            bodies += (try? Payload(decoding: wire.bytes[...]))?.messages.count ?? 0
            return wire.bytes
        }
        try pair.devices.meet(Int(seed % 2), Int(1 - seed % 2))
        pair.check(common.count + a.count + b.count, "seed \(seed)")
        #expect(bodies == a.count + b.count, "seed \(seed)")
    }

    @Test(
        "many recent messages are found by ranges, scattered ones by coded symbols, and equal sets by a comparison"
    )
    func strategies() throws {
        let pair = try Pair(seed: 3, sharing: false)
        let common = pair.messages(0..<4_000)
        try pair.ingest(common, into: 0)
        try pair.ingest(common + pair.messages(4_000..<5_000), into: 1)
        try pair.share()
        try pair.devices.meet(0, 1)
        pair.check(5_000)
        #expect(pair.reports(0).last?.strategy == .range)
        try pair.ingest(pair.messages(6_000..<6_020) { Int64(1_700_000_000 + ($0 - 6_000) * 150) }, into: 0)
        try pair.devices.meet(0, 1)
        pair.check(5_020)
        let report = try #require(pair.reports(0).last)
        #expect(report.strategy == .rateless && report.logs == 20, "\(report) \(report.logs)")
        #expect(report.bytesSent + report.bytesReceived < 2_300, "\(report)")
        pair.devices.bytesSent = [:]
        try pair.devices.meet(1, 0)
        #expect(pair.devices.bytesSent.values.reduce(0, +) < 250)
        #expect(pair.reports(0).last?.strategy == .equal)
    }

    @Test("records of messages that the peer has received from others are not sent")
    func obsolete() throws {
        let pair = try Pair(seed: 4)
        let messages = pair.messages(0..<60)
        try pair.ingest(messages, into: 0)
        #expect(!pair.isQuiet(0))
        try pair.ingest(messages, into: 1)
        pair.devices.bytesSent = [:]
        try pair.devices.meet(0, 1)
        pair.check(60)
        #expect(pair.devices.bytesSent.values.reduce(0, +) < 400)
    }

    @Test("messages that are stored during a reconciliation are received too")
    func meanwhile() throws {
        let pair = try Pair(seed: 5, sharing: false)
        try pair.ingest(pair.messages(0..<300), into: 0)
        try pair.ingest(pair.messages(200..<500), into: 1)
        try pair.share()
        let devices = pair.devices
        try devices.connect(0, 1)
        var wires = 0
        while !devices.queue.isEmpty {
            let wire = devices.queue.removeFirst()
            try devices.step(wire.to, [.payloadReceived(wire.session, wire.bytes[...])])
            wires += 1
            if wires <= 8 { try pair.ingest(pair.messages(1_000 + wires..<1_001 + wires), into: wires % 2) }
        }
        try devices.settle()
        pair.check(508)
    }

    @Test("a group that is shared during a connection is reconciled at once")
    func shared() throws {
        let pair = try Pair(seed: 6, sharing: false)
        try pair.ingest(pair.messages(0..<30), into: 0)
        let one = pair.devices.devices[0].engine.device
        let other = pair.devices.devices[1].engine.device
        try pair.devices.step(0, [.addPeer(other, addresses: [])])
        try pair.devices.step(1, [.addPeer(one, addresses: [])])
        try pair.devices.connect(0, 1)
        try pair.devices.settle()
        try pair.devices.step(0, [.share(7, group: pair.group, with: other)])
        try pair.devices.settle()
        try pair.devices.step(1, [.share(8, group: pair.group, with: one)])
        try pair.devices.settle()
        pair.check(30)
    }

    @Test("damage in transit closes the link or is repaired", arguments: Tier.seeds(30, long: 300))
    func damaged(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let pair = try Pair(seed: 300 + seed, sharing: false)
        try pair.ingest(pair.messages(0..<220), into: 0)
        try pair.ingest(pair.messages(10..<240), into: 1)
        try pair.share()
        let victim = Int.random(in: 0..<6, using: &generator)
        var count = 0
        pair.devices.intercept = { wire in
            defer { count += 1 }
            guard count == victim, var payload = try? Payload(decoding: wire.bytes[...]), !payload.groups.isEmpty,
                var message = payload.groups[0].reconcile.map({ Array($0) })
            else { return wire.bytes }
            message[Int.random(in: 0..<message.count, using: &generator)] ^= UInt8.random(
                in: 1...255, using: &generator)
            payload.groups[0].reconcile = message[...]
            return payload.encoded
        }
        try pair.devices.meet(0, 1)
        pair.devices.intercept = { $0.bytes }
        try pair.devices.meet(1, 0)
        #expect(pair.ids(0) == pair.ids(1) && pair.ids(0).count == 240, "seed \(seed)")
    }
}
