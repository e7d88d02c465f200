import ArgumentParser
import Foundation
import Tombolo

struct BundleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bundle",
        abstract: "Carry a group's events by hand to devices that this one cannot reach.",
        discussion: """
            A bundle is a file for a memory stick, a mail or a courier. Only devices of the group can read it. A \
            device checks its content like that of a peer, and no erased content comes back by it. In a private group \
            an answer (--for) also carries secrets. They are encrypted to a key that its reader deletes once answers \
            have brought all that it lacked. Files sent with `tombolo send --file` are not in a bundle.
            """, subcommands: [Write.self, Read.self])

    struct Write: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Write this device's events of a group into a file.")
        @OptionGroup var options: DataOptions
        @Option(help: "The group's name or the beginning of its id.") var group: String?
        @Option(
            name: .customLong("for"),
            help: ArgumentHelp(
                "A bundle of another device: write only what that device lacked, and the secrets that it may have.",
                valueName: "bundle"))
        var other: String?
        @Flag(help: "Print JSON.") var json = false
        @Argument(help: ArgumentHelp("The file to write.", valueName: "file")) var file: String

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
            abstract: "Read bundles.",
            discussion:
                "Exit code 1 if a bundle has no end (its intact parts were received), 2 if one is damaged or foreign."
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
                        // The other bundles may be intact.
                        FileHandle.standardError.write(Data("error: \(error.description.printable)\n".utf8))
                        status = 2
                    }
                }
                return status
            }
            if status != 0 { throw ExitCode(status) }
        }

        /// - Returns: true if the bundle was complete.
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
                "\(name.printable): \(reading.newEvents) new events, \(reading.heldEvents) already held; "
                    + "written by device \("\(reading.writer)".prefix(8)) \(reading.written.ISO8601Format())"
            )
            if !reading.isComplete {
                FileHandle.standardError.write(
                    Data(
                        "\(file.printable) is cut off: its intact parts were received; get the whole file again\n".utf8)
                )
            }
        }
    }
}
