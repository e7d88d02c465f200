/// One side of finding out what two sets differ in: messages in, messages out.
///
/// One side begins, and learns at the end what each lacks; the other one answers. A peer that does not want to end can always ask
/// for more: whoever runs this bounds the rounds.
public protocol Reconciler {
    /// The first message. Makes this side the initiator.
    mutating func initiate() throws(ReconciliationError) -> [UInt8]
    /// Takes the other side's message.
    mutating func reconcile(_ message: [UInt8]) throws(ReconciliationError) -> ReconciliationStep
}

/// What one message led to.
public struct ReconciliationStep: Hashable, Sendable {
    /// What to send; nil for the initiator when everything is known.
    public var reply: [UInt8]?
    /// For the initiator: ids that it has and the other side lacks, and the reverse.
    public var have: [ItemID] = []
    public var need: [ItemID] = []
    /// In place of `need`, where that was asked for: how they begin, as for ``RangeStorage/ids(withPrefixes:)``.
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

/// Why a reconciliation cannot go on.
public enum ReconciliationError: Error, Hashable, Sendable, CustomStringConvertible {
    case malformed(offset: Int)
    /// The other side speaks another version of the protocol.
    case unsupportedVersion(UInt8)
    /// Coded symbols that cannot be those of two sets under one key.
    case inconsistent
    /// Where the set is kept failed.
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
