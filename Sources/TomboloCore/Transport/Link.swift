/// The name of a session: one exchange with one peer over one link. The engine's caller chooses it, and uses none
/// twice.
public struct SessionID: RawRepresentable, Hashable, Comparable, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
}

/// A link to a peer whose device key the transport has verified.
public struct PeerLink: Hashable, Sendable {
    public var session: SessionID
    public var peer: DeviceKey
    /// Whether this device dialled.
    public var isDialler: Bool
    /// The channel binding: 32 bytes that both sides of this link know and that no other link has (protocol 4-2).
    public var binding: Bytes32
    /// The peer's dialect. A peer that speaks MVDS alone has no sessions and sends no `hello`.
    public var dialect: Dialect
    /// Bytes of windows that may be on their way at once in each direction; nil if the link has no such budget.
    public var windowLimit: Int?
    /// The most bytes of one payload; nil for ``Limits/frame``, which the native dialect needs.
    public var mtu: Int?
    /// The invitation by which this device joins, if it dialled one.
    public var invitation: Invitation?

    public init(
        session: SessionID, peer: DeviceKey, isDialler: Bool, binding: Bytes32, dialect: Dialect = .native,
        invitation: Invitation? = nil, windowLimit: Int? = nil, mtu: Int? = nil
    ) {
        self.session = session
        self.peer = peer
        self.isDialler = isDialler
        self.binding = binding
        self.dialect = dialect
        self.windowLimit = windowLimit
        self.mtu = mtu
        self.invitation = invitation
    }
}

extension PeerLink {
    /// The tag by which one side of this link shows a group (protocol 5-7).
    ///
    /// - Parameters:
    ///   - secret: the secret that only devices of the group know.
    ///   - ofDialler: whether the dialler shows the tag, and not the listener.
    func tag(keyedBy secret: Bytes32, ofDialler: Bool, using cryptography: some Cryptography) -> Bytes {
        let role: UInt8 = ofDialler ? 0 : 1
        let text = Array("tombolo-tag-1".utf8) + binding.bytes + [role]
        return cryptography.hmac(key: secret, text).bytes[..<16]
    }
}

extension ShownRoot {
    init(_ root: Bytes32, on link: PeerLink, using cryptography: some Cryptography) {
        self.init(root, binding: link.binding, using: cryptography)
    }

    func shows(_ root: Bytes32, on link: PeerLink, using cryptography: some Cryptography) -> Bool {
        shows(root, binding: link.binding, using: cryptography)
    }
}
