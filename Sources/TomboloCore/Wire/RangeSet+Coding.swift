extension RangeSet<Int> {
    init(_ range: Range<Int>) { self.init([range]) }

    mutating func insert(_ position: Int) { insert(contentsOf: position..<position + 1) }
    mutating func remove(_ position: Int) { remove(contentsOf: position..<position + 1) }

    /// The number of positions.
    package var positions: Int { ranges.reduce(0) { $0 + $1.count } }

    /// Appends ranges as positions (protocol 5.8-2), at most `limit` of them: for each its distance from the end of the
    /// one before ‖ its length, as varints.
    package func append(to buffer: inout [UInt8], limit: Int = .max) {
        var end = 0
        for range in ranges.prefix(limit) {
            buffer.append(varint: range.lowerBound - end)
            buffer.append(varint: range.count)
            end = range.upperBound
        }
    }

    /// Reads ranges to the end.
    ///
    /// - Parameters:
    ///   - bound: the bound below which all positions must be.
    ///   - limit: the most ranges.
    /// - Throws: `WireError` if a range is empty or exceeds the bound, or if there are too many.
    package init(reading reader: inout WireReader, below bound: Int, limit: Int = .max) throws(WireError) {
        self.init()
        var (end, count) = (0, 0)
        while !reader.isAtEnd {
            count += 1
            guard count <= limit else { throw .tooLarge("ranges of chunks", limit: limit) }
            let start = end + (try reader.varint(atMost: bound - end, "a range of chunks"))
            let length = try reader.varint(atMost: bound - start, "a range of chunks")
            guard length > 0 else { throw .invalid("an empty range of chunks", offset: reader.offset) }
            end = start + length
            insert(contentsOf: start..<end)
        }
    }
}
