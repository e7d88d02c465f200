/// A question that fits into one datagram: "I have these items of this slice of time; which others do you have?"
///
/// The scheme is that of Dispersy (Zeilemaker, Schoon, Pouwelse, "Dispersy Bundle Synchronization", 2013, §4). Neither
/// side stores anything between questions. The answer has the other side's items of the slice that the filter does not
/// contain. An item that a false positive hides is found under another salt.
///
///     query = 1 u8 ‖ lowest varint ‖ highest varint ‖ modulo varint ‖ offset varint
///             ‖ salt u64 ‖ hashes u8 ‖ bits to the end
///
/// Varints are in base 128, the least significant group first. The slice consists of the times t with lowest ≤ t ≤
/// highest and (t + offset) mod modulo = 0.
public struct BloomQuery: Hashable, Sendable {
    public let lowest: UInt64
    public let highest: UInt64
    /// The distance between the times of the slice; 1 for every time between the bounds.
    public let modulo: UInt64
    public let offset: UInt64
    public let filter: BloomFilter

    /// The way in which the slice is chosen.
    public enum Choice: Hashable, Sendable {
        /// Every n-th time, beginning at a random one. Suits a device that lacks many items at random places.
        case modulo
        /// About as many items as the filter has room for, next to a time that is probably recent. Of the two sides of
        /// that time, the one that spans more time is used. Suits a device that lacks few items.
        case pivot
    }

    /// Tells whether an item belongs to the slice.
    public func covers(_ item: RangeItem) -> Bool {
        item.timestamp >= lowest && item.timestamp <= highest && (item.timestamp &+ offset).isMultiple(of: modulo)
    }

    /// Creates a question about a slice of this side's items.
    ///
    /// - Parameters:
    ///   - items: the items of this side, in order.
    ///   - choice: the way to choose the slice.
    ///   - byteLimit: the most bytes in the query, at least 128: the limit of a datagram.
    ///   - generator: the source of randomness for the slice and the salt.
    public init(
        over items: some RangeStorage, _ choice: Choice, byteLimit: Int = 1_270,
        using generator: inout some RandomNumberGenerator
    ) throws(ReconciliationError) {
        precondition(byteLimit >= 128, "a query of \(byteLimit) bytes has no room for a filter")
        let bytes = min(65_536, (byteLimit - Self.mostHeaderBytes) / 8 * 8)
        // With 9.6 bits an element and 7 hashes, about one missing item in a hundred is a false positive.
        let capacity = max(1, bytes * 8 * 5 / 48)
        var filter = BloomFilter(bytes: bytes, hashes: 7, salt: generator.next())
        let count = try items.count
        var (lowest, highest, modulo, offset): (UInt64, UInt64, UInt64, UInt64) = (0, .max, 1, 0)
        var range = 0..<count
        if count > capacity {
            switch choice {
            case .modulo:
                modulo = UInt64((count + capacity - 1) / capacity)
                offset = generator.next(upperBound: modulo)
            case .pivot:
                range = try Self.slice(around: Self.recentIndex(count, using: &generator), of: capacity, items)
                if range.lowerBound > 0 { lowest = try items[range.lowerBound].timestamp }
                if range.upperBound < count { highest = try items[range.upperBound - 1].timestamp }
            }
        }
        for index in range {
            let item = try items[index]
            if (item.timestamp &+ offset).isMultiple(of: modulo) { filter.insert(item.id) }
        }
        (self.lowest, self.highest, self.modulo, self.offset, self.filter) = (lowest, highest, modulo, offset, filter)
    }

    /// The indices of the items in the slice that the asking side lacks, oldest first, at most `limit`.
    public func missing(in items: some RangeStorage, limit: Int) throws(ReconciliationError) -> [Int] {
        var found: [Int] = []
        var index = try items.firstIndex(notBelow: RangeBound(timestamp: lowest, prefix: []), from: 0)
        let count = try items.count
        while index < count, found.count < limit {
            let item = try items[index]
            if item.timestamp > highest { break }
            if covers(item), !filter.mayContain(item.id) { found.append(index) }
            index += 1
        }
        return found
    }

