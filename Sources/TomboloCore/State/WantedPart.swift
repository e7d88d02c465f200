/// The part of a log that is wanted (protocol 2.6-30, 2.6-43).
enum WantedPart: Hashable, Sendable {
    case everything
    case nothing
    /// Each demotion or device removal that cuts the log names the last events that it keeps. All of them must keep an
    /// event.
    case upTo([[LogPosition]])

    init(_ cuts: [[LogPosition]]) {
        if cuts.isEmpty {
            self = .everything
        } else if cuts.contains(where: \.isEmpty) {
            self = .nothing
        } else {
            var seen: Set<[LogPosition]> = []
            self = .upTo(cuts.filter { seen.insert($0).inserted })
        }
    }
}

/// Finds the events of a state log that all cuts keep, in time near-linear in the events and the cuts.
struct KeptNodes {
    private let nodes: [StateNode]
    private let log: StateLog
    /// For each node of a forked log the first and last place of its descendants, in an order by depth.
    private var spans: [Int: ClosedRange<Int>] = [:]
    private var indexOfID: [EventID: Int] = [:]

    init(in log: StateLog, _ nodes: [StateNode]) {
        (self.log, self.nodes) = (log, nodes)
        for node in log.nodes { indexOfID[nodes[node].reference.id] = node }
    }

    /// The nodes that every cut keeps.
    mutating func kept(by cuts: [[LogPosition]]) -> Set<Int> {
        if !log.isForked {
            let last = cuts.map { $0.map(lastSequence).max() ?? 0 }.min() ?? .max
            return Set(log.nodes.filter { nodes[$0].reference.sequence <= last })
        }
        spans = Self.spans(of: log.nodes, nodes)
        let bounds = cuts.map { Cut($0, indexOfID, nodes) }
        guard let first = bounds.first(where: { $0.open == nil }) else {
            return Set(log.nodes.filter { node in bounds.allSatisfy { keeps($0, node) } })
        }
        // The part of a branch that two cuts keep ends with the last event of it that both keep.
        var ends = first.ends
        for bound in bounds {
            ends = Array(
                Set(
                    ends.compactMap { end in
                        var next: Int? = end
                        while let node = next, !keeps(bound, node) { next = nodes[node].previous }
                        return next
                    }))
        }
        var kept: Set<Int> = []
        for end in ends {
            var next: Int? = end
            while let node = next, kept.insert(node).inserted { next = nodes[node].previous }
        }
        return kept
    }

    /// The last sequence that a cut keeps of a log that is one chain. While the named event is not held, those before it
    /// are kept.
    private func lastSequence(keptBy end: LogPosition) -> UInt64 {
        if let node = indexOfID[end.id], nodes[node].reference.sequence == end.sequence { return end.sequence }
        return end.sequence == 0 ? 0 : end.sequence - 1
    }

    private struct Cut {
        var ends: [Int] = []
        /// The highest sequence of a named event that is not held.
        var open: UInt64?

        init(_ positions: [LogPosition], _ indexOfID: [EventID: Int], _ nodes: [StateNode]) {
            for position in positions {
                if let node = indexOfID[position.id], nodes[node].reference.sequence == position.sequence {
                    ends.append(node)
                } else {
                    open = max(open ?? 0, position.sequence)
                }
            }
        }
    }

    private func keeps(_ cut: Cut, _ node: Int) -> Bool {
        if let open = cut.open, nodes[node].reference.sequence < open { return true }
        guard let span = spans[node] else { return false }
        return cut.ends.contains { spans[$0].map { span.contains($0.lowerBound) } ?? false }
    }

    private static func spans(of log: [Int], _ nodes: [StateNode]) -> [Int: ClosedRange<Int>] {
        var children: [Int: [Int]] = [:]
        for node in log { if let previous = nodes[node].previous { children[previous, default: []].append(node) } }
        var spans: [Int: ClosedRange<Int>] = [:]
        var open = log.filter { nodes[$0].previous == nil }.map { (node: $0, first: Int?.none) }
        var place = 0
        while let (node, first) = open.popLast() {
            if let first {
                spans[node] = first...max(first, place - 1)
            } else {
                open.append((node, place))
                place += 1
                open += (children[node] ?? []).map { ($0, nil) }
            }
        }
        return spans
    }
}
