// The rights that follow from a group's role changes (protocol 2.6-16 to 2.6-48).
extension StateGraph {
    /// The right that a log is written under; nil if its author had none, or if its role change is not in the graph.
    package func right(of author: LogAuthor) -> Right? {
        guard let grant = author.grant else {
            return author.member == founder ? .founder : Right(default: defaultRole)
        }
        guard let node = indexOfID[grant], nodes[node].action.roleChange?.member == author.member else { return nil }
        return right(givenBy: node)
    }

    /// Whether the right to a log suffices for the least that such logs contain.
    func isProven(_ certificate: Certificate) -> Bool {
        right(of: certificate.author).map { $0.role >= (certificate.isStateLog ? .reader : .member) } ?? false
    }

    func right(givenBy roleChange: Int) -> Right {
        Right(role: nodes[roleChange].action.roleChange?.role ?? .none, since: nodes[roleChange].place)
    }

    /// The right of a member that no role change gives; nil if it has none.
    func impliedRight(of member: MemberKey) -> Right? {
        if member == founder { return .founder }
        return defaultRole > .none ? Right(default: defaultRole) : nil
    }

    /// The part of a log of the conversation that is wanted (protocol 2.6-43).
    func wantedPart(ofLog log: LogID, by author: LogAuthor) -> WantedPart {
        guard let right = right(of: author) else { return .nothing }
        return resolution.part(ofLog: log, by: author, right, in: self)
    }

    /// The rights of a member that are in force, the strongest first (protocol 2.6-36).
    func rightsInForce(of member: MemberKey) -> [(grant: Int?, right: Right)] {
        rights(of: member).filter { !resolution.isLowered($0.right, of: member, $0.grant, in: self) }
            .sorted { $1.right < $0.right }
    }

    /// The standing rights of a member, those that demotions lower among them.
    func rights(of member: MemberKey) -> [(grant: Int?, right: Right)] {
        var found: [(grant: Int?, right: Right)] = resolution.roleChanges(of: member).map { ($0, right(givenBy: $0)) }
        if let implied = impliedRight(of: member) { found.append((nil, implied)) }
        return found
    }

    /// A member's standing by all held events.
    package func standing(of member: MemberKey) -> Standing {
        let strongest = rightsInForce(of: member).first
        return Standing(
            role: strongest?.right.role ?? .none, right: strongest?.right,
            grant: strongest?.grant.map { nodes[$0].reference })
    }

    /// The demotions of a member that act, the strongest author's first.
    func demotions(of member: MemberKey) -> [StateNode] { resolution.demotions(of: member).map { nodes[$0] } }

    /// Whether a role change would do what it says: a grant is lowered by no demotion, and a demotion lowers every right
    /// above its role.
    func isEffective(
        _ action: StateAction, on member: MemberKey, _ role: Role, by author: MemberKey, under right: Right
    ) -> Bool {
        switch action {
        case .grant(_, _, let superseded, _):
            return demotions(of: member).allSatisfy { demotion in
                guard let lowered = demotion.action.roleChange?.role, lowered < role else { return true }
                return superseded.contains(demotion.reference.id)
                    && isSuperseded(demotion, of: member, byGrantOf: author, under: right)
            }
        default:
            return member == author
                || rightsInForce(of: member).allSatisfy { $0.right.role <= role || $0.right < right }
        }
    }

    /// Whether a grant that names a demotion of its member supersedes it (protocol 2.6-22).
    func isSuperseded(
        _ demotion: StateNode, of member: MemberKey, byGrantOf author: MemberKey, under right: Right
    ) -> Bool {
        demotion.author == member || demotion.author == author || !(right < logs[demotion.log].right)
    }

    /// Whether a member has left by itself, so that logs of its devices may go on.
    func mayWriteAfterLeaving(_ member: MemberKey) -> Bool {
        let demotions = demotions(of: member)
        return !demotions.isEmpty && demotions.allSatisfy { $0.author == member }
    }

    /// Whether another member has demoted a member, and no right in force supersedes that. A member that has left is
    /// not demoted.
    func isDemotedByAnother(_ member: MemberKey) -> Bool {
        let others = resolution.demotions(of: member).filter { nodes[$0].author != member }
        guard !others.isEmpty else { return false }
        var superseded: Set<Int> = []
        for right in rightsInForce(of: member) {
            superseded.formUnion(resolution.superseded(by: right.grant, of: member, in: self))
        }
        return !superseded.isSuperset(of: others)
    }

    /// All members that the statement or a standing event names, ascending by key.
    package var members: [(member: MemberKey, standing: Standing)] {
        Set(resolution.members).union(founder.map { [$0] } ?? []).sorted().map { ($0, standing(of: $0)) }
    }
}
