public import TomboloCore

/// A member's statement that one of its devices is lost, as a link: `tombolo:removal?…`.
public struct RemovalLink: Sendable, Hashable, CustomStringConvertible {
    public let removal: DeviceRemoval

    static let prefix = "tombolo:removal?"

    public init(_ removal: DeviceRemoval) { self.removal = removal }

    /// - Throws: ``TomboloError`` if the text is not such a link. Whether its signature verifies shows when it is posted.
    public init(_ text: String) throws {
        guard let bytes = LinkText.bytes(in: text, after: Self.prefix) else {
            throw TomboloError("the removal of a device begins with \(Self.prefix): copy the whole link")
        }
        guard let removal = try? DeviceRemoval(decoding: bytes[...]) else {
            throw TomboloError("the removal is damaged: copy the whole link")
        }
        self.removal = removal
    }

    public var description: String { LinkText.link(Self.prefix, removal.encoded) }
}
