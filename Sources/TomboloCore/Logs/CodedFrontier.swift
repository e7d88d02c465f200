internal import SetReconciliation

/// A group's frontier as a map from numbers for logs to numbers for their states, so that what two devices differ in can be found by
/// coded symbols: its cost follows the logs that differ, not all logs (protocol §5.2).
struct CodedFrontier: Sendable {
    let hashKey: SipHashKey
    /// The device's last ordinal when the map was made.
    let ordinal: Int64
    /// How many logs something is known of: the entries of the map.
    let count: Int
    /// The map's keys and values, by the logs' indices; 0 for logs of which nothing is known.
    private let keys: [UInt64]
    private let values: [UInt64]
    private var sketch: MapSketch?

    /// Logs by the first five bytes of their keys, once they were asked for.
    private var logsOfPrefixes: [UInt64: Int]?
    /// First five bytes that more than one key has.
    private var ambiguous: Set<UInt64> = []
    /// Cells that were given to the other side.
    var sentCells = 0
    /// Cells of the other side that were taken so far, and what was found.
    var decoder: MapDecoder

    /// - Parameters:
    ///   - ordinal: the device's last one.
    ///   - hashKey: the same on both sides.
    ///   - decodes: whether cells of the other side are to be taken.
    init(
        _ frontier: inout Frontier, ordinal: Int64, hashKey: SipHashKey, decodes: Bool,
        using cryptography: some Cryptography
    ) {
        var keys = [UInt64](repeating: 0, count: frontier.logs.count)
        var values = keys
        var count = 0
        for index in frontier.logs.indices where frontier.logs[index].isKnown {
            keys[index] = Self.key(of: frontier.logs[index].id, hashKey: hashKey)
            values[index] =
                LogSummary(
                    isGapless: frontier.logs[index].isGapless, sequence: frontier.logs[index].lastSequence,
                    leaf: frontier.leaf(ofLog: index, using: cryptography), hashKey: hashKey
                ).value
            count += 1
        }
        (self.keys, self.values, self.count, self.ordinal, self.hashKey) = (keys, values, count, ordinal, hashKey)
        var ours: [UInt64: UInt64] = [:]
        if decodes {
            ours.reserveCapacity(count)
            for (log, key) in keys.enumerated() where key != 0 { ours[key] = values[log] }
        }
        decoder = MapDecoder(ours, hashKey: hashKey)
    }

    static func key(of log: LogID, hashKey: SipHashKey) -> UInt64 {
        ItemID(log.bytes).map { MapSketch.key(of: $0, hashKey: hashKey) } ?? 1
    }

    /// The first cells: at least so many.
    mutating func cells(_ count: Int) -> [CodedEntries] { sketch(count).cells }

    private mutating func sketch(_ count: Int) -> MapSketch {
        if let sketch, sketch.cells.count >= count { return sketch }
        var made = MapSketch(count: count, hashKey: hashKey)
        for (log, key) in keys.enumerated() where key != 0 { made.insert(values[log], forKey: key) }
        sketch = made
        return made
    }

    /// One byte of some cells: more for more logs, at most 120.
    mutating func hint() -> [UInt8] {
        var cells = 64
        while cells < 2 * count, cells < 1 << 16 { cells *= 2 }
        return sketch(cells + 8).hint()
    }

    mutating func estimatedDifference(fromHint hint: Bytes) -> Int? {
        // A hint of 8·(n + 2) bytes is of the cells below 2ⁿ⁺³ + 8.
        guard hint.count >= 16, hint.count <= 120, hint.count.isMultiple(of: 8) else { return nil }
        let count = (1 << (hint.count / 8 + 1)) + 8
        return try? sketch(count).estimatedDifference(fromHint: Array(hint))
    }

    /// The log that a key stands for; nil if there is none.
    mutating func log(_ key: UInt64) -> Int? {
        let logs = logsByPrefix()
        guard !ambiguous.contains(Self.prefix(of: key)) else { return keys.firstIndex(of: key) }
        return logs[Self.prefix(of: key)].flatMap { keys[$0] == key ? $0 : nil }
    }

    /// The logs by the first five bytes of their keys; of two that are alike there, neither.
    mutating func logsByPrefix() -> [UInt64: Int] {
        if let logsOfPrefixes { return logsOfPrefixes }
        var found: [UInt64: Int] = [:]
        found.reserveCapacity(count)
        for (log, key) in keys.enumerated()
        where key != 0 && found.updateValue(log, forKey: Self.prefix(of: key)) != nil {
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
