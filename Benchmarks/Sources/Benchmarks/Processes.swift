import ArgumentParser
import Foundation
import Tombolo
import TomboloCore

/// The resources that a process used, printed in its last line of output.
struct Usage: Codable {
    /// The processor time in seconds.
    let user: Double
    let system: Double
    /// The largest resident memory in bytes.
    let peakResident: Int

    static var own: Usage {
        var usage = rusage()
        #if os(Linux)
            getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        #else
            getrusage(RUSAGE_SELF, &usage)
        #endif
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1_000_000 }
        return Usage(
            user: seconds(usage.ru_utime), system: seconds(usage.ru_stime),
            peakResident: peakResident ?? Int(usage.ru_maxrss))
    }

    /// The kernel's own figure since this program was started. On Linux, rusage inherits the value of the parent.
    private static var peakResident: Int? {
        let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = status?.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        return line?.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * 1_024 }
    }
}

/// A device that others can reach until its standard input ends.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(shouldDisplay: false)
    @Argument var directory: String

    func run() async throws {
        let node = try await Node.open(at: URL(fileURLWithPath: directory, isDirectory: true))
        print(try await node.listen())
        fflush(nil)
        while readLine() != nil {}
        try await node.close()
        print(String(decoding: try JSONEncoder().encode(Usage.own), as: UTF8.self))
    }
}

/// The cost of a sync, as the process that ran it measured it.
struct Fetched: Codable {
    let seconds: Double
    let handshakeSeconds: Double
    let sent: Int
    let received: Int
    let handshakeBytes: Int
    let events: Int
    let isCausal: Bool
    let digest: String
    let usage: Usage
}

/// A device that syncs once.
struct Fetch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(shouldDisplay: false)
    @Argument var directory: String
    @Argument var peer: String
    @Argument var address: String
    @Flag var checksOrder = false

    func run() async throws {
        guard let peer = DeviceKey(hex: peer) else { throw BenchmarkError("not a key: \(peer)") }
        let node = try await Node.open(at: URL(fileURLWithPath: directory, isDirectory: true))
        let report = try await node.sync(with: peer, at: address)
        let usage = Usage.own
        guard let group = try node.groups.first else { throw BenchmarkError("there is no group") }
        let fetched = Fetched(
            seconds: report.duration.inSeconds, handshakeSeconds: report.handshakeDuration.inSeconds,
            sent: report.bytesSent, received: report.bytesReceived, handshakeBytes: report.handshakeBytes,
            events: try group.status.delivered, isCausal: checksOrder ? try isCausal(group) : true,
            digest: try group.digest, usage: usage)
        try await node.close()
        print(String(decoding: try JSONEncoder().encode(fetched), as: UTF8.self))
    }

    /// Tells whether every entry was delivered after all entries that it names.
    private func isCausal(_ group: SyncGroup) throws -> Bool {
        var seen: Set<EventID> = []
        var bookmark = Bookmark.start
        while true {
            let changes = try group.changes(after: bookmark, limit: 1_024)
            guard let last = changes.last else { return true }
            for change in changes {
                guard change.entry.parents.allSatisfy({ seen.contains($0) }) else { return false }
                seen.insert(change.entry.id)
            }
            bookmark = last.bookmark
        }
    }
}

extension Duration {
    var inSeconds: Double { self / .seconds(1) }
}

/// A child process that runs this program in another role.
struct Child {
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()

    init(_ arguments: [String]) throws {
        process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0])
        process.arguments = arguments
        // The command line tool has the same setting. By default glibc returns blocks of 64 KiB to the system each time
        // and asks for them again.
        let allocator = ["MALLOC_TRIM_THRESHOLD_": "\(64 << 20)", "MALLOC_TOP_PAD_": "\(4 << 20)"]
        process.environment = ProcessInfo.processInfo.environment.merging(allocator) { $1 }
        process.standardInput = input
        process.standardOutput = output
        try process.run()
    }

    /// The first line that the process prints.
    func firstLine() throws -> String {
        var line = Data()
        while let byte = try output.fileHandleForReading.read(upToCount: 1), byte != Data("\n".utf8) { line += byte }
        return String(decoding: line, as: UTF8.self)
    }

    /// Kills the process without a warning.
    func kill() {
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// Ends the input of the process and decodes the rest of its output.
    func finish<Result: Decodable>(as: Result.Type) throws -> Result {
        try input.fileHandleForWriting.close()
        let rest = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw BenchmarkError("a child process failed") }
        return try JSONDecoder().decode(Result.self, from: rest)
    }
}

/// Two devices that have stores of their own and share one group.
struct Pair {
    let a: URL
    let b: URL
    let deviceA: DeviceKey

    /// Creates the devices. `b` joins while the group is empty, so that its first sync transfers everything.
    init(in directory: URL, policy: Policy = .open) async throws {
        a = directory.appendingPathComponent("a")
        b = directory.appendingPathComponent("b")
        let (nodeA, nodeB) = (try await Node.open(at: a), try await Node.open(at: b))
        let group = try await nodeA.createGroup(named: "benchmark", policy: policy)
        try await nodeA.listen()
        _ = try await nodeB.join(try await group.invite())
        deviceA = nodeA.device
        try await nodeB.close()
        try await nodeA.close()
    }

    func withGroup(_ body: (SyncGroup) async throws -> Void) async throws {
        let node = try await Node.open(at: a)
        guard let group = try node.groups.first else { throw BenchmarkError("there is no group") }
        try await body(group)
        try await node.close()
    }

    /// Lets `a` serve and `b` sync once, each in a process of its own.
    func sync(checksOrder: Bool = false) throws -> (fetched: Fetched, server: Usage) {
        let server = try Child(["serve", a.path])
        let port = try server.firstLine()
        let client = try Child(
            ["fetch", b.path, "\(deviceA)", "127.0.0.1:\(port)"] + (checksOrder ? ["--checks-order"] : []))
        let fetched = try client.finish(as: Fetched.self)
        return (fetched, try server.finish(as: Usage.self))
    }
}
