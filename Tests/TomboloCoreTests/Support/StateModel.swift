import TomboloCore

/// A state event of the model.
struct ModelEvent {
    var reference: EventReference
    var author: MemberKey
    var devices: [DeviceKey] = []
    var action: StateAction
    var parents: [Int]
}

/// The state that a set of events makes of a group, by the definition of decision 0014 and nothing else: no increments,
/// no memory.
struct StateModel {
    let owner: MemberKey
    let defaultRole: Role
    /// Every event comes after all that it names.
    let events: [ModelEvent]
    let ancestors: [Set<Int>]

    struct Place {
        var role: Role
        /// Lamport time and id of the event that admitted the member.
        var since: (UInt64, EventID)
    }

    struct Outcome {
        var places: [MemberKey: Place] = [:]
        var standing: Set<Int> = []
    }

    init(owner: MemberKey, defaultRole: Role, events: [ModelEvent]) {
        self.owner = owner
        self.defaultRole = defaultRole
        self.events = events
        var ancestors: [Set<Int>] = []
        for event in events {
            ancestors.append(event.parents.reduce(into: []) { $0.formUnion(ancestors[$1].union([$1])) })
        }
        self.ancestors = ancestors
    }

    func place(_ member: MemberKey, _ outcome: Outcome) -> Place {
        outcome.places[member]
            ?? (member == owner
                ? Place(role: .owner, since: (0, EventID(.zero)))
                : Place(role: defaultRole, since: (.max, EventID(.zero))))
    }

    /// Whether the first wins over the second.
    func wins(_ one: (MemberKey, Place), over other: (MemberKey, Place)) -> Bool {
        if one.1.role != other.1.role { return one.1.role > other.1.role }
        if one.1.since != other.1.since { return one.1.since < other.1.since }
        return one.0 < other.0
    }

    /// Whether a role is enough for an action, whoever it is about.
    func suffices(_ role: Role, for event: ModelEvent) -> Bool {
        switch event.action {
        case .promote(_, let new): return role == .owner || role == .admin && new < .admin
        case .demote(let target, let new, _): return target == event.author ? new < role : role >= .admin
        case .set(let key, _): return key == "title" || key == "topic" ? role >= .admin : role >= .member
        case .redact(let redaction): return role >= .admin || event.author == redaction.author
        case .rekey, .pass: return role >= .member
        case .checkpoint: return role >= .admin
        case .device, .removeDevice: return role >= .reader
        case .join: return true
        }
    }

    func isValid(_ event: Int) -> Bool {
        let seen = resolve(ancestors[event])
        let author = events[event].author
        let own = place(author, seen)
        guard suffices(own.role, for: events[event]) else { return false }
        guard !isRemoved(events[event].devices, of: author, in: ancestors[event]) else { return false }
        if let removal = events[event].action.deviceRemoval,
            isRemoved(removal.signer.devices, of: removal.member, in: ancestors[event])
        {
            return false
        }
        switch events[event].action {
        case .promote(let target, let new): return new > place(target, seen).role
        case .demote(let target, let new, _):
            let other = place(target, seen)
            return new < other.role && (target == author || wins((author, own), over: (target, other)))
        case .set, .redact, .rekey, .device, .removeDevice, .checkpoint, .pass, .join: return true
        }
    }

    func isRemoved(_ devices: [DeviceKey], of member: MemberKey, in set: Set<Int>) -> Bool {
        set.contains { events[$0].action.deviceRemoval?.covers(devices, of: member) == true }
    }

    /// Whether the removal of a device is in the way of an event: its author did not know of it, and it is not behind
    /// an event that is kept.
    func isRemovedWithItsDevice(_ event: Int, among set: Set<Int>) -> Bool {
        guard events[event].action.deviceRemoval == nil else { return false }
        return set.contains { other in
            guard let removal = events[other].action.deviceRemoval, areConcurrent(event, other),
                removal.covers(events[event].devices, of: events[event].author)
            else { return false }
            return !set.contains { kept in
                let isKept = removal.keeps(events[kept]) || isSigners(kept, of: removal, posted: other)
                return isKept && (kept == event || ancestors[kept].contains(event))
            }
        }
    }

    func areConcurrent(_ one: Int, _ other: Int) -> Bool {
        one != other && !ancestors[one].contains(other) && !ancestors[other].contains(one)
    }

    /// Whether the device that signed a removal has made an event without knowing of its being posted. It does not take
    /// back events that it has built upon, but where it goes itself.
    private func isSigners(_ event: Int, of removal: DeviceRemoval, posted: Int) -> Bool {
        !removal.covers(removal.signer.devices, of: removal.member) && events[event].author == removal.member
            && events[event].devices.last == removal.signer.device && areConcurrent(event, posted)
    }

