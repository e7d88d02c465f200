public import TomboloCore

/// A member's statement that one of its devices is lost, as a link: `tombolo:removal?…`.
public struct RemovalLink: Sendable, Hashable, CustomStringConvertible {
    /// The signed statement.
    public let removal: DeviceRemoval

    static let prefix = "tombolo:removal?"

    /// Creates the link of a statement.
    public init(_ removal: DeviceRemoval) { self.removal = removal }

    /// - Throws: ``TomboloError`` `invalidLink` if the text is not such a link. Posting it verifies the signature.
    public init(_ text: String) throws {
        guard let bytes = LinkText.bytes(in: text, after: Self.prefix) else {
            throw TomboloError(
                .invalidLink, "the link of a removal begins with \(Self.prefix)", recovery: "copy the whole link")
        }
        guard let removal = try? DeviceRemoval(decoding: bytes[...]) else {
            throw TomboloError(.invalidLink, "the link of the removal is damaged", recovery: "copy the whole link")
        }
        self.removal = removal
    }

    /// The link as text.
    public var description: String { LinkText.link(Self.prefix, removal.encoded) }
}
