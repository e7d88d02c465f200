extension EventHeader {
    /// All events that this one names: previous, parents, state heads, rekeys.
    package var ancestry: Ancestry { Ancestry(header: self) }

    package struct Ancestry: Sequence, IteratorProtocol {
        fileprivate let header: EventHeader
        private var place = 0

        fileprivate init(header: EventHeader) { self.header = header }

        package mutating func next() -> EventReference? {
            defer { place += 1 }
            var left = place
            if let previous = header.previous {
                guard left > 0 else {
                    return EventReference(
                        id: previous.id, log: header.log, sequence: header.sequence - 1, lamport: previous.lamport)
                }
                left -= 1
            }
            if left < header.parents.count { return header.parents[left] }
            left -= header.parents.count
            if left < header.stateHeads.count { return header.stateHeads[left] }
            left -= header.stateHeads.count
            return left < header.rekeys.count ? header.rekeys[left] : nil
        }
    }

    /// The ids of all events that this one names.
    package var ancestors: [EventID] { ancestry.map(\.id) }
}
