import ArgumentParser
import Foundation
import Tombolo
import TomboloCore

struct Get: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Fetch a file that was sent, and save it.",
        discussion: """
            Dials all peers whose address is known, and takes from each that has it what others have not given; every piece is verified. It can be \
            stopped at any time, and goes on from there the next time.

            Exit code 1 if not all of it came: what came is kept on this device, and nothing is saved (but for what was printed with --to -).
            """)
    @OptionGroup var options: DataOptions
    @Option(help: "The group's name or the beginning of its id.") var group: String?
    @Option(
        help: ArgumentHelp(
            "Where to save it; a folder, or - for standard output. Left out: under its own name, here.",
            valueName: "path"))
    var to: String?
    @Option(help: "Seconds without anything coming after which to stop.") var timeout = 30
    @Argument(help: "The id of what was said with it, or the first four digits or more.") var event: String

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
            // Beside a process that runs: what is here already.
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
            let why = entry.placeholder.map { "is gone \($0)" } ?? "is not a file"
            throw Failure("what was said with \("\(entry.id)".prefix(8)) \(why): see `tombolo file list`")
        }
        return (group.reader(of: shared.file), shared.name)
    }

    /// Saves the file while it comes. Whoever has it may be met later than others.
    private func fetch(_ reader: FileReader, as name: String, _ node: Node) async throws -> Bool {
        let running = Task { try await node.run() }
        let saving = Task { try await save(reader, as: name) }
        let watching = Task {
            var (before, last) = (try await reader.status, ContinuousClock.now)
            while true {
                try await Task.sleep(for: .milliseconds(500))
                let status = try await reader.status
                if status != before { (before, last) = (status, .now) }
                // Whoever takes what is printed may be slow.
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
                    \(inBytes(status.bytesHeld)) of \(inBytes(status.size)) are here, and nothing has come for \(timeout) s: no peer that can be \
                    reached has the rest. Run it again when one can be; what is here is kept.

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
        abstract: "See which files were sent, and how much this device keeps of them.",
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
            abstract: "Forget the bytes of a file on this device.",
            discussion:
                "Others keep it, and it can be fetched again from them. `tombolo redact` takes it back everywhere.")
        @OptionGroup var options: DataOptions
        @Option(help: "The group's name or the beginning of its id.") var group: String?
        @Argument(help: "The id of what was said with it, or the first four digits or more.") var event: String

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
            abstract: "Say how much this device keeps, and what it fetches by itself; or print what holds now.",
            discussion: "Sizes are bytes, or such as 500K, 20M, 8G, 1T.")
        @OptionGroup var options: DataOptions
        @Option(
            help: ArgumentHelp("All files together take no more than this.", valueName: "size"), transform: parseSize)
        var quota: UInt64?
        @Option(
            help: ArgumentHelp(
                "Files up to this are fetched as soon as they are heard of; 0 for none.", valueName: "size"),
            transform: parseSize) var automatic: UInt64?

        func run() async throws {
            guard quota != nil || automatic != nil else {
                return try await options.withReader { node in
                    let limits = try await node.fileLimits
                    print("quota \(inBytes(limits.quota)), of which \(inBytes(try await node.fileBytes)) are taken")
                    print("fetched by itself: files up to \(inBytes(limits.automatic))")
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

/// Shows how far something has got, until it ends.
func showProgress(_ progress: TransferProgress, _ what: String) -> Task<Void, Never> {
    showProgress(progress) {
        "\(inBytes($0.done)) of \(inBytes($0.total)) \(what), \($0.done * 100 / $0.total) %"
    }
}

/// The same in other words.
func showProgress(
    _ progress: TransferProgress, _ text: @escaping @Sendable (TransferProgress.Step) -> String
) -> Task<Void, Never> {
    Task {
        let line = ProgressLine()
        for await step in progress.steps() where step.total > 0 { line.show(text(step)) }
        line.clear()
    }
}

/// A size as people say it, in powers of 1,000.
func inBytes(_ bytes: UInt64) -> String {
    let units = ["kB", "MB", "GB", "TB"]
    var (value, unit) = (Double(bytes), "bytes")
    for next in units where value >= 1_000 { (value, unit) = (value / 1_000, next) }
    return unit == "bytes" ? "\(bytes) bytes" : String(format: "%.1f %@", value, unit)
}

/// Bytes, or with one of the letters K, M, G and T, powers of 1,000 of them.
func parseSize(_ text: String) throws -> UInt64 {
    let units: [Character: UInt64] = ["K": 1_000, "M": 1_000_000, "G": 1_000_000_000, "T": 1_000_000_000_000]
    let unit = text.uppercased().last.flatMap { units[$0] }
    guard let number = UInt64(unit == nil ? text : String(text.dropLast())),
        case let (size, isTooMuch) = number.multipliedReportingOverflow(by: unit ?? 1), !isTooMuch
    else { throw ValidationError("\(text) is not a size such as 65536, 500K, 20M or 8G") }
    return size
}
