/// The encoding of cells. A count is sent as its difference to the expected count, which takes one to two bytes.
///
///     cell = sum ‖ checksum (4 or 8 bytes, little endian) ‖ zigzag varint of (count − expected)
public struct RatelessCoding: Hashable, Sendable {
    /// The size of the set that the cells describe.
    public let size: Int
    /// The number of checksum bytes, 4 or 8. Four suffice if a digest confirms the result.
    public let checksumBytes: Int

    public init(size: Int, checksumBytes: Int = 8) {
        precondition(checksumBytes == 4 || checksumBytes == 8, "a checksum has 4 or 8 bytes, not \(checksumBytes)")
        self.size = size
        self.checksumBytes = checksumBytes
    }

    public func write<Symbol>(
        _ cell: CodedSymbol<Symbol>, index: Int, into bytes: inout [UInt8]
    ) {
        cell.sum.append(to: &bytes)
        for byte in 0..<checksumBytes {
            bytes.append(UInt8(truncatingIfNeeded: cell.checksum >> UInt64(8 * byte)))
        }
        let difference = cell.count &- expectedCount(of: size, inCell: index)
        var zigzag = UInt64(bitPattern: difference << 1) ^ UInt64(bitPattern: difference >> 63)
        while zigzag >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: zigzag) | 0x80)
            zigzag >>= 7
        }
        bytes.append(UInt8(zigzag))
    }

    /// Reads one cell at `offset` and moves `offset` behind it.
    ///
    /// - Throws: ``ReconciliationError/malformed(offset:)``.
    public func read<Symbol: ReconcilableSymbol>(
        _ bytes: [UInt8], at offset: inout Int, index: Int
    ) throws(ReconciliationError) -> CodedSymbol<Symbol> {
        guard bytes.count - offset > Symbol.byteCount + checksumBytes else { throw .malformed(offset: offset) }
        let sum = Symbol(bytes: bytes[offset..<offset + Symbol.byteCount])
        var position = offset + Symbol.byteCount
        var checksum: UInt64 = 0
        for byte in 0..<checksumBytes { checksum |= UInt64(bytes[position + byte]) << UInt64(8 * byte) }
        position += checksumBytes
        var (zigzag, shift): (UInt64, UInt64) = (0, 0)
        while true {
            guard position < bytes.count, shift < 63 else { throw .malformed(offset: position) }
            let byte = bytes[position]
            position += 1
            zigzag |= UInt64(byte & 0x7f) << shift
            if byte & 0x80 == 0 { break }
            shift += 7
        }
        offset = position
        let difference = Int64(bitPattern: zigzag >> 1) ^ -Int64(bitPattern: zigzag & 1)
        return CodedSymbol(
            sum: sum, checksum: checksum, count: difference &+ expectedCount(of: size, inCell: index))
    }
}
