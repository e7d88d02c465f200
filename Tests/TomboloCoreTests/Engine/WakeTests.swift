import TestSupport
import Testing
import TomboloCore
import TomboloCrypto

@Suite("Devices sleep while a peer is silent")
struct WakeTests {
    @Test("a native peer can fall silent at any point of a meeting", arguments: Tier.seeds(40, long: 400))
    func native(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let policy: Policy = seed.isMultiple(of: 2) ? .private : .open
        let cluster = try Cluster("ann", "bob", "cat", policy: policy, seed: seed)
        for device in cluster["ann", "bob", "cat", "bob"] { try device.send("from \(device.index)") }
        try cluster.sync("bob", "cat")
        try cluster.connect("ann", "bob")
        try cluster.connect("cat", "ann")
        try cluster.carryOnly(Int.random(in: 0..<40, using: &generator))
        if Bool.random(using: &generator) { try cluster["ann"].send("more") }
        try cluster.carryOnly(Int.random(in: 0..<3, using: &generator))
        for wakes in try cluster.wakesInSilence() { #expect(wakes < 400, "seed \(seed)") }
    }

    @Test("a peer with groups of the mvds dialect can fall silent at any point", arguments: Tier.seeds(80, long: 800))
    func mvds(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let cluster = try Cluster(strangers: "ann", "bob", seed: seed)
        let group = GroupID(SwiftCryptography().sha256(Array("group \(seed)".utf8)))
        func ingest(_ numbers: Range<Int>, into device: some DeviceReference) throws {
            let messages = numbers.map {
                Message(groupID: group.bytes[...], timestamp: Int64($0), body: Array("message \($0)".utf8)[...])
            }
            try cluster[device].step(.ingest(3, group: group, messages))
        }
        for device in cluster.all { try device.step(.createMVDSGroup(1, group, name: "crew")) }
        try ingest(0..<[0, 5, 30][Int(seed % 3)], into: "ann")
        try ingest(3..<9, into: "bob")
        for (device, other) in [("ann", "bob"), ("bob", "ann")] {
            try cluster[device].step(.share(2, group: group, with: cluster[other].key))
        }
        try cluster.connect("ann", "bob")
        if Bool.random(using: &generator) { try cluster.settle() }
        try cluster.carryOnly(Int.random(in: 0..<12, using: &generator))
        for number in 0..<Int.random(in: 0..<3, using: &generator) {
            // The time is within the wait for differing roots to become equal.
            cluster.advance(by: UInt64.random(in: 0..<2_500, using: &generator))
            try ingest(1_000 + number..<1_001 + number, into: number)
            try cluster.carryOnly(Int.random(in: 0..<4, using: &generator))
        }
        for wakes in try cluster.wakesInSilence() { #expect(wakes < 400, "seed \(seed)") }
    }
}

extension Cluster {
    /// Lets three minutes pass in which nothing arrives, like a runtime of engines. Each engine is called when it asks
    /// for it, at the earliest a millisecond later.
    ///
    /// - Returns: the number of calls of each device.
    fileprivate func wakesInSilence() throws -> [Int] {
        let end = now + 180_000
        var wakes = all.map { _ in 0 }
        while let wake = nextWake, wake < end {
            now = max(now + 1, wake)
            guard now < end else { break }
            for device in all {
                guard let wake = device.nextWake, wake <= now else { continue }
                wakes[device.index] += 1
                try #require(wakes[device.index] < 1_000, "\(device) does not sleep")
                try device.wake()
            }
            devices.queue = []
        }
        return wakes
    }

    /// Carries some of the payloads on their way, and drops the rest.
    fileprivate func carryOnly(_ count: Int) throws {
        try carry(most: count)
        devices.queue = []
    }
}
