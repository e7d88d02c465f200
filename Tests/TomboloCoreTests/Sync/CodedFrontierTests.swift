import TestSupport
import Testing
import TomboloCore
import TomboloCrypto

@Suite("Groups with very many logs")
struct CodedFrontierTests {
    /// Two devices that never met, and a group of many logs, most of which they share.
    private struct Crowd {
        let cluster: Cluster
        private(set) var logs: [ForeignLog] = []
        private(set) var common: [[Event]] = []

        init(_ count: Int, length: Int = 3, seed: UInt64) throws {
            cluster = try Cluster("ann", "bob", seed: seed)
            for number in 0..<count {
                var log = cluster.foreignLog(seed: seed &* 100_000 &+ UInt64(number))
                common.append(log.chain(length, "log \(number)"))
                logs.append(log)
            }
            for device in cluster.all { try device.ingest(common.flatMap { $0 }) }
            cluster.forgetEffects()
        }

        subscript(_ device: String) -> Cluster.Device { cluster[device] }

        /// Extends some logs on one device.
        mutating func advance(
            _ device: some DeviceReference, _ range: Range<Int>, by length: Int = 2, _ text: String = "more"
        ) throws {
            for number in range {
                try cluster[device].ingest(logs[number].chain(length, after: common[number].last, text))
            }
        }

        func check(_ note: String) {
            for device in cluster.all {
                #expect(device.errors.isEmpty, "\(note)")
                #expect(isCausal(device.delivered), "\(note)")
            }
            #expect(holdTheSame, "\(note)")
        }

        var holdTheSame: Bool { Set(cluster["ann"].delivered.map(\.id)) == Set(cluster["bob"].delivered.map(\.id)) }
    }

    @Test("devices without an agreement pay at most 50 bytes for each differing log, apart from the hint")
    func unknown() throws {
        var crowd = try Crowd(400, seed: 71)
        try crowd.advance("ann", 0..<15)
        try crowd.advance("bob", 15..<30)
        try crowd.cluster.sync("ann", "bob")
        crowd.check("")
        #expect(crowd["ann"].delivered.count == 400 * 3 + 60)
        for device in crowd.cluster.all {
            let report = try #require(device.reports.first)
            #expect(report.strategy == .codedFrontier && report.logs <= 30)
            #expect(report.bytesSent + report.bytesReceived <= 96 + 50 * 30, "\(report)")
        }
    }

    @Test(
        "both devices know the same at the first agreement, in any case", arguments: Tier.seeds(12, long: 120))
    func anyDifference(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var crowd = try Crowd(160, seed: 500 + seed)
        func some() -> Range<Int> {
            let first = Int.random(in: 0..<150, using: &generator)
            return first..<first + Int.random(in: 0...10, using: &generator)
        }
        try crowd.advance("ann", some())
        try crowd.advance("bob", some())
        // The same sequence with different events makes a fork.
        try crowd.advance("ann", 155..<157, by: 1, "left")
        try crowd.advance("bob", 155..<157, by: 1, "right")
        // Three logs exist on one side only. A fourth has a gap on one side.
        for number in 0..<4 {
            var log = crowd.cluster.foreignLog(seed: 77_000 + UInt64(number))
            let chain = log.chain(40, "alone \(number)")
            try crowd.cluster[number % 2].ingest(number == 3 ? [chain[0], chain[39]] : chain)
            if number == 3 { try crowd["ann"].ingest(Array(chain[...20])) }
        }
        try crowd.cluster.sync(Int(seed % 2), Int(1 - seed % 2))
        let report = try #require(crowd["ann"].reports.first)
        #expect(report.strategy == .codedFrontier, "seed \(seed)")
        crowd.check("seed \(seed)")
    }

    @Test("coded symbols are the cheaper method even if nearly all logs differ")
    func nearlyAll() throws {
        var crowd = try Crowd(200, seed: 72)
        try crowd.advance("ann", 0..<95)
        try crowd.advance("bob", 95..<190)
        try crowd.cluster.sync("ann", "bob")
        crowd.check("")
        let report = try #require(crowd["ann"].reports.first)
        #expect(report.strategy == .codedFrontier)
        #expect(report.bytesSent + report.bytesReceived <= 96 + 50 * 190, "\(report)")
    }

