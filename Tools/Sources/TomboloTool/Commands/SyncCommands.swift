import ArgumentParser
import Foundation
import Tombolo
import TomboloCore

struct Sync: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sync once with one peer, or with all whose address is known, and hang up.",
        discussion: """
            It can be cut at any time, by its budget or with Ctrl-C: what has come is kept, and the next sync goes on from \
            there. Exit code 1 if not everything is in sync at the end, 2 if nobody was reached.
            """)
    @OptionGroup var options: DataOptions
    @Option(help: "The peer's key, or the beginning of it.") var peer: String?
    @Option(help: ArgumentHelp("Where it listens.", valueName: "host:port")) var at: String?
    @Option(help: "Bytes, both ways and over all peers, at which to stop; at least 131072.") var budget: Int?
    @Option(help: "Seconds after which to stop.") var timeout = 600
    @Flag(help: "Tell how it was found out what differed: in which way, why, and what that took.") var explain = false
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        guard budget ?? 131_072 >= 131_072 else { throw Failure("--budget must be at least 131072 bytes") }
        guard timeout >= 1 else { throw Failure("--timeout must be at least a second") }
        let limit = SyncBudget.budget(bytes: budget, time: .seconds(timeout))
        let isComplete = try await options.withNode { node in
            if at == nil, peer == nil {
                guard try await node.peers.contains(where: { !$0.addresses.isEmpty }) else {
                    throw Failure("no peer's address is known: `tombolo peer add KEY HOST:PORT`, or --peer and --at")
                }
                return try await show(try await withTraffic(of: node) { try await node.sync(within: limit) }, of: node)
            }
            let (peer, addresses) = try target(try await node.peers)
            var report = SyncReport()
            for address in addresses {
                do {
                    report.peers = [
                        try await withTraffic(of: node) {
                            switch peer {
                            case .device(let device): try await node.sync(with: device, at: address, within: limit)
                            case .mvds(let address): try await node.sync(withMVDSPeerAt: address, within: limit)
                            }
                        }
                    ]
                    report.failures = [:]
                    break
                } catch {
                    report.failures[peer] = error as? TomboloError ?? TomboloError(.unexpected, "\(error)")
                }
            }
            return try await show(report, of: node)
        }
        if !isComplete { throw ExitCode(1) }
    }

    /// The one peer that the options name.
    private func target(_ peers: [Tombolo.Peer]) throws -> (PeerID, [String]) {
        let known = peers.filter { "\($0.id)".hasPrefix(peer ?? "") }
        if let at, let peer, let key = DeviceKey(hex: peer) { return (.device(key), [at]) }
        guard known.count == 1, let only = known.first else {
            throw Failure(
                known.isEmpty
                    ? "no peer is known whose key begins with \(peer ?? "")"
                    : "\(known.count) peers are meant: say which with --peer")
        }
        let addresses = at.map { [$0] } ?? only.addresses
        guard !addresses.isEmpty else { throw Failure("the peer's address is not known: say it with --at") }
        return (only.id, addresses)
    }

    private func show(_ report: SyncReport, of node: Node) async throws -> Bool {
        for peer in report.peers {
            if json {
                try printJSON(SyncRow(peer, explained: explain))
            } else {
                let seconds = String(format: "%.3f", peer.duration / .seconds(1))
                print(
                    "\("\(peer.peer)".prefix(8)): \(peer.groups.count) groups in sync"
                        + (peer.oneSidedGroups.isEmpty
                            ? "" : ", \(peer.oneSidedGroups.count) in which one side only takes")
                        + (peer.isComplete ? "" : " (cut before all were)")
                        + ", \(peer.bytesSent) bytes sent, \(peer.bytesReceived) received, \(seconds) s")
                if explain { try await tell(peer, of: node) }
            }
        }
        for (peer, why) in report.failures.sorted(by: { $0.key < $1.key }) {
            FileHandle.standardError.write(Data("error: \("\(peer)".prefix(8)): \(why)\n".utf8))
        }
        if report.peers.isEmpty, !report.failures.isEmpty { throw ExitCode(2) }
        return report.isComplete
    }
}

