// The values that an engine and its store hand each other.

/// A group as a store keeps it.
public struct GroupRecord: Hashable, Sendable {
    /// The store's number for the group; 0 until it has one.
    public var reference: Int64 = 0
    public var id: GroupID
    public var dialect: Dialect
    /// The first statement of a native group.
    public var statement: [UInt8]
    /// What the group's devices recognise each other by.
    public var discovery: Bytes32
    /// What its creator called it; for display only.
    public var name: String
    /// The seed of the key of this device's own log, and the log that it made; nil until something is written.
    public var ownSeed: Bytes32?
    public var ownLog: LogID?

    public init(id: GroupID, dialect: Dialect, statement: [UInt8], discovery: Bytes32, name: String) {
        self.id = id
        self.dialect = dialect
        self.statement = statement
        self.discovery = discovery
        self.name = name
    }

    /// What is written from now on goes into a new log, under a new key.
    mutating func leaveOwnLog() { (ownSeed, ownLog) = (nil, nil) }

    /// The same group in a store that has nothing of it yet.
    package var forAnotherStore: GroupRecord {
        var record = self
        record.reference = 0
        record.leaveOwnLog()
        return record
    }
}

/// Where a held event stands.
public enum EventStatus: UInt8, Hashable, Sendable {
    /// Held; ancestors are missing.
    case waiting = 0
    /// Held, and handed to the application (or passed over, if it has nothing to say to it).
    case delivered = 1
    /// Held, but what it claims of its ancestors is not so, or its author had no right to it: never delivered, nor what descends from it.
    case invalid = 2
    /// Held, and not handed to the application: a removal makes it unwanted (protocol §2.6).
    case heldBack = 3
    /// The same, of what had been delivered before the removal came.
    case withdrawn = 4
}

/// What a group's change log says of an event.
public enum ChangeKind: UInt8, Hashable, Sendable {
    case delivered = 0
    /// A removal has made it unwanted.
    case withdrawn = 1
    /// It was withdrawn, and is wanted again; or its content, which this device did not keep, is here again.
    case restored = 2
    /// Its content is not here any more: it had an expiry, or was redacted; or it is not kept here, and may be restored. Of what came without its
    /// content this is all that is said.
    case erased = 3
    /// Everything of its log up to it is forgotten, as every member has passed a checkpoint (protocol §2.11).
    case forgotten = 4
}

/// What a group's change log says.
public enum StoredChange: Sendable {
    /// Of an event: anything but that it is forgotten.
    case event(ChangeKind, StoredEvent)
    /// Of a log, that everything up to a sequence is forgotten.
    case forgotten(LogID, through: UInt64)
}

/// The events of a log up to a sequence.
public struct LogBeginning: Hashable, Sendable {
    /// The store's number for the log.
    public let log: Int64
    public let sequence: UInt64

    public init(log: Int64, through sequence: UInt64) { (self.log, self.sequence) = (log, sequence) }
}

/// An event with its place in a store.
public struct StoredEvent: Sendable {
    /// The order of arrival, over all groups, from 1.
    public var ordinal: Int64
    /// The store's number for the log.
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

/// An event in a store without its content.
public struct StoredHeader: Sendable {
    public var ordinal: Int64
    public var id: EventID
    public var header: EventHeader
    public var isSigned: Bool
    /// Whether its content is here.
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
    /// The event without its content, at its place in a store.
    package func stored(_ ordinal: Int64) -> StoredHeader {
        StoredHeader(
            ordinal: ordinal, id: id, header: header, isSigned: signature != nil, hasContent: content != nil)
    }
}

/// Which event is looked for: where it stands in its log, and which one it is of those that stand there.
public struct EventKey: Hashable, Comparable, Sendable {
    /// The store's number for the log.
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

/// An event's place without its bytes.
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

/// The part of a log in which a store has events that arrived after some ordinal.
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

/// That this device and a peer were once found to know the same of a group.
public struct Agreement: Hashable, Sendable {
    /// The first eight bytes of the root.
    public var token: UInt64
    /// This device's last ordinal at the time.
    public var ordinal: Int64
    /// The highest of this device's numbers for the group's logs at the time: both know the logs up to it, and no others.
    public var lastLog: Int64

    public init(token: UInt64, ordinal: Int64, lastLog: Int64) {
        self.token = token
        self.ordinal = ordinal
        self.lastLog = lastLog
    }
}

/// Another device that this one exchanges payloads with.
public struct PeerRecord: Hashable, Sendable {
    /// The device's key; of a peer that speaks MVDS alone, and so has none, a hash of its address.
    public var device: DeviceKey
    public var dialect: Dialect
    /// Where it was last known to be reached, `host:port`.
    public var addresses: [String]
    /// 16 bytes, once it has said hello.
    public var incarnation: [UInt8]
    /// Whose device it has proved to be when it joined a group by an invitation of this device's; nil if it never has.
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

/// An invitation that this device has given out.
public struct InvitationRecord: Hashable, Sendable {
    /// The first 16 bytes of SHA-256("tombolo-invitation-1" ‖ secret).
    public var id: [UInt8]
    /// 16 bytes.
    public var secret: [UInt8]
    public var group: GroupID
    /// Milliseconds since 1970.
    public var expiry: UInt64
    /// What the member becomes who uses it.
    public var role: Role
    /// How many devices it admits.
    public var uses: Int
    /// Those that it has admitted.
    public var users: [DeviceKey]

    public init(
        id: [UInt8], secret: [UInt8], group: GroupID, expiry: UInt64, role: Role = .member, uses: Int = 1,
        users: [DeviceKey] = []
    ) {
        self.role = role
        self.id = id
        self.secret = secret
        self.group = group
        self.expiry = expiry
        self.uses = uses
        self.users = users
    }
}

/// Why a store cannot go on. The replica stops; what was committed is not lost.
public struct StoreError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: String, Hashable, Sendable {
        case full, corrupt, newer, busy, unavailable, locked
    }

    public var code: Code
    public var description: String

    public init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}

/// A content that is here, and how large it is.
public struct ContentSize: Hashable, Sendable {
    public let ordinal: Int64
    /// The store's number for the log.
    public let log: Int64
    public let bytes: Int

    public init(ordinal: Int64, log: Int64, bytes: Int) {
        (self.ordinal, self.log, self.bytes) = (ordinal, log, bytes)
    }
}
