import TestSupport
import Testing
import TomboloCore
import TomboloCrypto

/// Random groups whose members do what they may not, name old state, and remove each other without knowing of it.
struct StateGraphTests {
    /// `TOMBOLO_STATE_SEEDS=10000 swift test --filter StateGraphTests` tries as many.
    static let seeds = Tier.count(1_000, long: 10_000, variable: "TOMBOLO_STATE_SEEDS")

    private struct World {
        var generator: SeededGenerator
        let members: [MemberKey]
        /// Of each member a first device, one that it admitted, one that this one admitted, and another one of the
        /// first.
        private var admissions: [MemberKey: [DeviceAdmission]] = [:]
        private let signer: SwiftCryptography.SigningKey
        let policy: Policy
        var valid: [ModelEvent] = []
        var refused: [ModelEvent] = []

        init(seed: Int) {
            generator = SeededGenerator(seed: UInt64(seed))
            policy = [.open, .private, .feed][seed % 3]
            var keys: [MemberKey] = []
            for _ in 0..<5 { keys.append(MemberKey(Self.random(using: &generator))) }
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

        /// A device of a member's: mostly the first.
        mutating func admission(of member: MemberKey) -> DeviceAdmission? {
            let all = admissions[member] ?? []
            return Int.random(in: 0..<2, using: &generator) == 0
                ? all.first : all.randomElement(using: &generator)
        }

        /// Makes a removal of a device. It keeps some of the others, and some of what the removed ones did.
        private mutating func removal(of member: MemberKey) -> DeviceRemoval? {
            guard let removed = admission(of: member)?.device, let signer = admission(of: member) else { return nil }
            let remaining = (admissions[member] ?? []).map(\.device).filter { $0 != removed }.sorted()
                .filter { _ in Int.random(in: 0..<4, using: &generator) > 0 }
            let kept = valid.map(\.reference).filter { _ in Int.random(in: 0..<3, using: &generator) == 0 }
                .map { LogPosition(log: $0.log, sequence: $0.sequence, id: $0.id) }
            return DeviceRemoval(
                of: removed, of: member, remaining: remaining, kept: kept, by: signer, signedBy: self.signer,
                using: SwiftCryptography())
        }

        static func random(using generator: inout SeededGenerator) -> Bytes32 {
            Bytes32((0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }) ?? .zero
        }

        var model: StateModel {
            StateModel(owner: members[0], defaultRole: policy.defaultRole, events: valid)
        }

        /// Heads of what somebody has seen: of all, or of some of it, also old parts.
        mutating func heads() -> [Int] {
            let model = model
            var seen: Set<Int> = []
            for event in valid.indices where Int.random(in: 0..<100, using: &generator) < 70 {
                seen.formUnion(model.ancestors[event].union([event]))
            }
            switch Int.random(in: 0..<6, using: &generator) {
            case 0...1: seen = Set(valid.indices)
            // All but the latest: so do others, and none of them is comparable with all the rest.
            case 2...3: seen = Set(valid.indices.dropLast(Int.random(in: 1...3, using: &generator)))
            default: break
            }
            return seen.filter { event in !seen.contains { model.ancestors[$0].contains(event) } }.sorted()
        }

        mutating func action() -> StateAction {
            let member = members.randomElement(using: &generator) ?? members[0]
            switch Int.random(in: 0..<15, using: &generator) {
            case 13...14: return removal(of: member).map { .removeDevice($0) } ?? .join
            case 11: return .rekey(.zero)
            case 12: return .device(.zero)
            case 10:
                let event = LogPosition(log: LogID(.zero), sequence: 1, id: EventID(.zero))
                return .redact(Redaction(of: event, by: member, reason: "why"))
            case 0..<4: return .promote(member, to: Role.allCases.randomElement(using: &generator) ?? .member)
            case 4..<8:
                return .demote(member, to: Role.allCases.randomElement(using: &generator) ?? .none, kept: [])
            case 8: return .set(key: ["title", "mood"].randomElement(using: &generator) ?? "mood", value: [1])
            default: return .join
            }
        }

        mutating func add() {
            let heads = heads()
            let author =
                Int.random(in: 0..<10, using: &generator) < 4 ? members[0] : members.randomElement(using: &generator)
            let devices = admission(of: author ?? members[0])?.devices ?? []
            let lamport = (heads.map { valid[$0].reference.lamport }.max() ?? 0) + 1
            let event = ModelEvent(
                reference: EventReference(
                    id: EventID(Self.random(using: &generator)), log: LogID(.zero), sequence: 1, lamport: lamport),
                author: author ?? members[0], devices: devices, action: action(), parents: heads)
            let model = StateModel(
                owner: members[0], defaultRole: policy.defaultRole, events: valid + [event])
            if model.isValid(valid.count) { valid.append(event) } else { refused.append(event) }
        }

        /// An order of arrival in which every event comes after all that it names.
        mutating func arrival() -> [Int] {
            var left = Set(valid.indices)
            var order: [Int] = []
            while let next = left.filter({ event in valid[event].parents.allSatisfy { !left.contains($0) } }).sorted()
                .randomElement(using: &generator)
            {
                left.remove(next)
                order.append(next)
            }
            return order
        }
    }

