import TestSupport
import Testing
import TomboloCore
import TomboloCrypto

@Suite("Groups with very many logs")
struct CodedFrontierTests {
    /// Two devices that never met, and a group of many logs, most of which they share.
    private struct Crowd {
        let devices: Devices
        let group: GroupID
        private(set) var logs: [ForeignLog] = []
        private(set) var common: [[Event]] = []

        init(_ count: Int, length: Int = 3, seed: UInt64) throws {
            devices = try Devices(2, seed: seed)
            group = try devices.makeGroup()
            for number in 0..<count {
                var log = ForeignLog(group: group, seed: seed &* 100_000 &+ UInt64(number))
                common.append(log.chain(length, "log \(number)"))
                logs.append(log)
            }
            for device in 0..<2 {
                try devices.ingest(common.flatMap { $0 }, into: device, group: group)
                devices.devices[device].effects = []
            }
            devices.bytesSent = [:]
        }

        /// Extends some logs on one device.
        mutating func advance(_ device: Int, _ range: Range<Int>, by length: Int = 2, _ text: String = "more") throws {
            for number in range {
                let more = logs[number].chain(length, after: common[number].last, text)
                try devices.ingest(more, into: device, group: group)
            }
        }

        func reports(_ device: Int) -> [ReconciliationReport] {
            devices.devices[device].effects.compactMap {
                if case .agreed(_, _, let report) = $0 { return report }
                return nil
            }
        }

        func check(_ note: String) {
            for device in 0..<2 {
                #expect(devices.errors(device).isEmpty, "\(note)")
                #expect(isCausal(devices.delivered(device, in: group)), "\(note)")
            }
            let (one, other) = (devices.delivered(0, in: group), devices.delivered(1, in: group))
            #expect(Set(one.map(\.id)) == Set(other.map(\.id)), "\(note)")
        }
    }

