public import Foundation
public import TomboloCore

/// An invitation as a link: `tombolo:join?…` to a group, `tombolo:device?…` to become another device of the inviter's
/// member (protocol §5.5).
public struct InvitationLink: Sendable, Hashable, CustomStringConvertible {
    /// The invitation that the link carries.
    public let invitation: Invitation

    private static let groupPrefix = "tombolo:join?"
    private static let devicePrefix = "tombolo:device?"

    /// Creates the link of an invitation.
    public init(_ invitation: Invitation) { self.invitation = invitation }

    /// - Parameter text: the link; white space around it is ignored.
    /// - Throws: ``TomboloError`` `invalidLink` if the text is not such a link.
    public init(_ text: String) throws {
        let group = LinkText.bytes(in: text, after: Self.groupPrefix)
        guard let bytes = group ?? LinkText.bytes(in: text, after: Self.devicePrefix) else {
            throw TomboloError(
                .invalidLink, "the link of an invitation begins with \(Self.groupPrefix) or \(Self.devicePrefix)",
                recovery: "copy the whole link")
        }
        guard let invitation = try? Invitation(decoding: bytes[...]), invitation.isForDevice == (group == nil) else {
            throw TomboloError(.invalidLink, "the link of the invitation is damaged", recovery: "copy the whole link")
        }
        self.invitation = invitation
    }

    /// The invitation in a URL with which the system opened the application, or that was scanned.
    ///
    /// - Throws: ``TomboloError`` `invalidLink` if the URL is not such a link.
    public init(url: URL) throws { try self.init(url.absoluteString) }

    /// The link as a URL of the scheme `tombolo`; nil if Foundation cannot represent it.
    public var url: URL? { URL(string: description) }

    /// The link as text.
    public var description: String {
        LinkText.link(invitation.isForDevice ? Self.devicePrefix : Self.groupPrefix, invitation.encoded)
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

/// Bytes as the text of a link: base64url without padding (RFC 4648, section 5).
enum LinkText {
    static func link(_ prefix: String, _ bytes: [UInt8]) -> String {
        prefix
            + Data(bytes).base64EncodedString().replacingOccurrences(of: "+", with: "-")
            .replacingOccurrences(of: "/", with: "_").replacingOccurrences(of: "=", with: "")
    }

    /// - Returns: nil if the text does not begin with the prefix; empty if the rest is not base64url.
    static func bytes(in text: String, after prefix: String) -> [UInt8]? {
        let trimmed = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard trimmed.hasPrefix(prefix) else { return nil }
        var base64 = trimmed.dropFirst(prefix.count).replacingOccurrences(of: "-", with: "+")
            .replacingOccurrences(of: "_", with: "/")
        while !base64.count.isMultiple(of: 4) { base64 += "=" }
        return Data(base64Encoded: base64).map { Array($0) } ?? []
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
