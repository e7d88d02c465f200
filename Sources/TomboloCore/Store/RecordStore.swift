/// The part of a store that groups of the mvds dialect need: their messages, whom they are shared with, and what is
/// outstanding towards each peer.
public protocol RecordStore: AnyObject {
    /// The peers that a group is shared with, ascending.
    func peers(sharing group: Int64) throws(StoreError) -> [DeviceKey]
    /// Shares a group with a peer. Once shared it stays so.
    func share(_ group: Int64, with peer: DeviceKey) throws(StoreError)

    /// Appends messages in this order; those with the status `delivered` are appended to the change log too.
    /// - Returns: the ordinal of the first; the others follow without gaps.
    func insert(_ messages: [StoredMessage]) throws(StoreError) -> Int64
    /// The messages with these ids, or nil where one is not held.
    func messages(ids: [EventID]) throws(StoreError) -> [StoredMessage?]
    /// The same without what they say.
    func places(ofMessages ids: [EventID]) throws(StoreError) -> [MessagePlace?]
    /// Messages that wait for parents, in the order of arrival.
    func waitingMessages(inGroup group: Int64) throws(StoreError) -> [StoredMessage]
    /// Marks messages as delivered and appends them to the change log in this order.
    func deliverMessages(ordinals: [Int64], inGroup group: Int64) throws(StoreError)
    /// The latest delivered messages of a group that no delivered message names, newest last, at most `limit`.
    func messageHeads(inGroup group: Int64, limit: Int) throws(StoreError) -> [EventID]
    func setMessageHeads(_ heads: [EventID], inGroup group: Int64) throws(StoreError)

    /// What is outstanding towards `peer` about these messages, where there is something.
    func records(of ids: [EventID], with peer: DeviceKey) throws(StoreError) -> [SyncRecord]
    /// What is due towards `peer`, the longest due first.
    ///
    /// - Parameters:
    ///   - peer: towards whom.
    ///   - time: milliseconds since 1970.
    ///   - kinds: records of other kinds are left out.
    ///   - limit: the most records.
    func records(
        with peer: DeviceKey, dueAt time: UInt64, kinds: [SyncRecord.Kind], limit: Int
    ) throws(StoreError) -> [SyncRecord]
    /// When the next record towards `peer` is due; nil if there is none.
    func nextRecord(with peer: DeviceKey) throws(StoreError) -> UInt64?
    func requestCount(with peer: DeviceKey) throws(StoreError) -> Int
    /// Inserts or replaces by peer and message.
    func put(_ records: [SyncRecord]) throws(StoreError)
    func removeRecords(of ids: [EventID], with peer: DeviceKey) throws(StoreError)
    /// No peer is asked for these any more.
    func removeRequests(of ids: [EventID]) throws(StoreError)
    /// Everything towards `peer` is due at `time`, as if it had never been sent.
    func restartRecords(with peer: DeviceKey, at time: UInt64) throws(StoreError)
    /// What is outstanding towards `peer` of a group's messages with ordinals up to `ordinal`, requests aside, becomes this.
    func replaceRecords(
        with peer: DeviceKey, inGroup group: Int64, upTo ordinal: Int64, by records: [SyncRecord]
    ) throws(StoreError)

    // The set of a group's messages, for finding out what two devices differ in.

    /// The highest ordinal of a message so far.
    func lastMessage() throws(StoreError) -> Int64
    /// A group's messages that arrived after `ordinal`, in the order of arrival, at most `limit`.
    func messageTimes(inGroup group: Int64, after ordinal: Int64, limit: Int) throws(StoreError) -> [MessageTime]
    /// The ids of a group's messages whose first five bytes, read most significant first, are among these.
    func messageIDs(withPrefixes prefixes: [UInt64], inGroup group: Int64) throws(StoreError) -> [EventID]
    /// A page of the tree over a group's messages; nil if it was never put.
    func page(_ number: Int, inGroup group: Int64) throws(StoreError) -> [UInt8]?
    func put(_ pages: [(number: Int, bytes: [UInt8])], inGroup group: Int64) throws(StoreError)
}

/// Where a message stands in the order of time.
public struct MessageTime: Hashable, Sendable {
    public var ordinal: Int64
    public var id: EventID
    /// Seconds since 1970, as its sender says.
    public var timestamp: Int64

    public init(ordinal: Int64, id: EventID, timestamp: Int64) {
        self.ordinal = ordinal
        self.id = id
        self.timestamp = timestamp
    }
}

/// A message of the mvds dialect with its place in a store.
public struct StoredMessage: Hashable, Sendable {
    /// The order of arrival among messages, from 1.
    public var ordinal: Int64
    /// The store's number for the group.
    public var group: Int64
    public var status: EventStatus
    public var id: EventID
    public var message: Message

    public init(ordinal: Int64, group: Int64, status: EventStatus, id: EventID, message: Message) {
        self.ordinal = ordinal
        self.group = group
        self.status = status
        self.id = id
        self.message = message
    }
}

/// Where a held message of the mvds dialect stands.
public struct MessagePlace: Hashable, Sendable {
    /// The store's number for the group.
    public var group: Int64
    public var status: EventStatus

    public init(group: Int64, status: EventStatus) {
        self.group = group
        self.status = status
    }
}

/// An OFFER, REQUEST or MESSAGE outstanding towards one peer (Vac RFC 2/MVDS). ACKs are said once and leave no record.
public struct SyncRecord: Hashable, Sendable {
    public enum Kind: UInt8, Hashable, Sendable, CaseIterable {
        case offer = 1
        case request = 2
        case message = 3
    }

    public var kind: Kind
    public var peer: DeviceKey
    public var id: EventID
    /// How often it was sent.
    public var sendCount: Int
    /// Milliseconds since 1970.
    public var nextSend: UInt64
    /// Whether the message is this device's own: nobody else has it to begin with.
    public var isOwn: Bool

    public init(
        _ kind: Kind, of id: EventID, with peer: DeviceKey, isOwn: Bool = false, sendCount: Int = 0, nextSend: UInt64
    ) {
        self.kind = kind
        self.peer = peer
        self.id = id
        self.isOwn = isOwn
        self.sendCount = sendCount
        self.nextSend = nextSend
    }
}
