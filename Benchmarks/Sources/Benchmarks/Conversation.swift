import ArgumentParser
import Foundation
import Tombolo
import TomboloImport
import TomboloCore

/// Point 2: a real conversation graph, beside git that moves the same graph in the same run.
struct Conversation: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Syncs a conversation to an empty device, then ten events behind, beside git with the same graph.")
    @Option(help: "A conversation: JSON lines of id, parents, author, time, text. Without it, one is made.")
    var file: String?
    @Option(help: "Entries of the conversation that is made.") var entries = 12_540
    @Option(help: "Seed of the conversation that is made.") var seed: UInt64 = 1
    @Option(help: "Runs of each; the fastest counts.") var runs = 3

    func run() async throws {
        let lines = try file.map(readLines) ?? MadeConversation.lines(count: entries, seed: seed)
        guard lines.count > 10 else { throw BenchmarkError("a conversation of more than ten entries is needed") }
        let bytes = lines.reduce(0) { $0 + $1.text.utf8.count }
        let merges = lines.count { $0.parents.count > 1 }
        print(
            "\(file ?? "a made conversation, seed \(seed)"): \(lines.count) entries of "
                + "\(Set(lines.map(\.author)).count) authors, \(merges) merges, \(bytes) bytes of text\n")
        var whole: [Fetched] = []
        var behind: [Fetched] = []
        for _ in 0..<runs {
            try await withScratch { directory in
                let pair = try await Pair(in: directory)
                var messages: [Message] = []
                try await pair.withGroup { group in
                    var builder = ConversationBuilder(group: group.id)
                    messages = try lines.map {
                        try builder.add(
                            id: $0.id, parents: $0.parents, author: $0.author, time: $0.time, text: $0.text)
                    }
                    _ = try await group.ingest(messages.dropLast(10))
                }
                let first = try pair.sync().fetched
                try await pair.withGroup { _ = try await $0.ingest(messages.suffix(10)) }
                behind.append(try pair.sync(checksOrder: true).fetched)
                // A second empty device receives everything at once.
                let again = try await Pair(in: directory.appendingPathComponent("whole"))
                try await again.withGroup { group in
                    var builder = ConversationBuilder(group: group.id)
                    _ = try await group.ingest(
                        try lines.map {
                            try builder.add(
                                id: $0.id, parents: $0.parents, author: $0.author, time: $0.time, text: $0.text)
                        })
                }
                whole.append(try again.sync(checksOrder: true).fetched)
                guard first.events == lines.count - 10, behind.allSatisfy(\.isCausal), whole.allSatisfy(\.isCausal)
                else { throw BenchmarkError("not all entries arrived, or not in causal order") }
            }
        }
        let baseline = try await GitBaseline.measure(lines, behind: 10, runs: runs)
        printRow(["", "tombolo ms", "git ms", "ratio", "tombolo bytes, both ways", "git bytes on loopback", "ratio"])
        printRow(["---", "---:", "---:", "---:", "---:", "---:", "---:"])
        compare("all \(lines.count) events", whole, baseline.whole)
        compare("10 behind", behind, baseline.behind)
        print(
            "\nOurs: after the handshake (\(handshake(whole + behind)) ms, in neither column), commits included, every "
                + "parent before its child. Git: its own protocol on loopback, its process's start included.")
    }

    private func handshake(_ fetched: [Fetched]) -> String {
        (1_000 * (fetched.map(\.handshakeSeconds).min() ?? 0)).rounded(to: 1)
    }

    private func compare(_ name: String, _ ours: [Fetched], _ git: [GitBaseline.Row]) {
        guard let fastest = ours.map({ $0.seconds - $0.handshakeSeconds }).min(), let first = ours.first,
            let gitFastest = git.map(\.seconds).min()
        else { return }
        let gitBytes = git.compactMap(\.bytes).min()
        let bytes = first.sent + first.received
        printRow([
            name, (1_000 * fastest).rounded(to: 1), (1_000 * gitFastest).rounded(to: 1),
            (fastest / gitFastest).rounded(to: 2), "\(bytes)",
            gitBytes.map(String.init) ?? "not counted here",
            gitBytes.map { (Double(bytes) / Double($0)).rounded(to: 2) } ?? "",
        ])
    }

    /// The output of a command. It goes through a file, since a process that the command leaves running may keep a pipe
    /// open.
    private func output(_ command: [String]) throws -> Data {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("tombolo-bench-\(UUID().uuidString)")
        _ = FileManager.default.createFile(atPath: url.path, contents: nil)
        defer { try? FileManager.default.removeItem(at: url) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.standardOutput = try FileHandle(forWritingTo: url)
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw BenchmarkError("\(command.joined(separator: " ")) failed") }
        return try Data(contentsOf: url)
    }

    private func readLines(of file: String) throws -> [ConversationLine] {
        let data =
            file.hasSuffix(".gz")
            ? try output(["gzip", "-dc", file]) : try Data(contentsOf: URL(fileURLWithPath: file))
        return try data.split(separator: UInt8(ascii: "\n")).map {
            try JSONDecoder().decode(ConversationLine.self, from: $0)
        }
    }
}
