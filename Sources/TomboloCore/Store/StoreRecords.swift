// The values that the engine and its store exchange.

/// A group as a store keeps it.
public struct GroupRecord: Hashable, Sendable {
    /// The store's number of the group; 0 until it has one.
    public var reference: Int64 = 0
    public var id: GroupID
    public var dialect: Dialect
    /// The encoded statement of a native group.
    public var statement: [UInt8]
    /// The discovery secret of the group (protocol 2.5-5).
    public var discovery: Bytes32
    /// The name that the group's creator gave it, for display only.
    public var name: String
    /// The seed of the key of this device's own conversation log; nil until the device writes to the group.
    public var ownSeed: Bytes32?
    /// The id of that log.
    public var ownLog: LogID?

    public init(id: GroupID, dialect: Dialect, statement: [UInt8], discovery: Bytes32, name: String) {
        self.id = id
        self.dialect = dialect
        self.statement = statement
        self.discovery = discovery
        self.name = name
    }

    /// Leaves this device's own log. The next event begins a new log under a new key.
    mutating func leaveOwnLog() { (ownSeed, ownLog) = (nil, nil) }

    /// The same group for a store that has nothing of it yet.
    package var forAnotherStore: GroupRecord {
        var record = self
        record.reference = 0
        record.leaveOwnLog()
        return record
    }
}

/// The status of a held event.
public enum EventStatus: UInt8, Hashable, Sendable {
    /// The event waits for ancestors, or for its content or secret.
    case waiting = 0
    /// The event was passed to the application, or skipped if it has nothing for the application.
    case delivered = 1
    /// The event is invalid (protocol 2.4-4): its header is false, its author had no right to it, or an ancestor is
    /// invalid.
    case invalid = 2
    /// The event is not delivered, since it is not wanted or does not stand (protocol 2.6-41, 2.6-47).
    case heldBack = 3
    /// The event was delivered, and then withdrawn, since it is wanted no more.
    case withdrawn = 4
}

/// The kind of a change that a group's change log states about an event.
public enum ChangeKind: UInt8, Hashable, Sendable {
    case delivered = 0
    /// The event was delivered before, and is wanted no more.
    case withdrawn = 1
    /// The event was withdrawn and is wanted again, or a content that this device had dropped has come back.
    case restored = 2
    /// The event's content is gone: it expired, was redacted, or was dropped and may be restored.
    ///
    /// An event that came without its content has this change alone.
    case erased = 3
    /// The events of the log up to this one are forgotten, since every member has passed a checkpoint
    /// (protocol 2.11-3).
    case forgotten = 4
}

/// An entry of a group's change log.
public enum StoredChange: Sendable {
    /// A change of an event, of any kind but `forgotten`.
    case event(ChangeKind, StoredEvent)
    /// The events of a log up to a sequence are forgotten.
    case forgotten(LogID, through: UInt64)
}

/// The events of a log up to a sequence.
public struct LogBeginning: Hashable, Sendable {
    /// The store's number of the log.
    public let log: Int64
    public let sequence: UInt64

    public init(log: Int64, through sequence: UInt64) { (self.log, self.sequence) = (log, sequence) }
}

/// An event with its place in a store.
public struct StoredEvent: Sendable {
    /// The number of the event in the order of arrival, over all groups, from 1 on.
    public var ordinal: Int64
    /// The store's number of the log.
    public var log: Int64
    public var status: EventStatus
    public var event: Event

    public init(ordinal: Int64, log: Int64, status: EventStatus, event: Event) {
        self.ordinal = ordinal
        self.log = log
        self.status = status
        self.event = event
    }
}

/// A stored event without its content.
public struct StoredHeader: Sendable {
    public var ordinal: Int64
    public var id: EventID
    public var header: EventHeader
    public var isSigned: Bool
    /// Whether the store has the event's content.
    public var hasContent: Bool

    public init(ordinal: Int64, id: EventID, header: EventHeader, isSigned: Bool, hasContent: Bool) {
        self.ordinal = ordinal
        self.id = id
        self.header = header
        self.isSigned = isSigned
        self.hasContent = hasContent
    }

    package var reference: EventReference {
        EventReference(id: id, log: header.log, sequence: header.sequence, lamport: header.lamport)
    }
}

extension Event {
    /// The event without its content, with its place in a store.
    package func stored(_ ordinal: Int64) -> StoredHeader {
        StoredHeader(
            ordinal: ordinal, id: id, header: header, isSigned: signature != nil, hasContent: content != nil)
    }
}

