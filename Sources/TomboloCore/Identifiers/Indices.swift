/// The position of a native group among the engine's groups. It is also this side's number of the group on the wire.
struct ReplicaIndex: Hashable, Comparable, Sendable {
    let value: Int
    static func < (lhs: Self, rhs: Self) -> Bool { lhs.value < rhs.value }
}

/// The position of a group among the groups of one session.
struct SessionGroupIndex: Hashable, Comparable, Sendable {
    let value: Int
    static func < (lhs: Self, rhs: Self) -> Bool { lhs.value < rhs.value }
}
