import Foundation
import TestSupport
import Testing
import TomboloSimulation

@Suite("Simulated groups keep their promises")
struct SimulationTests {
    @Test("all faults at once break no promise, with any seed", arguments: Tier.seeds(40, long: 400))
    func faults(seed: UInt64) throws {
        let report = try Simulation.run(.faults, seed: seed)
        // A message that a person was about to send when the process was killed is not sent.
        #expect(report.messages > Scenario.faults.messages / 2 && report.events >= report.messages, "seed \(seed)")
    }

    @Test("hostile members break no promise", arguments: Tier.seeds(20, long: 100))
    func hostility(seed: UInt64) throws {
        _ = try Simulation.run(.hostile, seed: seed)
    }

    @Test(
        "erased contents are erased everywhere, under all faults",
        arguments: Tier.seeds([0, 1, 2, 3, 4, 5, 21], long: 60))
    func forgetting(seed: UInt64) throws {
        _ = try Simulation.run(.forgetting, seed: seed)
        var hostile = Scenario.hostile
        (hostile.lifetime, hostile.redacted) = (60_000, 0.3)
        _ = try Simulation.run(hostile, seed: seed)
    }

    @Test(
        "all members of a private group can read what was delivered to them, under all faults",
        arguments: Tier.seeds([0, 1, 48, 70, 71, 109], long: 60))
    func sealed(seed: UInt64) throws {
        _ = try Simulation.run(.sealed, seed: seed)
        var hostile = Scenario.hostile
        hostile.isPrivate = true
        _ = try Simulation.run(hostile, seed: seed)
    }

    @Test(
        "members that promote and remove each other agree, under all faults", arguments: Tier.seeds(20, long: 200))
    func membership(seed: UInt64) throws {
        var scenario = Scenario.membership
        scenario.isPrivate = seed.isMultiple(of: 2)
        _ = try Simulation.run(scenario, seed: seed)
    }

    @Test(
        "every scenario of the library keeps its promises",
        arguments: [Scenario.calm, .intermittent, .crowd, .seven()[0], .seven()[1]])
    func scenarios(scenario: Scenario) throws {
        let report = try Simulation.run(scenario, seed: 7)
        #expect(report.latency.p50 <= report.latency.p90 && report.latency.p90 <= report.latency.p99)
        #expect(report.bytes.bodies > 0 && report.multiplier > 1)
    }

    @Test(
        "advancing every session with each batch changes nothing",
        arguments: [Scenario.faults, .hostile, .sealed, .membership])
    func resting(scenario: Scenario) throws {
        for seed in Tier.seeds(8, long: 40).map({ $0 + 1 }) {
            let one = try Simulation.run(scenario, seed: seed)
            #expect(try Simulation.run(scenario, seed: seed, mutant: .restless) == one, "seed \(seed)")
        }
    }

    @Test("the same seed gives the same run, and another seed another run")
    func replay() throws {
        let one = try Simulation.run(.faults, seed: 3)
        #expect(try Simulation.run(.faults, seed: 3) == one)
        #expect(try Simulation.run(.faults, seed: 4).digest != one.digest)
    }

