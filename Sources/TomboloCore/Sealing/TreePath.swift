/// A path down a binary tree from its root: at most 192 steps of one bit.
package struct TreePath: Hashable, Comparable, Sendable {
    static let longest = 192

    private var words: (UInt64, UInt64, UInt64) = (0, 0, 0)
    private(set) var count = 0

    package init() {}

    subscript(index: Int) -> Bool {
        let word = index < 64 ? words.0 : index < 128 ? words.1 : words.2
        return word >> UInt64(63 - index % 64) & 1 == 1
    }

    package mutating func append(_ bit: Bool) {
        precondition(count < Self.longest, "a path has at most \(Self.longest) steps")
        let mask: UInt64 = bit ? 1 << UInt64(63 - count % 64) : 0
        switch count / 64 {
        case 0: words.0 |= mask
        case 1: words.1 |= mask
        default: words.2 |= mask
        }
        count += 1
    }

    /// Appends the `count` lowest bits of `bits`, the highest of them first.
    mutating func append(_ bits: UInt64, count: Int) {
        precondition(self.count + count <= Self.longest, "a path has at most \(Self.longest) steps")
        let room = 64 - self.count % 64
        if count > room {
            append(bits >> UInt64(count - room), count: room)
            return append(bits, count: count - room)
        }
        guard count > 0 else { return }
        let placed = (bits & (~0 >> UInt64(64 - count))) << UInt64(room - count)
        switch self.count / 64 {
        case 0: words.0 |= placed
        case 1: words.1 |= placed
        default: words.2 |= placed
        }
        self.count += count
    }

    func prefix(_ count: Int) -> TreePath {
        var result = self
        result.count = count
        func kept(_ word: Int) -> UInt64 { ~0 << UInt64(64 - min(64, max(0, count - 64 * word))) }
        result.words = (words.0 & kept(0), words.1 & kept(1), words.2 & kept(2))
        return result
    }

    /// The number of first steps that two paths have in common.
    func commonSteps(with other: TreePath) -> Int {
        let differing = (words.0 ^ other.words.0, words.1 ^ other.words.1, words.2 ^ other.words.2)
        let same =
            differing.0 != 0
            ? differing.0.leadingZeroBitCount
            : differing.1 != 0
                ? 64 + differing.1.leadingZeroBitCount : 128 + differing.2.leadingZeroBitCount
        return min(same, count, other.count)
    }

    package func begins(_ other: TreePath) -> Bool { count <= other.count && commonSteps(with: other) == count }

    package static func == (lhs: TreePath, rhs: TreePath) -> Bool { lhs.words == rhs.words && lhs.count == rhs.count }

    /// Orders paths from left to right; a path comes before those that it begins.
    package static func < (lhs: TreePath, rhs: TreePath) -> Bool {
        if lhs.words != rhs.words { return lhs.words < rhs.words }
        return lhs.count < rhs.count
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
        hasher.combine(words.2)
        hasher.combine(count)
    }
}

extension TreePath {
    /// Appends u8 number of steps ‖ the steps, eight to a byte, with zeros behind them.
    func append(to buffer: inout [UInt8]) {
        buffer.append(UInt8(count))
        for byte in 0..<(count + 7) / 8 {
            let word = byte < 8 ? words.0 : byte < 16 ? words.1 : words.2
            buffer.append(UInt8(truncatingIfNeeded: word >> UInt64(56 - byte % 8 * 8)))
        }
    }

    init(reading reader: inout WireReader) throws(WireError) {
        let count = Int(try reader.byte())
        guard count <= Self.longest else { throw .tooLarge("a path", limit: Self.longest) }
        for byte in try reader.take((count + 7) / 8) {
            let steps = min(8, count - self.count)
            guard byte & (0xff >> UInt8(steps)) == 0 || steps == 8 else {
                throw .invalid("data after a path", offset: reader.offset)
            }
            append(UInt64(byte) >> UInt64(8 - steps), count: steps)
        }
    }
}
