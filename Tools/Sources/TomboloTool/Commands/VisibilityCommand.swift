import ArgumentParser
import Foundation
import Tombolo
import TomboloCore

func parseVisibility(_ text: String) throws -> VisibilityLevel {
    guard let visibility = VisibilityLevel.allCases.first(where: { "\($0)" == text }) else {
        throw ValidationError("\(text) is not a visibility: invisible, visible or shared")
    }
    return visibility
}

/// Finds a member of any group, a member's device or a peer by the first digits of its key.
func findContact(_ digits: String, _ node: Node) async throws -> Contact {
    var contacts = Set(try await node.peers.compactMap { $0.id.device.map(Contact.device) })
    for group in try await node.groups where group.dialect == .native {
        for member in try await group.members {
            contacts.insert(.member(member.id))
            contacts.formUnion(member.devices.map { .device($0) })
        }
    }
    let found = contacts.filter { $0.digits.hasPrefix(digits.lowercased()) && !digits.isEmpty }
    return try theOnly(
        found.sorted(),
        orNone: "no contact's key begins with \(digits): see `tombolo member list` and `tombolo peer list`",
        orSeveral: "\(found.count) keys begin with \(digits): give more digits")
}

extension Contact {
    fileprivate var digits: String {
        switch self {
        case .member(let key): "\(key)"
        case .device(let key): "\(key)"
        }
    }
}

extension Group {
    struct Visibility: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set how far a group is shared with a contact, or list the settings.",
            discussion: """
                invisible: the contact's devices see no more of the group than if this device did not have it; \
                visible: their events are received, and nothing is sent to them; shared: as for all others. A member \
                stands for all devices that have proved to be its own. Your other devices follow the setting. It \
                governs links to your devices alone: a member still gets events from others, and knows of the group. \
                `tombolo member remove` ends that.
                """)
        @OptionGroup var options: DataOptions
        @Option(help: "The group's name or the beginning of its id.") var group: String?
        @Flag(help: "Print JSON.") var json = false
        @Argument(
            help: "The first digits of a member's or a device's key. Without it, all settings are listed.")
        var contact: String?
        @Argument(
            help: "invisible, visible or shared. Without it, the setting is printed.", transform: parseVisibility)
        var visibility: VisibilityLevel?

        func run() async throws {
            if let contact, let visibility {
                try await options.withNode { node in
                    let (group, contact) = (try await findGroup(group, node), try await findContact(contact, node))
                    try await group.setVisibility(visibility, to: contact)
                    try show([contact: visibility])
                }
            } else {
                try await options.withReader { node in
                    let settings = try await findGroup(group, node).visibilities
                    guard let contact else { return try show(settings) }
                    let found = try await findContact(contact, node)
                    try show([found: settings[found] ?? .shared])
                }
            }
        }

        private func show(_ settings: [Contact: VisibilityLevel]) throws {
            for (contact, visibility) in settings.sorted(by: { $0.key < $1.key }) {
                if json {
                    try printJSON(VisibilityRow(contact, visibility))
                } else {
                    print("\(contact)  \(visibility)")
                }
            }
        }
    }
}

/// A setting as `group visibility --json` prints it.
private struct VisibilityRow: Encodable {
    let kind: String
    let key: String
    let visibility: String

    init(_ contact: Contact, _ visibility: VisibilityLevel) {
        kind = if case .member = contact { "member" } else { "device" }
        key = contact.digits
        self.visibility = "\(visibility)"
    }
}