    /// - Parameter set: closed under ancestors, of valid events.
    func resolve(_ set: Set<Int>) -> Outcome {
        let order = set.sorted {
            let (one, other) = (events[$0].reference, events[$1].reference)
            return (one.lamport, one.id) < (other.lamport, other.id)
        }
        var segments: [[Int]] = [[]]
        for (place, event) in order.enumerated() {
            let isCut = order[place...].allSatisfy { ancestors[$0].isSuperset(of: order[..<place]) }
            if isCut { segments.append([]) }
            segments[segments.count - 1].append(event)
        }
        var outcome = Outcome()
        for segment in segments where !segment.isEmpty {
            let wanted = segment.filter { !isRemovedWithItsDevice($0, among: set) }
            resolve(wanted, &outcome)
        }
        return outcome
    }

    private func isInTheWay(_ lowering: Int, of event: Int) -> Bool {
        guard case .demote(let member, let role, _) = events[lowering].action, areConcurrent(lowering, event) else {
            return false
        }
        if case .promote(member, let new) = events[event].action, new > role { return true }
        return events[event].author == member && !suffices(role, for: events[event])
    }

    private func resolve(_ segment: [Int], _ outcome: inout Outcome) {
        var candidates = segment.filter { if case .demote = events[$0].action { true } else { false } }
        while true {
            var left = candidates
            var effective: [Int] = []
            while let strongest = left.max(by: { isStronger($1, than: $0) }) {
                left.removeAll { $0 == strongest }
                if !effective.contains(where: { isInTheWay($0, of: strongest) }) { effective.append(strongest) }
            }
            var attempt = outcome
            for event in segment {
                if events[event].action.deviceRemoval != nil {
                    attempt.standing.insert(event)
                    continue
                }
                guard !effective.contains(where: { isInTheWay($0, of: event) }) else { continue }
                guard suffices(place(events[event].author, attempt).role, for: events[event]) else { continue }
                attempt.standing.insert(event)
                apply(event, &attempt)
            }
            let fallen = effective.filter { !attempt.standing.contains($0) }
            if fallen.isEmpty { return outcome = attempt }
            candidates.removeAll { fallen.contains($0) }
        }
    }

    private func isStronger(_ one: Int, than other: Int) -> Bool {
        let authors = [one, other].map { event -> (MemberKey, Place) in
            (events[event].author, place(events[event].author, resolve(ancestors[event])))
        }
        if wins(authors[0], over: authors[1]) { return true }
        if wins(authors[1], over: authors[0]) { return false }
        return events[one].reference.id < events[other].reference.id
    }

    private func apply(_ event: Int, _ outcome: inout Outcome) {
        switch events[event].action {
        case .promote(let member, let role):
            var place = place(member, outcome)
            guard role > place.role else { return }
            if place.role == .none || place.since.0 == .max {
                place.since = (events[event].reference.lamport, events[event].reference.id)
            }
            place.role = role
            outcome.places[member] = place
        case .demote(let member, let role, _):
            var place = place(member, outcome)
            place.role = min(role, place.role)
            outcome.places[member] = place
        case .set, .redact, .rekey, .device, .removeDevice, .checkpoint, .pass, .join: break
        }
    }

    /// The standing rekey events that every standing lowering comes before.
    func currentRekeys(_ outcome: Outcome) -> Set<EventID> {
        let rekeys = outcome.standing.filter { if case .rekey = events[$0].action { true } else { false } }
        let removals = outcome.standing.filter {
            switch events[$0].action {
            case .demote: return true
            case .removeDevice(let removal):
                // Of devices that are known: others have no secrets.
                return events.contains { removal.covers($0.devices, of: $0.author) }
            default: return false
            }
        }
        let current = rekeys.filter { rekey in removals.allSatisfy { ancestors[rekey].contains($0) } }
        return Set(current.map { events[$0].reference.id })
    }

    /// The events that set a key and that no other standing one after them sets.
    func settings(of key: String, _ outcome: Outcome) -> Set<EventID> {
        let setters = outcome.standing.filter { if case .set(key, _) = events[$0].action { true } else { false } }
        let latest = setters.filter { setter in !setters.contains { ancestors[$0].contains(setter) } }
        return Set(latest.map { events[$0].reference.id })
    }
}

extension DeviceRemoval {
    /// Whether it names an event as the last one of a log of what it removes.
    fileprivate func keeps(_ event: ModelEvent) -> Bool {
        covers(event.devices, of: event.author) && kept.contains { $0.id == event.reference.id }
    }
}
