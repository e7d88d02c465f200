/// The way in which this device shares a group with a contact over links to it (protocol 5.10-1, decision 0025).
///
/// It governs this device alone: other devices may pass on the group's events.
public enum VisibilityLevel: UInt8, Hashable, Comparable, Sendable, CaseIterable {
    /// The device does not show the contact that it has the group. It answers as a device without the group would.
    case invisible = 0
    /// The device shows the contact the group, and its frontier. It receives the contact's events and sends none.
    case visible = 1
    /// Both sides send each other the events that they lack.
    case shared = 2

    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
}

/// A member or a device that this device may meet.
public enum Contact: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// All devices that have proved to be the member's, by any certificate or admission in the store.
    case member(MemberKey)
    case device(DeviceKey)

    public var description: String {
        switch self {
        case .member(let key): "member \(key)"
        case .device(let key): "device \(key)"
        }
    }

    /// Parses a ``description``; nil if the text is none.
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
