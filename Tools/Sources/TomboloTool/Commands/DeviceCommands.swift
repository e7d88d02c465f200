import ArgumentParser
import Foundation
import Tombolo
import TomboloCore

struct Init: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Make a device: its directory, store and keys.")
    @OptionGroup var options: DataOptions

    func run() async throws {
        let path = options.directory.appendingPathComponent("tombolo.sqlite").path
        guard !FileManager.default.fileExists(atPath: path) else {
            throw Failure("there is a device in \(options.directory.path) already")
        }
        let node = try await Node.open(at: options.directory)
        print("device \(node.device)")
        try await node.close()
    }
}

struct ID: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "id", abstract: "Print the device's and its member's keys.")
    @OptionGroup var options: DataOptions
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        try await options.withNode { node in
            if json {
                try printJSON(["device": "\(node.device)", "member": "\(node.member)"])
            } else {
                print("device \(node.device)\nmember \(node.member)")
            }
        }
    }
}

struct Peer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Other devices that this one exchanges payloads with.", subcommands: [Add.self, List.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Remember a device and where to reach it.")
        @OptionGroup var options: DataOptions
        @Argument(help: "The device's key: 64 hexadecimal digits, as `tombolo id` prints it.") var device: String
        @Argument(help: "Where it listens: host:port.") var address: String

        func run() async throws {
            let key = try parseDevice(device)
            try await options.withNode { node in try await node.addPeer(key, address: address) }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the devices that are known.")
        @OptionGroup var options: DataOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await options.withNode { node in
                struct Row: Encodable {
                    let device: String
                    let addresses: [String]
                }
                let rows = try node.peers.map { Row(device: "\($0.device)", addresses: $0.addresses) }
                if json { return try printJSON(rows) }
                for row in rows { print(row.device, row.addresses.joined(separator: " ")) }
            }
        }
    }
}

struct Sync: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sync once with one peer, or with all whose address is known, and hang up.")
    @OptionGroup var options: DataOptions
    @Option(help: "The peer's key, or the beginning of it.") var peer: String?
    @Option(help: ArgumentHelp("Where it listens.", valueName: "host:port")) var at: String?
    @Option(help: "Seconds after which to give up.") var timeout = 600
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        try await options.withNode { node in
            var targets = try node.peers.filter { peer == nil || "\($0.device)".hasPrefix(peer ?? "") }
            if let at, let peer, targets.isEmpty || "\(targets[0].device)" == peer {
                targets = [.init(device: try parseDevice(peer), addresses: [at])]
            } else if let at {
                guard targets.count == 1 else { throw Failure("--at needs --peer with one peer's key") }
                targets = [.init(device: targets[0].device, addresses: [at])]
            }
            targets.removeAll { $0.addresses.isEmpty }
            guard !targets.isEmpty else {
                throw Failure("no peer's address is known: `tombolo peer add KEY HOST:PORT`, or --peer and --at")
            }
            for target in targets {
                let report = try await reach(target.addresses) {
                    try await node.sync(with: target.device, at: $0, timeout: .seconds(timeout))
                }
                let seconds = Double(report.duration / .milliseconds(1)) / 1_000
                if json {
                    try printJSON(
                        SyncRow(
                            peer: "\(target.device)", groups: report.groups.count, sent: report.bytesSent,
                            received: report.bytesReceived, handshake: report.handshakeBytes, seconds: seconds))
                } else {
                    print(
                        "\("\(target.device)".prefix(8)): \(report.groups.count) groups in sync, "
                            + "\(report.bytesSent) bytes sent, \(report.bytesReceived) received, \(seconds) s")
                }
            }
        }
    }

    private func reach<Result>(_ addresses: [String], _ body: (String) async throws -> Result) async throws -> Result {
        var last: any Error = Failure("no address")
        for address in addresses {
            do { return try await body(address) } catch { last = error }
        }
        throw last
    }
}

/// What `sync --json` prints for each peer.
struct SyncRow: Codable {
    let peer: String
    let groups: Int
    let sent: Int
    let received: Int
    let handshake: Int
    let seconds: Double
}

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Listen for peers, and sync with whoever connects, until stopped.")
    @OptionGroup var options: DataOptions
    @Option(help: "The address to listen on.") var host = "127.0.0.1"
    @Option(help: "The port to listen on; 0 takes any free one.") var port = 0

    func run() async throws {
        try await options.withNode { node in
            let port = try await node.listen(host: host, port: port)
            print("listening on \(host):\(port) as \(node.device)")
            fflush(nil)
            await untilStopped()
        }
    }
}

/// Returns at SIGINT or SIGTERM.
func untilStopped() async {
    let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
    let sources = [SIGINT, SIGTERM].map { number in
        signal(number, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: number)
        source.setEventHandler { continuation.yield() }
        source.resume()
        return source
    }
    for await _ in stream { break }
    for source in sources { source.cancel() }
}
