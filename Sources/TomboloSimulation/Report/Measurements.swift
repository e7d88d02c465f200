import TomboloCore

/// The measurements of a run.
struct Measurements {
    var steps = 0
    var batches = 0
    var inputs = 0
    var links = 0
    var bytes = SimulationReport.Bytes()
    var deliveries = 0
    /// The number of deliveries per latency in milliseconds, rounded down: to 10 ms from 1 s on, to 1 s from 100 s on.
    private(set) var latencies: [UInt64: Int] = [:]

    mutating func note(latency: UInt64) {
        let unit: UInt64 = latency < 1_000 ? 1 : latency < 100_000 ? 10 : 1_000
        latencies[latency / unit * unit, default: 0] += 1
    }
}

extension Simulation {
    /// Counts the bytes of a payload by their purpose. Each text is found by its mark.
    mutating func note(_ payload: [UInt8], from number: Int, to others: [Int]) {
        guard devices[number].role != .hostile else { return }
        devices[number].bytesSent += payload.count
        let texts = textNumbers(in: payload)
        for text in texts {
            var isNew = others.isEmpty
            for other in others where devices[other].textsSent.insert(text) { isNew = true }
            let size = min(scenario.bodyBytes, payload.count)
            if isNew { measured.bytes.bodies += size } else { measured.bytes.repeatedBodies += size }
        }
        let textBytes = min(payload.count, texts.count * scenario.bodyBytes)
        guard let decoded = try? Payload(decoding: payload[...]) else {
            measured.bytes.sessions += payload.count - textBytes
            return
        }
        var (events, finding, acks) = (decoded.messages.reduce(0) { $0 + $1.encodedCount }, 0, 34 * decoded.acks.count)
        finding += 35 * (decoded.offers.count + decoded.requests.count)
        for group in decoded.groups {
            events += group.events?.count ?? 0
            acks += (group.have?.count ?? 0) + (group.processed == nil ? 0 : 6)
            for part in [group.frontier, group.want, group.coded, group.reconcile] { finding += part?.count ?? 0 }
        }
        measured.bytes.headers += max(0, events - textBytes)
        measured.bytes.reconciliation += finding
        measured.bytes.acknowledgements += acks
        measured.bytes.sessions += max(0, payload.count - max(events, textBytes) - finding - acks)
    }

    /// The numbers of the messages whose texts are in a payload.
    private func textNumbers(in payload: [UInt8]) -> [Int] {
        guard payload.count >= scenario.bodyBytes else { return [] }
        var found: [Int] = []
        let first = UInt8(truncatingIfNeeded: textMark)
        payload.withUnsafeBytes { bytes in
            var offset = 0
            let last = bytes.count - 12
            while offset <= last {
                if bytes[offset] == first,
                    UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) == textMark
                {
                    let number = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt32.self))
                    if number < plan.count { found.append(Int(number)) }
                    offset += scenario.bodyBytes
                } else {
                    offset += 1
                }
            }
        }
        return found
    }
}

extension Message {
    /// The approximate number of bytes in a payload, including the fields and keys of MVDS.
    fileprivate var encodedCount: Int { groupID.count + body.count + (content?.count ?? 0) + 24 }
}
