import ArgumentParser
import Foundation
import TomboloSimulation

struct SimulateRun: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run one scenario, with one seed or many.",
        discussion: "Exit code 1 if a promise was broken.")
    @OptionGroup var options: ScenarioOptions
    @Option(help: "The first seed.") var seed: UInt64 = 1
    @Option(help: "The number of seeds. Each processor runs one at a time.") var seeds: UInt64 = 1
    @Option(help: ArgumentHelp("Write the runs as one web page, with charts.", valueName: "file.html"))
    var report: String?
    @Flag(help: "Print JSON, a line for each run.") var json = false

    func run() async throws {
        guard (1...10_000_000).contains(seeds), seed <= .max - seeds else {
            throw Failure("--seeds must be between 1 and 10000000")
        }
        let scenario = try options.load()
        let start = ContinuousClock.now
        let progress = ProgressLine()
        var (done, steps): (UInt64, Int) = (0, 0)
        var reports: [SimulationReport] = []
        let runs = (seed..<seed + seeds).lazy.map { (scenario: scenario, seed: $0) }
        progress.show("running \(scenario.name)…")
        try await runAll(runs) { run, result in
            let report: SimulationReport
            do {
                report = try result.get()
            } catch let violation as Violation {
                progress.clear()
                print("seed \(run.seed): \(violation)")
                print("replay with: tombolo simulate \(options.arguments) --seed \(run.seed)")
                print("shrink with: tombolo simulate shrink \(options.arguments) --seed \(run.seed)")
                throw ExitCode(1)
            }
            done += 1
            steps += report.steps
            if reports.count < 100 { reports.append(report) }
            if json { try printJSON(report) } else if seeds == 1 { show(report) }
            progress.show("\(done) of \(seeds) runs…")
        }
        progress.clear()
        if seeds > 1, !json {
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            print(
                "\(done) runs of \(scenario.name) kept every promise: \(steps) steps in \(String(format: "%.1f", seconds)) s, "
                    + "\(Int(Double(steps) / max(0.001, seconds))) a second")
        }
        if let report { try SimulationPage(reports).write(to: report) }
    }

    private func show(_ report: SimulationReport) {
        let scenario = report.scenario
        let promises = scenario.strategy == .tombolo ? "every promise was kept" : "by \(scenario.strategy.rawValue)"
        let kinds = report.bytes.kinds.filter { $0.bytes > 0 }.map { "\($0.name) \($0.bytes.formatted())" }
        print(
            """
            \(scenario.name), seed \(report.seed): \(promises)
              messages    \(report.messages) by \(scenario.devices) devices, \(report.events) events with merges
              simulated   \(duration(report.duration)), all devices equal \(duration(report.convergence)) after the faults stopped
              delivered   \(percent(report.delivered)), \(percent(report.deliveredInTime)) before the faults stopped
              latency     \(duration(report.latency.p50)) (half of the deliveries), \(duration(report.latency.p90)) (nine in ten), \(duration(report.latency.p99)) (99 in 100)
              sent        \(report.bytes.all.formatted()) bytes over \(report.links.formatted()) links: \(kinds.joined(separator: ", "))
              multiplier  \(String(format: "%.2f", report.multiplier)) bytes sent for each byte of a body and receiver
              a device    \(report.device.medianBytes.formatted()) bytes (most \(report.device.mostBytes.formatted())), \(report.device.medianWakeUps.formatted()) batches (most \(report.device.mostWakeUps.formatted())), held up to \(report.device.mostHeld.formatted()) events
              engines     \(report.inputs.formatted()) inputs in \(report.batches.formatted()) batches, \(report.steps.formatted()) steps\(scenario.cryptography == .standIn ? ", with stand-in cryptography" : "")
              digest      \(report.digest.prefix(16))
            """)
    }
}

/// A number of milliseconds, with a unit.
func duration(_ milliseconds: UInt64) -> String {
    let seconds = Double(milliseconds) / 1_000
    if seconds < 120 { return String(format: "%.1f s", seconds) }
    return seconds < 7_200 ? String(format: "%.1f min", seconds / 60) : String(format: "%.1f h", seconds / 3_600)
}

func percent(_ share: Double) -> String { String(format: "%.1f %%", share * 100) }

/// Runs all scenarios, one on each processor at a time, and passes each result on as soon as it is there.
func runAll<Runs: Sequence>(
    _ runs: Runs, each: ((scenario: Scenario, seed: UInt64), Result<SimulationReport, any Error>) throws -> Void
) async throws where Runs.Element == (scenario: Scenario, seed: UInt64) {
    typealias Outcome = (run: (scenario: Scenario, seed: UInt64), result: Result<SimulationReport, any Error>)
    var next = runs.makeIterator()
    try await withThrowingTaskGroup(of: Outcome.self) { group in
        func begin(_ group: inout ThrowingTaskGroup<Outcome, any Error>) {
            guard let run = next.next() else { return }
            group.addTask { (run, Result { try Simulation.run(run.scenario, seed: run.seed) }) }
        }
        for _ in 0..<max(1, ProcessInfo.processInfo.activeProcessorCount) { begin(&group) }
        while let outcome = try await group.next() {
            do {
                try each(outcome.run, outcome.result)
            } catch {
                group.cancelAll()
                throw error
            }
            begin(&group)
        }
    }
}
