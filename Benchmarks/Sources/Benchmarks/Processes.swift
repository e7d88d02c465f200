import ArgumentParser
import Foundation
import Tombolo
import TomboloCore

/// The resources that a process used, for its last line of output.
struct Usage: Codable {
    /// Seconds of processor time.
    let user: Double
    let system: Double
    /// The most memory that was resident, in bytes.
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

    /// The kernel's own count since this program was started: on Linux, rusage inherits the parent's.
    private static var peakResident: Int? {
        let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = status?.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        return line?.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * 1_024 }
    }
}

/// One device that others reach, until its standard input ends.
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

/// One device that syncs once.
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
        guard let group = try await node.groups.first else { throw BenchmarkError("there is no group") }
        let fetched = Fetched(
            seconds: report.duration.inSeconds, handshakeSeconds: report.handshakeDuration.inSeconds,
            sent: report.bytesSent, received: report.bytesReceived, handshakeBytes: report.handshakeBytes,
            events: try await group.status.delivered, isCausal: checksOrder ? try await isCausal(group) : true,
            digest: try await group.digest, usage: usage)
        try await node.close()
        print(String(decoding: try JSONEncoder().encode(fetched), as: UTF8.self))
    }

    /// Tells whether every entry was delivered after all that it names.
    private func isCausal(_ group: SyncGroup) async throws -> Bool {
        var seen: Set<EventID> = []
        var bookmark = Bookmark.start
        while true {
            let changes = try await group.changes(after: bookmark, including: .everything, limit: 1_024)
            guard let last = changes.last else { return true }
            for entry in changes.compactMap(\.entry) {
                guard entry.parents.allSatisfy({ seen.contains($0) }) else { return false }
                seen.insert(entry.id)
            }
            bookmark = last.bookmark
        }
    }
}

extension Duration {
    var inSeconds: Double { self / .seconds(1) }
}

/// A process of this program in another role.
struct Child {
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()

    init(_ arguments: [String]) throws {
        process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0])
        process.arguments = arguments
        // The settings of the command line tool. By default glibc returns pieces of 64 KiB to the system at every
        // release, and requests them again.
        let allocator = ["MALLOC_TRIM_THRESHOLD_": "\(64 << 20)", "MALLOC_TOP_PAD_": "\(4 << 20)"]
        process.environment = ProcessInfo.processInfo.environment.merging(allocator) { $1 }
        process.standardInput = input
        process.standardOutput = output
        try process.run()
    }

    /// The first line that it prints.
    func firstLine() throws -> String {
        var line = Data()
        while let byte = try output.fileHandleForReading.read(upToCount: 1), byte != Data("\n".utf8) { line += byte }
        return String(decoding: line, as: UTF8.self)
    }

    /// Ends it as a power cut does.
    func kill() {
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// Ends its input, and reads the rest of what it prints.
    func finish<Result: Decodable>(as: Result.Type) throws -> Result {
        try input.fileHandleForWriting.close()
        let rest = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw BenchmarkError("a child process failed") }
        return try JSONDecoder().decode(Result.self, from: rest)
    }
}

/// Two devices with stores of their own and one group.
struct Pair {
    let a: URL
    let b: URL
    let deviceA: DeviceKey

    /// `b` joins while the group is empty, so that its first sync is all there is to measure.
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
        guard let group = try await node.groups.first else { throw BenchmarkError("there is no group") }
        try await body(group)
        try await node.close()
    }

    /// `a` serves, `b` syncs once: each a process.
    func sync(checksOrder: Bool = false) throws -> (fetched: Fetched, server: Usage) {
        let server = try Child(["serve", a.path])
        let port = try server.firstLine()
        let client = try Child(
            ["fetch", b.path, "\(deviceA)", "127.0.0.1:\(port)"] + (checksOrder ? ["--checks-order"] : []))
        let fetched = try client.finish(as: Fetched.self)
        return (fetched, try server.finish(as: Usage.self))
    }
}
