import ArgumentParser
import Foundation
import Tombolo
import TomboloCore
import TomboloCrypto

/// A large file from one device, from two at once, and from two of which one is killed half way.
struct Files: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Sends a file, and fetches it from one device, from two, and from two of which one is killed half way.",
        discussion: """
            Each device is a process with a store of its own, over TCP and TLS on this machine. The same run measures, \
            as often: writing as many bytes to a file in pieces of 64 KiB and syncing it (`disk`), and moving them \
            from one process to another over TLS, where they are dropped (`TLS`). The median of each counts.
            """)
    @Option(help: "MiB.") var size = 1_024
    @Option(help: "Runs of each.") var runs = 3

    private enum Case: String, CaseIterable {
        case one = "from one"
        case two = "from two"
        case killed = "from two, one killed half way"
    }

    private struct Row {
        var seconds: [Double] = []
        var peakResident = 0

        mutating func note(_ resident: Int) { peakResident = max(peakResident, resident) }
    }

    func run() async throws {
        let bytes = size << 20
        try await withScratch { directory in
            let file = directory.appendingPathComponent("film.bin")
            try makeFile(file, bytes)
            let homes = ["a", "b", "c"].map { directory.appendingPathComponent($0) }
            let (event, sending) = try await prepare(homes, file)
            var (disk, tls): ([Double], [Double]) = ([], [])
            var rows: [Case: Row] = [:]
            for run in 0..<runs {
                disk.append(try writeAnchor(directory.appendingPathComponent("anchor"), bytes))
                tls.append(try tlsAnchor(bytes))
                for kind in Case.allCases {
                    let fetched = try await fetch(homes, event, kind)
                    guard fetched.isWhole else { throw BenchmarkError("the fetched file is not the sent one") }
                    rows[kind, default: Row()].seconds.append(fetched.seconds)
                    rows[kind, default: Row()].note(fetched.usage.peakResident)
                    note("run \(run + 1), \(kind.rawValue): \(fetched.seconds.rounded(to: 2)) s")
                }
            }
            func rate(_ seconds: Double) -> Double { Double(bytes) / seconds / 1_000_000 }
            printRow(["\(size) MiB", "seconds", "MB/s", "÷ disk", "÷ TLS", "peak resident MiB"])
            printRow(["---", "---:", "---:", "---:", "---:", "---:"])
            let (onDisk, overTLS) = (disk.median, tls.median)
            func show(_ name: String, _ seconds: Double, _ peak: Int?) {
                printRow([
                    name, seconds.rounded(to: 2), rate(seconds).rounded(to: 0), (onDisk / seconds).rounded(to: 2),
                    (overTLS / seconds).rounded(to: 2), peak.map { "\($0 >> 20)" } ?? "",
                ])
            }
            show("disk", onDisk, nil)
            show("TLS", overTLS, nil)
            show("sealed and kept by its sender", sending, nil)
            for kind in Case.allCases {
                guard let row = rows[kind] else { continue }
                show(kind.rawValue, row.seconds.median, row.peakResident)
            }
        }
    }

    private func makeFile(_ url: URL, _ bytes: Int) throws {
        guard FileManager.default.createFile(atPath: url.path, contents: nil) else {
            throw BenchmarkError("\(url.path) cannot be made")
        }
        let handle = try FileHandle(forWritingTo: url)
        var generator = SplitMix(seed: 1)
        for _ in 0..<bytes >> 20 {
            let words = (0..<(1 << 17)).map { _ in generator.next() }
            try handle.write(contentsOf: words.withUnsafeBytes { Data($0) })
        }
        try handle.close()
    }

    /// Three devices of a private group; the first has sent the file, the second has fetched it.
    private func prepare(_ homes: [URL], _ file: URL) async throws -> (event: String, seconds: Double) {
        var nodes: [Node] = []
        for home in homes { nodes.append(try await Node.open(at: home)) }
        let group = try await nodes[0].createGroup(named: "crew", policy: .private)
        try await nodes[0].listen()
        for node in nodes.dropFirst() {
            _ = try await node.join(try await group.invite())
            try await node.setFileLimits(FileLimits(quota: 1 << 40, automatic: 0))
        }
        try await nodes[0].setFileLimits(FileLimits(quota: 1 << 40))
        try await nodes[0].close()
        let sent = try Child(["send-file", homes[0].path, file.path]).finish(as: SentFile.self)
        nodes[0] = try await Node.open(at: homes[0])
        let port = try await nodes[0].listen()
        for node in nodes.dropFirst() {
            _ = try await node.sync(with: nodes[0].device, at: "127.0.0.1:\(port)")
        }
        guard let entry = try await nodes[1].groups.first?.entry(ofID: sent.event),
            let shared = entry.content(as: SharedFile.self)
        else { throw BenchmarkError("the second device does not know the file") }
        try await nodes[1].groups.first?.reader(of: shared.file).download()
        _ = try await nodes[1].sync(with: nodes[0].device, at: "127.0.0.1:\(port)")
        for node in nodes { try await node.close() }
        return (sent.event, sent.seconds)
    }

    private func fetch(_ homes: [URL], _ event: String, _ kind: Case) async throws -> FetchedFile {
        let servers = try homes.prefix(kind == .one ? 1 : 2).map { try Child(["serve", $0.path]) }
        var addresses: [String] = []
        for (server, home) in zip(servers, homes) {
            let node = try await Node.openReadOnly(at: home)
            addresses.append(try "\(node.device)@127.0.0.1:\(server.firstLine())")
        }
        let client = try Child(["fetch-file", homes[2].path, event] + addresses)
        guard try client.firstLine() == "half" else {
            throw BenchmarkError("the fetch ended before half of the file had arrived")
        }
        if kind == .killed { servers[0].kill() }
        let fetched = try client.finish(as: FetchedFile.self)
        for server in servers.dropFirst(kind == .killed ? 1 : 0) { _ = try server.finish(as: Usage.self) }
        return fetched
    }

    private func writeAnchor(_ url: URL, _ bytes: Int) throws -> Double {
        defer { try? FileManager.default.removeItem(at: url) }
        let piece = Data((0..<65_536).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        let start = ContinuousClock.now
        guard FileManager.default.createFile(atPath: url.path, contents: nil) else {
            throw BenchmarkError("\(url.path) cannot be made")
        }
        let handle = try FileHandle(forWritingTo: url)
        for _ in 0..<bytes >> 16 { try handle.write(contentsOf: piece) }
        try handle.synchronize()
        try handle.close()
        return (ContinuousClock.now - start).inSeconds
    }

    private func tlsAnchor(_ bytes: Int) throws -> Double {
        let sink = try Child(["tls-sink", "\(bytes)"])
        let words = try sink.firstLine().split(separator: " ")
        let source = try Child(["tls-source", "\(bytes)", "\(words[0])", "127.0.0.1:\(words[1])"])
        _ = try source.finish(as: Usage.self)
        return try sink.finish(as: Double.self)
    }
}

