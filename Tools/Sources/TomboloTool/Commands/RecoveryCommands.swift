import ArgumentParser
import Foundation
import Tombolo

struct Recover: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Rebuild a damaged store, and fetch missing events from peers.",
        discussion: """
            Saves the device's keys, its groups, its peers and every event that is readable and verifies, and keeps \
            the damaged file beside the new one. Then syncs with all peers whose address is known. The device stays \
            the same, and writes to new logs from then on.

            A store that was put back from a backup needs no command: the device notices it when it opens the store. A \
            device whose keys are lost is a new device, which a peer invites (`tombolo init`, \
            `tombolo group join LINK`).

            Exit code 1 if not everything is in sync at the end (a later `tombolo sync` continues), 2 if the store \
            cannot be recovered.
            """)
    @OptionGroup var options: DataOptions
    @Flag(help: "Rebuild the store even if it seems sound.") var force = false
    @Option(help: "Seconds after which to stop syncing.") var timeout = 600
    @Flag(help: "Print JSON.") var json = false

    private struct Row: Codable {
        let damage: [String]
        let damagedFile: String?
        let groups: Int
        let peers: Int
        let events: Int
        let unreadable: [String]
        let inSync: Bool?
        let bytes: Int
        let unreached: [String: String]
    }

    func run() async throws {
        guard timeout >= 1 else { throw Failure("--timeout must be at least a second") }
        let lock = try await options.lock
        let damage = try await Node.checkStore(at: options.directory, lock: lock)
        guard force || !damage.isEmpty else {
            if json {
                return try printJSON(
                    Row(
                        damage: [], damagedFile: nil, groups: 0, peers: 0, events: 0, unreadable: [], inSync: nil,
                        bytes: 0, unreached: [:]))
            }
            return print("The store is sound: there is nothing to recover. `tombolo sync` fetches what peers have.")
        }
        if !json {
            for problem in damage.prefix(3) { print("damaged: \(problem.printable)") }
            if damage.count > 3 { print("…and \(damage.count - 3) more") }
        }
        let rebuilding = try await Node.rebuildStore(at: options.directory, lock: lock)
        if !json { show(rebuilding) }
        let report = try await options.withNode(lock: lock) { node in
            try await withTraffic(of: node) { try await node.sync(within: .budget(time: .seconds(timeout))) }
        }
        let failures = Dictionary(
            report.failures.map { ("\($0.key)", "\($0.value)") }, uniquingKeysWith: { first, _ in first })
        let isInSync = report.isComplete && !report.peers.isEmpty
        if json {
            try printJSON(
                Row(
                    damage: damage, damagedFile: rebuilding.damagedFile.path, groups: rebuilding.groups,
                    peers: rebuilding.peers, events: rebuilding.events, unreadable: rebuilding.unreadable,
                    inSync: isInSync, bytes: report.bytes, unreached: failures))
        } else {
            for peer in report.peers where peer.isComplete {
                print(
                    "\("\(peer.peer)".prefix(8)): \(peer.groups.count) groups in sync, \(peer.bytesReceived) bytes received"
                )
            }
            for (peer, why) in failures.sorted(by: { $0.key < $1.key }) {
                FileHandle.standardError.write(Data("error: \(peer.prefix(8)): \(why)\n".utf8))
            }
            if !isInSync { print("Not everything is in sync: run `tombolo sync` when a peer can be reached.") }
        }
        if !isInSync { throw ExitCode(1) }
    }

    private func show(_ rebuilding: StoreRebuilding) {
        print(
            "Recovered: the device's keys, \(rebuilding.groups) groups, \(rebuilding.peers) peers, "
                + "\(rebuilding.events) events."
        )
        for what in rebuilding.unreadable { print("Unreadable: \(what.printable)") }
        print(
            "The damaged file is kept as \(rebuilding.damagedFile.path). Nothing in it expires or is redacted: "
                + "delete it once you no longer need it.")
    }
}

struct Drill: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Test what peers would bring back if this device lost everything.",
        discussion: """
            Makes a scratch device with this device's keys, groups and peers and nothing else, syncs it with the \
            peers, and compares the two. This device is only read, and may be running. The scratch device is removed \
            at the end.

            Exit code 1 if not everything came back, 2 if no peer was reached.
            """)
    @OptionGroup var options: DataOptions
    @Option(help: "Seconds after which to stop.") var timeout = 600
    @Flag(help: "Print JSON.") var json = false

    private struct Row: Codable {
        let group: String
        let name: String
        let delivered: Int
        let recovered: Int
        let missing: [String]
    }

    func run() async throws {
        guard timeout >= 1 else { throw Failure("--timeout must be at least a second") }
        let scratch = FileManager.default.temporaryDirectory.appendingPathComponent("tombolo-drill-\(UUID())/store")
        defer { try? FileManager.default.removeItem(at: scratch.deletingLastPathComponent()) }
        try options.checkExists()
        if !json { print("Recovering a scratch copy of the device from its peers…") }
        let drill = try await Node.drill(
            at: options.directory, scratch: scratch, within: .budget(time: .seconds(timeout)),
            configuration: .init(lock: try await options.lock))
        for group in drill.groups {
            if json {
                try printJSON(
                    Row(
                        group: "\(group.id)", name: group.name, delivered: group.delivered, recovered: group.recovered,
                        missing: group.missing.map { "\($0)" }))
            } else {
                let count = group.delivered - group.recovered
                print("\(group.name.printable): \(group.recovered) of \(group.delivered) came back")
                if count > 0 {
                    let some = group.missing.prefix(3).map { "\("\($0)".prefix(8))" }.joined(separator: ", ")
                    print(
                        "  \(count) would be lost (\(some)\(count > 3 ? "…" : "")): no peer that was reached has them")
                }
            }
        }
        for (peer, why) in drill.sync.failures.sorted(by: { $0.key < $1.key }) {
            FileHandle.standardError.write(Data("error: \("\(peer)".prefix(8)): \(why)\n".utf8))
        }
        if drill.sync.peers.isEmpty {
            if drill.sync.failures.isEmpty {
                throw Failure("no peer's address is known: `tombolo peer add KEY HOST:PORT`")
            }
            throw ExitCode(2)
        }
        if !drill.isComplete { throw ExitCode(1) }
    }
}
