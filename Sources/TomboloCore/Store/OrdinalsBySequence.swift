/// The ordinals of one log's events by their sequences. Without forks and gaps it takes eight bytes an event.
struct OrdinalsBySequence {
    /// The first ordinal of each sequence, from sequence 1 on without gaps.
    private var dense: [Int64] = []
    /// The ordinals above a gap, and further ones of a sequence.
    private var others: [UInt64: [Int64]] = [:]
    private(set) var highest: UInt64 = 0
    /// The sequence up to which all ordinals are removed.
    private var floor: UInt64 = 0

    subscript(sequence: UInt64) -> [Int64] {
        guard sequence > floor else { return [] }
        let rest = others.isEmpty ? [] : others[sequence] ?? []
        guard sequence >= 1, sequence <= UInt64(dense.count) else { return rest }
        return [dense[Int(sequence) - 1]] + rest
    }

    /// Removes the ordinals up to a sequence, and returns them, ascending.
    mutating func remove(through sequence: UInt64) -> [Int64] {
        guard sequence > floor else { return [] }
        let first = Int(min(floor, UInt64(dense.count)))
        var removed = Array(dense[first..<max(first, Int(min(sequence, UInt64(dense.count))))])
        for key in others.keys.filter({ $0 <= sequence }) { removed += others.removeValue(forKey: key) ?? [] }
        floor = sequence
        return removed.sorted()
    }

    /// The lowest sequence with an ordinal from this one on; nil if there is none.
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
