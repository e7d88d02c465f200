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
        let removed = (floor + 1...max(floor + 1, min(sequence, highest))).flatMap { self[$0] }
        floor = sequence
        return removed
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