    @Test("devices without an agreement pay at most 50 bytes for each differing log, apart from the hint")
    func unknown() throws {
        var crowd = try Crowd(400, seed: 71)
        try crowd.advance(0, 0..<15)
        try crowd.advance(1, 15..<30)
        try crowd.devices.meet(0, 1)
        crowd.check("")
        #expect(crowd.devices.delivered(0, in: crowd.group).count == 400 * 3 + 60)
        for device in 0..<2 {
            let report = try #require(crowd.reports(device).first)
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
        try crowd.advance(0, some())
        try crowd.advance(1, some())
        // The same sequence with different events makes a fork.
        try crowd.advance(0, 155..<157, by: 1, "left")
        try crowd.advance(1, 155..<157, by: 1, "right")
        // Three logs exist on one side only. A fourth has a gap on one side.
        for number in 0..<4 {
            var log = ForeignLog(group: crowd.group, seed: 77_000 + UInt64(number))
            let chain = log.chain(40, "alone \(number)")
            try crowd.devices.ingest(number == 3 ? [chain[0], chain[39]] : chain, into: number % 2, group: crowd.group)
            if number == 3 {
                try crowd.devices.ingest(Array(chain[...20]), into: 0, group: crowd.group)
            }
        }
        try crowd.devices.meet(Int(seed % 2), Int(1 - seed % 2))
        let report = try #require(crowd.reports(0).first)
        #expect(report.strategy == .codedFrontier, "seed \(seed)")
        crowd.check("seed \(seed)")
    }

    @Test("coded symbols are the cheaper method even if nearly all logs differ")
    func nearlyAll() throws {
        var crowd = try Crowd(200, seed: 72)
        try crowd.advance(0, 0..<95)
        try crowd.advance(1, 95..<190)
        try crowd.devices.meet(0, 1)
        crowd.check("")
        let report = try #require(crowd.reports(0).first)
        #expect(report.strategy == .codedFrontier)
        #expect(report.bytesSent + report.bytesReceived <= 96 + 50 * 190, "\(report)")
    }

    @Test("branches of different lengths in one log are found by comparing roots, then by whole frontiers")
    func branches() throws {
        var crowd = try Crowd(150, seed: 76)
        try crowd.advance(1, 7..<8, by: 4, "left")
        try crowd.advance(0, 7..<8, by: 1, "right")
        try crowd.devices.meet(0, 1)
        crowd.check("")
        #expect(crowd.reports(0).first?.strategy == .frontier)
    }

    @Test("events that are written during the exchange are not lost")
    func meanwhile() throws {
        var crowd = try Crowd(150, seed: 74)
        try crowd.advance(0, 0..<3)
        try crowd.advance(1, 3..<6)
        let devices = crowd.devices
        var wires = 0
        try devices.connect(0, 1)
        while !devices.queue.isEmpty {
            let wire = devices.queue.removeFirst()
            try devices.step(wire.to, [.payloadReceived(wire.session, wire.bytes[...])])
            wires += 1
            if wires <= 12 {
                try devices.say(wires % 2, "said \(wires)", in: crowd.group)
                try crowd.advance(wires % 2, 20 + wires..<21 + wires)
            }
        }
        try devices.settle()
        crowd.check("")
        let texts = devices.texts(0, in: crowd.group)
        #expect(texts.count { $0.hasPrefix("said") } == 12 && texts.count { $0.hasPrefix("more") } == 12 + 24)
    }

    @Test("devices with an agreement pay at most 64 bytes and 12 for each changed log, in one round trip")
    func remembered() throws {
        var crowd = try Crowd(400, seed: 75)
        try crowd.devices.meet(0, 1)
        try crowd.advance(0, 0..<20)
        try crowd.advance(1, 20..<40)
        for device in 0..<2 { crowd.devices.devices[device].effects = [] }
        try crowd.devices.meet(1, 0)
        crowd.check("")
        for device in 0..<2 {
            let report = try #require(crowd.reports(device).first)
            #expect(report.strategy == .agreement)
            #expect(report.bytesSent + report.bytesReceived <= 64 + 12 * 40, "\(report)")
            #expect(report.roundTrips == 2)
        }
    }

    @Test("a member that asks for the same cells again, or hints twice, is disconnected", arguments: [0, 1])
    func greedy(trick: Int) throws {
        let crowd = try Crowd(150, seed: 77)
        let devices = crowd.devices
        var log = ForeignLog(group: crowd.group, seed: 9)
        try devices.ingest(log.chain(2, "new"), into: 0, group: crowd.group)
        var repeated = false
        devices.intercept = { wire in
            guard wire.from == 0, !repeated, var payload = try? Payload(decoding: wire.bytes[...]),
                payload.groups.first?.coded?.first == 0
            else { return wire.bytes }
            repeated = true
            var again = payload.groups[0]
            // Kind 2 asks for cells from 0 on, which were sent already.
            if trick == 0 { again.coded = [2, 0, 5] }
            payload.groups.append(again)
            return payload.encoded
        }
        try devices.meet(0, 1)
        #expect(repeated && !devices.errors(1).isEmpty)
    }

    @Test(
        "damaged coded symbols end in whole frontiers or a closed link",
        arguments: Tier.seeds(24, long: 240))
    func damaged(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var crowd = try Crowd(150, seed: 600 + seed)
        try crowd.advance(0, 0..<5)
        try crowd.advance(1, 5..<10)
        let victim = Int.random(in: 1..<6, using: &generator)
        var count = 0
        crowd.devices.intercept = { wire in
            count += 1
            guard count == victim + 1 else { return wire.bytes }
            var bytes = wire.bytes
            bytes[Int.random(in: 0..<bytes.count, using: &generator)] ^= UInt8.random(in: 1...255, using: &generator)
            return bytes
        }
        try crowd.devices.meet(0, 1)
        crowd.devices.intercept = { $0.bytes }
        try crowd.devices.meet(1, 0)
        try crowd.devices.meet(0, 1)
        #expect(
            Set(crowd.devices.delivered(0, in: crowd.group).map(\.id))
                == Set(crowd.devices.delivered(1, in: crowd.group).map(\.id)), "seed \(seed)")
    }
}
