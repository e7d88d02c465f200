// Datagrams, to one device or to all that listen to the topic.
extension Simulation {
    mutating func sendDatagram(_ bytes: [UInt8], from number: Int, to other: Int) {
        guard devices[number].isReachable else { return }
        note(bytes, from: number, to: [other])
        carry(bytes, from: number, to: other)
    }

    mutating func multicast(_ bytes: [UInt8], from number: Int) {
        guard devices[number].isReachable, scenario.conditions.multicast else { return }
        let others = online.numbers.filter { $0 != number }
        note(bytes, from: number, to: others)
        for other in others { carry(bytes, from: number, to: other) }
    }

    private mutating func carry(_ bytes: [UInt8], from number: Int, to other: Int) {
        guard devices[other].isReachable, !isSevered(number, other) else { return }
        let conditions = scenario.conditions
        var copies = 1
        if !isFaultless {
            if conditions.loss > 0 {
                for _ in 0..<conditions.packets(of: bytes.count) where generator.chance(conditions.loss) { return }
            }
            // UDP's checksum fails, so a damaged datagram is dropped.
            if generator.chance(conditions.corruption) { return }
            if generator.chance(conditions.duplication) { copies = 2 }
        }
        for _ in 0..<copies {
            var delay = generator.any(conditions.latency) + UInt64(bytes.count * 1_000 / conditions.bytesPerSecond)
            if !isFaultless, generator.chance(conditions.reordering) { delay += generator.any(0...2_000) }
            agenda.add(.datagramArrives(from: number, to: other, bytes: bytes), at: now + delay)
        }
    }
}
