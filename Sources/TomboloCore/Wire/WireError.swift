/// The reason why bytes cannot be decoded, with the place, so that a second implementation can be debugged with it.
public enum WireError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The bytes end within a value.
    case truncated(offset: Int)
    /// A varint has more than 64 bits.
    case varintTooLong(offset: Int)
    /// A varint outside Protocol Buffers has a superfluous zero group (protocol 0-3).
    case varintNotMinimal(offset: Int)
    /// A field number is out of range, a wire type does not exist, or a group is unmatched.
    case badTag(offset: Int)
    /// The specification does not allow this value at this place.
    case invalid(String, offset: Int)
    /// Something exceeds its bound.
    case tooLarge(String, limit: Int)

    public var description: String {
        switch self {
        case .truncated(let offset): "the bytes end within a value at offset \(offset)"
        case .varintTooLong(let offset): "the integer at offset \(offset) has more than 64 bits"
        case .varintNotMinimal(let offset): "the integer at offset \(offset) has superfluous bytes"
        case .badTag(let offset): "no valid field begins at offset \(offset)"
        case .invalid(let what, let offset): "\(what) is not valid at offset \(offset)"
        case .tooLarge(let what, let limit): "\(what) exceeds its limit of \(limit)"
        }
    }
}
