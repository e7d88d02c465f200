/// How much of a rekey event's secret a store has; the first byte of what it keeps.
public enum SecretExtent: UInt8, Hashable, Sendable {
    /// The values key, and keys of contents of which nothing shows that they are the event's: they were punctured elsewhere. They open what they
    /// open, here and where they are handed on, and nothing is sealed under them.
    case unproven = 0
    /// All of it was here once, and was what the event commits to.
    case proven = 1
    /// The values key alone.
    case values = 2
}

/// The secret of a rekey event as a store keeps it, or what is left of it (protocol §2.8).
package struct RekeySecret: Sendable {
    package var extent: SecretExtent
    /// What the values of keys are sealed under. The event commits to it: there is no wrong one.
    package let values: Bytes32
    /// What contents are sealed under; nil if only values can be read here.
    package var contents: PuncturableKey?

    /// A whole one.
    package init(root: Bytes32, using cryptography: some Cryptography) {
        self.init(.proven, values: Self.values(of: root, using: cryptography), contents: PuncturableKey(root: root))
    }

    package init(_ extent: SecretExtent, values: Bytes32, contents: PuncturableKey? = nil) {
        (self.extent, self.values, self.contents) = (extent, values, contents)
    }

    /// SHA-256("tombolo-values-1" ‖ secret).
    static func values(of root: Bytes32, using cryptography: some Cryptography) -> Bytes32 {
        cryptography.sha256(Array("tombolo-values-1".utf8) + root.bytes)
    }

    /// SHA-256("tombolo-rekey-1" ‖ values key), which the rekey event says.
    package func commitment(using cryptography: some Cryptography) -> Bytes32 {
        cryptography.sha256(Array("tombolo-rekey-1".utf8) + values.bytes)
    }

    /// u8 extent ‖ values key (32) ‖ nodes.
    package var encoded: [UInt8] { [extent.rawValue] + values.bytes + (contents?.encoded ?? []) }

    package init(decoding bytes: [UInt8]) throws(WireError) {
        var reader = WireReader(bytes[...])
        guard let extent = SecretExtent(rawValue: try reader.byte()) else { throw .invalid("a secret", offset: 0) }
        let values = try reader.bytes32()
        guard (extent == .values) == reader.isAtEnd else { throw .invalid("a secret's nodes", offset: reader.offset) }
        let contents = reader.isAtEnd ? nil : try PuncturableKey(decoding: reader.rest())
        self.init(extent, values: values, contents: contents)
    }
}
