import ArgumentParser
import Foundation
import TomboloSimulation

struct Simulate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a group's devices in simulated time, under faults, and check every promise.",
        discussion: """
            The engines are the real ones; clock, network and stores are simulated, all from one seed. Checked are: every \
            delivery once, after its causes and in its writer's order; nothing said is lost, whatever crashes; no honest device is blamed; \
            and when faults stop, all come to hold the same. A run that fails prints the command that replays it.
            """,
        subcommands: [SimulateRun.self, SimulateList.self], defaultSubcommand: SimulateRun.self)
}

struct SimulateList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "The scenarios that come with tombolo.",
        discussion:
            "With --json as files are written: what a file leaves out is as usual, ranges are [lowest, highest].")
    @Flag(help: "Print JSON, a line each.") var json = false

    func run() throws {
        for scenario in Scenario.all {
            if json {
                try printJSON(scenario)
            } else {
                print("\(scenario.name.padding(toLength: 14, withPad: " ", startingAt: 0))\(scenario.summary)")
            }
        }
    }
}

struct SimulateRun: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run one scenario, with one seed or many.",
        discussion: "Exit code 1 if a promise was not kept.")
    @Argument(help: "A scenario's name (`tombolo simulate list`), or a JSON file.") var scenario: String
    @Option(help: "The first seed.") var seed: UInt64 = 1
    @Option(help: "How many seeds, one after the other.") var seeds: UInt64 = 1
    @Flag(help: "Print JSON, a line for each run.") var json = false

    func run() async throws {
        guard (1...10_000_000).contains(seeds), seed <= .max - seeds else {
            throw Failure("--seeds must be between 1 and 10000000")
        }
        let scenario = try load()
        if let problem = scenario.problem { throw Failure("the scenario \(scenario.name) cannot be run: \(problem)") }
        let progress = ProgressLine()
        let start = ContinuousClock.now
        var (done, steps): (UInt64, Int) = (0, 0)
        var next = seed
        let end = seed + seeds
        try await withThrowingTaskGroup(of: (UInt64, Result<SimulationReport, any Error>).self) { group in
            func begin(_ group: inout ThrowingTaskGroup<(UInt64, Result<SimulationReport, any Error>), any Error>) {
                guard next < end else { return }
                let seed = next
                next += 1
                group.addTask { (seed, Result { try Simulation.run(scenario, seed: seed) }) }
            }
            for _ in 0..<max(1, ProcessInfo.processInfo.activeProcessorCount) { begin(&group) }
            while let (seed, result) = try await group.next() {
                let report: SimulationReport
                do {
                    report = try result.get()
                } catch {
                    progress.clear()
                    print("seed \(seed): \(error)")
                    print("replay with: tombolo simulate \(self.scenario) --seed \(seed)")
                    group.cancelAll()
                    throw ExitCode(1)
                }
                done += 1
                steps += report.steps
                if json { try printJSON(report) } else if seeds == 1 { show(report) }
                progress.show("\(done) of \(seeds) runs…")
                begin(&group)
            }
        }
        progress.clear()
        if seeds > 1, !json {
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            print(
                "\(done) runs of \(scenario.name) kept every promise: \(steps) steps in \(String(format: "%.1f", seconds)) s, "
                    + "\(Int(Double(steps) / max(0.001, seconds))) a second")
        }
    }

    private func load() throws -> Scenario {
        if let known = Scenario.all.first(where: { $0.name == scenario }) { return known }
        guard FileManager.default.fileExists(atPath: scenario) else {
            throw Failure("there is no scenario and no file \(scenario): see `tombolo simulate list`")
        }
        do {
            return try JSONDecoder().decode(Scenario.self, from: Data(contentsOf: URL(fileURLWithPath: scenario)))
        } catch let error as DecodingError {
            throw Failure("\(scenario) is not a scenario: \(explain(error))")
        }
    }

    private func explain(_ error: DecodingError) -> String {
        switch error {
        case .keyNotFound(let key, _): "it has no \(key.stringValue)"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            "\(context.codingPath.map(\.stringValue).joined(separator: ".")) is something else than expected"
        case .dataCorrupted(let context):
            context.codingPath.isEmpty
                ? "it is not JSON" : "\(context.codingPath.map(\.stringValue).joined(separator: ".")) makes no sense"
        @unknown default: "\(error)"
        }
    }

    private func show(_ report: SimulationReport) {
        func seconds(_ milliseconds: UInt64) -> String { String(format: "%.1f s", Double(milliseconds) / 1_000) }
        print(
            """
            \(report.scenario.name), seed \(report.seed): every promise was kept
              said        \(report.messages) messages by \(report.scenario.devices) devices, \(report.events) events with merges
              simulated   \(seconds(report.duration)), all alike \(seconds(report.convergence)) after the faults stopped
              delivered   p50 \(seconds(report.latency.p50)), p90 \(seconds(report.latency.p90)), p99 \(seconds(report.latency.p99)) after it was said
              bytes       \(report.bytes.all): \(report.bytes)
              multiplier  \(String(format: "%.2f", report.multiplier)) bytes sent for each byte of a body and receiver
              digest      \(report.digest.prefix(16))
            """)
    }
}