    /// A random index, exponentially likelier towards the end, at a mean distance of half of `count` from it. A
    /// distance beyond the first index is replaced by a uniform choice.
    private static func recentIndex(_ count: Int, using generator: inout some RandomNumberGenerator) -> Int {
        let distance = exponential(using: &generator) * Double(count) / 2
        if distance < Double(count) { return count - 1 - min(count - 1, Int(distance)) }
        return Int(generator.next(upperBound: UInt64(count)))
    }

    /// An exponentially distributed number with mean 1. It uses comparisons alone, so that every platform gives the
    /// same number (von Neumann, "Various techniques used in connection with random digits", 1951).
    static func exponential(using generator: inout some RandomNumberGenerator) -> Double {
        func uniform() -> Double { Double(generator.next() >> 11) / 9_007_199_254_740_992 }
        var whole = 0.0
        while true {
            let first = uniform()
            var (last, length) = (first, 1)
            while true {
                let next = uniform()
                guard next < last else { break }
                last = next
                length += 1
            }
            if length % 2 == 1 { return whole + first }
            whole += 1
        }
    }

    /// Chooses between the `capacity` items before an index and as many from it on: the range that spans more time. The
    /// result contains either all items of one time or none.
    private static func slice(
        around index: Int, of capacity: Int, _ items: some RangeStorage
    ) throws(ReconciliationError) -> Range<Int> {
        let count = try items.count
        // The last `capacity` items. The slice has no upper bound, so newer items belong to it too.
        guard index + capacity < count else {
            let first = try items[count - capacity].timestamp
            return try items.firstIndex(notBelow: RangeBound(timestamp: first, prefix: []), from: 0)..<count
        }
        let left = max(0, index - capacity)..<max(1, index)
        let right = index..<index + capacity
        func span(_ range: Range<Int>) throws(ReconciliationError) -> UInt64 {
            try items[range.upperBound - 1].timestamp - items[range.lowerBound].timestamp
        }
        let chosen = try span(left) > span(right) ? left : right
        // A slice is stated by its times, so the items of one time belong to it either all or not at all.
        var upper = chosen.upperBound
        if upper < count, upper - chosen.lowerBound > 1 {
            let edge = try items[upper - 1].timestamp
            if try items[upper].timestamp == edge {
                let start = try items.firstIndex(notBelow: RangeBound(timestamp: edge, prefix: []), from: 0)
                if start > chosen.lowerBound { upper = start }
            }
        }
        let lower = try items.firstIndex(
            notBelow: RangeBound(timestamp: items[chosen.lowerBound].timestamp, prefix: []), from: 0)
        return lower..<max(upper, lower + 1)
    }

    // MARK: Coding

    /// The most bytes before the bits: version, four varints, salt and the number of hashes.
    private static let mostHeaderBytes = 1 + 4 * 10 + 8 + 1

    public var bytes: [UInt8] {
        var bytes: [UInt8] = [1]
        for value in [lowest, highest, modulo, offset] {
            var value = value
            while value >= 0x80 {
                bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
                value >>= 7
            }
            bytes.append(UInt8(value))
        }
        bytes.append(littleEndian: filter.salt)
        bytes.append(UInt8(filter.hashes))
        return bytes + filter.bits
    }

    /// - Throws: ``ReconciliationError/malformed(offset:)``.
    public init(bytes: [UInt8]) throws(ReconciliationError) {
        var position = 1
        guard bytes.first == 1 else { throw .malformed(offset: 0) }
        var values: [UInt64] = []
        for _ in 0..<4 {
            var (value, shift): (UInt64, UInt64) = (0, 0)
            while true {
                guard position < bytes.count, shift < 64 else { throw .malformed(offset: position) }
                let byte = bytes[position]
                guard shift < 63 || byte <= 1 else { throw .malformed(offset: position) }
                position += 1
                value |= UInt64(byte & 0x7f) << shift
                if byte & 0x80 == 0 { break }
                shift += 7
            }
            values.append(value)
        }
        guard bytes.count >= position + 9, values[2] >= 1, values[0] <= values[1] else {
            throw .malformed(offset: position)
        }
        let salt = UInt64(bytes: bytes[position..<position + 8])
        let hashes = Int(bytes[position + 8])
        guard let filter = BloomFilter(bits: bytes[(position + 9)...], hashes: hashes, salt: salt) else {
            throw .malformed(offset: position + 9)
        }
        self.filter = filter
        (lowest, highest, modulo, offset) = (values[0], values[1], values[2], values[3])
    }
}