    @Test("every mutant breaks the promise that it should", arguments: Mutant.allCases.filter { $0 != .restless })
    func mutants(mutant: Mutant) {
        let expected: [Mutant: Set<Violation.Promise>] = [
            .forgetsToSync: [.lost, .forked], .losesPayloads: [.diverged, .blamed, .lost],
            .deliversBackwards: [.beforeItsCause],
            .deliversTwice: [.deliveredTwice],
            .hidesItsOwn: [.ownUnread], .forgetsWhatWasRead: [.unread, .lost],
            .namesNoCauses: [.beforeWhatItsWriterRead], .goesOnInItsLog: [.forked, .lost],
            .keepsWhatIsErased: [.notErased], .keepsItsSecrets: [.diverged], .readsNothing: [.unreadable],
            .hidesWhatIsWithdrawn: [.wronglyShown, .deliveredTwice, .unread], .misjudges: [.judgedDifferently],
        ]
        var found: Set<Violation.Promise> = []
        var scenario =
            switch mutant {
            case .keepsWhatIsErased: Scenario.forgetting
            case .keepsItsSecrets, .readsNothing: Scenario.sealed
            case .hidesWhatIsWithdrawn, .misjudges: Scenario.membership
            default: Scenario.faults
            }
        scenario.conditions.corruption = 0
        for seed in 0..<20 as Range<UInt64> where found.isEmpty {
            do {
                _ = try Simulation.run(scenario, seed: seed, mutant: mutant)
            } catch let violation as Violation {
                found.insert(violation.promise)
            } catch {
                Issue.record("\(error)")
            }
        }
        #expect(!found.isEmpty && found.isSubset(of: expected[mutant] ?? []), "\(mutant): \(found)")
    }

    @Test("a scenario in a file states only what differs from the default")
    func file() throws {
        let text = #"{"name": "mine", "devices": 3, "messages": 5, "conditions": {"latency": [1, 2], "crashes": 1}}"#
        var expected = Scenario(name: "mine", devices: 3, messages: 5)
        expected.conditions.latency = 1...2
        expected.conditions.crashes = 1
        let decoded = try JSONDecoder().decode(Scenario.self, from: Data(text.utf8))
        #expect(decoded == expected)
        #expect(try JSONDecoder().decode(Scenario.self, from: JSONEncoder().encode(decoded)) == decoded)
    }

    @Test("every strategy delivers everything everywhere", arguments: Strategy.allCases)
    func strategies(strategy: Strategy) throws {
        var scenario = Scenario(name: "small", devices: 6, messages: 30)
        scenario.strategy = strategy
        scenario.helpers = 1
        scenario.patience = 6 * 3_600_000
        scenario.conditions.multicast = true
        scenario.conditions.loss = 0.05
        scenario.conditions.duplication = 0.05
        scenario.conditions.reordering = 0.05
        let report = try Simulation.run(scenario, seed: 1)
        #expect(report.delivered > 0.9 && report.bytes.bodies > 0, "\(strategy): \(report.delivered)")
        #expect(try Simulation.run(scenario, seed: 1) == report)
    }

    @Test("a failing run is shrunk and still fails")
    func shrinking() throws {
        let found = try #require(try Simulation.shrink(.calm, seed: 1, mutant: .deliversBackwards))
        #expect(found.violation.promise == .beforeItsCause)
        #expect(found.scenario.messages < Scenario.calm.messages / 4 && found.scenario.devices < 5)
        #expect(throws: Violation.self) {
            try Simulation.run(found.scenario, seed: found.seed, mutant: .deliversBackwards)
        }
        #expect(try Simulation.shrink(.calm, seed: 1) == nil)
    }

    @Test("stand-in cryptography breaks no promise")
    func standIn() throws {
        var scenario = Scenario.faults
        scenario.cryptography = .standIn
        for seed in Tier.seeds(10, long: 100) { _ = try Simulation.run(scenario, seed: seed) }
    }

    @Test("an invalid scenario is refused")
    func nonsense() {
        #expect(throws: SimulationError.self) {
            try Simulation.run(Scenario(name: "alone", devices: 1, messages: 1), seed: 1)
        }
        var scenario = Scenario.calm
        scenario.conditions.crashes = -1
        #expect(throws: SimulationError.self) { try Simulation.run(scenario, seed: 1) }
    }

    @Test("devices without time to converge are reported")
    func diverging() {
        var scenario = Scenario.intermittent
        scenario.patience = 1_000
        scenario.conditions.dialling = 900_000...1_800_000
        #expect { try Simulation.run(scenario, seed: 1) } throws: { ($0 as? Violation)?.promise == .diverged }
    }
}
