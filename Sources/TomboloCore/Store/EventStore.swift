/// A transaction of a store, which is the engine's only view of storage. It is used from one thread.
///
/// All methods work on batches. Changes become durable when the transaction commits. After a failure the caller
/// discards the engine, and opens it again on the committed state.
public protocol EventStore: RecordStore, FileStore {
    /// A small value of the device, for example a key or its incarnation; nil if there is none.
    func value(forKey key: String) throws(StoreError) -> [UInt8]?
    func setValue(_ value: [UInt8]?, forKey key: String) throws(StoreError)

    func groups() throws(StoreError) -> [GroupRecord]
    /// Inserts or replaces a group by id, and sets `reference` of a new one.
    func put(_ group: inout GroupRecord) throws(StoreError)

    func logs(inGroup group: Int64) throws(StoreError) -> [LogState]
    /// Inserts or replaces logs by id, and sets `reference` of new ones.
    func put(_ logs: inout [LogState], inGroup group: Int64) throws(StoreError)

    /// Appends events in this order.
    ///
    /// - Returns: the ordinal of the first; the others follow without gaps.
    func insert(_ events: [StoredEvent], inGroup group: Int64) throws(StoreError) -> Int64
    /// The highest ordinal so far.
    func lastOrdinal() throws(StoreError) -> Int64
    /// The places of events; nil where one is not held.
    func places(of keys: [EventKey]) throws(StoreError) -> [EventPlace?]
    /// The events of one log in ascending order of (sequence, id), with all branches of a fork.
    ///
    /// - Parameters:
    ///   - log: the store's number of the log.
    ///   - sequences: the sequences of the events.
    ///   - limit: the most events.
    ///   - bytes: the bytes of content after which no further event is read.
    func events(
        ofLog log: Int64, in sequences: ClosedRange<UInt64>, limit: Int, bytes: Int
    ) throws(StoreError) -> [StoredEvent]
    /// The same events without their contents.
    func headers(ofLog log: Int64, in sequences: ClosedRange<UInt64>, limit: Int) throws(StoreError) -> [StoredHeader]
    /// The events with these ordinals, in this order. Ordinals without an event are left out.
    func events(ordinals: [Int64]) throws(StoreError) -> [StoredEvent]
    /// The same events without their contents.
    func headers(ordinals: [Int64]) throws(StoreError) -> [StoredHeader]
    /// The parts of a group's logs with events that arrived after `ordinal`.
    func changes(after ordinal: Int64, inGroup group: Int64) throws(StoreError) -> [LogChange]
    /// Sets the status of held events, and appends them to the change log in this order unless `change` is nil.
    func setStatus(
        _ status: EventStatus, ordinals: [Int64], noting change: ChangeKind?, inGroup group: Int64
    ) throws(StoreError)

    // Erasure (protocol 2.7).

    /// Removes the contents and salts of events. For delivered and withdrawn events the change log states it.
    ///
    /// Once the store is purged after the commit, nothing of a content may be left in its files.
    ///
    /// - Parameters:
    ///   - events: the events as they are stored.
    ///   - isForGood: whether the contents are erased. Otherwise they are dropped, and their events still expire
    ///     later.
    ///   - group: the store's number of the events' group.
    func erase(_ events: [StoredHeader], forGood isForGood: Bool, inGroup group: Int64) throws(StoreError)
    /// Stores a missing content, whatever the reason why it was removed. It expires in its time.
    func setContent(_ content: Bytes, salt: Bytes, ofEvent ordinal: Int64) throws(StoreError)
    /// The ordinals of events that expire at `time` or before and are not erased, the earliest first.
    func expired(by time: UInt64, inGroup group: Int64, limit: Int) throws(StoreError) -> [Int64]
    /// The earliest expiry of an event that is not erased, in milliseconds since 1970; nil if there is none.
    func nextExpiry(inGroup group: Int64) throws(StoreError) -> UInt64?
    /// The waiting events without their content.
    func contentless(inGroup group: Int64) throws(StoreError) -> [StoredHeader]

