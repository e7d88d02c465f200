/// Names a session: one contact with one peer over one link. Given by who runs the engine, never used twice.
public struct SessionID: RawRepresentable, Hashable, Comparable, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
}

/// A link to a peer whose device key the transport has verified.
public struct Link: Hashable, Sendable {
    public var session: SessionID
    public var peer: DeviceKey
    /// Whether this side dialled.
    public var isDialler: Bool
    /// 32 bytes that both sides of this link know and that no other link has (protocol §4).
    public var binding: Bytes32
    /// What is spoken: a peer of the mvds dialect knows nothing of sessions, and says no hello.
    public var dialect: Dialect
    /// Bytes of windows that may be on their way at once, in each direction, where a budget limits it.
    public var windowLimit: Int?
    /// What to join with, when an invitation was dialled.
    public var invitation: Invitation?

    public init(
        session: SessionID, peer: DeviceKey, isDialler: Bool, binding: Bytes32, dialect: Dialect = .native,
        invitation: Invitation? = nil, windowLimit: Int? = nil
    ) {
        self.session = session
        self.peer = peer
        self.isDialler = isDialler
        self.binding = binding
        self.dialect = dialect
        self.windowLimit = windowLimit
        self.invitation = invitation
    }
}

/// Names a request to the engine, so that its answer can be told from others.
public typealias RequestID = UInt64

/// What happens to an engine. It takes any number of these at once, and one transaction carries them all.
public enum EngineInput: Sendable {
    case linkOpened(Link)
    case payloadReceived(SessionID, Bytes)
    case linkClosed(SessionID)
    /// The application says something. `content` is at most ``Limits/content`` bytes.
    case append(RequestID, group: GroupID, kind: EventKind, content: [UInt8], expiry: UInt64?, files: [FileID] = [])
    /// Sends without storing. At most ``Limits/ephemeralContent`` bytes.
    case broadcast(RequestID, group: GroupID, content: [UInt8])
    /// Events that come from elsewhere than a link: an import. Up to the Lamport time `horizon` not all contents are there; `certificates` are
    /// those of logs whose beginnings are forgotten there.
    case ingest(RequestID, group: GroupID, [Message], horizon: UInt64 = 0, certificates: [Certificate] = [])
    case createGroup(RequestID, name: String, policy: Policy = .open)
    /// Makes a member what it shall be; `none` removes it.
    case setRole(RequestID, group: GroupID, of: MemberKey, to: Role)
    /// Sets a key of the group's state; nil removes it. At most ``Limits/stateValue`` bytes.
    case setState(RequestID, group: GroupID, key: String, value: [UInt8]?)
    /// Says how much of a group this device keeps.
    case setRetention(RequestID, group: GroupID, Retention)
    /// Says how far a group is shared with a contact; with none of this member's own devices, nor in their own group.
    case setVisibility(RequestID, group: GroupID, to: Contact, Visibility)
    /// Proposes to forget what has gone away, once every member has passed it.
    case proposeCheckpoint(RequestID, group: GroupID)
    /// Takes the content of an event back, for everyone. The reason is at most ``Limits/reason`` bytes.
    case redact(RequestID, group: GroupID, EventReference, reason: String)
    /// A group of the mvds dialect; its id is chosen at random if none is given.
    case createMVDSGroup(RequestID, GroupID?, name: String)
    /// Shares a group of the mvds dialect with a peer.
    case share(RequestID, group: GroupID, with: DeviceKey)
    /// Whoever uses the invitation becomes a member with this role; so many devices can, at most ``Limits/invitationUses``.
    case invite(
        RequestID, group: GroupID, addresses: [String], expiry: UInt64, role: Role = .member, uses: Int = 1)
    /// Admits nobody any more by an invitation, named by its id.
    case revoke(RequestID, group: GroupID, invitation: [UInt8])
    /// Whoever uses the invitation becomes another device of this one's member.
    case linkDevice(RequestID, addresses: [String], expiry: UInt64)
    /// Says that a device of this member's is lost, wherever it has written.
    case removeDevice(RequestID, DeviceKey)
    /// Posts in a group what was said so elsewhere, by anybody.
    case post(RequestID, DeviceRemoval, group: GroupID)
    /// Begins to sync a group that another device of this one's member is in.
    case openGroup(RequestID, GroupRecord)
    /// Makes what a bundle begins with.
    case openBundle(RequestID, group: GroupID)
    /// Seals the secrets of a group that are here to who has written a bundle.
    case sealSecrets(RequestID, group: GroupID, to: BundleOpening)
    /// Takes all secrets of an answer to a bundle.
    case takeSecrets(RequestID, group: GroupID, [CarriedSecret])
    /// Remembers a device as a peer, and where to reach it.
    case addPeer(DeviceKey, dialect: Dialect = .native, addresses: [String])
    /// Chunks of a file have been put into the store by somebody else, who has checked them.
    case addFile(RequestID, FileID, held: RangeSet<Int>)
    /// Fetches a file that an event of the group refers to, from a byte of it on.
    case wantFile(RequestID, FileID, from: UInt64? = nil)
    /// Forgets a file's chunks, and fetches no more of them.
    case dropFile(RequestID, FileID)
    /// Looks whether a chunk is what it must be. If it is not, it is fetched again.
    case checkChunk(RequestID, FileID, Int)
    case setFileLimits(RequestID, FileLimits)
    /// Nothing but that time has moved.
    case timePassed

