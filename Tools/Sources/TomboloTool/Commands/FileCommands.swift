import ArgumentParser
import Foundation
import Tombolo
import TomboloCore

struct Get: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Fetch a file that was sent, and save it.",
        discussion: """
            Dials all peers whose address is known, fetches different pieces from each that has them, and verifies \
            every piece. It can be stopped at any time, and continues from there the next time.

            Exit code 1 if not all pieces arrived. This device keeps those that did, and saves nothing (except for the \
            output of --to -).
            """)
    @OptionGroup var options: DataOptions
    @Option(help: "The group's name or the beginning of its id.") var group: String?
    @Option(
        help: ArgumentHelp(
            "A file, a folder, or - for standard output. Without it, the file's own name in the current folder.",
            valueName: "path"))
    var to: String?
    @Option(help: "Seconds after which to stop if nothing arrives.") var timeout = 30
    @Argument(help: "The id of the event that sent it, or at least its first four digits.") var event: String

    func run() async throws {
        guard timeout >= 1 else { throw Failure("--timeout must be at least a second") }
        do {
            let isWhole = try await options.withNode { node in
                let (reader, name) = try await find(node)
                try await reader.download()
                return try await fetch(reader, as: name, node)
            }
            if !isWhole { throw ExitCode(1) }
        } catch let error as TomboloError where error.code == .storeBusy {
            // Another process uses the store: a file can be saved if it is complete.
            try await options.withReader { node in
                let (reader, name) = try await find(node)
                guard try await reader.status.isComplete else { throw error }
                try await save(reader, as: name)
            }
        }
    }

    private func find(_ node: Node) async throws -> (FileReader, name: String) {
        let group = try await findGroup(group, node)
        guard let entry = try await group.entry(ofID: event) else {
            throw Failure("no event that begins with \(event) is held here: see `tombolo file list`")
        }
        guard let shared = entry.content(as: SharedFile.self) else {
            let why = entry.placeholder.map { "is gone \($0)" } ?? "has no file"
            throw Failure("event \("\(entry.id)".prefix(8)) \(why): see `tombolo file list`")
        }
        return (group.reader(of: shared.file), shared.name)
    }

    /// Saves the file while it arrives. A peer that has it may be met later than others.
    private func fetch(_ reader: FileReader, as name: String, _ node: Node) async throws -> Bool {
        let running = Task { try await node.run() }
        let saving = Task { try await save(reader, as: name) }
        let watching = Task {
            var (before, last) = (try await reader.status, ContinuousClock.now)
            while true {
                try await Task.sleep(for: .milliseconds(500))
                let status = try await reader.status
                if status != before { (before, last) = (status, .now) }
                // The reader of the output may be slow.
                if status.isComplete { continue }
                if last.duration(to: .now) > .seconds(timeout) { return saving.cancel() }
            }
        }
        defer {
            running.cancel()
            watching.cancel()
        }
        do {
            try await saving.value
            return true
        } catch is CancellationError {
            let status = try await reader.status
            FileHandle.standardError.write(
                Data(
                    """
                    \(inBytes(status.bytesHeld)) of \(inBytes(status.size)) are here, and nothing has arrived for \
                    \(timeout) s: no peer that can be reached has the rest. These bytes are kept: run the command \
                    again when such a peer can be reached.

                    """.utf8))
            return false
        }
    }

    private func save(_ reader: FileReader, as name: String) async throws {
        let progress = TransferProgress()
        let showing = showProgress(progress, "fetched")
        defer { showing.cancel() }
        guard to != "-" else {
            let step: UInt64 = 1 << 20
            for start in stride(from: 0, to: reader.file.size, by: Int(step)) {
                try FileHandle.standardOutput.write(contentsOf: try await reader.read(start..<start + step))
            }
            return
        }
        var place = URL(fileURLWithPath: to ?? ".")
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: place.path, isDirectory: &isFolder), isFolder.boolValue {
            place.appendPathComponent(name)
        }
        try await reader.save(to: place, reportingTo: progress)
        await showing.value
        print(place.path.printable)
    }
}

