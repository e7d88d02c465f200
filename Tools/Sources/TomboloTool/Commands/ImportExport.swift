import ArgumentParser
import Foundation
import Tombolo
import TomboloCore

/// A conversation as JSON lines: `id`, `parents`, `author`, `time` (ms), `text`.
struct ConversationFile {
    var lines: [ExportedEntry] = []
    /// The number of each entry's line in the file.
    private var numbers: [Int] = []

    /// Reads a file, inflating it if its name ends in .gz.
    ///
    /// - Throws: `Failure` naming the line that is wrong, and why.
    init(path: String) throws {
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), !isDirectory.boolValue,
            FileManager.default.isReadableFile(atPath: path)
        else { throw Failure("\(path) is no file that can be read") }
        let data: Data
        if path.hasSuffix(".gz") {
            data = try Self.output(of: ["gzip", "-dc", path], failure: "\(path) is not a sound gzip file")
        } else {
            data = try Data(contentsOf: URL(fileURLWithPath: path))
        }
        let decoder = JSONDecoder()
        for (index, line) in data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
        where !line.isEmpty {
            do {
                lines.append(try decoder.decode(ExportedEntry.self, from: Data(line)))
                numbers.append(index + 1)
            } catch {
                throw Failure(
                    "line \(index + 1) of \(path) is not an entry with id, parents, author, time and text: \(Self.explain(error))"
                )
            }
        }
    }

    /// The history of a git repository: commits become entries, authors become authors.
    init(gitRepository path: String) throws {
        let format = "%H%x1f%P%x1f%an%x1f%at%x1f%B%x1e"
        let data = try Self.output(
            of: ["git", "-C", path, "log", "--all", "--topo-order", "--reverse", "--format=\(format)"],
            failure: "\(path) is not a git repository")
        for record in String(decoding: data, as: UTF8.self).split(separator: "\u{1e}") {
            let fields = record.split(separator: "\u{1f}", maxSplits: 4, omittingEmptySubsequences: false)
            guard fields.count == 5 else { continue }
            lines.append(
                ExportedEntry(
                    id: fields[0].trimmingCharacters(in: .whitespacesAndNewlines),
                    parents: fields[1].split(separator: " ").map(String.init), author: String(fields[2]),
                    time: (Int64(fields[3]) ?? 0) * 1_000,
                    text: fields[4].trimmingCharacters(in: .whitespacesAndNewlines)))
        }
    }

    private static func explain(_ error: any Error) -> String {
        switch error as? DecodingError {
        case .keyNotFound(let key, _)?: "\(key.stringValue) is missing"
        case .valueNotFound(_, let context)?, .typeMismatch(_, let context)?:
            "\(context.codingPath.map(\.stringValue).joined(separator: ".")) has another type"
        default: "it is not JSON"
        }
    }

    /// What a command prints.
    ///
    /// - Throws: `Failure` with the sentence `failure`, if the command fails.
    private static func output(of command: [String], failure: String) throws -> Data {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.environment = ProcessInfo.processInfo.environment.filter { $0.key != "TOMBOLO_PASSPHRASE" }
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
            Each line has id, parents, author, time (ms) and text, and comes after its parents. Authors become devices \
            of the store's own making. All of it is imported, or nothing.
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
        default: throw Failure("name either a file or --git DIR")
        }
        try await options.withNode { node in
            let group = try findGroup(group, node)
            let messages = try conversation.messages(for: group.id).map(\.message)
            print("\(try await group.ingest(messages)) entries imported")
        }
    }
}

struct Export: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print a group's entries as JSON lines, causes first.",
        discussion:
            "Without what was withdrawn, and without the group's state. Of what has gone away, that it was there.")
    @OptionGroup var options: DataOptions
    @Option(help: "The group's name or the beginning of its id.") var group: String?

    func run() async throws {
        try await options.withReader { node in
            let group = try findGroup(group, node)
            var authors = Authors()
            let withdrawn = try group.withdrawnEntries
            var bookmark = Bookmark.start
            var exported: Set<EventID> = []
            while true {
                let changes = try group.changes(after: bookmark, limit: 1_024)
                guard let last = changes.last else { return }
                for change in changes where change.kind == .delivered || change.kind == .erased {
                    let entry = change.entry
                    guard !entry.isState, !withdrawn.contains(entry.id), exported.insert(entry.id).inserted else {
                        continue
                    }
                    try printJSON(authors.export(entry, group, parents: exported))
                }
                bookmark = last.bookmark
            }
        }
    }
}