    /// The sizes of erasable contents of delivered events that arrived after `ordinal`, in the order of arrival.
    func contentSizes(inGroup group: Int64, after ordinal: Int64, limit: Int) throws(StoreError) -> [ContentSize]
    /// The ordinals of events without content at these Lamport times that arrived after `ordinal`, in the order of
    /// arrival.
    func withoutContent(
        inGroup group: Int64, lamports: ClosedRange<UInt64>, after ordinal: Int64, limit: Int
    ) throws(StoreError) -> [Int64]

    // Forgetting behind checkpoints (protocol 2.11).

    /// Removes the events of logs up to a sequence each. The change log states this in place of their entries.
    ///
    /// The removed events are no heads and wait no more. No ordinal is used again.
    func forget(_ beginnings: [LogBeginning], inGroup group: Int64) throws(StoreError)
    /// Clears the notes of what events wait for. Returns the waiting and the invalid events, in the order of arrival.
    func takeUndelivered(inGroup group: Int64) throws(StoreError) -> [(ordinal: Int64, status: EventStatus)]
    /// Forgets the agreements with all peers in a group.
    func forgetAgreements(inGroup group: Int64) throws(StoreError)

    // Secrets that contents are encrypted under (protocol 2.8).

    /// The rekey events of which the store has a secret, with its extent, which is the first byte of the stored form.
    func secrets(inGroup group: Int64) throws(StoreError) -> [(rekey: EventID, extent: SecretExtent)]
    /// The stored form of a rekey event's secret; nil if there is none.
    func secret(of rekey: EventID, inGroup group: Int64) throws(StoreError) -> [UInt8]?
    /// Stores a secret. Once the store is purged after the commit, nothing of the former one may be left in its files.
    func setSecret(_ secret: [UInt8], of rekey: EventID, inGroup group: Int64) throws(StoreError)

    /// Notes that `waiter` waits for `missing`. An event waits for one ancestor at a time.
    func addWaiting(_ waiting: [(missing: EventID, waiter: Int64)], inGroup group: Int64) throws(StoreError)
    /// The ordinals of events that wait for these events. They wait for them no more.
    func takeWaiting(for ids: [EventID], inGroup group: Int64) throws(StoreError) -> [Int64]

    /// The delivered events that no delivered event names.
    func heads(inGroup group: Int64) throws(StoreError) -> [StoredHeader]
    func changeHeads(adding: [Int64], removing: [Int64], inGroup group: Int64) throws(StoreError)

    /// The records of all peers, in ascending order of their keys.
    func peers() throws(StoreError) -> [PeerRecord]
    func peer(_ device: DeviceKey) throws(StoreError) -> PeerRecord?
    func put(_ peer: PeerRecord) throws(StoreError)
    /// Removes a peer's record, its agreements and acknowledgements, and in groups of the mvds dialect its share and the
    /// records outstanding towards it.
    func removePeer(_ peer: DeviceKey) throws(StoreError)
    /// The agreements with a peer, newest first, at most ``Limits/agreements``; none without a record of the peer.
    func agreements(with peer: DeviceKey, inGroup group: Int64) throws(StoreError) -> [Agreement]
    /// Adds a peer's newest agreement.
    func putAgreement(_ agreement: Agreement, with peer: DeviceKey, inGroup group: Int64) throws(StoreError)
    /// Forgets a peer's agreements in all groups, and the sequences that it acknowledged.
    func forgetPeer(_ peer: DeviceKey) throws(StoreError)
    /// Notes that the peer has stated that it holds each log up to this sequence.
    func acknowledge(_ logs: [(log: Int64, sequence: UInt64)], by peer: DeviceKey) throws(StoreError)

    func invitation(id: [UInt8]) throws(StoreError) -> InvitationRecord?
    func put(_ invitation: InvitationRecord) throws(StoreError)
    func removeInvitation(id: [UInt8]) throws(StoreError)
}
