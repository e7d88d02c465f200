import TomboloCore

/// The conclusions that a device draws from the events that it holds.
struct Judgement: Equatable {
    var statuses: [Int: EventStatus] = [:]
    var roles: [MemberKey: Role] = [:]
    /// The events that give each key of the state its value.
    var settings: [String: [EventID]] = [:]
    /// The rights and devices that must not know the secrets of new contents.
    var exclusions: [Bytes32] = []
}

extension EngineNode: MemberNode {
    var holdsGroup: Bool { store.holdsGroup(group) }
    var hasJoined: Bool { holdsGroup && engine.role(of: engine.member, in: group) ?? .none >= .member }
    var isLinked: Bool { directory.members[number] != engine.member }
    var groupRecord: GroupRecord? { record?.forAnotherStore }

    private var record: GroupRecord? { store.groups().first { $0.id == group } }

    func isStateAlikeAnew() throws -> Bool {
        guard let record, let state = engine.state(of: group) else { return true }
        let anew = try StateGraph(of: record, logs: store.logs(inGroup: record.reference), in: store)
        return Judgement(state) == Judgement(anew)
    }

    func judgement() -> Judgement {
        guard let record, let state = engine.state(of: group) else { return Judgement() }
        var judgement = Judgement(state)
        for log in store.logs(inGroup: record.reference) where log.lastSequence > 0 {
            for stored in store.events(ofLog: log.reference, in: 1...log.lastSequence, limit: .max, bytes: .max) {
                guard let known = history.pool.number(of: stored.event.id) else { continue }
                judgement.statuses[known] = stored.status
                if mutant == .misjudges, number == 1, known % 5 == 4 { judgement.statuses[known] = .heldBack }
            }
        }
        return judgement
    }

    func opens(_ number: Int) -> Bool { hasContent(of: number) && (try? canRead(number)) == true }

    func mayAdmit(_ number: Int) -> Bool {
        guard let devices = directory.admissions[number], let member = directory.members[number] else { return false }
        return engine.mayAdmit(devices, of: member, to: group)
    }

    var mayRead: Bool {
        engine.role(of: engine.member, in: group) ?? .none >= .reader && !engine.isRemoved(from: group)
    }
}

extension Judgement {
    fileprivate init(_ state: StateGraph) {
        for (member, standing) in state.members { roles[member] = standing.role }
        for key in state.keys { settings[key] = state.settings(of: key).map(\.reference.id) }
        exclusions = state.exclusions
    }

    /// The first difference between two judgements, apart from events that one of the two still waits for; nil if there
    /// is none.
    func difference(from other: Judgement) -> String? {
        let numbers = Set(statuses.keys).union(other.statuses.keys).sorted().filter { number in
            let (one, two) = (statuses[number], other.statuses[number])
            guard one != two, one != .waiting, two != .waiting else { return false }
            // An earlier delivery makes the difference between these two states. It plays no part in the judgement.
            return Set([one, two]) != [.heldBack, .withdrawn]
        }
        if !numbers.isEmpty { return "events \(numbers.prefix(8))" }
        if roles != other.roles { return "roles" }
        if settings != other.settings { return "keys of the state" }
        return exclusions == other.exclusions ? nil : "members and devices that know no new secrets"
    }
}
