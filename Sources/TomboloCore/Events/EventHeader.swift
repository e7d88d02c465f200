/// What an event is for (protocol §2.1). The two highest bits are its class.
public struct EventKind: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Something said by the application.
    public static let message = EventKind(rawValue: 0)
    /// Joins more heads than one event can name.
    public static let merge = EventKind(rawValue: 1)
    /// Changes what a member may do (protocol §2.6).
    public static let membership = EventKind(rawValue: 64)
    /// Sets a key of the group's state (protocol §2.6).
    public static let setting = EventKind(rawValue: 65)
    /// Takes the content of another event back (protocol §2.7).
    public static let redaction = EventKind(rawValue: 66)
    /// Begins a secret that contents are sealed under (protocol §2.8).
    public static let rekey = EventKind(rawValue: 67)
    /// Says what shares of secrets for a device are sealed to (protocol §2.8).
    public static let device = EventKind(rawValue: 68)
    /// Says that a device is no member's any more (protocol §2.6).
    public static let deviceRemoval = EventKind(rawValue: 69)
    /// Says what may be forgotten once every member has passed it, or passes it (protocol §2.11).
    public static let checkpoint = EventKind(rawValue: 70)
    /// Needs no replication: signed, never stored, never a parent.
    public static let ephemeral = EventKind(rawValue: 128)

    /// Events of the state class stand in logs of their own and are never dropped.
    public var isState: Bool { rawValue >> 6 == 1 }
    public var isEphemeral: Bool { rawValue >> 6 == 2 }
}

/// An event that another one names, with what must be known of it to judge the other one without holding it.
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

/// The log's own event before this one.
public struct Backlink: Hashable, Sendable {
    public var id: EventID
    public var lamport: UInt64

    public init(id: EventID, lamport: UInt64) {
        self.id = id
        self.lamport = lamport
    }
}

/// The part of a native event that its id covers and that is never erased (protocol §2.1).
public struct EventHeader: Hashable, Sendable {
    public var version: UInt8 = 1
    public var kind: EventKind
    /// Bits that this version does not know; with any of them the event is not understood.
    package var unknownFlags: UInt8 = 0
    /// Whether 16 bytes of salt travel beside the content and are hashed before it.
    public var isSalted: Bool
    public var log: LogID
    /// 1, 2, 3… within the log; 0 for ephemeral events.
    public var sequence: UInt64
    /// Nil for a log's first event and for ephemeral ones.
    public var previous: Backlink?
    /// 1 + the highest among all events that this one names; 0 for ephemeral events.
    public var lamport: UInt64
    /// Other heads seen, ascending by id, at most 16.
    public var parents: [EventReference]
    /// The state heads that the author had seen (at least), but for those among ``rekeys``, ascending, at most 16.
    public var stateHeads: [EventReference]
    /// The rekey events whose secrets seal the content, ascending, at most 16.
    public var rekeys: [EventReference]
    /// Milliseconds since 1970, or nil.
    public var expiry: UInt64?
    /// Bytes.
    public var contentLength: Int
    /// SHA-256(salt ‖ content).
    public var commitment: Bytes32
    /// The extensions as they stand in the header, checked for form.
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

    /// The highest Lamport time among all events that this one names; 0 without any.
    package var lamportOfReferences: UInt64 {
        var highest = previous?.lamport ?? 0
        for reference in parents { highest = max(highest, reference.lamport) }
        for reference in stateHeads { highest = max(highest, reference.lamport) }
        for reference in rekeys { highest = max(highest, reference.lamport) }
        return highest
    }

    /// Whether the event stays valid without its content: not where what it says is needed to judge others, nor where nothing hides what
    /// a short content was.
    public var isErasable: Bool { isSalted && kind.rawValue >> 6 == 0 }

    /// Whether this version knows what the event is: only then is it handed to the application.
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

/// Why an event is refused, for good: whoever sent it sent something that is not an event.
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
