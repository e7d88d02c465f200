import ArgumentParser
import Foundation
import Tombolo
import TomboloCore
import TomboloSQLite

struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Three devices that are never all online converge on a real conversation.",
        discussion: """
            Splits a conversation by author over three devices, each a process with its own store. A meets B, then B \
            meets C, then C meets A, over TCP and TLS on loopback. Prints the cost of each meeting, and whether all \
            three devices are equal.

            Without --conversation, the demo uses the history of the git checkout in the current directory. If there \
            is none, or a short one (as in a shallow clone), the demo makes up a small conversation, and says so.
            """)
    @Option(help: "A conversation as JSON lines (also .gz).") var conversation: String?
    @Flag(help: "Keep the three devices' directories.") var keep = false

    private struct Device {
        let name: String
        let directory: URL
        let key: DeviceKey
    }

    private struct Meeting {
        let name: String
        let events: Int
        let bodies: Int
        let report: SyncRow
    }

    func run() async throws {
        let conversation = try DemoConversation(named: conversation)
        let source = conversation.source
        let bodies = source.lines.reduce(0) { $0 + $1.text.utf8.count }
        print("conversation: \(conversation.origin)")
        print(
            "\(source.lines.count) events, \(Set(source.lines.map(\.author)).count) authors, \(bodies) bytes of text"
        )
        let root = FileManager.default.temporaryDirectory.appendingPathComponent("tombolo-demo-\(UUID().uuidString)")
        defer { if !keep { try? FileManager.default.removeItem(at: root) } }
        print("splitting it by author over three devices…")
        let devices = try await prepare(source, in: root)
        var meetings: [Meeting] = []
        for (a, b) in [(0, 1), (1, 2), (2, 0)] {
            meetings.append(try await meet(devices[a], devices[b]))
        }
        try await report(meetings, devices)
        if keep { print("kept in \(root.path)") }
    }

    // MARK: Preparing

    private func prepare(_ source: ConversationFile, in root: URL) async throws -> [Device] {
        let names = ["A", "B", "C"]
        var nodes: [Node] = []
        for name in names { nodes.append(try await Node.open(at: root.appendingPathComponent(name))) }
        let group = try await nodes[0].createGroup(named: "demo")
        try await nodes[0].listen()
        for node in nodes.dropFirst() { _ = try await node.join(try await group.invite()) }
        var shares: [[Message]] = [[], [], []]
        var deviceOfAuthor: [String: Int] = [:]
        let counts = Dictionary(grouping: source.lines, by: \.author).mapValues(\.count)
        var load = [0, 0, 0]
        for (author, count) in counts.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
            let least = load.indices.min { load[$0] < load[$1] } ?? 0
            deviceOfAuthor[author] = least
            load[least] += count
        }
        for (author, message) in try source.messages(for: group.id) {
            shares[deviceOfAuthor[author] ?? 0].append(message)
        }
        for (node, share) in zip(nodes, shares) { _ = try await node.group(group.id)?.ingest(share) }
        let devices = zip(names, nodes).map { name, node in
            Device(name: name, directory: root.appendingPathComponent(name), key: node.device)
        }
        for node in nodes { try await node.close() }
        return devices
    }

    // MARK: Meeting

    /// Starts both devices as processes; one listens, the other dials and syncs once.
    private func meet(_ a: Device, _ b: Device) async throws -> Meeting {
        let before = (try status(a), try status(b))
        let listener = try Subprocess(["run", "--data", a.directory.path])
        defer { listener.stop() }
        guard let line = listener.readLine(), let address = line.split(separator: " ").dropFirst(2).first else {
            throw Failure("device \(a.name) did not start")
        }
        print("\(b.name) meets \(a.name)…")
        fflush(nil)
        let output = try Subprocess.output([
            "sync", "--data", b.directory.path, "--peer", "\(a.key)", "--at", String(address), "--json",
        ])
        let report = try JSONDecoder().decode(SyncRow.self, from: output)
        listener.stop()
        let after = (try status(a), try status(b))
        let events = after.0.held + after.1.held - before.0.held - before.1.held
        let bodies = try carried(a, since: before.0) + carried(b, since: before.1)
        return Meeting(name: "\(a.name)–\(b.name)", events: events, bodies: bodies, report: report)
    }

    private func status(_ device: Device) throws -> StatusRow {
        try JSONDecoder().decode(
            StatusRow.self, from: Subprocess.output(["status", "--data", device.directory.path, "--json"]))
    }

    /// The content bytes of the events that a device received in a meeting.
    private func carried(_ device: Device, since before: StatusRow) throws -> Int {
        let storage = try SQLiteStorage(directory: device.directory, isReadOnly: true)
        defer { try? storage.close() }
        return try storage.read { reader in
            try reader.groups().reduce(0) { try $0 + reader.contentBytes(of: $1, skipping: before.held) }
        }
    }

    // MARK: Reporting

    private func report(_ meetings: [Meeting], _ devices: [Device]) async throws {
        func row(_ cells: [String]) -> String {
            cells.map { String(repeating: " ", count: max(0, 13 - $0.count)) + $0 }.joined()
        }
        print(
            "\n"
                + row([
                    "link", "events", "bodies", "wire bytes", "wire/body", "over body/ev", "handshake", "seconds",
                    "events/s",
                ]))
        for meeting in meetings {
            let wire = meeting.report.sent + meeting.report.received
            let events = max(1, meeting.events)
            print(
                row([
                    meeting.name, "\(meeting.events)", "\(meeting.bodies)", "\(wire)",
                    decimal(Double(wire) / Double(max(1, meeting.bodies))),
                    decimal(Double(wire - meeting.bodies) / Double(events)), "\(meeting.report.handshake)",
                    decimal(meeting.report.seconds),
                    "\(Int(Double(meeting.events) / max(0.001, meeting.report.seconds)))",
                ]))
        }
        print()
        var digests: Set<String> = []
        for device in devices {
            let status = try status(device)
            digests.insert(status.digest)
            let verified = try Subprocess.succeeds(["verify", "--data", device.directory.path])
            print(
                "\(device.name): \(status.held) held, \(status.delivered) delivered, \(status.waiting) waiting, "
                    + "\(verified ? "verified" : "DAMAGED"), digest \(status.digest.prefix(16))")
            if !verified || status.waiting > 0 { throw ExitCode(1) }
        }
        print(digests.count == 1 ? "all three devices are equal" : "the devices DIFFER")
        if digests.count != 1 { throw ExitCode(1) }
    }

    private func decimal(_ value: Double) -> String {
        let hundredths = Int((value * 100).rounded())
        return "\(hundredths / 100)." + (abs(hundredths % 100) < 10 ? "0" : "") + "\(abs(hundredths % 100))"
    }
}

