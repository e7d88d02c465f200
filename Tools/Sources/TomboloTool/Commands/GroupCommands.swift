import ArgumentParser
import Foundation
import Tombolo
import TomboloImport
import TomboloCore

func parseDevice(_ text: String) throws -> DeviceKey {
    guard let key = DeviceKey(hex: text) else {
        throw Failure("\(text) is not a device's key: 64 hexadecimal digits, as `tombolo id` prints it")
    }
    return key
}

struct Group: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Create, join and list groups.",
        subcommands: [
            Create.self, List.self, Invite.self, Invitations.self, Revoke.self, Join.self, Leave.self, Expiry.self,
            Keep.self, Checkpoint.self, Visibility.self,
        ])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Create a group.")
        @OptionGroup var options: DataOptions
        @Argument(help: "The group's name.") var name: String
        @Option(
            help: """
                The rights to write and read, which never change. open: every invited device writes and reads; \
                private: members that an admin admits write, they and readers read, and contents are encrypted to \
                them; private-from-joining: the same, but new members read nothing from before; feed: you and members \
                that you admit write, every invited device reads; public: every device that knows the name writes and \
                reads, the group is the same everywhere and has no owner.
                """, transform: parsePolicy) var policy: Policy = .open
        @Flag(
            help: """
                Create a group of the mvds dialect, for other MVDS peers (see `tombolo peer add --help`). Nothing in \
                it is signed.
                """) var mvds = false
        @Option(help: ArgumentHelp("With --mvds: the group's id on other peers.", valueName: "hex")) var id: String?

        func run() async throws {
            guard !mvds || policy == .open else {
                throw Failure("groups of the mvds dialect have no members: leave out --policy")
            }
            guard mvds || id == nil else { throw Failure("--id is for groups of the mvds dialect: add --mvds") }
            let given = try id.map { text in
                guard let id = GroupID(hex: text) else {
                    throw Failure("\(text) is not a group's id: 64 hexadecimal digits")
                }
                return id
            }
            try await options.withNode { node in
                let group =
                    mvds
                    ? try await node.createMVDSGroup(named: name, id: given)
                    : try await node.createGroup(named: name, policy: policy)
                print("group \(group.id)")
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the groups.")
        @OptionGroup var options: DataOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await options.withReader { node in
                let groups = try await node.groups
                if json { return try printJSON(groups.map { ["id": "\($0.id)", "name": $0.name] }) }
                for group in groups { print(group.id, group.name.printable) }
            }
        }
    }
}

extension Group {
    struct Leave: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give up your rights in a group.",
            discussion: """
                The group stays on this device and can be read. The last member that admits and removes others makes \
                another one an owner first, or leaves with --force. Then no member admits or removes others any more.
                """)
        @OptionGroup var options: DataOptions
        @Option(help: "The group's name or the beginning of its id.") var group: String?
        @Flag(help: "Leave although no other member can admit or remove members.") var force = false

        func run() async throws {
            try await options.withNode { node in
                let group = try await findGroup(group, node)
                try await hintingAtForce { try await group.leave(allowsAbandoning: force) }
                print("left \(group.name): it stays on this device, to be read")
            }
        }
    }
}

