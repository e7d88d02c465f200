import ArgumentParser
import Foundation
import TomboloCore
import TomboloCrypto
import TomboloSQLite

/// The cost of erasing contents.
struct Erasure: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Erases contents of a store on disk.",
        discussion: """
            `take`: events, each with its own signature, are validated and stored in one batch; none of them expires, \
            a tenth, all. `expire`: all that expire are erased at once. `purge`: the contents leave the files. Then \
            redactions, each ingested, carried out, committed and purged, beside a message in the same store.
            """)
    @Option(help: "Events.") var events = 100_000
    @Option(help: "Bytes of content.") var bytes = 256
    @Option(help: "Seed of the keys.") var seed: UInt64 = 1

    func run() async throws {
        var generator = SplitMix(seed: seed)
        printRow(["events", "expiring", "take, events/s", "expire, s", "events/s", "purge, s"])
        printRow(["---:", "---:", "---:", "---:", "---:", "---:"])
        for step in [0, 10, 1] {
            let author = try EngineDevice(&generator)
            let group = try author.createGroup()
            note("making \(events) events…")
            for number in 0..<events {
                let isExpiring = step > 0 && number.isMultiple(of: step)
                try author.append(text(number), in: group, expiry: isExpiring ? EngineDevice.now + Self.hour : nil)
            }
            try await withScratch { directory in
                var disk = try DiskEngine(SQLiteStorage(directory: directory), seed: generator.next())
                try disk.join(group, of: author)
                let made = author.messages(of: group)
                let taking = try disk.timed([.ingest(0, group: group, made)])
                var row = ["\(events)", step == 0 ? "0" : "\(events / step)", "\(Int(Double(events) / taking))"]
                if step > 0 {
                    disk.now += Self.hour
                    var (erasing, start) = (0.0, ContinuousClock.now)
                    while let next = disk.engine.nextWake, next <= disk.now { erasing += try disk.timed([.timePassed]) }
                    start = ContinuousClock.now
                    guard try disk.storage.purge() else { throw BenchmarkError("a reader uses the store") }
                    let purging = (ContinuousClock.now - start).inSeconds
                    row += [
                        erasing.rounded(to: 2), "\(Int(Double(events / step) / erasing))", purging.rounded(to: 2),
                    ]
                } else {
                    row += ["", "", ""]
                }
                printRow(row)
                if step == 0 { try redact(&disk, author, group) }
                try disk.storage.close()
            }
        }
    }

    private static let hour: UInt64 = 3_600_000

    private func text(_ number: Int) -> String {
        String(String(repeating: "words and \(number) ", count: bytes / 12).prefix(bytes))
    }

    private func redact(_ disk: inout DiskEngine, _ author: EngineDevice, _ group: GroupID) throws {
        let rounds = 200
        var (redacting, purging, saying, size) = (0.0, 0.0, 0.0, 0)
        let targets = author.messages(of: group, after: 1_000).prefix(rounds)
        for target in targets {
            let redaction = try author.redact(target, in: group)
            size = redaction.reduce(0) { $0 + $1.encoded.count }
            redacting += try disk.timed([.ingest(0, group: group, redaction)])
            let start = ContinuousClock.now
            guard try disk.storage.purge() else { throw BenchmarkError("a reader uses the store") }
            purging += (ContinuousClock.now - start).inSeconds
            saying += try disk.timed([.ingest(0, group: group, try author.say("some words", in: group))])
        }
        note(
            "one redaction: \(size) bytes, \((1_000 * redacting / Double(rounds)).rounded(to: 2)) ms, purge "
                + "\((1_000 * purging / Double(rounds)).rounded(to: 2)) ms; a message "
                + "\((1_000 * saying / Double(rounds)).rounded(to: 2)) ms")
    }
}
