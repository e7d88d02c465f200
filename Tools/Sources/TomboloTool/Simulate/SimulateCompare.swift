import ArgumentParser
import Foundation
import TomboloSimulation

struct SimulateCompare: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare", abstract: "Run scenarios under every strategy, and put the figures side by side.",
        discussion: """
            Cost is the multiplier (bytes sent for each byte of a body and receiver) times the time, in seconds, \
            within which nine in ten deliveries took place. Without names the seven simulations are run: \
            \(Scenario.seven().map(\.name).joined(separator: ", ")).
            """)
    @Argument(help: "Scenarios' names, or files.") var scenarios: [String] = []
    @Option(name: .customLong("strategy"), help: "Only this strategy; can be given several times.", transform: named)
    var strategies: [Strategy] = []
    @Option(help: "The first seed.") var seed: UInt64 = 1
    @Option(help: "The number of seeds; figures are medians over them.") var seeds: UInt64 = 1
    @Option(help: "Hashes and signatures: real, or standIn (fast, protects nothing).", transform: named)
    var cryptography: Scenario.CryptographyChoice?
    @Option(help: ArgumentHelp("Write the figures as one web page, with charts.", valueName: "file.html"))
    var report: String?
    @Option(help: ArgumentHelp("Write the costs as a chart.", valueName: "file.svg")) var chart: String?
    @Flag(help: "Print JSON, a line for each run.") var json = false
    @Flag(help: "Print tables as in Markdown.") var markdown = false

    func run() async throws {
        guard (1...1_000).contains(seeds), seed <= .max - seeds else {
            throw Failure("--seeds must be between 1 and 1000")
        }
        let scenarios = try self.scenarios.isEmpty ? Scenario.seven() : self.scenarios.map(loadScenario)
        var runs: [(scenario: Scenario, seed: UInt64)] = []
        for var scenario in scenarios {
            if let cryptography { scenario.cryptography = cryptography }
            for strategy in strategies.isEmpty ? Strategy.allCases : strategies {
                scenario.strategy = strategy
                if let problem = scenario.problem { throw Failure("\(scenario.name) cannot be run: \(problem)") }
                // The strategy sends to the group's topic, which the scenario must allow.
                guard strategy != .multicast || scenario.conditions.multicast else { continue }
                runs += (seed..<seed + seeds).map { (scenario, $0) }
            }
        }
        let progress = ProgressLine()
        var reports: [SimulationReport] = []
        var done = 0
        progress.show("0 of \(runs.count) runs…")
        try await runAll(runs) { run, result in
            done += 1
            progress.show("\(done) of \(runs.count) runs: \(run.scenario.name) by \(run.scenario.strategy.rawValue)…")
            do {
                let report = try result.get()
                reports.append(report)
                if json { try printJSON(report) }
            } catch let violation as Violation {
                progress.clear()
                FileHandle.standardError.write(
                    Data(
                        "\(run.scenario.name) by \(run.scenario.strategy.rawValue), seed \(run.seed): \(violation)\n"
                            .utf8))
            }
        }
        progress.clear()
        if !json { for scenario in scenarios { show(scenario, reports.filter { $0.scenario.name == scenario.name }) } }
        if let report { try SimulationPage(reports).write(to: report) }
        if let chart { try ComparisonChart(reports).write(to: chart) }
    }

    private func show(_ scenario: Scenario, _ reports: [SimulationReport]) {
        let lines = ComparedStrategy.all(of: reports)
        let best = lines.filter(\.isComplete).map(\.cost).min() ?? 0
        let header = ComparedStrategy.header + ["× best"]
        let rows = lines.map { line in
            line.cells + [line.isComplete ? String(format: "%.2f", line.cost / max(best, 0.001)) : "–"]
        }
        print("\(markdown ? "### " : "")\(scenario.name): \(scenario.summary)\n")
        if markdown {
            print("| " + header.joined(separator: " | ") + " |")
            print("|" + String(repeating: " --- |", count: header.count))
            for row in rows { print("| " + row.joined(separator: " | ") + " |") }
        } else {
            let widths = header.indices.map { column in ([header] + rows).map { $0[column].count }.max() ?? 0 }
            for row in [header] + rows {
                let cells = row.enumerated().map { column, cell in
                    let space = String(repeating: " ", count: widths[column] - cell.count)
                    return column == 0 ? cell + space : space + cell
                }
                print("  " + cells.joined(separator: "  "))
            }
        }
        print("")
    }
}

/// One strategy's figures in one scenario: medians over the seeds.
struct ComparedStrategy {
    let strategy: Strategy
    let multiplier: Double
    let p50: UInt64
    let p90: UInt64
    let p99: UInt64
    let delivered: Double
    let deviceBytes: Int
    let wakeUps: Int
    let kinds: [(name: String, bytes: Int)]

    var cost: Double { multiplier * Double(p90) / 1_000 }

    /// The titles of a table's columns. `cells` are the values below them.
    static let header = [
        "strategy", "multiplier", "p50", "p90", "p99", "delivered", "a device, kB", "wake-ups", "cost",
    ]
    var cells: [String] {
        [
            strategy.rawValue, String(format: "%.2f", multiplier), duration(p50), duration(p90), duration(p99),
            percent(delivered), String(format: "%.1f", Double(deviceBytes) / 1_000), "\(wakeUps)",
            String(format: "%.0f", cost),
        ]
    }

    /// Tells whether nearly all deliveries took place. A strategy that delivers little is cheap, but fails.
    var isComplete: Bool { delivered > 0.999 }

    static func all(of reports: [SimulationReport]) -> [ComparedStrategy] {
        Strategy.allCases.compactMap { strategy in
            let own = reports.filter { $0.scenario.strategy == strategy }
            func median<Value: Comparable>(_ value: (SimulationReport) -> Value) -> Value? {
                let sorted = own.map(value).sorted()
                return sorted.isEmpty ? nil : sorted[sorted.count / 2]
            }
            guard let multiplier = median(\.multiplier), let p50 = median(\.latency.p50),
                let p90 = median(\.latency.p90),
                let p99 = median(\.latency.p99), let delivered = median(\.delivered),
                let bytes = median(\.device.medianBytes), let wakeUps = median(\.device.medianWakeUps),
                let first = own.first
            else { return nil }
            return ComparedStrategy(
                strategy: strategy, multiplier: multiplier, p50: p50, p90: p90, p99: p99, delivered: delivered,
                deviceBytes: bytes, wakeUps: wakeUps, kinds: first.bytes.kinds)
        }
    }
}
