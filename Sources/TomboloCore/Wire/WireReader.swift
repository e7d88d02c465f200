/// Reads integers and byte runs from a slice, never past its end.
package struct WireReader {
    private let bytes: Bytes
    private(set) var position: Int

    package init(_ bytes: Bytes) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    package var isAtEnd: Bool { position == bytes.endIndex }
    package var remaining: Int { bytes.endIndex - position }
    /// The offset from the beginning of the slice, for errors.
    package var offset: Int { position - bytes.startIndex }

    package mutating func byte() throws(WireError) -> UInt8 {
        guard position < bytes.endIndex else { throw .truncated(offset: offset) }
        defer { position += 1 }
        return bytes[position]
    }

    package mutating func take(_ count: Int) throws(WireError) -> Bytes {
        guard count >= 0, count <= remaining else { throw .truncated(offset: offset) }
        defer { position += count }
        return bytes[position..<position + count]
    }

    package mutating func take(_ count: UInt64) throws(WireError) -> Bytes {
        guard count <= UInt64(remaining) else { throw .truncated(offset: offset) }
        return try take(Int(count))
    }

    package mutating func rest() -> Bytes {
        defer { position = bytes.endIndex }
        return bytes[position...]
    }

    /// The bytes from `start`, an earlier ``position``, to the current one.
    package func slice(from start: Int) -> Bytes { bytes[start..<position] }

    package mutating func bytes32() throws(WireError) -> Bytes32 {
        let run = try take(32)
        return run.withUnsafeBytes { Bytes32(loading: $0) }
    }

    package mutating func fixed64() throws(WireError) -> UInt64 {
        let run = try take(8)
        return run.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
    }

    /// The first five bytes of a name or key, the most significant first.
    package mutating func prefix() throws(WireError) -> UInt64 { try take(5).reduce(0) { $0 << 8 | UInt64($1) } }

    /// A varint of Protocol Buffers. It may have superfluous zero groups, and not more than 64 bits.
    package mutating func protobufVarint() throws(WireError) -> UInt64 {
        var result: UInt64 = 0
        var shift: UInt64 = 0
        let start = offset
        while true {
            let byte = try byte()
            if shift == 63, byte > 1 { throw .varintTooLong(offset: start) }
            result |= UInt64(byte & 0x7f) << shift
            if byte & 0x80 == 0 { return result }
            shift += 7
            if shift > 63 { throw .varintTooLong(offset: start) }
        }
    }

    /// A varint of Tombolo's own encodings, which must be minimal (protocol 0-3).
    package mutating func varint() throws(WireError) -> UInt64 {
        let start = position
        let value = try protobufVarint()
        if position - start > 1, bytes[position - 1] == 0 { throw .varintNotMinimal(offset: start - bytes.startIndex) }
        return value
    }

    /// A minimal varint of at most `limit`.
    package mutating func varint(atMost limit: Int, _ what: String) throws(WireError) -> Int {
        let value = try varint()
        guard value <= UInt64(limit) else { throw .tooLarge(what, limit: limit) }
        return Int(value)
    }

    /// A sequence, a Lamport time or a time: a minimal varint below 2^53. So sums with it cannot overflow.
    package mutating func integer() throws(WireError) -> UInt64 {
        let value = try varint()
        guard value < Limits.integer else { throw .tooLarge("an integer", limit: Int(Limits.integer) - 1) }
        return value
    }

    package mutating func zigzag() throws(WireError) -> Int64 {
        let value = try varint()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }
}

// Values are appended to a plain array, so that the caller owns the buffer and can use it for a whole batch.
extension Array where Element == UInt8 {
    package mutating func append(varint value: UInt64) {
        var value = value
        while value >= 0x80 {
            append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        append(UInt8(value))
    }

    package mutating func append(varint value: Int) { append(varint: UInt64(value)) }

    package mutating func append(zigzag value: Int64) {
        append(varint: UInt64(bitPattern: value << 1) ^ UInt64(bitPattern: value >> 63))
    }

    package mutating func append(fixed64 value: UInt64) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }

    package mutating func append(fixed32 value: UInt32) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }

    package mutating func append<Subject>(_ name: Name<Subject>) { name.value.append(to: &self) }
}

/// The number of bytes that a varint takes.
package func varintLength(_ value: UInt64) -> Int { max(1, (70 - value.leadingZeroBitCount) / 7) }

extension [UInt8] {
    /// Appends the 40 bits of a ``WireReader/prefix()``.
    mutating func append(prefix: UInt64) {
        for shift in stride(from: UInt64(32), through: 0, by: -8) { append(UInt8(truncatingIfNeeded: prefix >> shift)) }
    }
}
