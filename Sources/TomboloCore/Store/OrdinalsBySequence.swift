/// Where the events of one log are: without a fork or a gap, eight bytes an event.
struct OrdinalsBySequence {
    /// The first one of each sequence, from 1 on without gaps.
    private var dense: [Int64] = []
    /// Those above a gap, and further ones of a sequence.
    private var others: [UInt64: [Int64]] = [:]
    private(set) var highest: UInt64 = 0
    /// Up to here there are none any more.
    private var floor: UInt64 = 0

    subscript(sequence: UInt64) -> [Int64] {
        guard sequence > floor else { return [] }
        let rest = others.isEmpty ? [] : others[sequence] ?? []
        guard sequence >= 1, sequence <= UInt64(dense.count) else { return rest }
        return [dense[Int(sequence) - 1]] + rest
    }

    /// - Returns: those that are taken away.
    mutating func remove(through sequence: UInt64) -> [Int64] {
        guard sequence > floor else { return [] }
        let first = Int(min(floor, UInt64(dense.count)))
        var removed = Array(dense[first..<max(first, Int(min(sequence, UInt64(dense.count))))])
        for key in others.keys.filter({ $0 <= sequence }) { removed += others.removeValue(forKey: key) ?? [] }
        floor = sequence
        return removed.sorted()
    }

    /// The sequence of the first event that is not below one; nil if there is none.
    func next(from sequence: UInt64) -> UInt64? {
        let first = max(sequence, floor + 1)
        if first <= UInt64(dense.count) { return first }
        return others.isEmpty ? nil : others.keys.lazy.filter { $0 >= first }.min()
    }

    mutating func insert(_ ordinal: Int64, at sequence: UInt64) {
        highest = max(highest, sequence)
        guard sequence == UInt64(dense.count) + 1 else { return others[sequence, default: []].append(ordinal) }
        dense.append(ordinal)
        while !others.isEmpty, var waiting = others.removeValue(forKey: UInt64(dense.count) + 1) {
            dense.append(waiting.removeFirst())
            if !waiting.isEmpty { others[UInt64(dense.count)] = waiting }
        }
    }
}
