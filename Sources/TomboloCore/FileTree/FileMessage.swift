/// A message about a file (protocol 5.8-1).
package enum FileMessage: Hashable, Sendable {
    /// Asks the peer to state the chunks that it holds, now and whenever they become more.
    case want(FileID)
    /// States the positions of chunks that the sender holds, beyond those that it stated before.
    case have(FileID, RangeSet<Int>)
    /// Asks the peer to send these chunks.
    case request(FileID, RangeSet<Int>)
    case chunk(FileID, Int, Bytes)
    /// Refuses to send a chunk that the peer requested.
    case decline(FileID, Int)
    /// Reports that a chunk that the peer sent does not have the hash that its parent states.
    case doubt(FileID, Int)
    /// Reports that the peer's chunks have come or are not wanted. If it is final, no others will be wanted either.
    case enough(FileID, isFinal: Bool)

    package init(decoding bytes: Bytes) throws(WireError) {
        var reader = WireReader(bytes)
        let kind = try reader.byte()
        guard let file = FileID(try reader.take(FileID.encodedBytes)) else {
            throw .tooLarge("a file", limit: Int(Limits.file))
        }
        let count = FileShape(size: file.size).count
        switch kind {
        case 0: self = .want(file)
        case 1: self = .have(file, try RangeSet(reading: &reader, below: count, limit: Limits.chunkRanges))
        case 2: self = .request(file, try RangeSet(reading: &reader, below: count, limit: Limits.chunkRanges))
        case 3: self = .chunk(file, try reader.varint(atMost: count - 1, "a chunk's position"), reader.rest())
        case 4: self = .decline(file, try reader.varint(atMost: count - 1, "a chunk's position"))
        case 5: self = .doubt(file, try reader.varint(atMost: count - 1, "a chunk's position"))
        case 6: self = .enough(file, isFinal: try reader.byte() == 1)
        default: throw .invalid("the kind of a file message", offset: 0)
        }
        guard reader.isAtEnd else { throw .invalid("a file message", offset: reader.offset) }
    }

    package var encoded: [UInt8] {
        var buffer: [UInt8] = []
        func begin(_ kind: UInt8, _ file: FileID) {
            buffer.append(kind)
            buffer += file.bytes
        }
        switch self {
        case .want(let file): begin(0, file)
        case .have(let file, let held):
            begin(1, file)
            held.append(to: &buffer, limit: Limits.chunkRanges)
        case .request(let file, let wanted):
            begin(2, file)
            wanted.append(to: &buffer, limit: Limits.chunkRanges)
        case .chunk(let file, let position, let bytes):
            begin(3, file)
            buffer.append(varint: position)
            buffer += bytes
        case .decline(let file, let position):
            begin(4, file)
            buffer.append(varint: position)
        case .doubt(let file, let position):
            begin(5, file)
            buffer.append(varint: position)
        case .enough(let file, let isFinal):
            begin(6, file)
            buffer.append(isFinal ? 1 : 0)
        }
        return buffer
    }
}

extension Payload {
    /// Encodes a payload that holds one chunk and nothing else. The bytes are those of the generic encoder, with one
    /// copy of the chunk.
    package static func encodedChunk(_ bytes: [UInt8], at position: Int, of file: FileID, number: Int) -> [UInt8] {
        let head = FileMessage.chunk(file, position, []).encoded
        var group: [UInt8] = []
        if number != 0 { group.append(field: 1, varint: UInt64(number)) }
        group.append(field: 18, length: head.count + bytes.count)
        group += head
        var buffer: [UInt8] = []
        buffer.reserveCapacity(group.count + bytes.count + 8)
        buffer.append(field: 5102, length: group.count + bytes.count)
        buffer += group
        buffer += bytes
        return buffer
    }
}