extension [Double] {
    fileprivate var median: Double { sorted()[count / 2] }
}

/// The cost of fetching a file, as the fetching process measured it.
struct FetchedFile: Codable {
    let seconds: Double
    let isWhole: Bool
    let usage: Usage
}

/// The cost of sending a file.
struct SentFile: Codable {
    let event: String
    let seconds: Double
}

/// One device that sends a file.
struct SendFile: AsyncParsableCommand {
    static let configuration = CommandConfiguration(shouldDisplay: false)
    @Argument var directory: String
    @Argument var path: String

    func run() async throws {
        let node = try await Node.open(at: URL(fileURLWithPath: directory, isDirectory: true))
        guard let group = try await node.groups.first else { throw BenchmarkError("there is no group") }
        let start = ContinuousClock.now
        let event = try await group.send(file: URL(fileURLWithPath: path))
        let sent = SentFile(event: "\(event)", seconds: (ContinuousClock.now - start).inSeconds)
        try await node.close()
        print(String(decoding: try JSONEncoder().encode(sent), as: UTF8.self))
    }
}

/// One device that fetches a file from devices with which it stays connected. It reports when half of it has arrived.
struct FetchFile: AsyncParsableCommand {
    static let configuration = CommandConfiguration(shouldDisplay: false)
    @Argument var directory: String
    @Argument var event: String
    @Argument(help: "KEY@HOST:PORT") var sources: [String]

    func run() async throws {
        let home = URL(fileURLWithPath: directory, isDirectory: true)
        let node = try await Node.open(at: home)
        guard let group = try await node.groups.first, let entry = try await group.entry(ofID: event),
            let shared = entry.content(as: SharedFile.self)
        else { throw BenchmarkError("there is no such file") }
        let reader = group.reader(of: shared.file)
        try await node.removeLocalCopy(of: shared.file.id)
        for source in sources {
            let parts = source.split(separator: "@")
            guard let key = DeviceKey(hex: String(parts[0])) else { throw BenchmarkError("not a key: \(source)") }
            try await node.connect(to: key, at: String(parts[1]))
        }
        let half = Task {
            for try await status in reader.statuses() where status.bytesHeld >= status.size / 2 { break }
            print("half")
            fflush(nil)
        }
        let start = ContinuousClock.now
        try await reader.fetch()
        // A device leaves the time of writing chunks to the system. Here the sync counts, as for the file of the
        // comparison.
        let chunks = home.appendingPathComponent("files/\(shared.file.id)")
        try FileHandle(forUpdating: chunks).synchronize()
        let seconds = (ContinuousClock.now - start).inSeconds
        try await half.value
        let usage = Usage.own
        // The first and the last byte, in addition to the verification of all pieces.
        let ends = [try await reader.read(0..<1), try await reader.read(shared.file.size - 1..<shared.file.size)]
        let isComplete = try await reader.status.isComplete
        let fetched = FetchedFile(
            seconds: seconds, isWhole: isComplete && ends.allSatisfy { $0.count == 1 }, usage: usage)
        try await node.close()
        print(String(decoding: try JSONEncoder().encode(fetched), as: UTF8.self))
    }
}
