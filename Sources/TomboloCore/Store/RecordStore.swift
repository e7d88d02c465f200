/// The part of a store that groups of the mvds dialect need: messages, the peers that share them, and records.
public protocol RecordStore: AnyObject {
    /// The peers that a group is shared with, ascending.
    func peers(sharing group: Int64) throws(StoreError) -> [DeviceKey]
    /// Shares a group with a peer, until the peer is removed.
    func share(_ group: Int64, with peer: DeviceKey) throws(StoreError)

    /// Appends messages in this order. Those with the status `delivered` are appended to the change log too.
    ///
    /// - Returns: the ordinal of the first; the others follow without gaps.
    func insert(_ messages: [StoredMessage]) throws(StoreError) -> Int64
    /// The messages with these ids; nil where one is not held.
    func messages(ids: [EventID]) throws(StoreError) -> [StoredMessage?]
    /// The places of messages, without their bytes; nil where one is not held.
    func places(ofMessages ids: [EventID]) throws(StoreError) -> [MessagePlace?]
    /// The messages that wait for parents, in the order of arrival.
    func waitingMessages(inGroup group: Int64) throws(StoreError) -> [StoredMessage]
    /// Marks messages as delivered and appends them to the change log in this order.
    func deliverMessages(ordinals: [Int64], inGroup group: Int64) throws(StoreError)
    /// The latest delivered messages of a group that no delivered message names, newest last, at most `limit`.
    func messageHeads(inGroup group: Int64, limit: Int) throws(StoreError) -> [EventID]
    func setMessageHeads(_ heads: [EventID], inGroup group: Int64) throws(StoreError)

    /// The records of these messages towards `peer`. Messages without a record are left out.
    func records(of ids: [EventID], with peer: DeviceKey) throws(StoreError) -> [SyncRecord]
    /// The records that are due towards `peer`, the earliest due first.
    ///
    /// - Parameters:
    ///   - peer: the peer that the records are outstanding towards.
    ///   - time: milliseconds since 1970.
    ///   - kinds: the kinds of records; others are left out.
    ///   - limit: the most records.
    func records(
        with peer: DeviceKey, dueAt time: UInt64, kinds: [SyncRecord.Kind], limit: Int
    ) throws(StoreError) -> [SyncRecord]
    /// The time at which the next record towards `peer` is due, in milliseconds since 1970; nil if there is none.
    func nextRecord(with peer: DeviceKey) throws(StoreError) -> UInt64?
    func requestCount(with peer: DeviceKey) throws(StoreError) -> Int
    /// Inserts or replaces records by peer and message.
    func put(_ records: [SyncRecord]) throws(StoreError)
    func removeRecords(of ids: [EventID], with peer: DeviceKey) throws(StoreError)
    /// Removes the REQUESTs for these messages towards all peers.
    func removeRequests(of ids: [EventID]) throws(StoreError)
    /// Makes all records towards `peer` due at `time`, as if they had never been sent.
    func restartRecords(with peer: DeviceKey, at time: UInt64) throws(StoreError)
    /// Replaces the OFFERs and MESSAGEs towards `peer` of a group's messages with ordinals up to `ordinal`.
    func replaceRecords(
        with peer: DeviceKey, inGroup group: Int64, upTo ordinal: Int64, by records: [SyncRecord]
    ) throws(StoreError)

    // The set of a group's messages, which a reconciliation compares with the peer's.

    /// The highest ordinal of a message so far.
    func lastMessage() throws(StoreError) -> Int64
    /// A group's messages that arrived after `ordinal`, in the order of arrival, at most `limit`.
    func messageTimes(inGroup group: Int64, after ordinal: Int64, limit: Int) throws(StoreError) -> [MessageTime]
    /// The ids of a group's messages with these first five bytes, read most significant first.
    func messageIDs(withPrefixes prefixes: [UInt64], inGroup group: Int64) throws(StoreError) -> [EventID]
    /// A page of the tree over a group's messages; nil if the store has none of that number.
    func page(_ number: Int, inGroup group: Int64) throws(StoreError) -> [UInt8]?
    func put(_ pages: [(number: Int, bytes: [UInt8])], inGroup group: Int64) throws(StoreError)
}

/// The place of a message in the order of time.
public struct MessageTime: Hashable, Sendable {
    public var ordinal: Int64
    public var id: EventID
    /// The timestamp that the sender gave it, in seconds since 1970.
    public var timestamp: Int64

    public init(ordinal: Int64, id: EventID, timestamp: Int64) {
        self.ordinal = ordinal
        self.id = id
        self.timestamp = timestamp
    }
}

/// A message of the mvds dialect with its place in a store.
public struct StoredMessage: Hashable, Sendable {
    /// The number of the message in the order of arrival, from 1 on.
    public var ordinal: Int64
    /// The store's number of the group.
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

/// The group and the status of a held message of the mvds dialect.
public struct MessagePlace: Hashable, Sendable {
    /// The store's number of the group.
    public var group: Int64
    public var status: EventStatus

    public init(group: Int64, status: EventStatus) {
        self.group = group
        self.status = status
    }
}

/// An OFFER, REQUEST or MESSAGE that is outstanding towards one peer (protocol 1-15). ACKs are sent once and leave no
/// record.
public struct SyncRecord: Hashable, Sendable {
    public enum Kind: UInt8, Hashable, Sendable, CaseIterable {
        case offer = 1
        case request = 2
        case message = 3
    }

    public var kind: Kind
    public var peer: DeviceKey
    public var id: EventID
    /// The number of times that it was sent.
    public var sendCount: Int
    /// The time of the next send, in milliseconds since 1970.
    public var nextSend: UInt64
    /// Whether the message is this device's own, so that no other peer can have brought it.
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
