/// Why bytes are not what they should be. Carries where, so that a second implementation can be debugged with it.
public enum WireError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The bytes end within a value.
    case truncated(offset: Int)
    /// A varint of more than 64 bits.
    case varintTooLong(offset: Int)
    /// One of our own varints with a superfluous zero group.
    case varintNotMinimal(offset: Int)
    /// A field number out of range, a wire type that does not exist, or an unmatched group.
    case badTag(offset: Int)
    /// A value that the specification does not allow here.
    case invalid(String, offset: Int)
    /// More of something than its bound allows.
    case tooLarge(String, limit: Int)

    public var description: String {
        switch self {
        case .truncated(let offset): "the bytes end within a value at offset \(offset)"
        case .varintTooLong(let offset): "an integer of more than 64 bits at offset \(offset)"
        case .varintNotMinimal(let offset): "an integer with superfluous bytes at offset \(offset)"
        case .badTag(let offset): "no valid field begins at offset \(offset)"
        case .invalid(let what, let offset): "\(what) is not valid at offset \(offset)"
        case .tooLarge(let what, let limit): "\(what) exceeds its limit of \(limit)"
        }
    }
}
