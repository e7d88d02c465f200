/// An entry in a frontier of differing logs, which names its log by 40 bits of the log's key (protocol 5.2-17, 5.2-18).
enum DifferingEntry {
    private static let isOdd: UInt64 = 1
    private static let asks: UInt64 = 2

    /// - Parameters:
    ///   - log: the state of the log; nil if nothing of it is held.
    ///   - key: the log's key in the map of logs.
    ///   - asks: whether the receiver must state what it holds.
    static func bytes(of log: LogState?, key: UInt64, asks: Bool) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(prefix: CodedFrontier.prefix(of: key))
        let flags = asks ? Self.asks : 0
        guard let log else {
            bytes.append(varint: flags)
            return bytes
        }
        if log.isGapless, let end = log.ends.first {
            bytes.append(varint: end.sequence << 2 | flags)
            bytes += end.id.bytes[..<8]
        } else {
            bytes.append(varint: log.floor << 2 | flags | isOdd)
            FrontierEntry.write(rangesOf: log, fullIDs: false, to: &bytes)
        }
        return bytes
    }

    static func read(_ reader: inout WireReader) throws(WireError) -> (prefix: UInt64, FrontierEntry, asks: Bool) {
        let prefix = try reader.prefix()
        let head = try reader.varint()
        let number = head >> 2
        guard number < Limits.integer else { throw .invalid("a frontier's entry", offset: reader.offset) }
        var entry = FrontierEntry(ranges: [])
        if head & isOdd != 0 {
            entry.floor = number
            entry.ranges = try FrontierEntry.readRanges(&reader, fullIDs: false)
        } else if number > 0 {
            entry.ranges = [.init(start: 1, end: number, id: try FrontierEntry.readID(&reader, fullIDs: false))]
        }
        return (prefix, entry, head & asks != 0)
    }
}
