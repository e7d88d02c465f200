/// Resolves a region of a state graph that lies behind one cut (protocol 2.6-30, decision 0014).
///
/// The region is divided into segments, so that concurrent events stand in the same one. Each segment is resolved in
/// these steps:
///
/// 1. Its device removals stand, whatever becomes of the members that posted them. They exclude concurrent events
///    that a removed device made and that they do not keep.
/// 2. The demotions are taken from the strongest author to the weakest. A demotion is effective unless an effective
///    one blocks it. It blocks concurrent events of the demoted member that the new role has no right to, and
///    concurrent promotions of the member above that role.
/// 3. The events are applied in the order of (Lamport time, id), as far as their authors' roles by then allow them.
/// 4. If an effective demotion was not applied, it blocks nothing: the segment is resolved again without it as a
///    candidate.
struct StateResolution {
    private let nodes: [StateNode]
    private let base: [MemberKey: Standing]
    /// The members whose standing the region changes, with the new standing.
    private(set) var standings: [MemberKey: Standing] = [:]
    /// The nodes that stand.
    private(set) var standing: Set<Int> = []

    /// - Parameters:
    ///   - region: the indices of nodes, ascending by (Lamport time, id).
    ///   - base: the standings of its authors and targets before the region.
    init(of region: [Int], _ nodes: [StateNode], base: [MemberKey: Standing]) {
        self.nodes = nodes
        self.base = base
        var first = 0
        for next in Self.cuts(of: region, nodes) + [region.count] where next > first {
            resolve(segment: Array(region[first..<next]))
            first = next
        }
    }

    private static func cuts(of region: [Int], _ nodes: [StateNode]) -> [Int] {
        var cuts = StateCuts()
        var places: [Int: Int] = [:]
        var heads: Set<Int> = []
        for (place, node) in region.enumerated() {
            let parents = nodes[node].parents
            _ = cuts.insert(
                at: place, parents: parents, latest: parents.compactMap { places[$0] }.max() ?? -1, heads: heads)
            heads.subtract(parents)
            heads.insert(node)
            places[node] = place
        }
        return cuts.places
    }

    private func role(of member: MemberKey) -> Standing {
        standings[member] ?? base[member] ?? Standing(role: .none, since: .never)
    }

    private mutating func resolve(segment: [Int]) {
        let removals = segment.filter { nodes[$0].action.deviceRemoval != nil }
        let wanted = removals.isEmpty ? segment : withoutRemovedDevices(segment, removals)
        var candidates = wanted.filter { nodes[$0].action.isDemotion }
        let relatives = segment.count == 1 ? [:] : Self.relatives(of: candidates, in: segment, nodes)
        let before = standings
        while true {
            let effective = strongest(of: candidates, relatives)
            let stands = apply(wanted, besides: effective, relatives).union(removals)
            let fallen = Set(effective.filter { !stands.contains($0) })
            if fallen.isEmpty {
                standing.formUnion(stands)
                return
            }
            candidates.removeAll { fallen.contains($0) }
            standings = before
        }
    }

    /// The events of a segment without its device removals and the events that these exclude (protocol 2.6-31).
    private func withoutRemovedDevices(_ segment: [Int], _ removals: [Int]) -> [Int] {
        let here = Dictionary(uniqueKeysWithValues: segment.map { (nodes[$0].reference.id, $0) })
        let byAuthor = Dictionary(grouping: segment) { nodes[$0].author }
        var left = Set(segment).subtracting(removals)
        for node in removals {
            guard let removal = nodes[node].action.deviceRemoval else { continue }
            let own = byAuthor[removal.member] ?? []
            let covered = own.filter { left.contains($0) && removal.covers(nodes[$0].devices, of: removal.member) }
            guard !covered.isEmpty else { continue }
            let relatives = Self.relatives(of: [node], in: segment, nodes)[node] ?? []
            // A removal keeps only events of the devices that it covers. Events that its signer has built upon are not
            // excluded either.
            let kept = removal.kept.compactMap { here[$0.id] }.filter {
                removal.covers(nodes[$0].devices, of: nodes[$0].author)
            }
            let isLeaving = removal.covers(removal.signer.devices, of: removal.member)
            let signed = own.filter {
                !isLeaving && nodes[$0].devices.last == removal.signer.device && !relatives.contains($0)
            }
            let behind = Self.ancestors(of: kept + signed, in: segment, nodes)
            left.subtract(covered.filter { !relatives.contains($0) && !behind.contains($0) })
        }
        return segment.filter(left.contains)
    }

    /// The effective demotions: those that no stronger effective one blocks.
    private func strongest(of candidates: [Int], _ relatives: [Int: Set<Int>]) -> [Int] {
        let sorted = candidates.sorted {
            let (one, other) = (nodes[$0], nodes[$1])
            return one.strength == other.strength
                ? one.reference.id < other.reference.id : other.strength < one.strength
        }
        var effective: [Int] = []
        for candidate in sorted where !effective.contains(where: { isInTheWay($0, of: candidate, relatives) }) {
            effective.append(candidate)
        }
        return effective
    }

    /// Applies the events that no effective demotion blocks, and returns those that stand.
    private mutating func apply(_ segment: [Int], besides effective: [Int], _ relatives: [Int: Set<Int>]) -> Set<Int> {
        var stands: Set<Int> = []
        for node in segment where !effective.contains(where: { isInTheWay($0, of: node, relatives) }) {
            let author = nodes[node].author
            guard nodes[node].action.isAllowed(to: role(of: author).role, of: author) else { continue }
            stands.insert(node)
            guard let member = nodes[node].action.target else { continue }
            standings[member] = nodes[node].applied(to: role(of: member))
        }
        return stands
    }

    private func isInTheWay(_ demotion: Int, of node: Int, _ relatives: [Int: Set<Int>]) -> Bool {
        guard case .demote(let member, let role, _) = nodes[demotion].action, demotion != node else { return false }
        let other = nodes[node]
        var concerns = other.author == member && !other.action.isAllowed(to: role, of: member)
        if case .promote(member, let new) = other.action, new > role { concerns = true }
        return concerns && !(relatives[demotion]?.contains(node) ?? true)
    }

    /// For each of some events: itself, its ancestors and its descendants.
    private static func relatives(of some: [Int], in segment: [Int], _ nodes: [StateNode]) -> [Int: Set<Int>] {
        var result: [Int: Set<Int>] = [:]
        for event in some {
            let ancestors = ancestors(of: [event], in: segment, nodes)
            var descendants: Set<Int> = [event]
            for node in segment where nodes[node].parents.contains(where: { descendants.contains($0) }) {
                descendants.insert(node)
            }
            result[event] = ancestors.union(descendants)
        }
        return result
    }

    /// Some events and their ancestors.
    private static func ancestors(of some: [Int], in segment: [Int], _ nodes: [StateNode]) -> Set<Int> {
        var ancestors = Set(some)
        for node in segment.reversed() where ancestors.contains(node) { ancestors.formUnion(nodes[node].parents) }
        return ancestors
    }
}
