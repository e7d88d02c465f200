import ArgumentParser
import Foundation
import Tombolo

struct BundleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bundle",
        abstract: "Carry a group's events by hand to devices that this one cannot reach.",
        discussion: """
            A bundle is a file for a memory stick, a mail or a courier. Only devices of the group can read it; what is in it is taken as from a peer: \
            verified, once, and nothing comes back that was erased. In a private group, secrets that messages are sealed under travel in answers \
            (--for), sealed to a key that is forgotten once answers have brought what was lacking. What was sent with `tombolo send --file` is not in it.
            """, subcommands: [Write.self, Read.self])

    struct Write: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Write what is here of a group into a file.")
        @OptionGroup var options: DataOptions
        @Option(help: "The group's name or the beginning of its id.") var group: String?
        @Option(
            name: .customLong("for"),
            help: ArgumentHelp(
                "A bundle that the other device has written: only what it lacked then is written, and the secrets that it may have.",
                valueName: "bundle"))
        var other: String?
        @Flag(help: "Print JSON.") var json = false
        @Argument(help: ArgumentHelp("Where to write it.", valueName: "file")) var file: String

        private struct Row: Codable {
            let file: String
            let events: Int
            let secrets: Int
            let bytes: Int
        }

        func run() async throws {
            try await options.withNode { node in
                let progress = TransferProgress()
                let showing = showProgress(progress) { "\($0.done) of \($0.total) events written" }
                defer { showing.cancel() }
                let summary = try await findGroup(group, node).writeBundle(
                    to: URL(fileURLWithPath: file), answering: other.map { URL(fileURLWithPath: $0) },
                    reportingTo: progress)
                await showing.value
                if json {
                    return try printJSON(
                        Row(file: file, events: summary.events, secrets: summary.secrets, bytes: summary.bytes))
                }
                let secrets = summary.secrets == 0 ? "" : "\(summary.secrets) secrets, "
                print("\(file.printable): \(summary.events) events, \(secrets)\(inBytes(UInt64(summary.bytes)))")
            }
        }
    }

    struct Read: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take what is in bundles.",
            discussion:
                "Exit code 1 if one of them has no end: what it had was taken. 2 if one is damaged, or of no group of this device's."
        )
        @OptionGroup var options: DataOptions
        @Flag(help: "Print JSON, a line for each bundle.") var json = false
        @Argument(help: ArgumentHelp("Bundles, in any order.", valueName: "file")) var files: [String]

        private struct Row: Codable {
            let file: String
            let group: String
            let writer: String
            let written: Date
            let newEvents: Int
            let heldEvents: Int
            let isComplete: Bool
        }

        func run() async throws {
            let status: Int32 = try await options.withNode { node in
                var status: Int32 = 0
                for file in files {
                    do {
                        if try await !read(file, node) { status = max(status, 1) }
                    } catch let error as TomboloError {
                        // The others may be good.
                        FileHandle.standardError.write(Data("Error: \(error.description.printable)\n".utf8))
                        status = 2
                    }
                }
                return status
            }
            if status != 0 { throw ExitCode(status) }
        }

        /// - Returns: whether it was complete.
        private func read(_ file: String, _ node: Node) async throws -> Bool {
            let progress = TransferProgress()
            let showing = showProgress(progress, "read")
            defer { showing.cancel() }
            let reading = try await node.readBundle(at: URL(fileURLWithPath: file), reportingTo: progress)
            await showing.value
            try await show(reading, of: file, node)
            return reading.isComplete
        }

        private func show(_ reading: BundleReading, of file: String, _ node: Node) async throws {
            if json {
                return try printJSON(
                    Row(
                        file: file, group: "\(reading.group)", writer: "\(reading.writer)", written: reading.written,
                        newEvents: reading.newEvents, heldEvents: reading.heldEvents, isComplete: reading.isComplete))
            }
            let name = try await node.group(reading.group)?.name ?? "\(reading.group)"
            print(
                "\(name.printable): \(reading.newEvents) new events, \(reading.heldEvents) that were here; written by device \("\(reading.writer)".prefix(8)) \(reading.written.ISO8601Format())"
            )
            if !reading.isComplete {
                FileHandle.standardError.write(
                    Data("\(file.printable) ends before the bundle does: what it had was taken, get it again\n".utf8))
            }
        }
    }
}
