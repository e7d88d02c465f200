import ArgumentParser
import Foundation
import Tombolo
import TomboloCore

struct Sync: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sync once with one peer, or with all peers whose address is known.",
        discussion: """
            The budget, the timeout and Ctrl-C can stop it at any time. Everything that has arrived is kept, and the \
            next sync continues from there. Exit code 1 if not everything is in sync at the end, 2 if no peer was \
            reached.
            """)
    @OptionGroup var options: DataOptions
    @Option(help: "The peer's key, or its first digits.") var peer: String?
    @Option(help: ArgumentHelp("The peer's address.", valueName: "host:port")) var at: String?
    @Option(help: "Bytes, both ways and over all peers, after which to stop; at least 131072.") var budget: Int?
    @Option(help: "Seconds after which to stop.") var timeout = 600
    @Flag(help: "Print how the difference was found, why in that way, and the cost.") var explain = false
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

    /// The peer that the options name, and its addresses.
    private func target(_ peers: [Tombolo.Peer]) throws -> (PeerID, [String]) {
        let known = peers.filter { "\($0.id)".hasPrefix(peer ?? "") }
        if let at, let peer, let key = DeviceKey(hex: peer) { return (.device(key), [at]) }
        guard known.count == 1, let only = known.first else {
            throw Failure(
                known.isEmpty
                    ? "no known peer's key begins with \(peer ?? ""): see `tombolo peer list`"
                    : "\(known.count) peers match: choose one with --peer")
        }
        let addresses = at.map { [$0] } ?? only.addresses
        guard !addresses.isEmpty else { throw Failure("the peer's address is not known: give it with --at") }
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
                            ? "" : ", \(peer.oneSidedGroups.count) in which one side only receives")
                        + (peer.isComplete ? "" : " (stopped before all were)")
                        + ", \(peer.bytesSent) bytes sent, \(peer.bytesReceived) received, \(seconds) s")
                if explain { try await showReconciliations(peer, of: node) }
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
    /// Prints how the difference was found in each group.
    private func showReconciliations(_ peer: PeerReport, of node: Node) async throws {
        let names = Dictionary(
            try await node.groups.map { ($0.id, $0.name.printable) }, uniquingKeysWith: { one, _ in one })
        for (group, report) in peer.reconciliations.sorted(by: { $0.key < $1.key }) {
            let what = report.logs == 0 ? "" : "\(report.logs) \(report.isOfMessages ? "messages" : "logs"), "
            let trips = "\(report.roundTrips) round trip\(report.roundTrips == 1 ? "" : "s")"
            print(
                "  \(names[group] ?? "\("\(group)".prefix(8))"): \(report.strategy.name), \(what)"
                    + "\(report.bytesSent) bytes sent, \(report.bytesReceived) received, \(trips)\n    since \(report)")
        }
    }
}

/// A reconciliation as `sync --explain --json` prints it.
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

/// A peer as `sync --json` prints it.
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
        abstract: "Dial the peers whose address is known and listen for others, until stopped.")
    @OptionGroup var options: DataOptions
    @OptionGroup var listening: ListenOptions
    @Option(help: "A port to listen on for known peers that speak MVDS alone.") var mvdsPort: Int?

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

/// The address on which a command listens.
struct ListenOptions: ParsableArguments {
    @Option(help: "The address to listen on: by default that of this machine alone; 0.0.0.0 for all.")
    var host = "127.0.0.1"
    @Option(help: "The port to listen on; 0 takes any free one.") var port = 0

    mutating func validate() throws {
        guard (0...65_535).contains(port) else { throw ValidationError("--port must be between 0 and 65535") }
    }

    /// - Returns: the port.
    func listen(_ node: Node) async throws -> Int { try await node.listen(host: host, port: port) }
}
