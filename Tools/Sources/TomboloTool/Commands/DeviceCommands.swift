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
        let node = try await Node.open(
            at: options.directory, configuration: .init(lock: try await options.lock))
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
        try await options.withReader { node in
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
        abstract: "Add, list and remove the devices that this one syncs with.",
        subcommands: [Add.self, List.self, Remove.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remember a device and its address.",
            usage: """
                tombolo peer add KEY HOST:PORT
                tombolo peer add --mvds HOST:PORT [--group GROUP]
                """,
            discussion: """
                With --mvds, the peer speaks MVDS alone, over plain TCP: four bytes of length, big endian, then a \
                payload, both ways. It gets one group of the mvds dialect (`tombolo group create NAME --mvds`). \
                Nothing proves which peer answers at the address, and nothing is encrypted.
                """)
        @OptionGroup var options: DataOptions
        @Argument(help: "The device's key: 64 hexadecimal digits, as `tombolo id` prints it.") var device: String?
        @Argument(help: "The device's address: host:port.") var address: String?
        @Option(help: ArgumentHelp("The address of a peer that speaks MVDS alone.", valueName: "host:port"))
        var mvds: String?
        @Option(help: "With --mvds: the group to share with it, if there are several.") var group: String?

        func run() async throws {
            if let mvds {
                guard device == nil else {
                    throw Failure("a peer that speaks MVDS alone has no key: give its address alone")
                }
                return try await options.withNode { node in
                    try await node.addMVDSPeer(at: mvds, sharing: try await mvdsGroup(node))
                    print("peer \(mvds)")
                }
            }
            guard let device, let address else { throw Failure("give a device's key and host:port, or --mvds") }
            let key = try parseDevice(device)
            try await options.withNode { node in
                guard key != node.device else {
                    throw Failure("that is this device's own key: give that of another device")
                }
                try await node.addPeer(key, address: address)
            }
        }

        private func mvdsGroup(_ node: Node) async throws -> SyncGroup {
            if let group {
                let found = try await findGroup(group, node)
                guard found.dialect == .mvds else { throw Failure("group \(found.name) is not of the mvds dialect") }
                return found
            }
            let groups = try await node.groups.filter { $0.dialect == .mvds }
            guard groups.count == 1, let only = groups.first else {
                throw Failure(
                    groups.isEmpty
                        ? "there is no group of the mvds dialect yet: `tombolo group create NAME --mvds`"
                        : "there are \(groups.count) groups of the mvds dialect: choose one with --group")
            }
            return only
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the known devices.")
        @OptionGroup var options: DataOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await options.withReader { node in
                struct Row: Encodable {
                    let device: String
                    let speaks: String
                    let addresses: [String]
                }
                let rows = try await node.peers.map {
                    Row(
                        device: "\($0.id)", speaks: $0.id.device == nil ? "mvds" : "tombolo",
                        addresses: $0.addresses)
                }
                if json { return try printJSON(rows) }
                for row in rows { print(row.device, row.speaks, row.addresses.joined(separator: " ")) }
            }
        }
    }
}