extension Sync {
    /// How it was found out what differed, in each group.
    private func tell(_ peer: PeerReport, of node: Node) async throws {
        let names = Dictionary(
            try await node.groups.map { ($0.id, $0.name.printable) }, uniquingKeysWith: { one, _ in one })
        for (group, report) in peer.reconciliations.sorted(by: { $0.key < $1.key }) {
            let what = report.logs == 0 ? "" : "\(report.logs) \(report.isOfMessages ? "messages" : "logs"), "
            let trips = "\(report.roundTrips) round trip\(report.roundTrips == 1 ? "" : "s")"
            print(
                "  \(names[group] ?? "\("\(group)".prefix(8))"): \(report.strategy.name), \(what)"
                    + "\(report.bytesSent) bytes told, \(report.bytesReceived) heard, \(trips)\n    since \(report)")
        }
    }
}

/// How finding the difference went in one group, as `sync --explain --json` prints it.
struct ReconciliationRow: Codable {
    let group: String
    let strategy: String
    let why: String
    let differing: Int
    let sent: Int
    let received: Int
    let roundTrips: Int

    init(_ group: GroupID, _ report: ReconciliationReport) {
        self.group = "\(group)"
        strategy = report.strategy.name
        why = "\(report)"
        differing = report.logs
        sent = report.bytesSent
        received = report.bytesReceived
        roundTrips = report.roundTrips
    }
}

/// What `sync --json` prints for each peer.
struct SyncRow: Codable {
    let peer: String
    let groups: Int
    let oneSidedGroups: Int
    let isComplete: Bool
    let sent: Int
    let received: Int
    let handshake: Int
    let seconds: Double
    /// The part of `seconds` until the peer had proved its key.
    let handshakeSeconds: Double
    let reconciliations: [ReconciliationRow]?

    init(_ report: PeerReport, explained: Bool = false) {
        reconciliations =
            explained
            ? report.reconciliations.sorted { $0.key < $1.key }.map { ReconciliationRow($0.key, $0.value) } : nil
        peer = "\(report.peer)"
        groups = report.groups.count
        oneSidedGroups = report.oneSidedGroups.count
        isComplete = report.isComplete
        sent = report.bytesSent
        received = report.bytesReceived
        handshake = report.handshakeBytes
        seconds = report.duration / .seconds(1)
        handshakeSeconds = report.handshakeDuration / .seconds(1)
    }
}

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Stay in touch: dial the peers whose address is known, listen for others, until stopped.")
    @OptionGroup var options: DataOptions
    @OptionGroup var listening: ListenOptions
    @Option(help: "Listen at this port, too, for known peers that speak MVDS alone.") var mvdsPort: Int?

    func run() async throws {
        let signals = await StopSignals()
        try await options.withNode { node in
            let host = listening.host
            let port = try await listening.listen(node)
            print("listening on \(host):\(port) as \(node.device)")
            if let mvdsPort {
                print("listening for MVDS on \(host):\(try await node.listenMVDS(host: host, port: mvdsPort))")
            }
            fflush(nil)
            let running = Task { try await node.run() }
            await signals.wait()
            running.cancel()
        }
    }
}

/// Where a command listens.
struct ListenOptions: ParsableArguments {
    @Option(help: "The address to listen on: this machine alone, unless it is said, as 0.0.0.0 for all.")
    var host = "127.0.0.1"
    @Option(help: "The port to listen on; 0 takes any free one.") var port = 0

    mutating func validate() throws {
        guard (0...65_535).contains(port) else { throw ValidationError("--port must be between 0 and 65535") }
    }

    /// - Returns: the port.
    func listen(_ node: Node) async throws -> Int { try await node.listen(host: host, port: port) }
}
