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
        static let configuration = CommandConfiguration(
            abstract: "Remember a device and where to reach it.",
            usage: """
                tombolo peer add KEY HOST:PORT
                tombolo peer add --mvds HOST:PORT [--group GROUP]
                """,
            discussion: """
                With --mvds, the peer speaks MVDS alone, over plain TCP: four bytes of length, big endian, then a \
                payload, both ways. It is given one group of the mvds dialect (`tombolo group create NAME --mvds`). \
                Nothing proves who answers at the address, and nothing hides what is said.
                """)
        @OptionGroup var options: DataOptions
        @Argument(help: "The device's key: 64 hexadecimal digits, as `tombolo id` prints it.") var device: String?
        @Argument(help: "Where it listens: host:port.") var address: String?
        @Option(help: ArgumentHelp("Where a peer that speaks MVDS alone listens.", valueName: "host:port"))
        var mvds: String?
        @Option(help: "With --mvds: the group to share with it, if there are several.") var group: String?

        func run() async throws {
            if let mvds {
                guard device == nil else { throw Failure("with --mvds there is no key: give the address alone") }
                return try await options.withNode { node in
                    print("peer \(try await node.addMVDSPeer(at: mvds, sharing: mvdsGroup(node)))")
                }
            }
            guard let device, let address else { throw Failure("give a device's key and host:port, or --mvds") }
            let key = try parseDevice(device)
            try await options.withNode { node in try await node.addPeer(key, address: address) }
        }

        private func mvdsGroup(_ node: Node) throws -> SyncGroup {
            if let group { return try findGroup(group, node) }
            let groups = try node.groups.filter { $0.dialect == .mvds }
            guard groups.count == 1, let only = groups.first else {
                throw Failure(
                    groups.isEmpty
                        ? "there is no group of the mvds dialect yet: `tombolo group create NAME --mvds`"
                        : "there are \(groups.count) groups of the mvds dialect: say which with --group")
            }
            return only
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
                    let speaks: String
                    let addresses: [String]
                }
                let rows = try node.peers.map {
                    Row(
                        device: "\($0.device)", speaks: $0.dialect == .mvds ? "mvds" : "tombolo",
                        addresses: $0.addresses)
                }
                if json { return try printJSON(rows) }
                for row in rows { print(row.device, row.speaks, row.addresses.joined(separator: " ")) }
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
                            received: report.bytesReceived, handshake: report.handshakeBytes, seconds: seconds,
                            handshakeSeconds: report.handshakeDuration / .seconds(1)))
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
    /// The part of `seconds` until the peer had proved its key.
    let handshakeSeconds: Double
}

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Stay in touch: dial the peers whose address is known, listen for others, until stopped.")
    @OptionGroup var options: DataOptions
    @Option(help: "The address to listen on.") var host = "127.0.0.1"
    @Option(help: "The port to listen on; 0 takes any free one.") var port = 0
    @Option(help: "Listen at this port, too, for known peers that speak MVDS alone.") var mvdsPort: Int?

    func run() async throws {
        try await options.withNode { node in
            let port = try await node.listen(host: host, port: port)
            print("listening on \(host):\(port) as \(node.device)")
            if let mvdsPort {
                print("listening for MVDS on \(host):\(try await node.listenMVDS(host: host, port: mvdsPort))")
            }
            fflush(nil)
            let running = Task { try await node.run() }
            await untilStopped()
            running.cancel()
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
