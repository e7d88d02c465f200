/// What a member may do in a group; each role may do what the lower ones may.
public enum Role: UInt8, Hashable, Sendable, Comparable, CaseIterable {
    /// Nothing: never admitted, removed, or gone.
    case none = 0
    /// Reads.
    case reader = 1
    /// Writes, and sets the application's own keys.
    case member = 2
    /// Admits, promotes and removes who is below, and sets the group's own keys.
    case admin = 3
    /// All of it, also over other owners who came later.
    case owner = 4

    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
}

extension Policy {
    /// The role of whom no state event names.
    public var defaultRole: Role {
        switch self {
        case .open, .public: .member
        case .private, .privateFromJoining: .none
        case .feed: .reader
        }
    }
}

/// A member's place in a group.
public struct Standing: Hashable, Sendable {
    public var role: Role
    /// Since when the member is one, in the order of state events: who came earlier wins over who came later.
    package var since: Seniority
    /// The event that took the right to write away: what it names of the member's logs stays.
    package var lowering: EventID?
}

/// The place of the state event that admitted a member.
package struct Seniority: Hashable, Sendable, Comparable {
    package var lamport: UInt64
    package var id: EventID

    /// The owner's, whom the group's first statement names.
    static let founder = Seniority(lamport: 0, id: EventID(.zero))
    /// Of whom no state event names.
    static let never = Seniority(lamport: .max, id: EventID(.zero))

    package static func < (lhs: Self, rhs: Self) -> Bool { (lhs.lamport, lhs.id) < (rhs.lamport, rhs.id) }
}

/// Who wins where two remove each other: by role, then seniority, then key.
package struct Strength: Hashable, Sendable, Comparable {
    package var standing: Standing
    package var member: MemberKey

    /// Whether `lhs` loses against `rhs`.
    package static func < (lhs: Self, rhs: Self) -> Bool {
        if lhs.standing.role != rhs.standing.role { return lhs.standing.role < rhs.standing.role }
        if lhs.standing.since != rhs.standing.since { return lhs.standing.since > rhs.standing.since }
        return lhs.member > rhs.member
    }
}
