public import TomboloCore

/// A member's statement that one of its devices is lost, as a link: `tombolo:removal?…`.
public struct RemovalLink: Sendable, Hashable, CustomStringConvertible {
    /// The signed statement.
    public let removal: DeviceRemoval

    private static let kind = "removal"

    /// Creates the link of a statement.
    public init(_ removal: DeviceRemoval) { self.removal = removal }

    /// - Parameter text: the link, as it is or within a text.
    /// - Throws: ``TomboloError`` `invalidLink` if the text has no such link. Posting it verifies the signature.
    public init(_ text: String) throws {
        switch LinkText.find([Self.kind], in: text, decode: { try? DeviceRemoval(decoding: $1[...]) }) {
        case .found(let removal): self.removal = removal
        case .damaged:
            throw TomboloError(.invalidLink, "the link of the removal is damaged", recovery: "copy the whole link")
        case .none:
            throw TomboloError(
                .invalidLink, "the link of a removal begins with tombolo:removal?", recovery: "copy the whole link")
        }
    }

    /// The link as text.
    public var description: String { LinkText.link(Self.kind, removal.encoded) }
}
