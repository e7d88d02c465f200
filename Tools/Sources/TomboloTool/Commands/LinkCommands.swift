import ArgumentParser
import Foundation
import Tombolo
import TomboloCore

/// Finds a device of this device's member by its name, or by the first digits of its key.
func findDevice(_ name: String, _ node: Node) async throws -> DeviceKey {
    let found = try await node.devices.filter {
        !name.isEmpty && ($0.name == name || $0.id.description.hasPrefix(name.lowercased()))
    }
    return try theOnly(
        found,
        orNone: "none of your devices has the name \(name) or a key that begins with it: see `tombolo device list`",
        orSeveral: "\(found.count) of your devices have the name \(name) or such a key: give more digits of a key"
    ).id
}

struct Device: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Link, list, name and remove your devices.",
        discussion: """
            All of your devices are one member. `tombolo device link --address HOST:PORT` on a device prints a link. \
            `tombolo device join LINK` on a new device uses it, while the old device runs. Groups, messages, peers and \
            read marks follow, now and later. Any of your devices removes a lost one: `tombolo device remove NAME`.
            """, subcommands: [Link.self, Join.self, List.self, Rename.self, Remove.self, Post.self])

    struct Link: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print a link that makes another device one of yours.",
            discussion: """
                Any device that uses the link first becomes yours, so carry it to the new device yourself. This device \
                must run at the address when the link is used: `tombolo run --host ADDRESS --port PORT`.
                """)
        @OptionGroup var options: DataOptions
        @Option(help: "Minutes until the link expires.") var minutes = 10
        @Option(help: "The name of this device.") var name: String?
        @Option(help: ArgumentHelp("An address of this device; can be given several times.", valueName: "host:port"))
        var address: [String]

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
            abstract: "Make this device another one of the member that made the link.",
            discussion: "This device may have no groups yet. It is made if it does not exist.")
        @OptionGroup var options: DataOptions
        @Option(help: "The name of this device.") var name: String?
        @Argument(help: "The link, which begins with tombolo:device?.") var link: String

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
                        device.id == node.device
                            ? "this one" : time.map { "last heard of \($0)" } ?? "not heard of yet",
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
            commandName: "name", abstract: "Name one of your devices, on all of them.")
        @OptionGroup var options: DataOptions
        @Argument(help: "The device's name, or the first digits of its key.") var device: String
        @Argument(help: "The new name.") var name: String

        func run() async throws {
            try await options.withNode { node in try await node.name(try await findDevice(device, node), name) }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove a lost device of yours from every group in which it has written.",
            discussion: """
                Messages of the device that another of your devices knew of stay. All others are held back everywhere, \
                and the device reads nothing new in private groups. Nothing undoes a removal. The printed link is the \
                signed statement: `tombolo device post LINK` posts it in groups of which your devices are not members.
                """)
        @OptionGroup var options: DataOptions
        @Flag(help: "Remove this device itself, which then sends nothing any more.") var this = false
        @Argument(help: "The device's name, or the first digits of its key: see `tombolo device list`.") var device:
            String

        func run() async throws {
            try await options.withNode { node in
                let lost = try await findDevice(device, node)
                guard (lost == node.device) == this else {
                    throw Failure(
                        this
                            ? "\(device) is not this device: leave out --this"
                            : "\(device) is this device: add --this to remove it")
                }
                let removal = try await node.removeDevice(lost)
                for stays in removal.remaining where stays != node.device {
                    let note =
                        "note: it has linked \("\(stays)".prefix(8)), which stays: remove that too if it is not yours\n"
                    FileHandle.standardError.write(Data(note.utf8))
                }
                print(RemovalLink(removal))
            }
        }
    }

    struct Post: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Post in a group that a member's device is lost.",
            discussion: "Another device of that member has signed the statement, so any member may post it."
        )
        @OptionGroup var options: DataOptions
        @Option(help: "The group's name or the beginning of its id.") var group: String?
        @Argument(help: "The link, which begins with tombolo:removal?.") var link: String

        func run() async throws {
            let link = try RemovalLink(link)
            try await options.withNode { node in try await findGroup(group, node).post(link.removal) }
        }
    }
}
