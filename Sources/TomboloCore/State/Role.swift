/// A member's rights in a group. Each role has the rights of the lower ones (protocol 2.6-1).
public enum Role: UInt8, Hashable, Sendable, Comparable, CaseIterable {
    /// The member has no rights: it was never admitted, was removed, or has left.
    case none = 0
    /// The member reads.
    case reader = 1
    /// The member writes, and sets the application's keys.
    case member = 2
    /// The member promotes, demotes and removes members below it, and sets the group's own keys.
    case admin = 3
    /// The member has every right, also over owners of later seniority.
    case owner = 4

    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
}

extension Policy {
    /// The role of a member that no state event names (protocol 2.5-2).
    public var defaultRole: Role {
        switch self {
        case .open, .public: .member
        case .private, .privateFromJoining: .none
        case .feed: .reader
        }
    }
}

/// A member's standing in a group (protocol 2.6-16).
public struct Standing: Hashable, Sendable {
    public var role: Role
    /// The member's seniority. For equal roles the earlier one wins.
    package var since: Seniority
    /// The demotion that took the member's right to write, and names the events that are kept; nil if the member may
    /// write.
    package var demotion: EventID?
}

/// The place of the state event since which a member has a role, in the order of (Lamport time, id) (protocol 2.6-17).
package struct Seniority: Hashable, Sendable, Comparable {
    package var lamport: UInt64
    package var id: EventID

    /// The seniority of the owner that the group's statement names.
    static let founder = Seniority(lamport: 0, id: EventID(.zero))
    /// The seniority of a member that no promotion names.
    static let never = Seniority(lamport: .max, id: EventID(.zero))

    package static func < (lhs: Self, rhs: Self) -> Bool { (lhs.lamport, lhs.id) < (rhs.lamport, rhs.id) }
}

/// The strength of a member, which decides where two members demote each other: by role, then seniority, then key
/// (protocol 2.6-18).
package struct Strength: Hashable, Sendable, Comparable {
    package var standing: Standing
    package var member: MemberKey

    /// Whether `rhs` is above `lhs`.
    package static func < (lhs: Self, rhs: Self) -> Bool {
        if lhs.standing.role != rhs.standing.role { return lhs.standing.role < rhs.standing.role }
        if lhs.standing.since != rhs.standing.since { return lhs.standing.since > rhs.standing.since }
        return lhs.member > rhs.member
    }
}
