/// The events that a peer holds of one log, as it states them in a frontier or in `have` (protocol 5.2-3, 5.2-4).
package struct FrontierEntry: Hashable {
    package var floor: UInt64 = 0
    /// One range for each end: the peer holds the chain below the end, down to `start`.
    package var ranges: [Range]

    package struct Range: Hashable {
        package var start: UInt64
        package var end: UInt64
        package var id: IDPrefix
    }

    /// An id, or its first eight bytes where few events come into question.
    package enum IDPrefix: Hashable {
        case short(UInt64)
        case full(EventID)

        package func matches(_ id: EventID) -> Bool {
            switch self {
            case .short(let prefix): prefix == id.value.prefix64
            case .full(let full): full == id
            }
        }
    }
}

/// The log references of one direction of a session: numbers that stand for the ids of logs (protocol 5.1).
package struct LogTable {
    /// The logs that both sides knew at the beginning, ascending. Sessions of one group share this array.
    private let agreed: [LogID]
    /// The logs that were declared since, and their numbers.
    private var declared: [LogID] = []
    private var numbers: [LogID: Int] = [:]

    package init() { agreed = [] }

    /// Begins a table with logs that both sides know, in ascending order of their ids.
    package init(_ logs: [LogID]) { agreed = logs }

    package var count: Int { agreed.count + declared.count }

    /// The log with a number below ``count``.
    subscript(number: Int) -> LogID { number < agreed.count ? agreed[number] : declared[number - agreed.count] }

    func number(of log: LogID) -> Int? {
        if let number = numbers[log] { return number }
        guard !agreed.isEmpty else { return nil }
        let place = agreed.partitionPoint { $0 >= log }
        return place < agreed.count && agreed[place] == log ? place : nil
    }

    private mutating func declare(_ log: LogID) {
        numbers[log] = count
        declared.append(log)
    }

    /// Writes a log's number, and its id if the table lacks it (protocol 5.1-2).
    ///
    /// - Returns: the log's number.
    @discardableResult
    package mutating func write(_ log: LogID, to buffer: inout [UInt8]) -> Int {
        let known = number(of: log)
        let number = known ?? count
        buffer.append(varint: number)
        guard known == nil else { return number }
        buffer.append(log)
        declare(log)
        return number
    }

    package mutating func read(_ reader: inout WireReader) throws(WireError) -> LogID {
        let number = try readNumber(&reader)
        return self[number]
    }

    mutating func readNumber(_ reader: inout WireReader) throws(WireError) -> Int {
        let number = try reader.varint(atMost: count, "a log reference")
        if number < count { return number }
        let limit = Limits.logsPerGroup + Limits.unprovenLogs
        guard number < limit else { throw .tooLarge("a table of logs", limit: limit) }
        let log = LogID(try reader.bytes32())
        guard self.number(of: log) == nil else {
            throw .invalid("a repeated declaration of a log", offset: reader.offset)
        }
        declare(log)
        return number
    }
}

/// The latest event of each log in a window, by the log's number.
struct LatestOfLogs: Sendable {
    private var events: [EventReference] = []
    /// For each log: the place of its event in ``events``, counted from 1, or 0 for none. Few of many logs are in one
    /// window.
    private var places: [Int32] = []

    subscript(number: Int) -> EventReference? {
        get { number < places.count && places[number] > 0 ? events[Int(places[number]) - 1] : nil }
        set {
            guard let newValue else { return }
            if number >= places.count { places += repeatElement(0, count: number + 1 - places.count) }
            if places[number] > 0 {
                events[Int(places[number]) - 1] = newValue
            } else {
                events.append(newValue)
                places[number] = Int32(events.count)
            }
        }
    }
}

extension FrontierEntry {
    /// Writes this device's own entry of a log.
    static func write(_ log: LogState, fullIDs: Bool, table: inout LogTable, to buffer: inout [UInt8]) {
        table.write(log.id, to: &buffer)
        if log.isGapless, let end = log.ends.first {
            buffer.append(varint: end.sequence << 1)
            write(end.id, fullIDs: fullIDs, to: &buffer)
        } else {
            buffer.append(varint: log.floor << 1 | 1)
            write(rangesOf: log, fullIDs: fullIDs, to: &buffer)
        }
    }

    static func write(rangesOf log: LogState, fullIDs: Bool, to buffer: inout [UInt8]) {
        buffer.append(varint: log.ends.count)
        for end in log.ends {
            buffer.append(varint: end.start)
            buffer.append(varint: end.sequence)
            write(end.id, fullIDs: fullIDs, to: &buffer)
        }
    }

    private static func write(_ id: EventID, fullIDs: Bool, to buffer: inout [UInt8]) {
        if fullIDs { buffer.append(id) } else { buffer.append(contentsOf: id.bytes[..<8]) }
    }

    static func read(
        _ reader: inout WireReader, fullIDs: Bool, table: inout LogTable
    ) throws(WireError) -> (LogID, FrontierEntry) {
        let log = try table.read(&reader)
        let head = try reader.varint()
        let number = head >> 1
        guard number < Limits.integer, number >= 1 || head == 1 else {
            throw .invalid("a frontier's entry", offset: reader.offset)
        }
        if head & 1 == 1 {
            return (log, FrontierEntry(floor: number, ranges: try readRanges(&reader, fullIDs: fullIDs)))
        }
        let range = Range(start: 1, end: number, id: try readID(&reader, fullIDs: fullIDs))
        return (log, FrontierEntry(ranges: [range]))
    }

    static func readID(_ reader: inout WireReader, fullIDs: Bool) throws(WireError) -> IDPrefix {
        if fullIDs { return .full(EventID(try reader.bytes32())) }
        return .short(UInt64(bigEndian: try reader.fixed64().littleEndian))
    }

    static func readRanges(_ reader: inout WireReader, fullIDs: Bool) throws(WireError) -> [Range] {
        let count = try reader.varint(atMost: Limits.endsPerLog, "ends")
        var ranges: [Range] = []
        for _ in 0..<count {
            let (start, end) = (try reader.integer(), try reader.integer())
            guard start >= 1, start <= end else { throw .invalid("a range of a frontier", offset: reader.offset) }
            let range = Range(start: start, end: end, id: try readID(&reader, fullIDs: fullIDs))
            guard !ranges.contains(where: { $0.end == range.end && $0.id == range.id }) else {
                throw .invalid("a repeated end", offset: reader.offset)
            }
            ranges.append(range)
        }
        return ranges
    }
}
