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

/// A member's standing in a group (protocol 2.6-36).
public struct Standing: Hashable, Sendable {
    public var role: Role
    /// The strongest right in force; nil for a member without any.
    package var right: Right?
    /// The role change that gives that right; nil where none is needed.
    package var grant: EventReference?
}

/// The place of a state event in the order of (Lamport time, id).
package struct Seniority: Hashable, Sendable, Comparable {
    package var lamport: UInt64
    package var id: EventID

    /// The seniority of the owner that the group's statement names.
    static let founder = Seniority(lamport: 0, id: EventID(.zero))
    /// The seniority of a member that no role change names.
    static let never = Seniority(lamport: .max, id: EventID(.zero))

    package static func < (lhs: Self, rhs: Self) -> Bool { (lhs.lamport, lhs.id) < (rhs.lamport, rhs.id) }
}

/// A right to write in a group: the role that a role change states for a member, and the place of that role change.
///
/// A right never changes. It may fall with its role change, and demotions may lower it (protocol 2.6-16 to 2.6-19).
package struct Right: Hashable, Sendable, Comparable {
    package var role: Role
    package var since: Seniority

    /// The right of the owner that the group's statement names.
    static let founder = Right(role: .owner, since: .founder)

    /// The right of members that need no role change for it.
    init(default role: Role) { self.init(role: role, since: .never) }

    init(role: Role, since: Seniority) { (self.role, self.since) = (role, since) }

    /// Whether `rhs` is the stronger right (protocol 2.6-18).
    package static func < (lhs: Self, rhs: Self) -> Bool {
        lhs.role == rhs.role ? lhs.since > rhs.since : lhs.role < rhs.role
    }
}
