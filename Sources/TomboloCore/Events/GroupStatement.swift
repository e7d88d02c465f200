/// The way events are named, ordered and judged in a group, fixed at its creation.
public enum Dialect: UInt8, Hashable, Sendable {
    /// Tombolo's own.
    case native = 0
    /// As other MVDS peers speak it.
    case mvds = 1
}

/// Who may write without being named by a state event, and who can read; fixed at the group's creation.
public enum Policy: UInt8, Hashable, Sendable {
    /// Who holds the group's secret writes and reads.
    case open = 0
    /// Who an admin has made a member writes; contents are sealed to who has been made a reader or more.
    case `private` = 1
    /// The owner writes, and who it makes a member; anyone who holds the group's secret follows.
    case feed = 2
    /// Who knows the group's name writes and reads. Nobody owns it: the same name is the same group everywhere.
    case `public` = 3
    /// As ``private``; and who is admitted reads what is said by those who know of it, and nothing from before.
    case privateFromJoining = 4

    /// Whether contents are sealed to members.
    package var isSealed: Bool { self == .private || self == .privateFromJoining }
    /// Whether who joins is handed the secrets of what was said before.
    package var sharesHistory: Bool { self != .privateFromJoining }
}

/// A native group's first statement, whose hash is its id (protocol §2.5).
public struct GroupStatement: Hashable, Sendable {
    public var policy: Policy
    public var owner: MemberKey
    /// ``discoveryCommitment(_:using:)`` of the group's discovery secret: an inviter cannot give everyone another one.
    public var discovery: Bytes32
    /// 16 random bytes.
    public var nonce: [UInt8]
    public var extensions: [UInt8]

    static let version: UInt8 = 1
    static let rules: UInt8 = 1
    static let longest = 1_024

    public init(policy: Policy = .open, owner: MemberKey, discovery: Bytes32, nonce: [UInt8], extensions: [UInt8] = [])
    {
        self.policy = policy
        self.owner = owner
        self.discovery = discovery
        self.nonce = nonce
        self.extensions = extensions
    }

    /// What a public group's statement and discovery secret follow from: its name alone.
    public static func `public`(
        named name: String, using cryptography: some Cryptography
    ) -> (statement: GroupStatement, discovery: Bytes32) {
        let secret = cryptography.sha256(Array("tombolo-public-1".utf8) + Array(name.utf8))
        let statement = GroupStatement(
            policy: .public, owner: MemberKey(.zero), discovery: discoveryCommitment(secret, using: cryptography),
            nonce: [UInt8](repeating: 0, count: 16))
        return (statement, secret)
    }

    /// Decodes a statement; one that this version does not fully know is refused, for it could not be judged.
    public init(decoding bytes: Bytes) throws(EventError) {
        do throws(WireError) {
            guard bytes.count <= Self.longest else { throw .tooLarge("statement", limit: Self.longest) }
            var reader = WireReader(bytes)
            let (version, dialect) = (try reader.byte(), try reader.byte())
            let (policy, rules) = (Policy(rawValue: try reader.byte()), try reader.byte())
            guard version == Self.version, rules == Self.rules, dialect == Dialect.native.rawValue, let policy else {
                throw .invalid("a group statement of a version or policy that is not known", offset: 0)
            }
            self.policy = policy
            owner = MemberKey(try reader.bytes32())
            discovery = try reader.bytes32()
            nonce = Array(try reader.take(16))
            extensions = Array(reader.rest())
            // Of one name there is one group.
            guard policy != .public || owner == MemberKey(.zero) && nonce.allSatisfy({ $0 == 0 }) && extensions.isEmpty
            else { throw .invalid("a public group's statement that says more than its name", offset: 0) }
        } catch {
            throw .malformed(error)
        }
    }

    public var encoded: [UInt8] {
        [Self.version, Dialect.native.rawValue, policy.rawValue, Self.rules] + owner.bytes + discovery.bytes + nonce
            + extensions
    }

    /// SHA-256("tombolo-discovery-1" ‖ secret).
    public static func discoveryCommitment(_ secret: Bytes32, using cryptography: some Cryptography) -> Bytes32 {
        cryptography.sha256(Array("tombolo-discovery-1".utf8) + secret.bytes)
    }

    public static func groupID(of statement: [UInt8], using cryptography: some Cryptography) -> GroupID {
        GroupID(cryptography.sha256(Array("tombolo-group".utf8) + statement))
    }
}
