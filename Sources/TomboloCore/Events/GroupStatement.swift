/// The way in which events are named, ordered and validated in a group. It is fixed at the group's creation.
public enum Dialect: UInt8, Hashable, Sendable {
    /// Tombolo's own dialect.
    case native = 0
    /// The dialect of peers that speak MVDS alone.
    case mvds = 1
}

/// The role of a member that no state event names, and whether contents are encrypted (protocol 2.5-2).
///
/// It is fixed at the group's creation.
public enum Policy: UInt8, Hashable, Sendable {
    /// Every holder of the group's secret writes and reads.
    case open = 0
    /// Members whom an admin has promoted write. Contents are encrypted to members that are readers or above.
    case `private` = 1
    /// The owner writes, and so do members whom it promotes. Every holder of the group's secret reads.
    case feed = 2
    /// Everyone that knows the group's name writes and reads. Nobody owns the group: one name is one group everywhere.
    case `public` = 3
    /// As ``private``, but a new member reads only what authors that have seen its joining write (protocol 2.8-17).
    case privateFromJoining = 4

    /// Whether contents are encrypted to members.
    package var isSealed: Bool { self == .private || self == .privateFromJoining }
    /// Whether a new member receives the secrets of earlier contents.
    package var sharesHistory: Bool { self != .privateFromJoining }
}

/// The statement that defines a native group. Its hash is the group's id (protocol 2.5-1).
public struct GroupStatement: Hashable, Sendable {
    public var policy: Policy
    public var owner: MemberKey
    /// The ``discoveryCommitment(_:using:)`` of the group's discovery secret. So an inviter cannot give a joiner
    /// another secret.
    public var discovery: Bytes32
    /// 16 random bytes; zeros in a public group.
    public var nonce: [UInt8]
    public var extensions: [UInt8]

    static let version: UInt8 = 1
    /// The rules by which rights are validated and resolved.
    static let rules: UInt8 = 2
    static let longest = 1_024

    public init(policy: Policy = .open, owner: MemberKey, discovery: Bytes32, nonce: [UInt8], extensions: [UInt8] = [])
    {
        self.policy = policy
        self.owner = owner
        self.discovery = discovery
        self.nonce = nonce
        self.extensions = extensions
    }

    /// The statement and the discovery secret of a public group, which follow from its name alone (protocol 2.5-6,
    /// 2.5-7).
    public static func `public`(
        named name: String, using cryptography: some Cryptography
    ) -> (statement: GroupStatement, discovery: Bytes32) {
        let secret = cryptography.sha256(Array("tombolo-public-1".utf8) + Array(name.utf8))
        let statement = GroupStatement(
            policy: .public, owner: MemberKey(.zero), discovery: discoveryCommitment(secret, using: cryptography),
            nonce: [UInt8](repeating: 0, count: 16))
        return (statement, secret)
    }

    /// Decodes a statement.
    ///
    /// - Throws: ``EventError`` if the bytes are no statement, or one of a version, dialect, policy or rules that
    ///   this version does not know: it could not validate the group's events.
    public init(decoding bytes: Bytes) throws(EventError) {
        do throws(WireError) {
            guard bytes.count <= Self.longest else { throw .tooLarge("statement", limit: Self.longest) }
            var reader = WireReader(bytes)
            let (version, dialect) = (try reader.byte(), try reader.byte())
            let (policy, rules) = (Policy(rawValue: try reader.byte()), try reader.byte())
            guard version == Self.version, rules == Self.rules, dialect == Dialect.native.rawValue, let policy else {
                throw .invalid("a group statement of an unknown version or policy", offset: 0)
            }
            self.policy = policy
            owner = MemberKey(try reader.bytes32())
            discovery = try reader.bytes32()
            nonce = Array(try reader.take(16))
            extensions = Array(reader.rest())
            // One name has one group, so its statement leaves no choice (protocol 2.5-7).
            guard policy != .public || owner == MemberKey(.zero) && nonce.allSatisfy({ $0 == 0 }) && extensions.isEmpty
            else { throw .invalid("a public group's statement with more than its name", offset: 0) }
        } catch {
            throw .malformed(error)
        }
    }

    public var encoded: [UInt8] {
        [Self.version, Dialect.native.rawValue, policy.rawValue, Self.rules] + owner.bytes + discovery.bytes + nonce
            + extensions
    }

    /// The commitment to a discovery secret: SHA-256("tombolo-discovery-1" ‖ secret) (protocol 2.5-1).
    public static func discoveryCommitment(_ secret: Bytes32, using cryptography: some Cryptography) -> Bytes32 {
        cryptography.sha256(Array("tombolo-discovery-1".utf8) + secret.bytes)
    }

    public static func groupID(of statement: [UInt8], using cryptography: some Cryptography) -> GroupID {
        GroupID(cryptography.sha256(Array("tombolo-group".utf8) + statement))
    }
}
