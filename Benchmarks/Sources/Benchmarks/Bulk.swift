import ArgumentParser
import Foundation
import Tombolo
import TomboloImport
import TomboloCore

/// Points 3 and 4: many events to an empty device, then meetings of devices that are in sync, and of one that is
/// behind.
struct Bulk: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Syncs N events to an empty device over TCP and TLS into SQLite; then in sync, then one behind.")
    @Option(help: "Events.") var events = 1_000_000
    @Option(help: "Authors.") var authors = 100
    @Option(help: "The bytes of each event's content.") var bytes = 256
    @Option(help: "The seed of the texts.") var seed: UInt64 = 1
    @Option(help: "Make the two stores in this directory and end, to profile `serve a` and `fetch b KEY ADDRESS`.")
    var prepare: String?

    func run() async throws {
        if let prepare {
            let pair = try await Pair(in: URL(fileURLWithPath: prepare, isDirectory: true))
            try await pair.withGroup { try await fill($0) }
            return print(pair.deviceA)
        }
        print("\(events) events of \(bytes) bytes from \(authors) authors, seed \(seed)\n")
        try await withScratch { directory in
            let pair = try await Pair(in: directory)
            try await pair.withGroup { try await fill($0) }
            let (first, server) = try pair.sync()
            guard first.events == events else { throw BenchmarkError("\(first.events) of \(events) events arrived") }
            printRow(["meeting", "events/s", "seconds", "bytes sent", "bytes received", "beyond content, per event"])
            printRow(["---", "---:", "---:", "---:", "---:", "---:"])
            let seconds = first.seconds - first.handshakeSeconds
            let beyond = Double(first.sent + first.received - events * bytes) / Double(events)
            printRow([
                "all to an empty device", (Double(events) / seconds).rounded(to: 0), seconds.rounded(to: 3),
                "\(first.sent)", "\(first.received)", beyond.rounded(to: 1),
            ])
            let inSync = try pair.sync().fetched
            printRow(row("in sync", inSync))
            // The sender's first own event names the heads of all authors, so it costs more than any further event.
            var generator = SplitMix(seed: 7)
            try await pair.withGroup { try await $0.send(PlainText(text(of: bytes, &generator))) }
            printRow(row("behind by one event that joins all heads", try pair.sync().fetched))
            try await pair.withGroup { try await $0.send(PlainText(text(of: bytes, &generator))) }
            printRow(row("one behind", try pair.sync().fetched))
            let start = ContinuousClock.now
            let node = try await Node.open(at: pair.b)
            let opened = ContinuousClock.now - start
            guard try await node.groups.first?.timeline(limit: 1).count == 1 else {
                throw BenchmarkError("it is empty")
            }
            try await node.close()
            print("\nThe receiver's store opens in \((1_000 * opened.inSeconds).rounded(to: 1)) ms.\n")
            printRow(["process", "user s", "system s", "peak resident MiB"])
            printRow(["---", "---:", "---:", "---:"])
            printRow(row("sender", server))
            printRow(row("receiver", first.usage))
        }
    }

    private func row(_ name: String, _ fetched: Fetched) -> [String] {
        let seconds = fetched.seconds - fetched.handshakeSeconds
        return [name, "", seconds.rounded(to: 4), "\(fetched.sent)", "\(fetched.received)", ""]
    }

    private func row(_ name: String, _ usage: Usage) -> [String] {
        [
            name, usage.user.rounded(to: 2), usage.system.rounded(to: 2),
            (Double(usage.peakResident) / 1_048_576).rounded(to: 0),
        ]
    }

    private func fill(_ group: SyncGroup) async throws {
        var generator = SplitMix(seed: seed)
        var builder = ConversationBuilder(group: group.id)
        var batch: [Message] = []
        var latest: [Int: Int] = [:]
        for number in 0..<events {
            let author = Int.random(in: 0..<authors, using: &generator)
            // Three in ten also answer the previous message.
            var parents = latest[author].map { [$0] } ?? []
            if number > 0, Int.random(in: 0..<10, using: &generator) < 3, !parents.contains(number - 1) {
                parents.append(number - 1)
            }
            // The envelope takes six bytes of the content, and the author field at least one.
            batch.append(
                try builder.add(
                    id: "\(number)", parents: parents.map(String.init), author: "a\(author)",
                    time: 1_700_000_000_000 + Int64(number) * 1_000, text: text(of: bytes - 8, &generator)))
            latest[author] = number
            if batch.count == 4_096 || number == events - 1 {
                _ = try await group.ingest(batch)
                batch = []
                if (number + 1) % 102_400 == 0 { note("\(number + 1) of \(events) events made") }
            }
        }
    }
}

/// A text of words and numbers, about as compressible as human writing.
func text(of bytes: Int, _ generator: inout SplitMix) -> String {
    var text = ""
    while text.utf8.count < bytes {
        text += words[Int(generator.next() % UInt64(words.count))] + " "
        if generator.next() % 10 < 3 { text += String(generator.next() % 1_048_576, radix: 16) + " " }
    }
    return String(text.prefix(bytes))
}

private let words = """
    tide sand bar island mainland covers half day keeps group people machines say sync devices rarely online together \
    whatever carries bytes no server has be up harbour lamp rope keel mast wind north rain ferry chart
    """.split(separator: " ").map(String.init)

/// The generator SplitMix64 (Steele, Lea, Flood 2014). The same seed gives the same events.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
