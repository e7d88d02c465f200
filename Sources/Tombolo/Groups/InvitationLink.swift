public import Foundation
public import TomboloCore

/// An invitation as a link: `tombolo:join?…` to a group, `tombolo:device?…` to become another device of the inviter's
/// member (protocol §5.5).
public struct InvitationLink: Sendable, Hashable, CustomStringConvertible {
    /// The invitation that the link carries.
    public let invitation: Invitation

    private static let (group, device) = ("join", "device")

    /// Creates the link of an invitation.
    public init(_ invitation: Invitation) { self.invitation = invitation }

    /// - Parameter text: the link, as it is or within a text. Line breaks, encodings and capitals that chats and mails make
    ///   of it are undone.
    /// - Throws: ``TomboloError`` `invalidLink` if the text has no such link.
    public init(_ text: String) throws {
        let finding = LinkText.find([Self.group, Self.device], in: text) { kind, bytes -> Invitation? in
            guard let invitation = try? Invitation(decoding: bytes[...]) else { return nil }
            return invitation.isForDevice == (kind == Self.device) ? invitation : nil
        }
        switch finding {
        case .found(let invitation): self.invitation = invitation
        case .damaged:
            throw TomboloError(.invalidLink, "the link of the invitation is damaged", recovery: "copy the whole link")
        case .none:
            throw TomboloError(
                .invalidLink, "the link of an invitation begins with tombolo:join? or tombolo:device?",
                recovery: "copy the whole link")
        }
    }

    /// The invitation in a URL with which the system opened the application, or that was scanned.
    ///
    /// - Throws: ``TomboloError`` `invalidLink` if the URL is not such a link.
    public init(url: URL) throws { try self.init(url.absoluteString) }

    /// The link as a URL of the scheme `tombolo`; nil if Foundation cannot represent it.
    public var url: URL? { URL(string: description) }

    /// The link as text.
    public var description: String {
        LinkText.link(invitation.isForDevice ? Self.device : Self.group, invitation.encoded)
    }
}

extension InvitationLink: Codable {
    /// - Throws: `DecodingError` if the text is not such a link.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        do {
            self = try InvitationLink(try container.decode(String.self))
        } catch let error as TomboloError {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: error.message)
        }
    }

    /// Encodes the link as its text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// An invitation of this device. Its secret is in the link alone.
public struct OpenInvitation: Sendable, Hashable, Identifiable {
    let bytes: [UInt8]
    /// 32 hexadecimal digits.
    public var id: String { hexadecimal(bytes) }
    /// The time until which it admits devices.
    public let expiry: Date
    /// The role of members that join by it.
    public let role: Role
    /// The number of devices that it admits.
    public let uses: Int
    /// The devices that it has admitted.
    public let users: [DeviceKey]

    init(_ record: InvitationRecord) {
        bytes = record.id
        expiry = Date(milliseconds: record.expiry)
        role = record.role
        uses = record.mostUses
        users = record.uses.map(\.device)
    }
}
