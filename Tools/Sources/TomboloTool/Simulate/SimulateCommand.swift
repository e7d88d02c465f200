import ArgumentParser
import Foundation
import TomboloSimulation

struct Simulate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a group's devices in simulated time, under faults, and check every promise.",
        discussion: """
            The engines are the real ones. Clock, network and stores are simulated, all from one seed. The promises: \
            an event is delivered once, after its causes and in its writer's order; a device keeps reading its own and \
            delivered messages; no message is lost, whatever crashes; no honest device is accused; and when faults \
            stop, all devices come to hold the same. A failing run prints the command that replays it.
            """,
        subcommands: [SimulateRun.self, SimulateList.self, SimulateCompare.self, SimulateShrink.self],
        defaultSubcommand: SimulateRun.self)
}

struct SimulateList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "The scenarios that come with tombolo, and the strategies.",
        discussion:
            "With --json, scenarios are printed as in files. A missing key has its default. Ranges: [lowest, highest]."
    )
    @Flag(help: "Print JSON, a line each.") var json = false

    func run() throws {
        if json { return try Scenario.all.forEach { try printJSON($0) } }
        func show(_ name: String, _ summary: String) {
            print("  \(name.padding(toLength: 20, withPad: " ", startingAt: 0))\(summary)")
        }
        print("Scenarios:")
        for scenario in Scenario.all { show(scenario.name, scenario.summary) }
        print("\nStrategies (--strategy):")
        for strategy in Strategy.allCases { show(strategy.rawValue, strategy.summary) }
    }
}

/// A scenario, and the options of its run.
struct ScenarioOptions: ParsableArguments {
    @Argument(help: "A scenario's name (`tombolo simulate list`), or a JSON or TOML file.") var scenario: String
    @Option(help: "The way in which devices exchange messages (`tombolo simulate list`).", transform: named)
    var strategy: Strategy?
    @Option(help: "Hashes and signatures: real, or standIn (fast, protects nothing).", transform: named)
    var cryptography: Scenario.CryptographyChoice?
    @Option(
        help: ArgumentHelp(
            "Replay a conversation: a file of JSON lines as for `tombolo import`.", valueName: "file"))
    var conversation: String?

    func load() throws -> Scenario {
        var loaded = try loadScenario(scenario)
        if let conversation { try loaded.replay(conversation) }
        if let strategy { loaded.strategy = strategy }
        if let cryptography { loaded.cryptography = cryptography }
        if let problem = loaded.problem { throw Failure("the scenario \(loaded.name) cannot be run: \(problem)") }
        return loaded
    }

    /// The arguments of a command that runs the same.
    var arguments: String {
        [
            scenario, strategy.map { "--strategy \($0.rawValue)" },
            cryptography.map { "--cryptography \($0.rawValue)" },
            conversation.map { "--conversation \($0)" },
        ].compactMap(\.self).joined(separator: " ")
    }
}

/// The choice that an option names.
func named<Choice: RawRepresentable & CaseIterable>(_ name: String) throws -> Choice where Choice.RawValue == String {
    if let choice = Choice(rawValue: name) { return choice }
    let names = Choice.allCases.map(\.rawValue).joined(separator: ", ")
    throw ValidationError("'\(name)' is none of \(names)")
}
