import ArgumentParser
import Foundation
import Tombolo
import TomboloCore

/// The device of this one's member whose name is this, or whose key begins so.
func findDevice(_ name: String, _ node: Node) async throws -> DeviceKey {
    let found = try await node.devices.filter {
        !name.isEmpty && ($0.name == name || $0.id.description.hasPrefix(name.lowercased()))
    }
    return try theOnly(
        found, orNone: "none of your devices is called \(name), or has a key that begins so: see `tombolo device list`",
        orSeveral: "\(found.count) of your devices are called so, or have keys that begin so: give more digits of one"
    ).id
}

struct Device: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Your other devices.",
        discussion: """
            A device links the next one: `tombolo device link --address HOST:PORT` on the old one prints a link, `tombolo device join LINK` on the new \
            one uses it, while the old one runs. Groups, what was said in them, peers and what you have read follow, now and later. One that is lost \
            is removed by any other: `tombolo device remove NAME`.
            """, subcommands: [Link.self, Join.self, List.self, Rename.self, Remove.self, Post.self])

    struct Link: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print a link that makes one other device yours as well.",
            discussion: """
                Whoever has it before that device is you: bring it there yourself. This device must be running at the address when it is used: \
                `tombolo run --host ADDRESS --port PORT`.
                """)
        @OptionGroup var options: DataOptions
        @Option(help: "Minutes until the link expires.") var minutes = 10
        @Option(help: "What to call this device.") var name: String?
        @Option(help: ArgumentHelp("Where this device can be reached.", valueName: "host:port")) var address: [String]

        func run() async throws {
            guard (1...1_440).contains(minutes) else { throw Failure("--minutes must be between 1 and 1440, a day") }
            for address in address where PeerAddress(address) == nil {
                throw Failure("\(address) is not an address of the form host:port")
            }
            try await options.withNode { node in
                let link = try await node.linkDevice(expiring: .seconds(minutes * 60), addresses: address)
                if let name { try await node.name(node.device, name) }
                print(link)
            }
        }
    }

    struct Join: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make this device, which has no groups yet, another one of whose link it is.",
            discussion: "There need not be a device here before: it is made.")
        @OptionGroup var options: DataOptions
        @Option(help: "What to call this device.") var name: String?
        @Argument(help: "The link, from tombolo:device? on.") var link: String

        func run() async throws {
            let node = try await Node.open(
                at: options.directory, linking: try InvitationLink(link),
                configuration: .init(lock: try await options.lock))
            do {
                if let name { try await node.name(node.device, name) }
                let groups = try await node.groups.count
                print("linked: \(try await node.devices.count) devices, \(groups) groups")
                let report = try await node.sync()
                for (peer, why) in report.failures {
                    FileHandle.standardError.write(Data("\("\(peer)".prefix(8)): \(why)\n".utf8))
                }
                for group in try await node.groups {
                    print("\(group.name.printable), \(try await group.unreadCount) unread")
                }
                try await node.close()
            } catch {
                try? await node.close()
                throw error
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List your devices, the first one first.")
        @OptionGroup var options: DataOptions
        @Flag(help: "Print JSON lines.") var json = false

        private struct Row: Codable {
            let device: String
            let name: String?
            let isThis: Bool
            let admittedBy: String?
            let isRemoved: Bool
            let lastHeardOf: String?
        }

        func run() async throws {
            try await options.withReader { node in
                for device in try await node.devices {
                    let time = device.lastHeardOf?.ISO8601Format()
                    if json {
                        try printJSON(
                            Row(
                                device: "\(device.id)", name: device.name, isThis: device.id == node.device,
                                admittedBy: device.admittedBy.map { "\($0)" }, isRemoved: device.isRemoved,
                                lastHeardOf: time))
                        continue
                    }
                    let words = [
                        device.id == node.device ? "this one" : time.map { "last heard of \($0)" } ?? "never heard of",
                        device.admittedBy.map { "linked by \("\($0)".prefix(8))" } ?? "the first",
                        device.isRemoved ? "removed" : nil,
                    ]
                    let name = device.name.map { " \($0.printable)" } ?? ""
                    print("\("\(device.id)".prefix(8))\(name)  \(words.compactMap(\.self).joined(separator: ", "))")
                }
            }
        }
    }

    struct Rename: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "name", abstract: "Call one of your devices something, on all of them.")
        @OptionGroup var options: DataOptions
        @Argument(help: "Its name, or the beginning of its key.") var device: String
        @Argument(help: "What to call it.") var name: String

        func run() async throws {
            try await options.withNode { node in try await node.name(try await findDevice(device, node), name) }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say that one of your devices is lost, in every group where it has written.",
            discussion: """
                What it said that is here stays; what it says from now on, or that nobody else of your devices has, is held back everywhere, and it reads \
                nothing new in private groups. Nothing undoes it. The link that is printed is the signed statement: \
                `tombolo device post LINK` has it hold in groups that only others are in.
                """)
        @OptionGroup var options: DataOptions
        @Flag(help: "Remove this very device, which then says nothing any more.") var this = false
        @Argument(help: "Its name, or the beginning of its key: see `tombolo device list`.") var device: String

        func run() async throws {
            try await options.withNode { node in
                let lost = try await findDevice(device, node)
                guard (lost == node.device) == this else {
                    throw Failure(
                        this
                            ? "\(device) is not this device: leave out --this"
                            : "\(device) is the device that you are using: add --this if it is meant")
                }
                let removal = try await node.removeDevice(lost)
                for stays in removal.remaining where stays != node.device {
                    let note =
                        "note: it has linked \("\(stays)".prefix(8)), which stays: remove it as well if it is not yours\n"
                    FileHandle.standardError.write(Data(note.utf8))
                }
                print(RemovalLink(removal))
            }
        }
    }

    struct Post: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Post in a group that somebody's device is lost.",
            discussion: "The statement is signed by another device of the same member: it does not matter who posts it."
        )
        @OptionGroup var options: DataOptions
        @Option(help: "The group's name or the beginning of its id.") var group: String?
        @Argument(help: "The statement, from tombolo:removal? on.") var link: String

        func run() async throws {
            let link = try RemovalLink(link)
            try await options.withNode { node in try await findGroup(group, node).post(link.removal) }
        }
    }
}
