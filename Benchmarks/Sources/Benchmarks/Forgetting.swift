import ArgumentParser
import Foundation
import Tombolo
import TomboloCore

/// The gain and the cost of forgetting.
struct Forgetting: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Has a group forget what has expired, and newcomers join before and after.",
        discussion: """
            One member of a group sends N messages that expire; afterwards both members pass a checkpoint. `joins`: a \
            reader receives all events, over TCP and TLS into SQLite, before the checkpoint and after it. Then M \
            messages that stay are sent above the floor, and as many in a group without one: readers receive each in \
            turn, and the fastest counts.
            """)
    @Option(help: "The number of events that expire.") var events = 20_000
    @Option(help: "The number of events that stay.") var staying = 20_000
    @Option(help: "The bytes of each event's content.") var bytes = 256
    @Option(help: "The seconds after which events expire: longer than sending them takes.") var expiry = 30
    @Option(help: "Runs of each where time is compared.") var runs = 5
    @Flag(
        help:
            "Use an open group. In a private one, the keys of erased contents have a cost, too."
    ) var open = false

    private struct Joined {
        let events: Int
        let received: Int
        let seconds: Double
        let storeBytes: Int
    }

    func run() async throws {
        try await withScratch { directory in
            let ann = try await Node.open(at: directory.appendingPathComponent("ann"))
            let ben = try await Node.open(at: directory.appendingPathComponent("ben"))
            try await ann.listen()
            let crew = try await ann.createGroup(named: "crew", policy: open ? .open : .private)
            let joined = try await ben.join(try await crew.invite())
            note("\(events) events that expire…")
            try await crew.say(events, bytes: bytes, seed: 1, expiring: .seconds(expiry))
            try await sync(ben)
            note("…within \(expiry) s")
            try await Task.sleep(for: .seconds(expiry + 1))
            printRow(["a reader joins", "entries", "bytes received", "seconds", "store, bytes"])
            printRow(["---", "---:", "---:", "---:", "---:"])
            printRow(row("before the checkpoint", try await join(crew, in: directory)))
            let start = ContinuousClock.now
            try await crew.proposeCheckpoint()
            let proposed = (ContinuousClock.now - start).inSeconds
            var rounds = 0
            // The last event of a log stays.
            while try await min(crew.forgottenEvents, joined.forgottenEvents) < events - 1 {
                guard rounds < 10 else {
                    throw BenchmarkError("\(try await crew.forgottenEvents) events were forgotten")
                }
                try await sync(ben)
                rounds += 1
            }
            let forgotten = (ContinuousClock.now - start).inSeconds
            printRow(row("after it", try await join(crew, in: directory)))
            print(
                "\nProposing it took \(proposed.rounded(to: 2)) s; until both members had passed it and forgotten "
                    + "\(try await crew.forgottenEvents) events \(forgotten.rounded(to: 2)) s, in \(rounds) meetings.\n"
            )
            let plain = try await ann.createGroup(named: "plain", policy: open ? .open : .private)
            for group in [crew, plain] { try await group.say(staying, bytes: bytes, seed: 1) }
            var best: [GroupID: Joined] = [:]
            for _ in 0..<runs {
                for group in [plain, crew] {
                    let one = try await join(group, in: directory)
                    if one.seconds < best[group.id]?.seconds ?? .infinity { best[group.id] = one }
                }
            }
            guard let below = best[plain.id], let above = best[crew.id] else {
                throw BenchmarkError("no device has joined")
            }
            printRow(["a reader takes", "entries", "bytes received", "seconds", "events/s"])
            printRow(["---", "---:", "---:", "---:", "---:"])
            for (name, one) in [("a group without a floor", below), ("one with a floor", above)] {
                printRow([
                    name, "\(one.events)", "\(one.received)", one.seconds.rounded(to: 3),
                    (Double(staying) / one.seconds).rounded(to: 0),
                ])
            }
            print("\nwith ÷ without: \((below.seconds / above.seconds).rounded(to: 2))")
            for node in [ann, ben] { try await node.close() }
        }
    }

    private func row(_ name: String, _ joined: Joined) -> [String] {
        [name, "\(joined.events)", "\(joined.received)", joined.seconds.rounded(to: 3), "\(joined.storeBytes)"]
    }

    private func sync(_ node: Node) async throws {
        let report = try await node.sync()
        guard report.isComplete else { throw BenchmarkError("a sync failed: \(report.failures)") }
    }

    /// Lets a new device join as a reader, and removes it again.
    private func join(_ group: SyncGroup, in directory: URL) async throws -> Joined {
        let home = directory.appendingPathComponent("reader")
        defer { try? FileManager.default.removeItem(at: home) }
        let reader = try await Node.open(at: home)
        let start = ContinuousClock.now
        let joined = try await reader.join(try await group.invite(as: .reader), timeout: .seconds(600))
        let seconds = (ContinuousClock.now - start).inSeconds
        let received = try await received(by: reader)
        let events = try await entries(of: joined)
        try await reader.close()
        let files = try FileManager.default.contentsOfDirectory(
            at: home, includingPropertiesForKeys: [.fileSizeKey])
        let sizes = try files.map { try $0.resourceValues(forKeys: [.fileSizeKey]).fileSize ?? 0 }
        return Joined(events: events, received: received, seconds: seconds, storeBytes: sizes.reduce(0, +))
    }

    private func entries(of group: SyncGroup) async throws -> Int {
        var (bookmark, count) = (Bookmark.start, 0)
        while true {
            let changes = try await group.changes(after: bookmark, including: .everything, limit: 4_096)
            guard let last = changes.last else { return count }
            count += changes.count
            bookmark = last.bookmark
        }
    }

    private func received(by node: Node) async throws -> Int {
        for await progress in node.progress() { return progress.bytesReceived }
        return 0
    }
}
