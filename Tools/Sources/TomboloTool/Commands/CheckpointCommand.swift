import ArgumentParser
import Foundation
import Tombolo
import TomboloCore

extension Group {
    struct Checkpoint: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Propose to forget erased events, or list the checkpoints.",
            discussion: """
                An event that expired or was redacted still shows that somebody sent something, and when. With \
                --propose, an admin's device proposes to forget that too: in each log, all events before the first one \
                that is not erased. Every member's devices pass the checkpoint by themselves, once they hold all of \
                these events and can read none. When the last member has passed it, all devices forget the events for \
                good. Without --propose, the checkpoints are listed.
                """)
        @OptionGroup var options: DataOptions
        @Option(help: "The group's name or the beginning of its id.") var group: String?
        @Flag(help: "Propose a checkpoint.") var propose = false
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            if propose {
                try await options.withNode { node in
                    try show(try await findGroup(group, node).proposeCheckpoint())
                }
            } else {
                try await options.withReader { node in
                    let group = try await findGroup(group, node)
                    for checkpoint in try await group.checkpoints { try show(checkpoint) }
                    if !json { print("\(try await group.forgottenEvents) events are forgotten here") }
                }
            }
        }

        private func show(_ checkpoint: GroupCheckpoint) throws {
            if json { return try printJSON(CheckpointRow(checkpoint)) }
            let time = checkpoint.timestamp.ISO8601Format()
            let asked = checkpoint.passed.count + checkpoint.awaited.count
            let awaited = checkpoint.awaited.map { "\($0)".prefix(8) }.joined(separator: ", ")
            print(
                "\("\(checkpoint.id)".prefix(8))  \(time)  \(checkpoint.passed.count) of \(asked) members have passed it"
                    + (awaited.isEmpty ? "" : ", not yet \(awaited)"))
        }
    }
}

/// A checkpoint as `group checkpoint --json` prints it.
private struct CheckpointRow: Codable {
    let id: String
    let author: String
    /// Milliseconds since 1970.
    let time: Int64
    let logs: Int
    let passed: [String]
    let awaited: [String]

    init(_ checkpoint: GroupCheckpoint) {
        id = "\(checkpoint.id)"
        author = "\(checkpoint.author)"
        time = Int64((checkpoint.timestamp.timeIntervalSince1970 * 1_000).rounded())
        logs = checkpoint.logs
        passed = checkpoint.passed.map(\.description)
        awaited = checkpoint.awaited.map(\.description)
    }
}
