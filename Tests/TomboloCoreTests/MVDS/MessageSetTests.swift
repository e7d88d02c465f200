import TestSupport
import Testing
import TomboloCore
import TomboloCrypto

@Suite("Groups of the mvds dialect between Tombolo devices")
struct MessageSetTests {
    /// Two devices that share a group of the mvds dialect.
    private struct Pair {
        let cluster: Cluster
        var group: GroupID { cluster.group }

        init(seed: UInt64, sharing: Bool = true) throws {
            cluster = try Cluster(strangers: "ann", "bob", seed: seed)
            cluster.group = GroupID(SwiftCryptography().sha256(Array("group \(seed)".utf8)))
            for device in cluster.all { try device.step(.createMVDSGroup(1, group, name: "crew")) }
            if sharing { try share() }
        }

        subscript(_ device: String) -> Cluster.Device { cluster[device] }

        func share() throws {
            try cluster["ann"].share(with: "bob")
            try cluster["bob"].share(with: "ann")
        }

        func messages(_ range: Range<Int>, at second: (Int) -> Int64 = { Int64(1_700_000_000 + $0) }) -> [Message] {
            range.map {
                Message(groupID: group.bytes[...], timestamp: second($0), body: Array("message \($0)".utf8)[...])
            }
        }

        func check(_ count: Int, _ note: String = "") {
            for (device, other) in [("ann", "bob"), ("bob", "ann")] {
                #expect(cluster[device].errors.isEmpty, "\(note)")
                #expect(cluster[device].ids.count == count, "\(note)")
                #expect(cluster[device].owesNothing(to: other), "\(note)")
            }
            #expect(cluster["ann"].ids == cluster["bob"].ids, "\(note)")
        }
    }

    @Test("messages from before a group was shared are received too")
    func history() throws {
        let pair = try Pair(seed: 1, sharing: false)
        try pair["ann"].ingest(pair.messages(0..<700))
        try pair.share()
        try pair.cluster.sync("bob", "ann")
        pair.check(700)
        #expect(pair["ann"].reports.last != nil && pair["bob"].reports.last != nil)
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
        try pair["ann"].ingest(common + a)
        try pair["bob"].ingest(common + b)
        try pair.share()
        var bodies = 0
        pair.cluster.watch { wire in bodies += wire.payload?.messages.count ?? 0 }
        try pair.cluster.sync(Int(seed % 2), Int(1 - seed % 2))
        pair.check(common.count + a.count + b.count, "seed \(seed)")
        #expect(bodies == a.count + b.count, "seed \(seed)")
    }

    @Test(
        "many recent messages are found by ranges, scattered ones by coded symbols, and equal sets by a comparison"
    )
    func strategies() throws {
        let pair = try Pair(seed: 3, sharing: false)
        let common = pair.messages(0..<4_000)
        try pair["ann"].ingest(common)
        try pair["bob"].ingest(common + pair.messages(4_000..<5_000))
        try pair.share()
        try pair.cluster.sync("ann", "bob")
        pair.check(5_000)
        #expect(pair["ann"].reports.last?.strategy == .range)
        try pair["ann"].ingest(pair.messages(6_000..<6_020) { Int64(1_700_000_000 + ($0 - 6_000) * 150) })
        try pair.cluster.sync("ann", "bob")
        pair.check(5_020)
        let report = try #require(pair["ann"].reports.last)
        #expect(report.strategy == .rateless && report.logs == 20, "\(report) \(report.logs)")
        #expect(report.bytesSent + report.bytesReceived < 2_300, "\(report)")
        let bytes = try pair.cluster.bytes { try pair.cluster.sync("bob", "ann") }
        #expect(bytes < 250)
        #expect(pair["ann"].reports.last?.strategy == .equal)
    }

    @Test("records of messages that the peer has received from others are not sent")
    func obsolete() throws {
        let pair = try Pair(seed: 4)
        let messages = pair.messages(0..<60)
        try pair["ann"].ingest(messages)
        #expect(!pair["ann"].owesNothing(to: "bob"))
        try pair["bob"].ingest(messages)
        let bytes = try pair.cluster.bytes { try pair.cluster.sync("ann", "bob") }
        pair.check(60)
        #expect(bytes < 400)
    }

    @Test("messages that are stored during a reconciliation are received too")
    func meanwhile() throws {
        let pair = try Pair(seed: 5, sharing: false)
        try pair["ann"].ingest(pair.messages(0..<300))
        try pair["bob"].ingest(pair.messages(200..<500))
        try pair.share()
        let cluster = pair.cluster
        try cluster.connect("ann", "bob")
        var wires = 0
        while !cluster.isIdle {
            try cluster.carry(most: 1)
            wires += 1
            if wires <= 8 { try cluster[wires % 2].ingest(pair.messages(1_000 + wires..<1_001 + wires)) }
        }
        try cluster.settle()
        pair.check(508)
    }

    @Test("a group that is shared during a connection is reconciled at once")
    func shared() throws {
        let pair = try Pair(seed: 6, sharing: false)
        try pair["ann"].ingest(pair.messages(0..<30))
        let (ann, bob) = (pair["ann"], pair["bob"])
        try ann.step(.addPeer(bob.key, addresses: []))
        try bob.step(.addPeer(ann.key, addresses: []))
        try pair.cluster.connect("ann", "bob")
        try pair.cluster.settle()
        try ann.share(with: "bob")
        try pair.cluster.settle()
        try bob.share(with: "ann")
        try pair.cluster.settle()
        pair.check(30)
    }

    @Test("damage in transit closes the link or is repaired", arguments: Tier.seeds(30, long: 300))
    func damaged(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let pair = try Pair(seed: 300 + seed, sharing: false)
        try pair["ann"].ingest(pair.messages(0..<220))
        try pair["bob"].ingest(pair.messages(10..<240))
        try pair.share()
        let victim = Int.random(in: 0..<6, using: &generator)
        var count = 0
        pair.cluster.intercept { wire in
            defer { count += 1 }
            guard count == victim, var payload = wire.payload, !payload.groups.isEmpty,
                var message = payload.groups[0].reconcile.map({ Array($0) })
            else { return wire.bytes }
            message[Int.random(in: 0..<message.count, using: &generator)] ^= UInt8.random(
                in: 1...255, using: &generator)
            payload.groups[0].reconcile = message[...]
            return payload.encoded
        }
        try pair.cluster.sync("ann", "bob")
        pair.cluster.stopIntercepting()
        try pair.cluster.sync("bob", "ann")
        #expect(pair["ann"].ids == pair["bob"].ids && pair["ann"].ids.count == 240, "seed \(seed)")
    }
}

extension Cluster.Device {
    fileprivate func ingest(_ messages: [Message]) throws { try step(.ingest(3, group: cluster.group, messages)) }

    fileprivate func share(with other: String) throws {
        try step(.share(2, group: cluster.group, with: cluster[other].key))
    }

    /// The ids of the delivered messages.
    fileprivate var ids: Set<EventID> { Set(store.deliveredMessages(in: cluster.group).map(\.id)) }

    /// Tells whether nothing is outstanding towards another device.
    fileprivate func owesNothing(to other: String) -> Bool { store.nextRecord(with: cluster[other].key) == nil }
}
