import TomboloCore

/// A state event of the model.
struct ModelEvent {
    var reference: EventReference
    var author: MemberKey
    var devices: [DeviceKey] = []
    /// The index of the role change that gives the right to the event's log; nil where none is needed.
    var grant: Int?
    /// The index of the event before in its log.
    var previous: Int?
    var action: StateAction
    /// The indices of other events that it names.
    var parents: [Int] = []
}

/// The state that a set of events makes of a group, by the definition of protocol 2.6 and nothing else: no increments, no
/// memory, and no order of work.
struct StateModel {
    let owner: MemberKey
    let defaultRole: Role
    /// Every event comes after all that it names.
    let events: [ModelEvent]

    struct Right: Comparable {
        var role: Role
        var since: (UInt64, EventID)

        static func == (lhs: Self, rhs: Self) -> Bool { lhs.role == rhs.role && lhs.since == rhs.since }
        static func < (lhs: Self, rhs: Self) -> Bool {
            lhs.role == rhs.role ? lhs.since > rhs.since : lhs.role < rhs.role
        }
    }

    // MARK: Rights

    func implied(_ member: MemberKey) -> Right {
        member == owner
            ? Right(role: .owner, since: (0, EventID(.zero))) : Right(role: defaultRole, since: (.max, EventID(.zero)))
    }

    func right(givenBy event: Int) -> Right? {
        switch events[event].action {
        case .grant(_, let role, _, _), .demote(_, let role, _):
            Right(role: role, since: (events[event].reference.lamport, events[event].reference.id))
        default: nil
        }
    }

    func target(_ event: Int) -> MemberKey? {
        switch events[event].action {
        case .grant(let member, _, _, _), .demote(let member, _, _): member
        default: nil
        }
    }

    func right(under grant: Int?, of member: MemberKey) -> Right? {
        guard let grant else { return implied(member) }
        return target(grant) == member ? right(givenBy: grant) : nil
    }

    func right(of event: Int) -> Right? { right(under: events[event].grant, of: events[event].author) }

    func isValid(_ event: Int) -> Bool {
        guard let role = right(of: event)?.role else { return false }
        switch events[event].action {
        case .grant(_, let new, _, _): return new != .none && (role == .owner || role == .admin && new < .admin)
        case .demote(let member, let new, _): return new < role && (member == events[event].author || role >= .admin)
        case .set(let key, _): return key == "title" || key == "topic" ? role >= .admin : role >= .member
        case .redact(let redaction):
            return role >= .admin || events[event].author == redaction.author && role >= .reader
        case .rekey, .pass: return role >= .member
        case .checkpoint: return role >= .admin
        case .device, .removeDevice, .join: return role >= .reader
        }
    }

    // MARK: Cuts

    /// Whether named last events keep an event of a log.
    private func keep(_ positions: [LogPosition], _ event: Int) -> Bool {
        let place = events[event].reference
        return positions.contains { position in
            guard position.log == place.log else { return false }
            let named = events.indices.first {
                events[$0].reference.id == position.id && events[$0].reference.sequence == position.sequence
                    && events[$0].reference.log == position.log
            }
            guard let named else { return place.sequence < position.sequence }
            var next: Int? = named
            while let one = next {
                if one == event { return true }
                next = events[one].previous
            }
            return false
        }
    }

    private func isKeptByRemovals(_ event: Int) -> Bool {
        let posts = events.indices.filter {
            events[$0].action.deviceRemoval?.covers(events[event].devices, of: events[event].author) == true
        }
        return posts.allSatisfy { post in
            guard let removal = events[post].action.deviceRemoval else { return true }
            let signed = removal.kept.filter { $0.log == events[event].reference.log }
            if !signed.isEmpty { return keep(signed, event) }
            let same = posts.filter { events[$0].action.deviceRemoval == removal }
            let deciding = same.min { decides($0, over: $1, removal) }
            guard case .removeDevice(_, let kept)? = deciding.map({ events[$0].action }) else { return false }
            return keep(kept, event)
        }
    }

