import TestSupport
import Testing
import TomboloCore
import TomboloCrypto

@Suite("Devices sleep while a peer is silent")
struct WakeTests {
    /// Lets three minutes pass in which nothing arrives, like a runtime of engines. Each engine is called when it asks
    /// for it, at the earliest a millisecond later.
    private func wakes(of devices: Devices) throws -> [Int] {
        let end = devices.now + 180_000
        var wakes = devices.devices.map { _ in 0 }
        while let wake = devices.devices.compactMap({ $0.engine.nextWake }).min(), wake < end {
            devices.now = max(devices.now + 1, wake)
            guard devices.now < end else { break }
            for index in devices.devices.indices {
                guard let wake = devices.devices[index].engine.nextWake, wake <= devices.now else { continue }
                wakes[index] += 1
                try #require(wakes[index] < 1_000, "device \(index) does not sleep")
                try devices.step(index, [.timePassed])
            }
            devices.queue = []
        }
        return wakes
    }

    /// Carries some of the payloads in flight, and drops the rest.
    private func carry(_ count: Int, _ devices: Devices) throws {
        var left = count
        try devices.carry {
            left -= 1
            return left < 0
        }
        devices.queue = []
    }

    @Test("a native peer can fall silent at any point of a meeting", arguments: Tier.seeds(40, long: 400))
    func native(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let devices = try Devices(3, seed: seed)
        let group = try devices.makeGroup(seed.isMultiple(of: 2) ? .private : .open)
        for device in [0, 1, 2, 1] { try devices.say(device, "from \(device)", in: group) }
        try devices.meet(1, 2)
        for (one, other) in [(0, 1), (2, 0)] { try devices.connect(one, other) }
        try carry(Int.random(in: 0..<40, using: &generator), devices)
        if Bool.random(using: &generator) { try devices.say(0, "more", in: group) }
        try carry(Int.random(in: 0..<3, using: &generator), devices)
        for wakes in try wakes(of: devices) { #expect(wakes < 400, "seed \(seed)") }
    }

    @Test("a peer with groups of the mvds dialect can fall silent at any point", arguments: Tier.seeds(80, long: 800))
    func mvds(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let devices = try Devices(2, seed: seed)
        let group = GroupID(SwiftCryptography().sha256(Array("group \(seed)".utf8)))
        func ingest(_ numbers: Range<Int>, into device: Int) throws {
            let messages = numbers.map {
                Message(groupID: group.bytes[...], timestamp: Int64($0), body: Array("message \($0)".utf8)[...])
            }
            try devices.step(device, [.ingest(3, group: group, messages)])
        }
        for device in 0..<2 { try devices.step(device, [.createMVDSGroup(1, group, name: "crew")]) }
        try ingest(0..<[0, 5, 30][Int(seed % 3)], into: 0)
        try ingest(3..<9, into: 1)
        for device in 0..<2 {
            try devices.step(device, [.share(2, group: group, with: devices.devices[1 - device].engine.device)])
        }
        try devices.connect(0, 1)
        if Bool.random(using: &generator) { try devices.settle() }
        try carry(Int.random(in: 0..<12, using: &generator), devices)
        for number in 0..<Int.random(in: 0..<3, using: &generator) {
            // The time is within the wait for differing roots to become equal.
            devices.now += UInt64.random(in: 0..<2_500, using: &generator)
            try ingest(1_000 + number..<1_001 + number, into: number)
            try carry(Int.random(in: 0..<4, using: &generator), devices)
        }
        for wakes in try wakes(of: devices) { #expect(wakes < 400, "seed \(seed)") }
    }
}
