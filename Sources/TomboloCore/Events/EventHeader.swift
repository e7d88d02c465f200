/// The purpose of an event (protocol 2.1-3). The two highest bits are its class.
public struct EventKind: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// A content of the application.
    public static let message = EventKind(rawValue: 0)
    /// An event that joins heads, where they are more than one event can name.
    public static let merge = EventKind(rawValue: 1)
    /// A grant or a demotion (protocol 2.6-5, 2.6-6).
    public static let membership = EventKind(rawValue: 64)
    /// A value for a key of the group's state, the removal of a key, or a join (protocol 2.6-7 to 2.6-9).
    public static let setting = EventKind(rawValue: 65)
    /// A redaction of another event's content (protocol 2.6-10).
    public static let redaction = EventKind(rawValue: 66)
    /// The beginning of a secret that contents are encrypted under (protocol 2.6-11).
    public static let rekey = EventKind(rawValue: 67)
    /// The public key to which shares of secrets are encrypted for a device (protocol 2.6-12).
    public static let device = EventKind(rawValue: 68)
    /// The removal of a member's device (protocol 2.6-13).
    public static let deviceRemoval = EventKind(rawValue: 69)
    /// A checkpoint, which proposes to forget the beginnings of logs, or a pass of one (protocol 2.6-14, 2.6-15).
    public static let checkpoint = EventKind(rawValue: 70)
    /// An event that needs no replication: it is signed, never stored, and never a parent.
    public static let ephemeral = EventKind(rawValue: 128)

    /// Whether the event is of the state class. Such events stand in logs of their own and are never dropped.
    public var isState: Bool { rawValue >> 6 == 1 }
    public var isEphemeral: Bool { rawValue >> 6 == 2 }
}

/// A name of another event, with its place. So the naming event can be validated without the named one
/// (protocol 2.1-11).
public struct EventReference: Hashable, Comparable, Sendable {
    public var id: EventID
    public var log: LogID
    public var sequence: UInt64
    public var lamport: UInt64

    public init(id: EventID, log: LogID, sequence: UInt64, lamport: UInt64) {
        self.id = id
        self.log = log
        self.sequence = sequence
        self.lamport = lamport
    }

    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.id < rhs.id }
}

/// A name of the previous event of the same log.
public struct Backlink: Hashable, Sendable {
    public var id: EventID
    public var lamport: UInt64

    public init(id: EventID, lamport: UInt64) {
        self.id = id
        self.lamport = lamport
    }
}

/// The part of a native event that its id covers and that is never erased (protocol 2.1).
public struct EventHeader: Hashable, Sendable {
    public var version: UInt8 = 1
    public var kind: EventKind
    /// Flag bits that this version does not know. An event with any of them is not understood.
    package var unknownFlags: UInt8 = 0
    /// Whether 16 bytes of salt stand beside the content and are hashed before it.
    public var isSalted: Bool
    public var log: LogID
    /// The number of the event in its log, from 1 on; 0 for ephemeral events.
    public var sequence: UInt64
    /// The event before in the log; nil for a log's first event and for ephemeral events.
    public var previous: Backlink?
    /// One more than the highest Lamport time among all events that this one names; 0 for ephemeral events.
    public var lamport: UInt64
    /// Other heads that the author had seen, ascending by id, at most 16.
    public var parents: [EventReference]
    /// The state heads that the author had seen, except those among ``rekeys``, ascending, at most 16. They may name
    /// more.
    public var stateHeads: [EventReference]
    /// The rekey event whose secret the content is encrypted under. The layout admits up to 16, ascending.
    public var rekeys: [EventReference]
    /// The time at which the content expires, in milliseconds since 1970; nil for never.
    public var expiry: UInt64?
    /// The number of bytes of the content.
    public var contentLength: Int
    /// The commitment to the content: SHA-256(salt ‖ content).
    public var commitment: Bytes32
    /// The extensions as they stand in the header. Their form is checked.
    public var extensions: Bytes

    public init(
        kind: EventKind, isSalted: Bool, log: LogID, sequence: UInt64, previous: Backlink?,
        parents: [EventReference] = [], stateHeads: [EventReference] = [], rekeys: [EventReference] = [],
        expiry: UInt64? = nil, contentLength: Int, commitment: Bytes32, extensions: Bytes = []
    ) {
        self.kind = kind
        self.isSalted = isSalted
        self.log = log
        self.sequence = sequence
        self.previous = previous
        self.parents = parents
        self.stateHeads = stateHeads
        self.rekeys = rekeys
        self.expiry = expiry
        self.contentLength = contentLength
        self.commitment = commitment
        self.extensions = extensions
        lamport = 0
        if !kind.isEphemeral { lamport = lamportOfReferences + 1 }
    }

    /// The highest Lamport time among all events that this one names; 0 if it names none.
    package var lamportOfReferences: UInt64 {
        var highest = previous?.lamport ?? 0
        for reference in parents { highest = max(highest, reference.lamport) }
        for reference in stateHeads { highest = max(highest, reference.lamport) }
        for reference in rekeys { highest = max(highest, reference.lamport) }
        return highest
    }

    /// Whether the event stays valid without its content.
    ///
    /// The content of a state event is needed to validate others. Without a salt, the commitment would disclose a short
    /// content.
    public var isErasable: Bool { isSalted && kind.rawValue >> 6 == 0 }

    /// Whether this version understands the event (protocol 2.1-14). Only then is it delivered to the application.
    public var isUnderstood: Bool {
        guard version == 1, unknownFlags == 0 else { return false }
        switch kind {
        case .message, .merge, .membership, .setting, .redaction, .rekey, .device, .deviceRemoval, .checkpoint,
            .ephemeral:
            break
        default: return false
        }
        return !hasUnknownCriticalExtension
    }
}

/// The reason why a device refuses an event for good: the bytes that the peer sent are not an event.
public enum EventError: Error, Hashable, Sendable, CustomStringConvertible {
    case malformed(WireError)
    case invalid(String)

    public var description: String {
        switch self {
        case .malformed(let error): "the event cannot be read: \(error)"
        case .invalid(let what): "the event is not valid: \(what)"
        }
    }
}
