public import Foundation
public import TomboloCore

/// An invitation as a link: `tombolo:join?…` (protocol §5.5).
public struct InvitationLink: Sendable, Hashable, CustomStringConvertible {
    public let invitation: Invitation

    static let prefix = "tombolo:join?"

    public init(_ invitation: Invitation) { self.invitation = invitation }

    /// - Throws: ``TomboloError`` if the text is not such a link.
    public init(_ text: String) throws {
        let trimmed = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard trimmed.hasPrefix(Self.prefix) else {
            throw TomboloError("an invitation begins with \(Self.prefix): copy the whole link")
        }
        var base64 = trimmed.dropFirst(Self.prefix.count).replacingOccurrences(of: "-", with: "+")
            .replacingOccurrences(of: "_", with: "/")
        while !base64.count.isMultiple(of: 4) { base64 += "=" }
        guard let data = Data(base64Encoded: base64), let invitation = try? Invitation(decoding: Array(data)[...])
        else {
            throw TomboloError("the invitation is damaged: copy the whole link")
        }
        self.invitation = invitation
    }

    public var description: String {
        Self.prefix
            + Data(invitation.encoded).base64EncodedString().replacingOccurrences(of: "+", with: "-")
            .replacingOccurrences(of: "/", with: "_").replacingOccurrences(of: "=", with: "")
    }
}

/// An invitation that this device has given out. What it takes to use it is in the link alone.
public struct OpenInvitation: Sendable, Hashable, Identifiable {
    let bytes: [UInt8]
    /// 32 hexadecimal digits.
    public var id: String { hexadecimal(bytes) }
    public let expiry: Date
    public let role: Role
    /// How many devices it admits, and those that it has admitted.
    public let uses: Int
    public let users: [DeviceKey]

    init(_ record: InvitationRecord) {
        bytes = record.id
        expiry = Date(milliseconds: record.expiry)
        role = record.role
        uses = record.uses
        users = record.users
    }
}
