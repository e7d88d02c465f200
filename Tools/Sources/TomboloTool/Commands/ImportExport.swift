import ArgumentParser
import Foundation
import Tombolo
import TomboloImport
import TomboloCore

/// A conversation as JSON lines: `id`, `parents`, `author`, `time` (ms), `text`.
struct ConversationFile {
    var lines: [ExportedEntry] = []
    /// The number of each entry's line in the file.
    private var numbers: [Int] = []

    /// Reads a file, inflating it if its name ends in .gz.
    ///
    /// - Throws: `Failure` that names the wrong line and the reason.
    init(path: String) throws {
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), !isDirectory.boolValue,
            FileManager.default.isReadableFile(atPath: path)
        else { throw Failure("\(path) is not a readable file") }
        let data: Data
        if path.hasSuffix(".gz") {
            data = try Self.output(of: ["gzip", "-dc", path], failure: "\(path) is not an intact gzip file")
        } else {
            // Also a pipe, such as /dev/stdin, which has no size.
            guard let file = FileHandle(forReadingAtPath: path) else { throw Failure("\(path) cannot be read") }
            data = try file.readToEnd() ?? Data()
        }
        let decoder = JSONDecoder()
        for (index, line) in data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
        where !line.allSatisfy({ [0x20, 0x09, 0x0d].contains($0) }) {
            do {
                lines.append(try decoder.decode(ExportedEntry.self, from: Data(line)))
                numbers.append(index + 1)
            } catch {
                throw Failure(
                    "line \(index + 1) of \(path) is not an entry with id, parents, author, time and text: \(Self.explain(error, in: Data(line)))"
                )
            }
        }
    }

    /// A conversation that does not come from a file.
    init(lines: [ExportedEntry]) { self.lines = lines }

    /// Reads the history of a git repository: each commit becomes an entry.
    ///
    /// Parents outside of the commits that are read are left out, so that a part of a history is a conversation, too.
    ///
    /// - Parameters:
    ///   - path: the repository.
    ///   - revisions: the branches to read, as `git log` takes them.
    ///   - latest: the most commits to read; nil for all.
    init(gitRepository path: String, revisions: [String] = ["--all"], latest: Int? = nil) throws {
        var command = ["git", "-C", path, "log", "-z", "--format=%H%n%P%n%an%n%at%n%B", "--topo-order", "--reverse"]
        command += ["--no-show-signature", "--encoding=UTF-8"]
        if let latest { command.append("--max-count=\(latest)") }
        let data = try Self.output(of: command + revisions + ["--"], failure: "\(path) is not a git repository")
        var known: Set<String> = []
        for record in data.split(separator: 0) {
            let fields = String(decoding: record, as: UTF8.self)
                .split(separator: "\n", maxSplits: 4, omittingEmptySubsequences: false).map(String.init)
            guard fields.count == 5 else { continue }
            known.insert(fields[0])
            lines.append(
                ExportedEntry(
                    id: fields[0], parents: fields[1].split(separator: " ").map(String.init).filter(known.contains),
                    author: fields[2], time: (Int64(fields[3]) ?? 0) * 1_000,
                    text: fields[4].trimmingCharacters(in: .whitespacesAndNewlines)))
        }
    }

    private static func explain(_ error: any Error, in line: Data) -> String {
        switch error as? DecodingError {
        case .keyNotFound(let key, _)?: "\(key.stringValue) is missing"
        case .valueNotFound(_, let context)?, .typeMismatch(_, let context)?:
            "\(context.codingPath.map(\.stringValue).joined(separator: ".")) has another type"
        // The only number is the time. Foundation does not name the field of a number that does not fit.
        case .dataCorrupted? where (try? JSONSerialization.jsonObject(with: line)) != nil:
            "time is not a whole number of milliseconds"
        default: "it is not JSON"
        }
    }

    /// The output of a command.
    ///
    /// - Throws: `Failure` with the sentence `failure`, if the command fails.
    private static func output(of command: [String], failure: String) throws -> Data {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        // Within a git hook, git's variables would name another repository than the caller does.
        process.environment = ProcessInfo.processInfo.environment.filter {
            $0.key != "TOMBOLO_PASSPHRASE" && !$0.key.hasPrefix("GIT_")
        }
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failure(failure) }
        return data
    }

    /// The conversation as events of a group, in order, each with its author.
    func messages(for group: GroupID) throws -> [(author: String, message: Message)] {
        var builder = ConversationBuilder(group: group)
        let progress = ProgressLine()
        defer { progress.clear() }
        return try lines.enumerated().map { index, line in
            progress.show("\(index) of \(lines.count) entries signed…")
            do {
                return (
                    line.author,
                    try builder.add(
                        id: line.id, parents: line.parents, author: line.author, time: line.time, text: line.text)
                )
            } catch {
                let number = index < numbers.count ? numbers[index] : index + 1
                throw Failure("line \(number), \(line.id): \(error)")
            }
        }
    }
}

struct Import: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Import a conversation: JSON lines, or a git history.",
        discussion: """
            Each line has id, parents, author, time (ms) and text, and comes after its parents. The import makes a \
            device for each author. All lines are imported, or none.
            """)
    @OptionGroup var options: DataOptions
    @Option(help: "The group's name or the beginning of its id.") var group: String?
    @Option(help: ArgumentHelp("Import the history of this repository.", valueName: "dir")) var git: String?
    @Argument(help: "A file of JSON lines, also gzipped (.gz).") var file: String?

    func run() async throws {
        let conversation: ConversationFile
        switch (file, git) {
        case (let file?, nil): conversation = try ConversationFile(path: file)
        case (nil, let git?): conversation = try ConversationFile(gitRepository: git)
        default: throw Failure("give either a file or --git DIR")
        }
        try await options.withNode { node in
            let group = try await findGroup(group, node)
            let messages = try conversation.messages(for: group.id).map(\.message)
            print("\(try await group.ingest(messages)) entries imported")
        }
    }
}

struct Export: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print a group's entries as JSON lines, causes first.",
        discussion:
            "Leaves out withdrawn entries and the group's state. Of an erased entry it prints that it was there.")
    @OptionGroup var options: DataOptions
    @Option(help: "The group's name or the beginning of its id.") var group: String?

    func run() async throws {
        try await options.withReader { node in
            let group = try await findGroup(group, node)
            var authors = Authors()
            let withdrawn = try await group.withdrawnEntries
            var bookmark = Bookmark.start
            var exported: Set<EventID> = []
            while true {
                let changes = try await group.changes(after: bookmark, including: .everything, limit: 1_024)
                guard let last = changes.last else { return }
                for change in changes {
                    guard let entry = try await entry(of: change, group), entry.kind != .state,
                        !withdrawn.contains(entry.id), exported.insert(entry.id).inserted
                    else { continue }
                    try printJSON(try await authors.export(entry, group, parents: exported))
                }
                bookmark = last.bookmark
            }
        }
    }

    /// The entry to print for a change. An erased entry is printed without its content.
    private func entry(of change: Change, _ group: SyncGroup) async throws -> Entry? {
        switch change {
        case .delivered(let entry, _): entry
        case .erased(let id, _, _): try await group.entry(ofID: "\(id)")
        case .withdrawn, .restored, .forgotten: nil
        }
    }
}
