import TestSupport
import TomboloCore
import TomboloCrypto

/// A group whose members do at random what they may and may not: also under old rights, in forked logs, and naming events
/// that nobody has.
struct StateWorld {
    var generator: SeededGenerator
    let members: [MemberKey]
    let policy: Policy
    private(set) var valid: [ModelEvent] = []
    private(set) var refused: [ModelEvent] = []
    /// Of each member a first device, one that it admitted, one that this one admitted, and another one of the first.
    private var admissions: [MemberKey: [DeviceAdmission]] = [:]
    private let signer: SwiftCryptography.SigningKey

    init(seed: Int, members count: Int = 4) {
        generator = SeededGenerator(seed: UInt64(seed))
        policy = [.open, .private, .feed][seed % 3]
        var keys: [MemberKey] = []
        for _ in 0..<count { keys.append(MemberKey(Self.random(using: &generator))) }
        members = keys
        // Graphs do not look at signatures.
        signer = SwiftCryptography().signingKey(seed: .zero)
        let signature = [UInt8](repeating: 0, count: 64)
        for member in members {
            let devices = (0..<4).map { _ in DeviceKey(Self.random(using: &generator)) }
            let first = DeviceAdmission(of: devices[0], signature: signature)
            let second = first.admitting(devices[1], signature: signature)
            admissions[member] = [
                first, second, second.admitting(devices[2], signature: signature),
                first.admitting(devices[3], signature: signature),
            ]
        }
    }

    static func random(using generator: inout SeededGenerator) -> Bytes32 {
        Bytes32((0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }) ?? .zero
    }

    var model: StateModel { StateModel(owner: members[0], defaultRole: policy.defaultRole, events: valid) }

    private mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &generator) < percent }

    private mutating func some<Element>(_ elements: [Element], _ percent: Int) -> [Element] {
        elements.filter { _ in chance(percent) }
    }

    /// Adds an event, to the valid ones if it is valid.
    mutating func add() {
        let author = chance(40) ? members[0] : members.randomElement(using: &generator) ?? members[0]
        let admission = chance(60) ? admissions[author]?.first : admissions[author]?.randomElement(using: &generator)
        let devices = admission?.devices ?? []
        let model = model
        var grants = valid.indices.filter { model.target($0) == author }.map { Int?.some($0) }
        if grants.isEmpty || chance(author == members[0] ? 90 : 20) { grants = [nil] }
        let grant = (chance(70) ? grants.last : grants.randomElement(using: &generator)) ?? nil
        let own = valid.indices.filter {
            valid[$0].author == author && valid[$0].devices == devices && valid[$0].grant == grant
        }
        // Mostly the log's last event, else any: a fork.
        let previous = chance(85) ? own.last : own.randomElement(using: &generator)
        let log = previous.map { valid[$0].reference.log } ?? LogID(Self.random(using: &generator))
        let parents = Set(some(Array(valid.indices), 15) + (grant.map { [$0] } ?? [])).sorted()
        let named = parents + (previous.map { [$0] } ?? [])
        let lamport = (named.map { valid[$0].reference.lamport }.max() ?? 0) + 1
        let event = ModelEvent(
            reference: EventReference(
                id: EventID(Self.random(using: &generator)), log: log,
                sequence: previous.map { valid[$0].reference.sequence + 1 } ?? 1, lamport: lamport),
            author: author, devices: devices, grant: grant, previous: previous, action: action(), parents: parents)
        let next = StateModel(owner: members[0], defaultRole: policy.defaultRole, events: valid + [event])
        if next.isValid(valid.count) { valid.append(event) } else { refused.append(event) }
    }

    private mutating func action() -> StateAction {
        let member = members.randomElement(using: &generator) ?? members[0]
        let role = Role.allCases.randomElement(using: &generator) ?? .member
        switch Int.random(in: 0..<15, using: &generator) {
        case 13...14: return removal(of: member) ?? .join
        case 11: return .rekey(Rekey(commitment: .zero, exclusions: .zero))
        case 12: return .device(.zero)
        case 10:
            let event = LogPosition(log: LogID(.zero), sequence: 1, id: EventID(.zero))
            return .redact(Redaction(of: event, by: member, reason: "why"))
        case 0..<4:
            let superseded = some(valid.filter { $0.action.isDemotion }.map(\.reference.id), 60).sorted()
            return .grant(member, role, superseding: superseded, adopting: [])
        case 4..<8: return .demote(member, to: role, kept: some(positions(of: member), 60))
        case 8: return .set(key: ["title", "mood"].randomElement(using: &generator) ?? "mood", value: [1])
        default: return .join
        }
    }

    /// Events of a member, some of them by names that nobody has.
    private mutating func positions(of member: MemberKey) -> [LogPosition] {
        valid.filter { $0.author == member }.map(\.reference).map { place in
            LogPosition(
                log: place.log, sequence: place.sequence,
                id: chance(90) ? place.id : EventID(Self.random(using: &generator)))
        }
    }

    /// A removal of a device. It keeps some of the others, and some of what the removed ones did.
    private mutating func removal(of member: MemberKey) -> StateAction? {
        let all = admissions[member] ?? []
        guard let removed = all.randomElement(using: &generator)?.device,
            let by = all.randomElement(using: &generator)
        else { return nil }
        let remaining = some(all.map(\.device).filter { $0 != removed }.sorted(), 75)
        let removal = DeviceRemoval(
            of: removed, of: member, remaining: remaining, kept: some(positions(of: member), 30), by: by,
            signedBy: signer, using: SwiftCryptography())
        let known = valid.compactMap(\.action.deviceRemoval).randomElement(using: &generator)
        return .removeDevice(
            chance(30) ? known ?? removal : removal, kept: some(positions(of: known?.member ?? member), 50))
    }

    /// An order of arrival in which every event comes after all that it names.
    mutating func arrival() -> [Int] {
        var left = Set(valid.indices)
        var order: [Int] = []
        while let next = left.filter({ event in
            (valid[event].parents + [valid[event].previous, valid[event].grant].compactMap(\.self))
                .allSatisfy { !left.contains($0) }
        }).sorted().randomElement(using: &generator) {
            left.remove(next)
            order.append(next)
        }
        return order
    }

    func insert(_ event: ModelEvent, into graph: inout StateGraph) -> Int? {
        graph.insert(
            event.reference, ordinal: 0,
            by: LogAuthor(
                member: event.author, devices: event.devices, grant: event.grant.map { valid[$0].reference.id }),
            event.action, previous: event.previous.map { valid[$0].reference.id },
            parents: event.parents.map { valid[$0].reference.id })
    }

    /// The graph of all valid events. They arrive in any order, in batches of any size.
    mutating func graph() -> StateGraph {
        var graph = StateGraph(owner: members[0], policy: policy)
        for index in arrival() {
            _ = insert(valid[index], into: &graph)
            if chance(50) { _ = graph.resolve() }
        }
        _ = graph.resolve()
        return graph
    }
}
