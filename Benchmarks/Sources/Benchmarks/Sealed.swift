import ArgumentParser
import Foundation
import Tombolo
import TomboloCore
import TomboloCrypto

/// The cost of encrypting contents.
struct Sealed: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Writes, syncs and reads the same in an open and in a private group.",
        discussion: """
            `say`: one device writes N events, 1,024 at a time. `sync`: another device, which has joined the empty \
            group, receives all of them over TCP and TLS into SQLite. `read`: it reads the changes, and decrypts each \
            content. Five runs of each, in turn; the fastest counts. `share`: one secret is sent to a device.
            """)
    @Option(help: "Events.") var events = 100_000
    @Option(help: "The bytes of each event's content.") var bytes = 256
    @Option(help: "Runs of each.") var runs = 5
    @Option(
        help:
            "Make two stores of a private group in this directory and end, for `serve a` and `fetch b KEY ADDRESS`."
    )
    var prepare: String?

    private struct Figures {
        var (say, sync, read) = (0.0, 0.0, 0.0)
        var beyond = 0.0

        mutating func takeBest(of other: Figures) {
            (say, sync, read) = (max(say, other.say), max(sync, other.sync), max(read, other.read))
            beyond = other.beyond
        }
    }

    func run() async throws {
        if let prepare {
            let pair = try await Pair(in: URL(fileURLWithPath: prepare, isDirectory: true), policy: .private)
            try await pair.withGroup { try await $0.say(events, bytes: bytes, seed: 1) }
            return print(pair.deviceA)
        }
        var (open, sealed) = (Figures(), Figures())
        for run in 0..<runs {
            open.takeBest(of: try await measure(.open, seed: UInt64(run)))
            sealed.takeBest(of: try await measure(.private, seed: UInt64(run)))
        }
        printRow([
            "\(events) events of \(bytes) bytes", "say, events/s", "sync, events/s", "read, events/s",
            "bytes beyond content",
        ])
        printRow(["---", "---:", "---:", "---:", "---:"])
        for (name, figures) in [("open", open), ("private", sealed)] {
            printRow([
                name, figures.say.rounded(to: 0), figures.sync.rounded(to: 0), figures.read.rounded(to: 0),
                figures.beyond.rounded(to: 1),
            ])
        }
        printRow([
            "private ÷ open", (sealed.say / open.say).rounded(to: 2), (sealed.sync / open.sync).rounded(to: 2),
            (sealed.read / open.read).rounded(to: 2), "",
        ])
        print()
        try primitives()
    }

    private func measure(_ policy: Policy, seed: UInt64) async throws -> Figures {
        try await withScratch { directory in
            var figures = Figures()
            let pair = try await Pair(in: directory, policy: policy)
            var start = ContinuousClock.now
            try await pair.withGroup { try await $0.say(events, bytes: bytes, seed: seed) }
            figures.say = Double(events) / (ContinuousClock.now - start).inSeconds
            let fetched = try pair.sync().fetched
            guard fetched.events >= events else {
                throw BenchmarkError("\(fetched.events) of \(events) events arrived")
            }
            figures.sync = Double(events) / (fetched.seconds - fetched.handshakeSeconds)
            figures.beyond = Double(fetched.sent + fetched.received - events * bytes) / Double(events)
            let node = try await Node.openReadOnly(at: pair.b)
            guard let group = try await node.groups.first else { throw BenchmarkError("there is no group") }
            var (bookmark, read) = (Bookmark.start, 0)
            start = ContinuousClock.now
            while true {
                let changes = try await group.changes(after: bookmark, limit: 1_024)
                guard let last = changes.last else { break }
                for change in changes where change.entry?.content(as: PlainText.self)?.string.utf8.count == bytes - 6 {
                    read += 1
                }
                bookmark = last.bookmark
            }
            figures.read = Double(events) / (ContinuousClock.now - start).inSeconds
            guard read == events else { throw BenchmarkError("\(read) of \(events) events could be read") }
            try await node.close()
            return figures
        }
    }

    /// Prints the costs of the single cryptographic operations.
    private func primitives() throws {
        let cryptography = SwiftCryptography()
        let key = cryptography.sha256Bytes("key")
        let text = [UInt8](repeating: 7, count: bytes)
        let nonce = [UInt8](repeating: 1, count: 12)
        func time(_ count: Int, _ body: () throws -> Void) rethrows -> Double {
            let start = ContinuousClock.now
            for _ in 0..<count { try body() }
            return 1_000_000 * (ContinuousClock.now - start).inSeconds / Double(count)
        }
        let sealed = cryptography.seal(text[...], key: key, nonce: nonce[...])
        let recipient = cryptography.sharingKey(seed: key)
        guard let share = cryptography.seal(text, to: recipient, info: []) else { throw BenchmarkError("no share") }
        printRow(["seal a content, µs", "open it, µs", "hash it, µs", "make a share, µs", "open one, µs"])
        printRow(["---:", "---:", "---:", "---:", "---:"])
        printRow([
            time(100_000) { _ = cryptography.seal(text[...], key: key, nonce: nonce[...]) }.rounded(to: 2),
            time(100_000) { _ = cryptography.open(sealed[...], key: key, nonce: nonce[...]) }.rounded(to: 2),
            time(100_000) { _ = text.withUnsafeBytes { cryptography.sha256($0) } }.rounded(to: 2),
            time(1_000) { _ = cryptography.seal(text, to: recipient, info: []) }.rounded(to: 1),
            time(1_000) { _ = cryptography.open(share[...], seed: key, info: []) }.rounded(to: 1),
        ])
    }
}
