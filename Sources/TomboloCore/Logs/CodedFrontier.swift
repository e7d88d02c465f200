internal import SetReconciliation

/// A group's frontier as a map from numbers for logs to numbers for their states, so that what two devices differ in can be found by
/// coded symbols: its cost follows the logs that differ, not all logs (protocol §5.2).
struct CodedFrontier: Sendable {
    let hashKey: SipHashKey
    /// The device's last ordinal when the map was made.
    let ordinal: Int64
    let map: [UInt64: UInt64]
    /// The index of the log that each key stands for.
    private let logs: [UInt64: Int]
    private var sketch: MapSketch?

    /// Logs by the first five bytes of their keys, once they were asked for.
    private var logsOfPrefixes: [UInt64: Int]?
    /// Cells that were given to the other side.
    var sentCells = 0
    /// Cells of the other side that were taken so far, and what was found.
    var decoder: MapDecoder

    init(
        _ frontier: inout Frontier, ordinal: Int64, hashKey: SipHashKey, using cryptography: some Cryptography
    ) {
        var (map, logs): ([UInt64: UInt64], [UInt64: Int]) = ([:], [:])
        map.reserveCapacity(frontier.logs.count)
        logs.reserveCapacity(frontier.logs.count)
        for index in frontier.logs.indices where frontier.logs[index].isKnown {
            let log = frontier.logs[index]
            let key = Self.key(of: log.id, hashKey: hashKey)
            map[key] =
                LogSummary(
                    isGapless: log.isGapless, sequence: log.lastSequence,
                    leaf: frontier.leaf(ofLog: index, using: cryptography), hashKey: hashKey
                ).value
            logs[key] = index
        }
        (self.map, self.logs, self.ordinal, self.hashKey) = (map, logs, ordinal, hashKey)
        decoder = MapDecoder(map, hashKey: hashKey)
    }

    static func key(of log: LogID, hashKey: SipHashKey) -> UInt64 {
        ItemID(log.bytes).map { MapSketch.key(of: $0, hashKey: hashKey) } ?? 1
    }

    /// The first cells: at least so many.
    mutating func cells(_ count: Int) -> [CodedEntries] { sketch(count).cells }

    private mutating func sketch(_ count: Int) -> MapSketch {
        if let sketch, sketch.cells.count >= count { return sketch }
        let made = MapSketch(of: map, count: count, hashKey: hashKey)
        sketch = made
        return made
    }

    /// One byte of some cells: more for more logs, at most 120.
    mutating func hint() -> [UInt8] {
        var count = 64
        while count < 2 * map.count, count < 1 << 16 { count *= 2 }
        return sketch(count + 8).hint()
    }

    mutating func estimatedDifference(fromHint hint: Bytes) -> Int? {
        // A hint of 8·(n + 2) bytes is of the cells below 2ⁿ⁺³ + 8.
        guard hint.count >= 16, hint.count <= 120, hint.count.isMultiple(of: 8) else { return nil }
        let count = (1 << (hint.count / 8 + 1)) + 8
        return try? sketch(count).estimatedDifference(fromHint: Array(hint))
    }

    /// The log that a key stands for; nil if there is none.
    func log(_ key: UInt64) -> Int? { logs[key] }

    /// The logs by the first five bytes of their keys; of two that are alike there, neither.
    mutating func logsByPrefix() -> [UInt64: Int] {
        if let logsOfPrefixes { return logsOfPrefixes }
        var found: [UInt64: Int] = [:]
        var ambiguous: Set<UInt64> = []
        for (key, log) in logs where found.updateValue(log, forKey: Self.prefix(of: key)) != nil {
            ambiguous.insert(Self.prefix(of: key))
        }
        for prefix in ambiguous { found[prefix] = nil }
        logsOfPrefixes = found
        return found
    }

    /// A key's first 40 of 61 bits.
    static func prefix(of key: UInt64) -> UInt64 { key >> 21 }
}

/// What 61 bits say of a log: whether it is one chain from the beginning, its last sequence modulo 2²⁴, and 36 bits of a keyed hash of
/// its Merkle leaf (protocol §3).
struct LogSummary: Hashable {
    let value: UInt64

    init(value: UInt64) { self.value = value }

    init(isGapless: Bool, sequence: UInt64, leaf: Bytes32, hashKey: SipHashKey) {
        let hash = ItemID(leaf.bytes)?.hash(key: hashKey) ?? 0
        value = MapSketch.value(
            (isGapless ? 1 << 60 : 0) | (sequence & Self.sequenceMask) << 36 | hash & (1 << 36 - 1))
    }

    private static var sequenceMask: UInt64 { 1 << 24 - 1 }

    var isGapless: Bool { value >> 60 & 1 == 1 }

    /// The last sequence, taken to be the one that is nearest to ours.
    func lastSequence(near ours: UInt64) -> UInt64 {
        let low = value >> 36 & Self.sequenceMask
        let base = ours & ~Self.sequenceMask
        let candidates = [base + low, base + low + (1 << 24), base >= 1 << 24 ? base - (1 << 24) + low : low]
        func distance(_ other: UInt64) -> UInt64 { other > ours ? other - ours : ours - other }
        return candidates.min { (distance($0), $0) < (distance($1), $1) } ?? low
    }
}

extension Cryptography {
    /// A key for SipHash: the first 16 bytes of the HMAC of a label.
    func sipHashKey(from secret: Bytes32, _ label: [UInt8]) -> SipHashKey {
        let hash = hmac(key: secret, label).bytes
        return SipHashKey(UInt64(bytes: hash[0..<8]), UInt64(bytes: hash[8..<16]))
    }
}

extension LogState {
    /// Whether the log is held from its first event to its one end.
    var isGapless: Bool { isLinear && floor == 0 && ends.count == 1 && starts.count == 1 && starts[0].sequence == 1 }
}