/// This program as another process.
final class Subprocess {
    private let process = Process()
    private let pipe = Pipe()

    init(_ arguments: [String]) throws {
        process.executableURL = Bundle.main.executableURL
        process.arguments = arguments
        process.standardOutput = pipe
        try process.run()
    }

    func readLine() -> String? {
        var line: [UInt8] = []
        while let byte = try? pipe.fileHandleForReading.read(upToCount: 1)?.first, byte != UInt8(ascii: "\n") {
            line.append(byte)
        }
        return line.isEmpty ? nil : String(decoding: line, as: UTF8.self)
    }

    func stop() {
        guard process.isRunning else { return }
        process.terminate()
        process.waitUntilExit()
    }

    static func output(_ arguments: [String]) throws -> Data {
        let subprocess = try Subprocess(arguments)
        let data = subprocess.pipe.fileHandleForReading.readDataToEndOfFile()
        subprocess.process.waitUntilExit()
        guard subprocess.process.terminationStatus == 0 else {
            throw Failure("tombolo \(arguments.joined(separator: " ")) failed")
        }
        return data
    }

    static func succeeds(_ arguments: [String]) throws -> Bool {
        let subprocess = try Subprocess(arguments)
        _ = subprocess.pipe.fileHandleForReading.readDataToEndOfFile()
        subprocess.process.waitUntilExit()
        return subprocess.process.terminationStatus == 0
    }
}
