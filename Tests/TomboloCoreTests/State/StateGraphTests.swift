import TestSupport
import Testing
import TomboloCore

/// Random groups whose members do what they may not, under rights that fell, in forked logs, and remove each other without
/// knowing of it.
struct StateGraphTests {
    /// `TOMBOLO_STATE_SEEDS=10000 swift test --filter StateGraphTests` tries as many.
    static let seeds = Tier.count(600, long: 6_000, variable: "TOMBOLO_STATE_SEEDS")

    @Test func everyOrderOfArrivalEndsAsTheDefinitionSays() {
        var (demotions, removals, fallen, forks) = (0, 0, 0, 0)
        for seed in 0..<Self.seeds {
            var world = StateWorld(seed: seed)
            for _ in 0..<22 { world.add() }
            let model = world.model
            let standing = world.valid.indices.filter(model.stands)
            fallen += world.valid.count - standing.count
            for event in world.valid {
                if event.action.isDemotion { demotions += 1 }
                if event.action.deviceRemoval != nil { removals += 1 }
            }
            forks += world.valid.count - Set(world.valid.map { "\($0.reference.log) \($0.reference.sequence)" }).count
            for _ in 0..<3 {
                let graph = world.graph()
                #expect(graph.nodes.count == world.valid.count, "seed \(seed): a valid event is refused")
                for (index, event) in world.valid.enumerated() {
                    let node = graph.index(of: event.reference.id)
                    #expect(
                        node.map { graph.nodes[$0].stands } == standing.contains(index),
                        "seed \(seed): event \(index) \(event.action)")
                }
                for member in world.members {
                    #expect(graph.standing(of: member).role == model.role(of: member), "seed \(seed): member \(member)")
                }
                for key in ["title", "mood"] {
                    #expect(
                        Set(graph.settings(of: key).map(\.reference.id)) == model.settings(of: key),
                        "seed \(seed): \(key)")
                }
            }
        }
        #expect(demotions > 0 && removals > 0 && fallen > 0 && forks > 0, "nothing was tried")
    }

    @Test func anEventWithoutARightIsRefused() {
        var refused = 0
        for seed in 0..<Self.seeds {
            var world = StateWorld(seed: seed)
            for _ in 0..<16 { world.add() }
            var graph = world.graph()
            for event in world.refused where world.insert(event, into: &graph) == nil { refused += 1 }
            #expect(graph.nodes.count == world.valid.count, "seed \(seed): an invalid event is taken")
        }
        #expect(refused > Self.seeds)
    }

    /// A resolution reports the events that turned, and nothing else.
    @Test func changesAreTold() {
        for seed in 0..<Self.seeds {
            var world = StateWorld(seed: seed)
            for _ in 0..<16 { world.add() }
            var graph = StateGraph(owner: world.members[0], policy: world.policy)
            for index in world.arrival() {
                let before = graph
                _ = world.insert(world.valid[index], into: &graph)
                let turned = graph.resolve()
                let expected = before.nodes.indices.filter { before.nodes[$0].stands != graph.nodes[$0].stands }
                #expect(turned.sorted() == expected, "seed \(seed), event \(index)")
            }
        }
    }
}