    /// Whether it concerns one session, as far as it does not show otherwise.
    var isOfOneSession: Bool {
        switch self {
        case .linkOpened, .payloadReceived, .linkClosed, .timePassed: true
        default: false
        }
    }
}

/// What to carry out once the transaction has committed, in this order.
public enum EngineEffect: Sendable {
    case send(SessionID, [UInt8])
    /// Close the link; the reason is for the log and, where there is one, for the user.
    case close(SessionID, EngineError)
    case appended(RequestID, EventID)
    case ingested(RequestID, accepted: Int, held: Int)
    case created(RequestID, GroupID)
    case invited(RequestID, Invitation)
    case removed(RequestID, DeviceRemoval)
    case openedBundle(RequestID, BundleOpening)
    case sealedSecrets(RequestID, [CarriedSecret])
    /// What else was asked for has been done.
    case done(RequestID)
    case failed(RequestID, EngineError)
    /// There is something new in the group's change log.
    case changed(GroupID)
    /// Content was erased: the store's files are to be purged of it.
    case erased(GroupID)
    /// There is more of a file, or less.
    case fileChanged(FileID)
    /// Whether chunks of files are on their way over a session, or about to be, has changed.
    case transferring(SessionID, Bool)
    /// In the mvds dialect, which does not say who speaks, `from` is nil and the timestamp in seconds.
    case receivedEphemeral(GroupID, from: LogID?, timestamp: Int64, content: [UInt8])
    /// Two different events of one log with one sequence: both are held.
    case forked(GroupID, EventID, EventID)
    /// Peers hold events of this device's own log that are not here: the store is an older one put back, or a copy of it runs
    /// elsewhere. It writes to a new log from now on.
    case foundOlder(GroupID)
    /// A group was joined over this session.
    case joined(SessionID, GroupID)
    /// Both sides were found to know the same of the group.
    case agreed(SessionID, GroupID, ReconciliationReport)
    /// Both sides were done and differed in the group, also after everything was said anew; it is tried again later.
    case differed(SessionID, GroupID)
    /// Of two of which one sends the other nothing of the group, each has been sent what it is to be sent; told once in a session.
    case exchanged(SessionID, GroupID)
    /// The two have no group in common, as far as both have said.
    case peerReady(SessionID, DeviceKey, groups: [GroupID])
}

/// What can go wrong between an application or a peer and the engine. Never a reason to stop.
public enum EngineError: Error, Hashable, Sendable, CustomStringConvertible {
    case unknownGroup(GroupID)
    case contentTooLarge(limit: Int)
    case invalidEvent(EventError)
    /// A payload that breaks the protocol.
    case protocolViolation(String)
    case invitationRefused(String)
    case tooManySessions
    case groupExists(GroupID)
    /// The group's logs are as many as there can be, or this device's own has too many branches.
    case groupFull(GroupID)
    /// This device's member has no right to it, or it makes no sense.
    case notAllowed(String)
    /// No event that is here refers to the file, and it was not added.
    case unknownFile(FileID)
    /// With the file, there would be more than the device gives to files.
    case fileQuota(quota: UInt64)
    /// A group is not to be shared with the peer as it was on this link.
    case visibilityChanged
    /// What was asked is for groups of the mvds dialect.
    case notMVDS(GroupID)
    /// What was asked is for native groups.
    case notNative(GroupID)

    public var description: String {
        switch self {
        case .unknownGroup(let id): "there is no group \(id) here: create or join it first"
        case .contentTooLarge(let limit): "the content is larger than \(limit) bytes: split it"
        case .invalidEvent(let error): "\(error)"
        case .protocolViolation(let what): "the peer does not follow the protocol: \(what)"
        case .invitationRefused(let why): "the invitation was refused: \(why)"
        case .tooManySessions: "too many links are open: close one first"
        case .groupExists(let id): "there is a group \(id) here already"
        case .notAllowed(let why): why
        case .unknownFile(let id): "nothing that was said here refers to file \(id)"
        case .fileQuota(let quota):
            "files would take more than the \(quota) bytes that this device gives them: drop some, or raise the quota"
        case .groupFull(let id): "group \(id) takes no more logs: go on in a new group"
        case .visibilityChanged:
            "it has changed which groups are shown to the peer: connect again, which goes by what is set now"
        case .notMVDS(let id): "group \(id) is not of the mvds dialect: invite devices to it instead"
        case .notNative(let id): "group \(id) is of the mvds dialect: share it with `peer add --mvds`"
        }
    }
}
