import ArgumentParser
import Foundation
import Tombolo
import TomboloCore

extension Group {
    struct Invite: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print a link by which one device can join, or several.",
            discussion: """
                This device must run at the address when the link is used: `tombolo run --host ADDRESS --port PORT`. \
                Without --host it listens on this machine alone.
                """)
        @OptionGroup var options: DataOptions
        @Option(help: "The group's name or the beginning of its id.") var group: String?
        @Option(help: "Days until the link expires.") var days = 7
        @Option(help: "The number of devices that it admits.") var uses = 1
        @Option(
            help: ArgumentHelp(
                "The role of members that join by it: reader, member, admin or owner.", valueName: "role"),
            transform: parseRole)
        var role: Role = .member
        @Option(help: ArgumentHelp("An address of this device; can be given several times.", valueName: "host:port"))
        var address: [String]

        func run() async throws {
            guard (1...3_650).contains(days) else { throw Failure("--days must be between 1 and 3650") }
            guard (1...Limits.invitationUses).contains(uses) else {
                throw Failure("--uses must be between 1 and \(Limits.invitationUses)")
            }
            for address in address where PeerAddress(address) == nil {
                throw Failure("\(address) is not an address of the form host:port")
            }
            try await options.withNode { node in
                print(
                    try await findGroup(group, node).invite(
                        expiring: .seconds(days * 86_400), as: role, uses: uses, addresses: address))
            }
        }
    }

    struct Invitations: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the invitations of this device that still admit devices.")
        @OptionGroup var options: DataOptions
        @Option(help: "The group's name or the beginning of its id.") var group: String?
        @Flag(help: "Print JSON lines.") var json = false

        private struct Row: Codable {
            let id: String
            let role: String
            let expires: String
            let uses: Int
            let users: [String]
        }

        func run() async throws {
            try await options.withReader { node in
                for invitation in try await findGroup(group, node).invitations {
                    let (id, expires) = (invitation.id, invitation.expiry.ISO8601Format())
                    if json {
                        try printJSON(
                            Row(
                                id: id, role: "\(invitation.role)", expires: expires, uses: invitation.uses,
                                users: invitation.users.map(\.description)))
                        continue
                    }
                    print(
                        "\(id.prefix(8))  \(invitation.role), until \(expires), used by \(invitation.users.count) of \(invitation.uses)"
                    )
                }
            }
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End an invitation of this device.",
            discussion: "Members that joined by it stay. `tombolo member remove` removes a member.")
        @OptionGroup var options: DataOptions
        @Option(help: "The group's name or the beginning of its id.") var group: String?
        @Argument(help: "The invitation's id, or its first digits: see `tombolo group invitations`.") var invitation:
            String

        func run() async throws {
            try await options.withNode { node in
                let group = try await findGroup(group, node)
                let found = try await group.invitations.filter { $0.id.hasPrefix(invitation.lowercased()) }
                try await group.revoke(
                    theOnly(
                        found, orNone: "there is no invitation \(invitation): see `tombolo group invitations`",
                        orSeveral: "\(found.count) invitations begin with \(invitation): give more digits"))
            }
        }
    }

    struct Join: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Join the group of a link.")
        @OptionGroup var options: DataOptions
        @Argument(help: "The link, which begins with tombolo:join?.") var link: String

        func run() async throws {
            let link = try InvitationLink(link)
            try await options.withNode { node in
                let group = try await node.join(link)
                print("joined \(group.name.printable), \(try await group.unreadCount) entries")
            }
        }
    }
}