    private func graph(of world: inout World) -> StateGraph {
        var graph = StateGraph(owner: world.members[0], policy: world.policy)
        for index in world.arrival() { _ = insert(world.valid[index], of: world, into: &graph) }
        return graph
    }

    private func insert(_ event: ModelEvent, of world: World, into graph: inout StateGraph) -> StateChange? {
        var parents = event.parents.map { world.valid[$0].reference.id }
        // An event may name another one twice: as the one before it, and as the secret of its content.
        if event.reference.id.value.prefix64.isMultiple(of: 2), let first = parents.first { parents.append(first) }
        return graph.insert(
            event.reference, ordinal: 0, by: event.author, devices: event.devices, event.action, parents: parents)
    }

    @Test func everyOrderOfArrivalEndsAsTheDefinitionSays() {
        var (removals, deviceRemovals, overturned) = (0, 0, 0)
        for seed in 0..<Self.seeds {
            var world = World(seed: seed)
            for _ in 0..<16 { world.add() }
            let model = world.model
            let expected = model.resolve(Set(world.valid.indices))
            overturned += world.valid.count - expected.standing.count
            for _ in 0..<3 {
                let graph = graph(of: &world)
                #expect(graph.nodes.count == world.valid.count, "seed \(seed): what is valid is refused")
                for (index, event) in world.valid.enumerated() {
                    if case .demote = event.action { removals += 1 }
                    if event.action.deviceRemoval != nil { deviceRemovals += 1 }
                    let node = graph.index(of: event.reference.id)
                    #expect(
                        node.map { graph.nodes[$0].stands } == expected.standing.contains(index),
                        "seed \(seed): event \(index) \(event.action)")
                }
                for member in world.members {
                    #expect(
                        graph.standing(of: member).role == model.place(member, expected).role,
                        "seed \(seed): member \(member)")
                }
                for member in world.members {
                    let event = LogPosition(log: LogID(.zero), sequence: 1, id: EventID(.zero))
                    let found = graph.redactions(of: event, by: member)
                    let redactions = world.valid.indices.filter {
                        if case .redact(let redaction) = world.valid[$0].action {
                            redaction.author == member
                        } else {
                            false
                        }
                    }
                    #expect(
                        Set(found.map(\.reference.id)) == Set(redactions.map { world.valid[$0].reference.id }),
                        "seed \(seed)")
                    #expect(
                        Set(found.filter(\.stands).map(\.reference.id))
                            == Set(redactions.filter(expected.standing.contains).map { world.valid[$0].reference.id }),
                        "seed \(seed)")
                }
                #expect(
                    Set(graph.currentRekeys(atMost: 16).map(\.reference.id)) == model.currentRekeys(expected),
                    "seed \(seed)")
                for key in ["title", "mood"] {
                    #expect(
                        Set(graph.settings(of: key).map(\.reference.id)) == model.settings(of: key, expected),
                        "seed \(seed): \(key)")
                }
            }
        }
        #expect(removals > 0 && deviceRemovals > 0 && overturned > 0, "nothing was tried")
    }

    @Test func whatItsAuthorHadNoRightToIsRefused() {
        var refused = 0
        for seed in 0..<Self.seeds {
            var world = World(seed: seed)
            for _ in 0..<12 { world.add() }
            var graph = graph(of: &world)
            for event in world.refused where insert(event, of: world, into: &graph) == nil { refused += 1 }
            #expect(graph.nodes.count == world.valid.count, "seed \(seed): what is not valid is taken")
        }
        #expect(refused > Self.seeds)
    }

    /// An insertion reports the events that turned and the members whose standing changed, and nothing else.
    @Test func changesAreTold() {
        for seed in 0..<Self.seeds {
            var world = World(seed: seed)
            for _ in 0..<14 { world.add() }
            var graph = StateGraph(owner: world.members[0], policy: world.policy)
            for index in world.arrival() {
                let before = graph
                guard let change = insert(world.valid[index], of: world, into: &graph) else {
                    Issue.record("seed \(seed): event \(index) is refused")
                    continue
                }
                let turned = before.nodes.indices.filter { before.nodes[$0].stands != graph.nodes[$0].stands }
                #expect(change.turned.sorted() == turned, "seed \(seed), event \(index)")
                for member in world.members {
                    let old = before.standing(of: member)
                    #expect(change.members[member] == (old == graph.standing(of: member) ? nil : old), "seed \(seed)")
                }
            }
        }
    }
}
