import ArgumentParser
import Foundation
import TomboloCore
import TomboloCrypto

/// The cost of finding the difference in a native group with very many authors.
struct Frontier: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Finds the difference of two devices in a group of many authors, as sessions do; engines in one process.",
        discussion: """
            In each row the given number of logs have grown since, half of them on each device. `remembered`: the two \
            devices held the same before; `unknown`: they never met. Bytes are those of the reconciliation, both ways, \
            before TLS and deflate, without introductions (root, tag, agreement) and the events themselves.
            """)
    @Option(help: "Authors, each with a log.") var authors = 10_000
    @Option(help: "Logs that changed.") var changed = [0, 1, 10, 100, 1_000]
    @Option(help: "Seed of the keys.") var seed: UInt64 = 1

    func run() throws {
        note("making \(authors) authors…")
        var generator = SplitMix(seed: seed)
        let founder = try EngineDevice(&generator)
        let group = try founder.createGroup()
        let writers = try (0..<authors).map { _ in
            let writer = try EngineDevice(&generator)
            try writer.join(group, of: founder)
            return writer
        }
        var events: [Message] = []
        for writer in writers { events += try writer.say("the first word", in: group) }
        printRow([
            "\(authors) logs, changed", "peer", "strategy", "bytes", "bytes a changed log", "round trips",
            "introductions, bytes",
            "CPU ms, both sides",
        ])
        printRow(["---:", "---", "---", "---:", "---:", "---:", "---:", "---:"])
        for count in changed where count <= authors {
            for isRemembered in [true, false] {
                let (a, b) = (try EngineDevice(&generator), try EngineDevice(&generator))
                for device in [a, b] { try device.join(group, of: founder) }
                for device in [a, b] { try device.ingest(events, into: group) }
                if isRemembered { _ = try a.meet(b) }
                for (number, writer) in writers.prefix(count).enumerated() {
                    let more = try writer.say("one more", in: group)
                    try (number.isMultiple(of: 2) ? a : b).ingest(more, into: group)
                    events += more
                }
                let meeting = try b.meet(a)
                guard let report = meeting.report, try a.digest(of: group) == b.digest(of: group) else {
                    throw BenchmarkError("the two do not agree")
                }
                let bytes = report.bytesSent + report.bytesReceived
                printRow([
                    "\(count)", isRemembered ? "remembered" : "unknown", report.strategy.name, "\(bytes)",
                    count > 0 ? (Double(bytes) / Double(count)).rounded(to: 1) : "", "\(report.roundTrips)",
                    "\(meeting.introductionBytes)", (1_000 * meeting.seconds).rounded(to: 1),
                ])
            }
        }
    }
}