struct Send: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Send a message or a file to a group.",
        discussion: "This device keeps an encrypted copy of a file. Peers fetch it with `tombolo get`.")
    @OptionGroup var options: DataOptions
    @Option(help: "The group's name or the beginning of its id.") var group: String?
    @Option(help: ArgumentHelp("A file to send.", valueName: "path")) var file: String?
    @Option(help: "Your name.") var name = ProcessInfo.processInfo.environment["USER"] ?? ""
    @Option(
        help: ArgumentHelp(
            "The time after which it expires on every device, such as 90s, 10m, 12h, 7d or 4w.", valueName: "time"),
        transform: parseDuration) var expires: Duration?
    @Argument(help: "The message; with --file, a comment on the file.") var text: String?

    mutating func validate() throws {
        if text == nil, file == nil { throw ValidationError("there is nothing to send: give a text, or --file") }
    }

    func run() async throws {
        try await options.withNode { node in
            let group = try await findGroup(group, node)
            if let file { return try await send(file, to: group) }
            let text = text ?? ""
            // Other MVDS implementations know no types and names: they get the text alone.
            if group.dialect == .mvds {
                guard expires == nil else {
                    throw Failure("nothing expires in a group of the mvds dialect: leave out --expires")
                }
                print(try await group.send(bytes: Data(text.utf8)))
            } else {
                print(try await group.send(Said(author: name, text: text), expiring: expires))
            }
        }
    }

    private func send(_ file: String, to group: SyncGroup) async throws {
        let progress = TransferProgress()
        let showing = showProgress(progress, "encrypted")
        let sent = try await group.send(
            file: URL(fileURLWithPath: file), saying: text, expiring: expires, reportingTo: progress)
        await showing.value
        print(sent)
    }
}

/// An entry on the command line and in exports.
struct ExportedEntry: Codable {
    let id: String
    let parents: [String]
    var author: String
    /// Milliseconds since 1970.
    let time: Int64
    let text: String
}

/// The names of logs' authors, which the first entry of a log states.
struct Authors {
    private var names: [LogID: String] = [:]

    /// - Parameter known: the causes that may be named; nil for all.
    mutating func export(
        _ entry: Entry, _ group: SyncGroup, parents known: Set<EventID>? = nil
    ) async throws -> ExportedEntry {
        let said = entry.content(as: Said.self)
        // The entry states the name, or else the first entry of its log does.
        var author = said?.author ?? ""
        if author.isEmpty, let log = entry.log {
            if names[log] == nil {
                names[log] = try await firstAuthor(of: log, group) ?? ""
            }
            author = names[log] ?? ""
            if author.isEmpty { author = String("\(log)".prefix(8)) }
        }
        let plain = entry.type == nil && !entry.isErased ? String(data: entry.data, encoding: .utf8) : nil
        let text = said?.text ?? shared(entry) ?? plain ?? entry.content(as: PlainText.self)?.string
        return ExportedEntry(
            id: "\(entry.id)",
            parents: entry.parents.filter { known?.contains($0) ?? true }.map(\.description),
            author: author.isEmpty ? "mvds" : author,
            time: Int64((entry.timestamp.timeIntervalSince1970 * 1_000).rounded()),
            text: text ?? entry.placeholder ?? "(\(entry.data.count) bytes of type \(entry.type ?? "unknown"))")
    }

    /// The author that the first entry of an imported log names.
    private func firstAuthor(of log: LogID, _ group: SyncGroup) async throws -> String? {
        try await group.entry(ofLog: log, at: 1)?.content(as: Said.self)?.author
    }
}

/// The text of an entry with a file; nil for any other entry.
private func shared(_ entry: Entry) -> String? {
    guard let shared = entry.content(as: SharedFile.self) else { return nil }
    return "(file \(shared.name), \(inBytes(shared.file.size)))\(shared.text.map { " " + $0 } ?? "")"
}

extension Entry {
    /// The text in place of a missing content; nil if the content is here.
    var placeholder: String? {
        if isSealed { return "(unreadable: its key was erased)" }
        return erasure?.inWords
    }
}

extension ErasureReason {
    var inWords: String {
        switch self {
        case .notKept: "(not kept here)"
        case .expired: "(expired)"
        case .redacted: "(redacted)"
        }
    }
}

