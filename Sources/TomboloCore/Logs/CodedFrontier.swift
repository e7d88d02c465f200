internal import SetReconciliation

/// A group's frontier as a map from numbers of logs to numbers of their states (protocol 5.2-7).
///
/// Coded symbols of it find the differences between two devices. Their cost follows the logs that differ, not all logs.
struct CodedFrontier: Sendable {
    let hashKey: SipHashKey
    /// The store's last ordinal when the map was made.
    let ordinal: Int64
    /// The number of the map's entries: logs of which any event was ever held.
    let count: Int
    /// The map's keys and values, by the logs' indices; 0 for logs without an entry.
    private let keys: [UInt64]
    private let values: [UInt64]
    private var sketch: MapSketch?
    /// The number of times that all logs were visited to make cells. A peer that asks for cells one by one causes few.
    private(set) var visits = 0

    /// The logs by the first 40 bits of their keys; nil until they are first needed.
    private var logsOfPrefixes: [UInt64: Int]?
    /// First 40 bits that several keys share.
    private var ambiguous: Set<UInt64> = []
    /// The number of cells that were sent to the peer.
    var sentCells = 0
    /// The decoder of the peer's cells, with the differences found so far.
    var decoder: MapDecoder

    /// - Parameters:
    ///   - ordinal: the store's last ordinal.
    ///   - hashKey: the key of the hash, equal on both sides.
    ///   - decodes: whether this device will receive cells of the peer.
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

    /// The first cells of the map, at least `count` of them.
    mutating func cells(_ count: Int) -> [CodedEntries] {
        let made = sketch?.cells.count ?? 0
        guard count > made else { return sketch(count).cells }
        return sketch(max(count, min(2 * made, Limits.codedCells))).cells
    }

    private mutating func sketch(_ count: Int) -> MapSketch {
        if let sketch, sketch.cells.count >= count { return sketch }
        var made = MapSketch(count: count, hashKey: hashKey)
        for (log, key) in keys.enumerated() where key != 0 { made.insert(values[log], forKey: key) }
        sketch = made
        visits += 1
        return made
    }

    /// One byte of each of some cells, 16 to 120 in all, more for more logs (protocol 5.2-13).
    mutating func hint() -> [UInt8] {
        var cells = 64
        while cells < 2 * count, cells < 1 << 16 { cells *= 2 }
        return sketch(cells + 8).hint()
    }

    mutating func estimatedDifference(fromHint hint: Bytes) -> Int? {
        // A hint of 8·(n + 2) bytes covers the cells below 2ⁿ⁺³ + 8.
        guard hint.count >= 16, hint.count <= 120, hint.count.isMultiple(of: 8) else { return nil }
        let count = (1 << (hint.count / 8 + 1)) + 8
        return try? sketch(count).estimatedDifference(fromHint: Array(hint))
    }

    /// The index of the log with a key; nil if there is none.
    mutating func log(_ key: UInt64) -> Int? {
        let logs = logsByPrefix()
        guard !ambiguous.contains(Self.prefix(of: key)) else { return keys.firstIndex(of: key) }
        return logs[Self.prefix(of: key)].flatMap { keys[$0] == key ? $0 : nil }
    }

    /// The logs by the first 40 bits of their keys. Logs that share these bits are left out.
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

    /// The first 40 of a key's 61 bits.
    static func prefix(of key: UInt64) -> UInt64 { key >> 21 }
}

/// A log's state in 61 bits, the value of its entry in the map (protocol 5.2-7).
///
/// It states whether the log is one chain from its first event, and its last sequence modulo 2²⁴. The remaining 36 bits
/// are those of a keyed hash of its Merkle leaf.
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

    /// The last sequence. Of those that fit the 24 bits it is the nearest to this device's own.
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