struct File: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List files, remove them from this device, and limit their size.",
        subcommands: [List.self, Drop.self, Limit.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List files that were sent.")
        @OptionGroup var options: DataOptions
        @Option(help: "The group's name or the beginning of its id.") var group: String?
        @Flag(help: "Print JSON lines.") var json = false

        private struct Row: Codable {
            let event: String
            let name: String?
            let file: String
            let size: UInt64
            let held: UInt64
            let isComplete: Bool
            let isWanted: Bool
        }

        func run() async throws {
            try await options.withReader { node in
                for entry in try await findGroup(group, node).entriesWithFiles() {
                    let shared = entry.content(as: SharedFile.self)
                    for file in entry.files {
                        let status = try await node.status(of: file)
                        let name = shared?.file.id == file ? shared?.name : nil
                        if json {
                            try printJSON(
                                Row(
                                    event: "\(entry.id)", name: name, file: "\(file)", size: status.size,
                                    held: status.bytesHeld, isComplete: status.isComplete, isWanted: status.isWanted))
                            continue
                        }
                        let state =
                            status.isComplete
                            ? "here"
                            : "\(inBytes(status.bytesHeld)) here\(status.isWanted ? ", wanted" : "")"
                        print(
                            "\("\(entry.id)".prefix(8))  \((name ?? entry.type ?? "?").printable)  \(inBytes(status.size)), \(state)"
                        )
                    }
                }
            }
        }
    }

    struct Drop: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove the bytes of a file from this device.",
            discussion:
                "Other devices keep it, and it can be fetched again from them. `tombolo redact` erases it everywhere.")
        @OptionGroup var options: DataOptions
        @Option(help: "The group's name or the beginning of its id.") var group: String?
        @Argument(help: "The id of the event that sent it, or at least its first four digits.") var event: String

        func run() async throws {
            try await options.withNode { node in
                guard let entry = try await findGroup(group, node).entry(ofID: event), !entry.files.isEmpty else {
                    throw Failure(
                        "no event with a file that begins with \(event) is held here: see `tombolo file list`")
                }
                for file in entry.files { try await node.removeLocalCopy(of: file) }
            }
        }
    }

    struct Limit: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set the limits of this device for files, or print them.",
            discussion: "A size is a number of bytes, or such as 500K, 20M, 8G, 1T.")
        @OptionGroup var options: DataOptions
        @Option(
            help: ArgumentHelp("The most bytes that all files together take.", valueName: "size"), transform: parseSize)
        var quota: UInt64?
        @Option(
            help: ArgumentHelp(
                "Files up to this size are fetched without a request; 0 for none.", valueName: "size"),
            transform: parseSize) var automatic: UInt64?

        func run() async throws {
            guard quota != nil || automatic != nil else {
                return try await options.withReader { node in
                    let limits = try await node.fileLimits
                    print("quota \(inBytes(limits.quota)), of which \(inBytes(try await node.fileBytes)) are used")
                    print("fetched without a request: files up to \(inBytes(limits.automatic))")
                }
            }
            try await options.withNode { node in
                var limits = try await node.fileLimits
                limits.quota = quota ?? limits.quota
                limits.automatic = automatic ?? limits.automatic
                try await node.setFileLimits(limits)
            }
        }
    }
}

/// Shows the progress of a transfer in bytes, until it ends.
func showProgress(_ progress: TransferProgress, _ what: String) -> Task<Void, Never> {
    showProgress(progress) {
        "\(inBytes($0.done)) of \(inBytes($0.total)) \(what), \($0.done * 100 / $0.total) %"
    }
}

/// Shows the progress of a transfer as `text` puts it, until it ends.
func showProgress(
    _ progress: TransferProgress, _ text: @escaping @Sendable (TransferProgress.Step) -> String
) -> Task<Void, Never> {
    Task {
        let line = ProgressLine()
        for await step in progress.steps() where step.total > 0 { line.show(text(step)) }
        line.clear()
    }
}

/// A size with a unit, in powers of 1,000.
func inBytes(_ bytes: UInt64) -> String {
    let units = ["kB", "MB", "GB", "TB"]
    var (value, unit) = (Double(bytes), "bytes")
    for next in units where value >= 1_000 { (value, unit) = (value / 1_000, next) }
    return unit == "bytes" ? "\(bytes) bytes" : String(format: "%.1f %@", value, unit)
}

/// The size that a text names: bytes, or a number with K, M, G or T (powers of 1,000).
func parseSize(_ text: String) throws -> UInt64 {
    let units: [Character: UInt64] = ["K": 1_000, "M": 1_000_000, "G": 1_000_000_000, "T": 1_000_000_000_000]
    let unit = text.uppercased().last.flatMap { units[$0] }
    guard let number = UInt64(unit == nil ? text : String(text.dropLast())),
        case let (size, isTooMuch) = number.multipliedReportingOverflow(by: unit ?? 1), !isTooMuch
    else { throw ValidationError("\(text) is not a size such as 65536, 500K, 20M or 8G") }
    return size
}
