/// The secret of a rekey event as a store keeps it, or what is left of it.
struct StoredSecret: Sendable {
    /// Whether it was what the rekey event commits to when it came, or was made here. What was punctured elsewhere cannot be held against the
    /// event: it opens what it opens, there and where it is handed on, and nothing is sealed under it.
    var isProven: Bool
    var key: PuncturableKey

    /// u8 1 if proven, else 0 ‖ nodes.
    var encoded: [UInt8] { [isProven ? 1 : 0] + key.encoded }

    init(_ key: PuncturableKey, isProven: Bool) { (self.key, self.isProven) = (key, isProven) }

    init(decoding bytes: [UInt8]) throws(WireError) {
        guard let first = bytes.first, first <= 1 else { throw .invalid("a secret", offset: 0) }
        isProven = first == 1
        key = try PuncturableKey(decoding: bytes.dropFirst())
    }
}
