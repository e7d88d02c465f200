/// How far a group is shared with a contact over links to it (decision 0025). It is about what this device does itself: what others pass on,
/// they pass on.
public enum Visibility: UInt8, Hashable, Comparable, Sendable, CaseIterable {
    /// The contact is not shown that the group is here, and is answered in nothing of it, as by a device that has not got it.
    case invisible = 0
    /// The contact is shown that the group is here, and how much; what it says is taken, and nothing is sent to it.
    case visible = 1
    /// Both sides send each other what they lack.
    case shared = 2

    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
}

/// Somebody whom this device meets.
public enum Contact: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// All devices that have shown, in anything that is here, to be the member's.
    case member(MemberKey)
    case device(DeviceKey)

    public var description: String {
        switch self {
        case .member(let key): "member \(key)"
        case .device(let key): "device \(key)"
        }
    }

    /// Takes what ``description`` makes.
    package init?(_ text: some StringProtocol) {
        let words = text.split(separator: " ")
        guard words.count == 2 else { return nil }
        switch words[0] {
        case "member":
            guard let key = MemberKey(hex: String(words[1])) else { return nil }
            self = .member(key)
        case "device":
            guard let key = DeviceKey(hex: String(words[1])) else { return nil }
            self = .device(key)
        default: return nil
        }
    }

    var place: (kind: UInt8, key: Bytes32) {
        switch self {
        case .member(let key): (0, key.value)
        case .device(let key): (1, key.value)
        }
    }

    public static func < (lhs: Self, rhs: Self) -> Bool {
        (lhs.place.kind, lhs.place.key) < (rhs.place.kind, rhs.place.key)
    }
}
