// The encoding of the negentropy protocol, version 1. A bound states its time as the difference to the previous bound.

struct RangeWriter {
    private(set) var bytes: [UInt8]
    private var lastTimestamp: UInt64 = 0

    init(version: UInt8) { bytes = [version] }

    var count: Int { bytes.count }

    /// An empty writer that continues this message. Its bytes can be dropped.
    func part() -> RangeWriter {
        var part = self
        part.bytes = []
        return part
    }

    mutating func append(_ part: RangeWriter) {
        bytes += part.bytes
        lastTimestamp = part.lastTimestamp
    }

    mutating func append(_ bound: RangeBound) {
        if bound.timestamp == .max {
            bytes.append(digits: 0)
        } else {
            bytes.append(digits: bound.timestamp &- lastTimestamp &+ 1)
        }
        lastTimestamp = bound.timestamp
        bytes.append(digits: UInt64(bound.prefix.count))
        bytes += bound.prefix
    }

    mutating func append(varint value: UInt64) { bytes.append(digits: value) }
    mutating func append(_ run: [UInt8]) { bytes += run }
}

struct RangeReader {
    private let bytes: [UInt8]
    private(set) var offset = 0
    private var lastTimestamp: UInt64 = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { offset == bytes.count }
    var left: Int { bytes.count - offset }

    mutating func byte() throws(ReconciliationError) -> UInt8 {
        guard offset < bytes.count else { throw .malformed(offset: offset) }
        defer { offset += 1 }
        return bytes[offset]
    }

    mutating func take(_ count: Int) throws(ReconciliationError) -> ArraySlice<UInt8> {
        guard count <= bytes.count - offset else { throw .malformed(offset: offset) }
        defer { offset += count }
        return bytes[offset..<offset + count]
    }

    /// Reads a number in base 128, the most significant digit first.
    mutating func varint() throws(ReconciliationError) -> UInt64 {
        var value: UInt64 = 0
        while true {
            let byte = try byte()
            guard value >> 57 == 0 else { throw .malformed(offset: offset) }
            value = value << 7 | UInt64(byte & 0x7f)
            if byte & 0x80 == 0 { return value }
        }
    }

    mutating func bound() throws(ReconciliationError) -> RangeBound {
        let difference = try varint()
        var timestamp = UInt64.max
        if difference > 0 {
            let (sum, overflows) = lastTimestamp.addingReportingOverflow(difference - 1)
            timestamp = overflows ? .max : sum
        }
        lastTimestamp = timestamp
        let count = try varint()
        guard count <= 32 else { throw .malformed(offset: offset) }
        return RangeBound(timestamp: timestamp, prefix: Array(try take(Int(count))))
    }

    mutating func ids() throws(ReconciliationError) -> [ItemID] {
        let count = try varint()
        // A count that exceeds the remaining bytes is refused before memory is reserved.
        guard count <= UInt64((bytes.count - offset) / 32) else { throw .malformed(offset: offset) }
        var ids: [ItemID] = []
        ids.reserveCapacity(Int(count))
        for _ in 0..<count {
            guard let id = ItemID(try take(32)) else { throw .malformed(offset: offset) }
            ids.append(id)
        }
        return ids
    }
}

extension Array where Element == UInt8 {
    /// Appends a number in base 128, the most significant digit first.
    mutating func append(digits value: UInt64) {
        var shift = 63
        while shift > 0, value >> UInt64(shift) == 0 { shift -= 7 }
        while shift > 0 {
            append(UInt8(truncatingIfNeeded: value >> UInt64(shift)) & 0x7f | 0x80)
            shift -= 7
        }
        append(UInt8(truncatingIfNeeded: value) & 0x7f)
    }
}
