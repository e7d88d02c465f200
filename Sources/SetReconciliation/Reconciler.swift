/// One side of a set reconciliation: it receives messages and returns messages.
///
/// One side, the initiator, begins, and learns at the end which elements each side lacks. The other side answers. A
/// peer can prolong the exchange forever by asking for more, so the caller must bound the rounds.
public protocol Reconciler {
    /// Makes this side the initiator and returns the first message.
    mutating func initiate() throws(ReconciliationError) -> [UInt8]
    /// Processes a message of the other side and returns the answer.
    mutating func reconcile(_ message: [UInt8]) throws(ReconciliationError) -> ReconciliationStep
}

/// The result of processing one message.
public struct ReconciliationStep: Hashable, Sendable {
    /// The message to send; nil for the initiator when the difference is known.
    public var reply: [UInt8]?
    /// The ids that the initiator has and the other side lacks. `need` has the reverse.
    public var have: [ItemID] = []
    public var need: [ItemID] = []
    /// Replaces `need` if the caller asked for prefixes: the first bytes of ids, as for
    /// ``RangeStorage/ids(withPrefixes:)``.
    public var needPrefixes: [UInt64] = []

    public init(
        reply: [UInt8]? = nil, have: [ItemID] = [], need: [ItemID] = [], needPrefixes: [UInt64] = []
    ) {
        self.needPrefixes = needPrefixes
        self.reply = reply
        self.have = have
        self.need = need
    }
}

/// An error that ends a reconciliation.
public enum ReconciliationError: Error, Hashable, Sendable, CustomStringConvertible {
    case malformed(offset: Int)
    /// The other side uses another version of the protocol.
    case unsupportedVersion(UInt8)
    /// The coded symbols cannot be those of two sets under one key.
    case inconsistent
    /// The storage of the set failed.
    case storage(String)

    public var description: String {
        switch self {
        case .malformed(let offset): "the message is not of the protocol: see byte \(offset)"
        case .inconsistent: "the coded symbols are not those of a set: reconcile in another way"
        case .storage(let what): "the set cannot be read: \(what)"
        case .unsupportedVersion(let version):
            "the other side speaks version \(version), this one 97: update one of them"
        }
    }
}
