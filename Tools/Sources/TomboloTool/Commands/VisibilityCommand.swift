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

/// The member or device whose key begins so, among those that any group or peer tells of.
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
        orNone: "nobody's key begins with \(digits): see `tombolo member list` and `tombolo peer list`",
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
            abstract: "Say how far a group is shared with a contact, or list from whom it is hidden.",
            discussion: """
                invisible: the contact's devices see no more of the group than if it were not here; \
                visible: what they say is taken, and nothing is sent to them; shared: as with everybody. A member stands for all devices that have shown to be its. \
                Your other devices follow. It is about links to this device: a member gets what is said from others, and knows of the group. \
                To end that, `tombolo member remove`.
                """)
        @OptionGroup var options: DataOptions
        @Option(help: "The group's name or the beginning of its id.") var group: String?
        @Flag(help: "Print JSON.") var json = false
        @Argument(
            help: "The beginning of a member's or a device's key. Left out: those that it is hidden from are listed.")
        var contact: String?
        @Argument(
            help: "invisible, visible or shared. Left out: what holds now is printed.", transform: parseVisibility)
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

/// What `group visibility --json` prints for each.
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
