import ArgumentParser
import Foundation
import Tombolo

/// Point 5: the time from `send` on one device to delivery on another.
struct Latency: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures the time from send to delivery between two connected devices, commits included.")
    @Option(help: "Messages.") var count = 2_000

    func run() async throws {
        try await withScratch { directory in
            let a = try await Node.open(at: directory.appendingPathComponent("a"))
            let b = try await Node.open(at: directory.appendingPathComponent("b"))
            let crew = try await a.createGroup(named: "benchmark")
            let port = try await a.listen()
            let joined = try await b.join(try await crew.invite())
            try await b.connect(to: a.device, at: "127.0.0.1:\(port)")
            try await crew.send(PlainText("first"))
            var delivered = joined.changes().makeAsyncIterator()
            _ = try await delivered.next()
            var (sending, whole): ([Double], [Double]) = ([], [])
            for number in 0..<count {
                let start = ContinuousClock.now
                try await crew.send(PlainText("message \(number)"))
                sending.append((ContinuousClock.now - start) / .milliseconds(1))
                guard try await delivered.next() != nil else { throw BenchmarkError("the changes ended") }
                whole.append((ContinuousClock.now - start) / .milliseconds(1))
            }
            printRow(["\(count) messages, one after the other", "p50 ms", "p99 ms", "longest ms"])
            printRow(["---", "---:", "---:", "---:"])
            printRow(row("send returns (on disk, synced)", sending))
            printRow(row("delivered on the other device", whole))
            try await b.close()
            try await a.close()
        }
    }

    private func row(_ name: String, _ times: [Double]) -> [String] {
        let sorted = times.sorted()
        return [
            name, sorted[sorted.count / 2].rounded(to: 2), sorted[sorted.count * 99 / 100].rounded(to: 2),
            (sorted.last ?? 0).rounded(to: 2),
        ]
    }
}
