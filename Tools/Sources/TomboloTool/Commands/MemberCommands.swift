import ArgumentParser
import Foundation
import Tombolo
import TomboloCore

func parseRole(_ text: String) throws -> Role {
    guard let role = Role.allCases.first(where: { "\($0)" == text && $0 != .none }) else {
        throw ValidationError("\(text) is not a role: reader, member, admin or owner")
    }
    return role
}

func parsePolicy(_ text: String) throws -> Policy {
    switch text {
    case "open": return .open
    case "private": return .private
    case "private-from-joining": return .privateFromJoining
    case "feed": return .feed
    case "public": return .public
    default: throw ValidationError("\(text) is not a policy: open, private, private-from-joining, feed or public")
    }
}

/// Finds a member by the first digits of its key.
func findMember(_ digits: String, _ group: SyncGroup) async throws -> MemberKey {
    if let key = MemberKey(hex: digits) { return key }
    let found = try await group.members.filter { $0.id.description.hasPrefix(digits.lowercased()) && !digits.isEmpty }
    return try theOnly(
        found, orNone: "no member's key begins with \(digits): see `tombolo member list`",
        orSeveral: "\(found.count) members' keys begin with \(digits): give more digits"
    ).id
}

struct Member: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List and change the roles of a group's members.",
        discussion: """
            Owners and admins give roles to members below them, and remove them. Rank goes by role, then by seniority. \
            Messages that a removed member sends without knowing of the removal are held back on every device.
            """, subcommands: [List.self, Set.self, Remove.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List members, their roles and devices.",
            discussion: "In an open group every holder of its secret is a member, and is listed once it has written."
        )
        @OptionGroup var options: DataOptions
        @Option(help: "The group's name or the beginning of its id.") var group: String?
        @Flag(help: "Print JSON.") var json = false

        private struct Row: Encodable {
            let member: String
            let role: String
            let devices: [String]
        }

        func run() async throws {
            try await options.withReader { node in
                let members = try await findGroup(group, node).members
                if json {
                    return try printJSON(
                        members.map {
                            Row(member: "\($0.id)", role: "\($0.role)", devices: $0.devices.map(\.description))
                        })
                }
                for member in members.sorted(by: { $0.role > $1.role }) {
                    let role = member.role == .none ? "removed" : "\(member.role)"
                    let own = member.id == node.member ? " (you)" : ""
                    print("\(member.id) \(role)\(own)")
                    for device in member.devices { print("  device \(device)") }
                }
            }
        }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Give a member a role.")
        @OptionGroup var options: DataOptions
        @Option(help: "The group's name or the beginning of its id.") var group: String?
        @Argument(help: "The member's key (`tombolo id` prints it), or its first digits.") var member: String
        @Argument(help: "The role: reader, member, admin or owner.", transform: parseRole) var role: Role
        @Flag(help: "Give up your own role although no other member can admit or remove members.") var force = false

        func run() async throws {
            try await options.withNode { node in
                let group = try await findGroup(group, node)
                let member = try await findMember(member, group)
                try await hintingAtForce { try await group.setRole(role, of: member, allowsAbandoning: force) }
                print("\("\(member)".prefix(8)) is \(try await group.role(of: member))")
            }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove a member.",
            discussion: """
                In a private group it cannot read what members send once they know of the removal. In other groups it \
                reads all that reaches it. `member set` undoes a removal.
                """)
        @OptionGroup var options: DataOptions
        @Option(help: "The group's name or the beginning of its id.") var group: String?
        @Argument(help: "The first digits of the member's key.") var member: String

        func run() async throws {
            try await options.withNode { node in
                let group = try await findGroup(group, node)
                let member = try await findMember(member, group)
                try await group.remove(member)
                print("\("\(member)".prefix(8)) is removed")
            }
        }
    }
}

struct State: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List and change a group's state: keys with values that all members see.",
        discussion: """
            Members set keys of their own, admins set `title` and `topic`. The latest setting counts. Concurrent \
            settings are shown beside it.
            """, subcommands: [List.self, Set.self, Remove.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the keys and their values.")
        @OptionGroup var options: DataOptions
        @Option(help: "The group's name or the beginning of its id.") var group: String?
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await options.withReader { node in
                let state = try await findGroup(group, node).state
                func text(_ value: Data) -> String {
                    String(data: value, encoding: .utf8) ?? "(\(value.count) bytes)"
                }
                if json {
                    let pairs = state.keys.compactMap { key in state[key].map { (key, text($0)) } }
                    return try printJSON(Dictionary(uniqueKeysWithValues: pairs))
                }
                for key in state.keys {
                    guard let value = state[key] else { continue }
                    print("\(key.printable): \(text(value).printable)")
                    for other in state.concurrentValues(of: key).dropFirst() {
                        print("  concurrently: \(other.map { text($0).printable } ?? "(removed)")")
                    }
                }
            }
        }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Set a key.")
        @OptionGroup var options: DataOptions
        @Option(help: "The group's name or the beginning of its id.") var group: String?
        @Argument(help: "1 to 255 bytes.") var key: String
        @Argument(help: "At most 4,096 bytes.") var value: String

        func run() async throws {
            try await options.withNode { node in
                try await findGroup(group, node).setState(key, to: Data(value.utf8))
            }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Remove a key.")
        @OptionGroup var options: DataOptions
        @Option(help: "The group's name or the beginning of its id.") var group: String?
        @Argument var key: String

        func run() async throws {
            try await options.withNode { node in try await findGroup(group, node).setState(key, to: nil) }
        }
    }
}

/// Names the option that confirms an irreversible act, where the library refuses it.
func hintingAtForce(_ body: () async throws -> Void) async throws {
    do {
        try await body()
    } catch let error as TomboloError where error.code == .lastAdmin {
        throw Failure("\(error) (`tombolo member set KEY owner`), or add --force")
    }
}