struct Log: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the latest entries in the order that all devices show.")
    @OptionGroup var options: DataOptions
    @Option(help: "The group's name or the beginning of its id.") var group: String?
    @Option(name: [.customShort("n"), .long], help: "The number of entries.") var count = 20
    @Flag(help: "Print JSON lines.") var json = false
    @Flag(
        help: """
            Print the newest first, with the causal graph beside them. Entries in lanes side by side are concurrent.
            """) var graph = false

    func run() async throws {
        guard count >= 1 else { throw Failure("--count must be at least 1") }
        guard !(json && graph) else { throw Failure("--json and --graph exclude each other") }
        try await options.withReader { node in
            var authors = Authors()
            let group = try await findGroup(group, node)
            if graph {
                var drawing = GraphDrawing()
                for entry in try await group.timeline(limit: count).reversed() {
                    for row in drawing.rows(for: entry, try await authors.export(entry, group).line) { print(row) }
                }
                return
            }
            for entry in try await group.timeline(limit: count) {
                let shown = try await authors.export(entry, group)
                if json { try printJSON(shown) } else { print(shown.line) }
            }
        }
    }
}

extension ExportedEntry {
    var line: String {
        let date = Date(timeIntervalSince1970: Double(time) / 1_000)
        let lines = text.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
        let first = (lines.first ?? "").printable + (lines.count > 1 ? " …" : "")
        return "\(id.prefix(8))  \(date.ISO8601Format())  \(author.printable): \(first)"
    }
}

struct Watch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Listen for peers and print all entries, then further ones as they are delivered, until stopped.")
    @OptionGroup var options: DataOptions
    @Option(help: "The group's name or the beginning of its id.") var group: String?
    @OptionGroup var listening: ListenOptions

    func run() async throws {
        let signals = await StopSignals()
        try await options.withNode { node in
            let group = try await findGroup(group, node)
            let port = try await listening.listen(node)
            FileHandle.standardError.write(Data("listening on \(listening.host):\(port) as \(node.device)\n".utf8))
            let printing = Task {
                var authors = Authors()
                for try await change in group.changes() {
                    switch change {
                    case .delivered(let entry, _): print(try await authors.export(entry, group).line)
                    case .restored(let entry, _): print("(restored) \(try await authors.export(entry, group).line)")
                    case .withdrawn(let id, _): print("(withdrawn) \("\(id)".prefix(8))")
                    case .erased(let id, let reason, _): print("(erased) \("\(id)".prefix(8))  \(reason.inWords)")
                    case .forgotten(let log, let sequence, _):
                        print("(forgotten) the first \(sequence) events of log \("\(log)".prefix(8))")
                    }
                    fflush(nil)
                }
            }
            await signals.wait()
            printing.cancel()
        }
    }
}

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print how much of each group this device holds.")
    @OptionGroup var options: DataOptions
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        try await options.withReader { node in
            for group in try await node.groups {
                let row = try await StatusRow(group)
                if json {
                    try printJSON(row)
                } else {
                    print(
                        "\(group.name.printable): \(row.held) events held in \(row.logs) logs, "
                            + "\(row.delivered) delivered, \(row.waiting) waiting for ancestors\n  digest \(row.digest)"
                    )
                }
            }
        }
    }
}

/// A group as `status --json` prints it.
struct StatusRow: Codable {
    let group: String
    let name: String
    let held: Int
    let delivered: Int
    let waiting: Int
    let logs: Int
    let digest: String

    init(_ group: SyncGroup) async throws {
        let status = try await group.status
        self.group = "\(group.id)"
        name = group.name
        (held, delivered, waiting, logs) = (status.held, status.delivered, status.waiting, status.logs)
        digest = try await group.digest
    }
}

struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check every id, signature and link, and the order of the store.",
        discussion: "Prints each defect. Exit code 1 if the store is damaged.")
    @OptionGroup var options: DataOptions

    func run() async throws {
        let problems: [String]
        do {
            problems = try await options.withReader { node in
                var problems: [String] = []
                for group in try await node.groups {
                    problems += try await group.verify()
                    if problems.isEmpty {
                        print("\(group.name.printable): \(try await group.status.held) events verified")
                    }
                }
                return problems
            }
        } catch let error as TomboloError where error.code == .storeCorrupt {
            problems = [error.message]
        }
        for problem in problems { print(problem) }
        if !problems.isEmpty { throw ExitCode(1) }
    }
}