/// The key of an event in the store: its log, its sequence, and its id among the branches.
public struct EventKey: Hashable, Comparable, Sendable {
    /// The store's number of the log.
    public var log: Int64
    public var sequence: UInt64
    public var id: EventID

    public init(log: Int64, sequence: UInt64, id: EventID) {
        self.log = log
        self.sequence = sequence
        self.id = id
    }

    public static func < (lhs: Self, rhs: Self) -> Bool {
        (lhs.log, lhs.sequence, lhs.id) < (rhs.log, rhs.sequence, rhs.id)
    }
}

/// The place of an event, without its bytes.
public struct EventPlace: Hashable, Sendable {
    public var ordinal: Int64
    public var lamport: UInt64
    public var status: EventStatus

    public init(ordinal: Int64, lamport: UInt64, status: EventStatus) {
        self.ordinal = ordinal
        self.lamport = lamport
        self.status = status
    }
}

/// The part of a log with events that arrived after some ordinal.
public struct LogChange: Hashable, Sendable {
    public var log: Int64
    public var first: UInt64
    public var last: UInt64

    public init(log: Int64, first: UInt64, last: UInt64) {
        self.log = log
        self.first = first
        self.last = last
    }
}

/// An agreement: this device and a peer once had equal roots of a group (protocol 5-16).
public struct Agreement: Hashable, Sendable {
    /// The token of the root: its first eight bytes.
    public var token: UInt64
    /// The store's last ordinal at that time.
    public var ordinal: Int64
    /// The highest of the store's numbers of the group's logs at that time. Both devices knew the logs up to it, and no
    /// others.
    public var lastLog: Int64

    public init(token: UInt64, ordinal: Int64, lastLog: Int64) {
        self.token = token
        self.ordinal = ordinal
        self.lastLog = lastLog
    }
}

/// A device that this device exchanges payloads with.
public struct PeerRecord: Hashable, Sendable {
    /// The device's key. A peer that speaks MVDS alone has no key: a hash of its address stands here.
    public var device: DeviceKey
    public var dialect: Dialect
    /// The addresses where it may be reached, the one confirmed last first, at most ``Limits/peerAddresses``.
    public var addresses: [String]
    /// The incarnation that it showed last, 16 bytes; empty before its first `hello`.
    public var incarnation: [UInt8]
    /// The member that the device proved to belong to when it joined by an invitation of this device; nil if it never
    /// did.
    public var member: MemberKey?

    public init(
        device: DeviceKey, dialect: Dialect = .native, addresses: [String] = [], incarnation: [UInt8] = []
    ) {
        self.device = device
        self.dialect = dialect
        self.addresses = addresses
        self.incarnation = incarnation
    }
}

/// An invitation that this device has made.
public struct InvitationRecord: Hashable, Sendable {
    /// The id of the invitation: the first 16 bytes of SHA-256("tombolo-invitation-1" ‖ secret) (protocol 5.5-3).
    public var id: [UInt8]
    /// The secret, 16 bytes.
    public var secret: [UInt8]
    public var group: GroupID
    /// The time at which it expires, in milliseconds since 1970.
    public var expiry: UInt64
    /// The role that the invitation promises to the joiner's member.
    public var role: Role
    /// The number of devices that it admits.
    public var mostUses: Int
    /// The devices that it has admitted, each for one member.
    public var uses: [InvitationUse]

    public init(
        id: [UInt8], secret: [UInt8], group: GroupID, expiry: UInt64, role: Role = .member, mostUses: Int = 1,
        uses: [InvitationUse] = []
    ) {
        self.role = role
        self.id = id
        self.secret = secret
        self.group = group
        self.expiry = expiry
        self.mostUses = mostUses
        self.uses = uses
    }
}

/// A use of an invitation: a device that it has admitted, and the member that the device proved to belong to.
public struct InvitationUse: Hashable, Sendable {
    public var device: DeviceKey
    public var member: MemberKey

    public init(device: DeviceKey, member: MemberKey) {
        self.device = device
        self.member = member
    }
}

/// The reason why a store cannot go on. The caller discards the engine. Committed data is not lost.
public struct StoreError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: String, Hashable, Sendable {
        case full, corrupt, newer, older, busy, unavailable, locked
    }

    public var code: Code
    public var description: String

    public init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}

/// The size of a stored content.
public struct ContentSize: Hashable, Sendable {
    public let ordinal: Int64
    /// The store's number of the log.
    public let log: Int64
    public let bytes: Int

    public init(ordinal: Int64, log: Int64, bytes: Int) {
        (self.ordinal, self.log, self.bytes) = (ordinal, log, bytes)
    }
}