    @Test("branches of different lengths in one log are found by comparing roots, then by whole frontiers")
    func branches() throws {
        var crowd = try Crowd(150, seed: 76)
        try crowd.advance("bob", 7..<8, by: 4, "left")
        try crowd.advance("ann", 7..<8, by: 1, "right")
        try crowd.cluster.sync("ann", "bob")
        crowd.check("")
        #expect(crowd["ann"].reports.first?.strategy == .frontier)
    }

    @Test("events that are written during the exchange are not lost")
    func meanwhile() throws {
        var crowd = try Crowd(150, seed: 74)
        try crowd.advance("ann", 0..<3)
        try crowd.advance("bob", 3..<6)
        let cluster = crowd.cluster
        var wires = 0
        try cluster.connect("ann", "bob")
        while !cluster.isIdle {
            try cluster.carry(most: 1)
            wires += 1
            if wires <= 12 {
                try cluster[wires % 2].send("said \(wires)")
                try crowd.advance(wires % 2, 20 + wires..<21 + wires)
            }
        }
        try cluster.settle()
        crowd.check("")
        let texts = cluster["ann"].texts
        #expect(texts.count { $0.hasPrefix("said") } == 12 && texts.count { $0.hasPrefix("more") } == 12 + 24)
    }

    @Test("devices with an agreement pay at most 64 bytes and 12 for each changed log, in one round trip")
    func remembered() throws {
        var crowd = try Crowd(400, seed: 75)
        try crowd.cluster.sync("ann", "bob")
        try crowd.advance("ann", 0..<20)
        try crowd.advance("bob", 20..<40)
        crowd.cluster.forgetEffects()
        try crowd.cluster.sync("bob", "ann")
        crowd.check("")
        for device in crowd.cluster.all {
            let report = try #require(device.reports.first)
            #expect(report.strategy == .agreement)
            #expect(report.bytesSent + report.bytesReceived <= 64 + 12 * 40, "\(report)")
            #expect(report.roundTrips == 2)
        }
    }

    @Test("a member that asks for the same cells again, or hints twice, is disconnected", arguments: [0, 1])
    func greedy(trick: Int) throws {
        let cluster = try Crowd(150, seed: 77).cluster
        var log = cluster.foreignLog(seed: 9)
        try cluster["ann"].ingest(log.chain(2, "new"))
        var repeated = false
        cluster.intercept { wire in
            guard wire.from == "ann", !repeated, var payload = wire.payload,
                payload.groups.first?.coded?.first == 0
            else { return wire.bytes }
            repeated = true
            var again = payload.groups[0]
            // Kind 2 asks for cells from 0 on, which were sent already.
            if trick == 0 { again.coded = [2, 0, 5] }
            payload.groups.append(again)
            return payload.encoded
        }
        try cluster.sync("ann", "bob")
        #expect(repeated && !cluster["bob"].errors.isEmpty)
    }

    @Test(
        "damaged coded symbols end in whole frontiers or a closed link",
        arguments: Tier.seeds(24, long: 240))
    func damaged(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var crowd = try Crowd(150, seed: 600 + seed)
        try crowd.advance("ann", 0..<5)
        try crowd.advance("bob", 5..<10)
        let victim = Int.random(in: 1..<6, using: &generator)
        var count = 0
        crowd.cluster.intercept { wire in
            count += 1
            guard count == victim + 1 else { return wire.bytes }
            var bytes = wire.bytes
            bytes[Int.random(in: 0..<bytes.count, using: &generator)] ^= UInt8.random(in: 1...255, using: &generator)
            return bytes
        }
        try crowd.cluster.sync("ann", "bob")
        crowd.cluster.stopIntercepting()
        try crowd.cluster.sync("bob", "ann")
        try crowd.cluster.sync("ann", "bob")
        #expect(crowd.holdTheSame, "seed \(seed)")
    }
}
