import ArgumentParser
import Foundation

/// The measurements that `docs/measurements.md` states. Each figure is produced by one command.
@main struct Benchmarks: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "benchmarks",
        abstract: "Measures Tombolo over real sockets and stores, each device a process of its own.",
        subcommands: [
            Conversation.self, Bulk.self, Latency.self, Reconcile.self, Frontier.self, Members.self, Erasure.self,
            Forgetting.self, Flood.self,
            Sealed.self, Files.self, Serve.self, Fetch.self, SendFile.self, FetchFile.self, TLSSink.self,
            TLSSource.self,
        ])
}

/// Runs `body` with a directory that is removed afterwards.
func withScratch<Result>(_ body: (URL) async throws -> Result) async throws -> Result {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("tombolo-bench-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: url) }
    return try await body(url)
}

struct BenchmarkError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

func note(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

func tableRow(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |" }

func printRow(_ cells: [String]) { print(tableRow(cells)) }

extension Double {
    func rounded(to places: Int) -> String { String(format: "%.\(places)f", self) }
}
