import ArgumentParser
import Foundation
import TomboloSimulation

struct SimulateShrink: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shrink", abstract: "Look for a smaller scenario that fails.",
        discussion: """
            Tries fewer devices, fewer messages, fewer faults and less time. Prints the smallest scenario found that \
            breaks the same promise, as JSON, to be saved and run. Exit code 1 if there is one, 0 if the run does not \
            fail.
            """)
    @OptionGroup var options: ScenarioOptions
    @Option(help: "The seed that fails.") var seed: UInt64 = 1
    @Option(help: "The number of seeds to try for each smaller scenario.") var seeds: UInt64 = 8

    func run() async throws {
        let scenario = try options.load()
        let progress = ProgressLine()
        let found = try Simulation.shrink(scenario, seed: seed, seeds: seeds) { tried in
            progress.show("trying \(tried.devices) devices, \(tried.messages) messages, \(duration(tried.duration))…")
        }
        progress.clear()
        guard let found else { return print("\(scenario.name) keeps every promise with seed \(seed)") }
        try printJSON(found.scenario)
        // Standard output has the scenario alone, so that it can be saved as it is.
        FileHandle.standardError.write(
            Data(
                "seed \(found.seed): \(found.violation)\n\(found.runs) runs; save the line above and replay it with --seed \(found.seed)\n"
                    .utf8))
        throw ExitCode(1)
    }
}
