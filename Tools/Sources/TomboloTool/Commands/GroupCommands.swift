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
        @Argument(help: "What to call it.") var name: String
        @Option(
            help: """
                Who writes and reads, for good. open: everyone who was invited; private: who an admin has made a member or reader, \
                all that is said being sealed to them; private-from-joining: the same, and new members read nothing from before; feed: you write, and who you make a member, and everyone who was invited reads; \
                public: everyone who knows the name, which is the same group everywhere, and which nobody owns.
                """, transform: parsePolicy) var policy: Policy = .open
        @Flag(
            help: """
                Of the mvds dialect: to talk to other MVDS peers (see `tombolo peer add --help`). Nothing in it is \
                signed.
                """) var mvds = false
        @Option(help: ArgumentHelp("With --mvds: the id that the others have for it.", valueName: "hex")) var id:
            String?

        func run() async throws {
            guard !mvds || policy == .open else {
                throw Failure("groups of the mvds dialect know nothing of members: leave out --policy")
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
            abstract: "Give up your rights in a group.", discussion: "The group stays here, to be read.")
        @OptionGroup var options: DataOptions
        @Option(help: "The group's name or the beginning of its id.") var group: String?

        func run() async throws {
            try await options.withNode { node in try await findGroup(group, node).leave() }
        }
    }
}

struct Send: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say something in a group, or send a file.",
        discussion: "Of a file a sealed copy is kept here, from which peers fetch it: `tombolo get`.")
    @OptionGroup var options: DataOptions
    @Option(help: "The group's name or the beginning of its id.") var group: String?
    @Option(help: ArgumentHelp("A file to send.", valueName: "path")) var file: String?
    @Option(help: "Your name.") var name = ProcessInfo.processInfo.environment["USER"] ?? ""
    @Option(
        help: ArgumentHelp(
            "After what time it goes away on every device, such as 90s, 10m, 12h, 7d or 4w.", valueName: "time"),
        transform: parseDuration) var expires: Duration?
    @Argument(help: "What to say; with --file, of it.") var text: String?

    mutating func validate() throws {
        if text == nil, file == nil { throw ValidationError("say what to send: a text, or --file") }
    }

    func run() async throws {
        try await options.withNode { node in
            let group = try await findGroup(group, node)
            if let file { return try await send(file, to: group) }
            let text = text ?? ""
            // Other MVDS peers know nothing of types and names: they get the text.
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
        let showing = showProgress(progress, "sealed")
        let sent = try await group.send(
            file: URL(fileURLWithPath: file), saying: text, expiring: expires, reportingTo: progress)
        await showing.value
        print(sent)
    }
}

/// What an entry looks like on the command line and in exports.
struct ExportedEntry: Codable {
    let id: String
    let parents: [String]
    var author: String
    /// Milliseconds since 1970.
    let time: Int64
    let text: String
}

/// Names of logs' authors: what their first entries say.
struct Authors {
    private var names: [LogID: String] = [:]

    /// - Parameter known: of the entry's causes only these are named; nil for all.
    mutating func export(
        _ entry: Entry, _ group: SyncGroup, parents known: Set<EventID>? = nil
    ) async throws -> ExportedEntry {
        let said = entry.content(as: Said.self)
        // Said with the entry, or else with its log's first one.
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

    /// Imported logs name their author in their first entry.
    private func firstAuthor(of log: LogID, _ group: SyncGroup) async throws -> String? {
        try await group.entry(ofLog: log, at: 1)?.content(as: Said.self)?.author
    }
}

/// What a file's entry looks like; nil if it is something else.
private func shared(_ entry: Entry) -> String? {
    guard let shared = entry.content(as: SharedFile.self) else { return nil }
    return "(file \(shared.name), \(inBytes(shared.file.size)))\(shared.text.map { " " + $0 } ?? "")"
}

extension Entry {
    /// What stands where the content of an entry was; nil if it is there.
    var placeholder: String? {
        if isSealed { return "(sealed: its key is here no more)" }
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
        abstract: "Print the latest entries in the order that everyone shows.")
    @OptionGroup var options: DataOptions
    @Option(help: "The group's name or the beginning of its id.") var group: String?
    @Option(name: [.customShort("n"), .long], help: "How many.") var count = 20
    @Flag(help: "Print JSON lines.") var json = false
    @Flag(
        help: """
            Newest first, with the causal graph beside it: what stands in different lanes at once was said without \
            seeing each other.
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
                        print("(forgotten) the first \(sequence) of log \("\(log)".prefix(8))")
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
    static let configuration = CommandConfiguration(abstract: "Say how much of each group is here.")
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
                        "\(group.name.printable): \(row.held) events held of \(row.logs) logs, \(row.delivered) delivered, "
                            + "\(row.waiting) wait for ancestors\n  digest \(row.digest)")
                }
            }
        }
    }
}

/// What `status --json` prints for each group.
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
        abstract: "Check every id, signature, link and the order of the store.",
        discussion: "Exit code 1 on damage, saying what.")
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
