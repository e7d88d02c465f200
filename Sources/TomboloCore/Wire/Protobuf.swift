// The part of Protocol Buffers (proto3) that the wire format uses. A decoded message refers to the payload's own bytes,
// and unknown fields are kept so that they can be written back.

/// The value of a field on the wire.
package enum ProtobufValue {
    case varint(UInt64)
    case fixed64(UInt64)
    case bytes(Bytes)
    /// A group or a 32-bit field. Tombolo has none, so these are kept as unknown.
    case other
}

/// Reads the fields of a message one after the other.
package struct ProtobufReader {
    private var reader: WireReader
    private var fieldStart: Int

    /// The deepest nesting of groups. Deeper ones are refused (protocol 1-7).
    static let deepestGroup = 16

    package init(_ bytes: Bytes) {
        reader = WireReader(bytes)
        fieldStart = bytes.startIndex
    }

    /// The next field; nil at the end.
    package mutating func next() throws(WireError) -> (number: UInt32, value: ProtobufValue)? {
        guard !reader.isAtEnd else { return nil }
        fieldStart = reader.position
        let (number, type) = try tag()
        return (number, try value(number: number, type: type, depth: 0))
    }

    /// The tag and value of the field that `next()` returned last, as they came.
    package var lastField: Bytes { reader.slice(from: fieldStart) }

    private mutating func tag() throws(WireError) -> (UInt32, UInt8) {
        let start = reader.offset
        let tag = try reader.protobufVarint()
        let number = tag >> 3
        guard number >= 1, number <= 0x1fff_ffff else { throw .badTag(offset: start) }
        return (UInt32(number), UInt8(tag & 7))
    }

    private mutating func value(number: UInt32, type: UInt8, depth: Int) throws(WireError) -> ProtobufValue {
        switch type {
        case 0: return .varint(try reader.protobufVarint())
        case 1: return .fixed64(try reader.fixed64())
        case 2:
            let count = try reader.protobufVarint()
            return .bytes(try reader.take(count))
        case 3:
            guard depth < Self.deepestGroup else { throw .tooLarge("nesting of groups", limit: Self.deepestGroup) }
            while true {
                let start = reader.offset
                let (inner, innerType) = try tag()
                if innerType == 4 {
                    guard inner == number else { throw .badTag(offset: start) }
                    return .other
                }
                _ = try value(number: inner, type: innerType, depth: depth + 1)
            }
        case 5:
            _ = try reader.take(4)
            return .other
        default: throw .badTag(offset: reader.offset)
        }
    }
}

extension Array where Element == UInt8 {
    package mutating func append(field number: UInt32, varint value: UInt64) {
        append(varint: UInt64(number) << 3)
        append(varint: value)
    }

    package mutating func append(field number: UInt32, bytes: some Collection<UInt8>) {
        append(field: number, length: bytes.count)
        append(contentsOf: bytes)
    }

    /// Appends the tag and the length of a field of `length` bytes.
    package mutating func append(field number: UInt32, length: Int) {
        append(varint: UInt64(number) << 3 | 2)
        append(varint: length)
    }
}
