/// A demotion that acts.
struct Demotion: Sendable {
    let node: Int
    /// The right of its author.
    let right: Right
    let role: Role
    /// Whether the member has demoted itself.
    let isOwn: Bool
}

/// The acting demotions of one member, from the strongest author to the weakest.
///
/// How many of them concern a right follows from counts, and which of them name a log from an index. So the cost of a
/// log does not grow with the demotions that do not name it.
struct Demotions: Sendable {
    private(set) var all: [Demotion] = []
    /// For each count of the first of these: how many demote to each role, and how many of these are by others.
    private var counts: [SIMD8<UInt32>] = [.zero]
    private var countsOfOthers: [SIMD8<UInt32>] = [.zero]
    /// The places of nodes among the demotions.
    private var places: [Int: Int] = [:]
    private var naming: [LogID: [(demotion: Int, kept: [LogPosition])]] = [:]

    mutating func append(_ demotion: Demotion, _ kept: [LogPosition]) {
        places[demotion.node] = all.count
        for (log, kept) in Dictionary(grouping: kept, by: \.log) {
            naming[log, default: []].append((all.count, kept))
        }
        all.append(demotion)
        var (count, others) = (counts[counts.count - 1], countsOfOthers[countsOfOthers.count - 1])
        count[Int(demotion.role.rawValue)] &+= 1
        if !demotion.isOwn { others[Int(demotion.role.rawValue)] &+= 1 }
        counts.append(count)
        countsOfOthers.append(others)
    }

    /// Adds a demotion at its place.
    mutating func insert(_ demotion: Demotion, _ kept: [LogPosition], in graph: StateGraph) {
        let place = all.partitionPoint { $0.right < demotion.right }
        guard place < all.count else { return append(demotion, kept) }
        var anew = Demotions()
        for other in all[..<place] + [demotion] + all[place...] {
            guard case .demote(_, _, var kept) = graph.nodes[other.node].action else { continue }
            if other.isOwn { kept.append(LogPosition(graph.nodes[other.node].reference)) }
            anew.append(other, kept)
        }
        self = anew
    }

    /// The number of demotions to a role below another one.
    ///
    /// - Parameters:
    ///   - right: if given, only demotions under a stronger right count.
    ///   - ofOthers: whether those by the member itself do not count.
    func count(
        below role: Role, strongerThan right: Right? = nil, ofOthers: Bool = false, besides superseded: Set<Int>
    ) -> Int {
        let first = firstCount(strongerThan: right)
        let counted = ofOthers ? countsOfOthers[first] : counts[first]
        let count = (0..<Int(role.rawValue)).reduce(0) { $0 + Int(counted[$1]) }
        return count
            - superseded.count { node in
                places[node].map { $0 < first && all[$0].role < role && !(ofOthers && all[$0].isOwn) } ?? false
            }
    }

    /// For each of these demotions that names a log: the last events of the log that it keeps.
    func kept(
        ofLog log: LogID, below role: Role, strongerThan right: Right? = nil, ofOthers: Bool = false,
        besides superseded: Set<Int>
    ) -> [[LogPosition]] {
        let first = firstCount(strongerThan: right)
        return (naming[log] ?? []).filter { place, _ in
            let demotion = all[place]
            return place < first && demotion.role < role && !(ofOthers && demotion.isOwn)
                && !superseded.contains(demotion.node)
        }.map(\.kept)
    }

    private func firstCount(strongerThan right: Right?) -> Int {
        guard let right else { return all.count }
        return all.partitionPoint { !(right < $0.right) }
    }
}
