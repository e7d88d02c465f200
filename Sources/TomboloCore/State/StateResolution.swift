/// Resolves a part of a state graph in which everything descends from the same place (decision 0014).
///
/// The part is cut into segments: what is concurrent stands in the same one. In each, lowerings are taken from the strongest author's to the weakest's: one that a
/// stronger one is in the way of is left out. The others are in the way of what they are concurrent with: what the
/// lowered member did that its new role does not allow, and what would raise it. The rest is applied in the order of (Lamport time, id), as far as the
/// authors' roles, which may come from what was left out, still allow it. A lowering that fell out in this way is in nobody's way: then all
/// is done again without it.
///
/// Removals of devices come before all that: they stand whatever becomes of who posted them, and what they are concurrent with and that
/// the device made, later than what they keep of it, is left out.
struct StateResolution {
    private let nodes: [StateNode]
    private let base: [MemberKey: Standing]
    /// Of members whose standing the part changes.
    private(set) var standings: [MemberKey: Standing] = [:]
    /// Nodes that stand.
    private(set) var standing: Set<Int> = []

    /// - Parameters:
    ///   - region: indices of nodes, ascending by (Lamport time, id).
    ///   - base: what its authors, and the members it is about, were before.
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
        var candidates = wanted.filter { nodes[$0].action.isLowering }
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

    /// What is left of a segment without its removals of devices, and what these are in the way of.
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
            // Of others' events nothing is its to keep; and its signer does not take back what it has built upon.
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

    /// Lowerings that no stronger one is in the way of.
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

    /// Applies what nothing is in the way of.
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

    private func isInTheWay(_ lowering: Int, of node: Int, _ relatives: [Int: Set<Int>]) -> Bool {
        guard case .lower(let member, let role, _) = nodes[lowering].action, lowering != node else { return false }
        let other = nodes[node]
        var concerns = other.author == member && !other.action.isAllowed(to: role, of: member)
        if case .raise(member, let new) = other.action, new > role { concerns = true }
        return concerns && !(relatives[lowering]?.contains(node) ?? true)
    }

    /// For each of some events, what it descends from and what descends from it.
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

    /// Some events, and what they descend from.
    private static func ancestors(of some: [Int], in segment: [Int], _ nodes: [StateNode]) -> Set<Int> {
        var ancestors = Set(some)
        for node in segment.reversed() where ancestors.contains(node) { ancestors.formUnion(nodes[node].parents) }
        return ancestors
    }
}