    private func decides(_ one: Int, over other: Int, _ removal: DeviceRemoval) -> Bool {
        let covered = [one, other].map { removal.covers(events[$0].devices, of: events[$0].author) }
        if covered[0] != covered[1] { return covered[1] }
        guard let mine = right(of: one), let theirs = right(of: other), mine != theirs else {
            let places = [one, other].map { (events[$0].reference.lamport, events[$0].reference.id) }
            return places[0] < places[1]
        }
        return theirs < mine
    }

    // MARK: What stands

    private func isOwnDemotion(_ event: Int) -> Bool {
        if case .demote(events[event].author, _, _) = events[event].action { true } else { false }
    }

    func stands(_ event: Int) -> Bool {
        if events[event].action.deviceRemoval != nil { return true }
        if case .redact(let redaction) = events[event].action, redaction.author == events[event].author {
            return isKeptByRemovals(event)
        }
        guard standsBeforeLeaving(event), let right = right(of: event) else { return false }
        if isOwnDemotion(event) { return true }
        return events.indices.allSatisfy { other in
            guard isOwnDemotion(other), events[other].author == events[event].author, self.right(of: other) == right,
                standsBeforeLeaving(other), case .demote(_, _, let kept) = events[other].action
            else { return true }
            return keep(kept + [LogPosition(events[other].reference)], event)
        }
    }

    private func standsBeforeLeaving(_ event: Int) -> Bool {
        guard let right = right(of: event), events[event].grant.map(stands) ?? true, isKeptByRemovals(event) else {
            return false
        }
        return events.indices.allSatisfy { other in
            guard case .demote(events[event].author, let role, var kept) = events[other].action, role < right.role,
                let stronger = self.right(of: other), right < stronger, !supersedes(events[event].grant, other),
                acts(other)
            else { return true }
            if isOwnDemotion(other) { kept.append(LogPosition(events[other].reference)) }
            return keep(kept, event)
        }
    }

    private func supersedes(_ grant: Int?, _ demotion: Int) -> Bool {
        guard let grant, case .grant(let member, _, let named, _) = events[grant].action,
            case .demote(member, _, _) = events[demotion].action, named.contains(events[demotion].reference.id),
            let mine = right(of: grant), let theirs = right(of: demotion)
        else { return false }
        let author = events[demotion].author
        return author == member || author == events[grant].author || !(mine < theirs)
    }

    /// Whether a demotion stands and its member does not rank above its author.
    func acts(_ demotion: Int) -> Bool {
        guard case .demote(let member, _, _) = events[demotion].action, stands(demotion), let own = right(of: demotion)
        else { return false }
        if isOwnDemotion(demotion) { return true }
        return standingRights(of: member, above: own).allSatisfy { grant, right in
            events.indices.contains { other in
                guard case .demote(member, let role, _) = events[other].action, role < right.role,
                    let stronger = self.right(of: other), own < stronger, !supersedes(grant, other)
                else { return false }
                return acts(other)
            }
        }
    }

    private func standingRights(of member: MemberKey, above limit: Right?) -> [(grant: Int?, right: Right)] {
        let implied = implied(member)
        var rights: [(grant: Int?, right: Right)] = implied.role > .none ? [(nil, implied)] : []
        for event in events.indices where target(event) == member {
            if let right = right(givenBy: event), right.role > .none { rights.append((event, right)) }
        }
        if let limit { rights.removeAll { !(limit < $0.right) } }
        return rights.filter { $0.grant.map(stands) ?? true }
    }

    func role(of member: MemberKey) -> Role {
        let inForce = standingRights(of: member, above: nil).filter { grant, right in
            !events.indices.contains { other in
                guard case .demote(member, let role, _) = events[other].action, role < right.role,
                    !supersedes(grant, other)
                else { return false }
                return acts(other)
            }
        }
        return inForce.map(\.right).max()?.role ?? .none
    }

    /// The standing events that set a key and that no other standing one names.
    func settings(of key: String) -> Set<EventID> {
        let setters = events.indices.filter {
            if case .set(key, _) = events[$0].action { stands($0) } else { false }
        }
        let named = Set(setters.flatMap { events[$0].parents + (events[$0].previous.map { [$0] } ?? []) })
        return Set(setters.filter { !named.contains($0) }.map { events[$0].reference.id })
    }
}
