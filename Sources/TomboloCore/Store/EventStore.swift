/// The engine's only view of storage: one transaction of a store, used from one thread.
///
/// Everything takes and gives batches. What is written becomes durable when the transaction that the value stands for
/// commits; after a failure the engine is thrown away and opened again on what was committed.
public protocol EventStore: RecordStore, FileStore {
    /// Small values that belong to the device: its keys, its incarnation.
    func value(forKey key: String) throws(StoreError) -> [UInt8]?
    func setValue(_ value: [UInt8]?, forKey key: String) throws(StoreError)

    func groups() throws(StoreError) -> [GroupRecord]
    /// Inserts or replaces by id, and sets `reference` of a new one.
    func put(_ group: inout GroupRecord) throws(StoreError)

    func logs(inGroup group: Int64) throws(StoreError) -> [LogState]
    /// Inserts or replaces by id, and sets `reference` of new ones.
    func put(_ logs: inout [LogState], inGroup group: Int64) throws(StoreError)

    /// Appends events in this order.
    /// - Returns: the ordinal of the first; the others follow without gaps.
    func insert(_ events: [StoredEvent], inGroup group: Int64) throws(StoreError) -> Int64
    /// The highest ordinal given so far.
    func lastOrdinal() throws(StoreError) -> Int64
    /// A place for each, or nil where it is not held.
    func places(of keys: [EventKey]) throws(StoreError) -> [EventPlace?]
    /// Events of one log in ascending order of (sequence, id); branches of a fork are all there.
    ///
    /// - Parameters:
    ///   - log: the store's number for the log.
    ///   - sequences: those that are looked for.
    ///   - limit: the most events.
    ///   - bytes: of content, after which no more is read.
    func events(
        ofLog log: Int64, in sequences: ClosedRange<UInt64>, limit: Int, bytes: Int
    ) throws(StoreError) -> [StoredEvent]
    /// The same without their contents.
    func headers(ofLog log: Int64, in sequences: ClosedRange<UInt64>, limit: Int) throws(StoreError) -> [StoredHeader]
    /// The events with these ordinals, in this order; those that are not there are left out.
    func events(ordinals: [Int64]) throws(StoreError) -> [StoredEvent]
    /// The same without their contents.
    func headers(ordinals: [Int64]) throws(StoreError) -> [StoredHeader]
    /// The logs of a group with events that arrived after `ordinal`.
    func changes(after ordinal: Int64, inGroup group: Int64) throws(StoreError) -> [LogChange]
    /// Sets the status of held events, and appends them to the change log in this order unless `change` is nil.
    func setStatus(
        _ status: EventStatus, ordinals: [Int64], noting change: ChangeKind?, inGroup group: Int64
    ) throws(StoreError)

    // Erasing (protocol §2.7).

    /// Takes content and salt away. Of what was delivered, or withdrawn, the change log says so.
    ///
    /// Nothing of it may be left in the store's files once they were purged after the commit.
    /// - Parameters:
    ///   - events: as the store has them.
    ///   - isForGood: else they stay among what is to expire.
    ///   - group: the store's number of their group.
    func erase(_ events: [StoredHeader], forGood isForGood: Bool, inGroup group: Int64) throws(StoreError)
    /// Gives an event that is without its content what it says.
    /// It expires in its time, whatever had taken it away before.
    func setContent(_ content: Bytes, salt: Bytes, ofEvent ordinal: Int64) throws(StoreError)
    /// Events whose expiry is not after `time`, each until it was erased; the earliest first.
    func expired(by time: UInt64, inGroup group: Int64, limit: Int) throws(StoreError) -> [Int64]
    /// The earliest expiry of what was not erased.
    func nextExpiry(inGroup group: Int64) throws(StoreError) -> UInt64?
    /// Waiting events whose content is not here.
    func contentless(inGroup group: Int64) throws(StoreError) -> [StoredHeader]

    /// Contents of delivered events that can be erased and are here, in the order in which their events came, after an ordinal.
    func contentSizes(inGroup group: Int64, after ordinal: Int64, limit: Int) throws(StoreError) -> [ContentSize]
    /// Events without content of these Lamport times, in the order in which they came, after an ordinal.
    func withoutContent(
        inGroup group: Int64, lamports: ClosedRange<UInt64>, after ordinal: Int64, limit: Int
    ) throws(StoreError) -> [Int64]

    // Forgetting behind checkpoints (protocol §2.11).

    /// Takes the events of logs up to a sequence of each away, and the change log says so in their place. None of them is a head any more, or
    /// waits; no ordinal is given again.
    func forget(_ beginnings: [LogBeginning], inGroup group: Int64) throws(StoreError)
    /// Held events that wait for anything, which they do no more, and those that are invalid; in the order in which they came.
    func takeUndelivered(inGroup group: Int64) throws(StoreError) -> [(ordinal: Int64, status: EventStatus)]
    /// Forgets what was agreed on with any peer.
    func forgetAgreements(inGroup group: Int64) throws(StoreError)

    // Secrets that contents are sealed under (protocol §2.8).

    /// The rekey events of whose secrets something is here, and how much: its first byte.
    func secrets(inGroup group: Int64) throws(StoreError) -> [(rekey: EventID, extent: SecretExtent)]
    /// The secret of a rekey event, or what is left of it.
    func secret(of rekey: EventID, inGroup group: Int64) throws(StoreError) -> [UInt8]?
    /// Nothing of what was there before may be left in the store's files once they were purged after the commit.
    func setSecret(_ secret: [UInt8], of rekey: EventID, inGroup group: Int64) throws(StoreError)

    /// Notes that `waiter` waits for `missing`. An event waits for one ancestor at a time.
    func addWaiting(_ waiting: [(missing: EventID, waiter: Int64)], inGroup group: Int64) throws(StoreError)
    /// The ordinals that wait for these events, which wait no more.
    func takeWaiting(for ids: [EventID], inGroup group: Int64) throws(StoreError) -> [Int64]

    /// The delivered events that no delivered event names.
    func heads(inGroup group: Int64) throws(StoreError) -> [StoredHeader]
    func changeHeads(adding: [Int64], removing: [Int64], inGroup group: Int64) throws(StoreError)

    /// What is kept of all peers, in ascending order of their keys, and of one.
    func peers() throws(StoreError) -> [PeerRecord]
    func peer(_ device: DeviceKey) throws(StoreError) -> PeerRecord?
    func put(_ peer: PeerRecord) throws(StoreError)
    /// Newest first, at most ``Limits/agreements``; none with a device of which nothing is kept.
    func agreements(with peer: DeviceKey, inGroup group: Int64) throws(StoreError) -> [Agreement]
    /// Puts a new one first; nil forgets all of them, in all groups, and what the peer acknowledged.
    func putAgreement(_ agreement: Agreement, with peer: DeviceKey, inGroup group: Int64) throws(StoreError)
    func forgetPeer(_ peer: DeviceKey) throws(StoreError)
    /// Notes that the peer has said that it holds each log up to this sequence.
    func acknowledge(_ logs: [(log: Int64, sequence: UInt64)], by peer: DeviceKey) throws(StoreError)

    func invitation(id: [UInt8]) throws(StoreError) -> InvitationRecord?
    func put(_ invitation: InvitationRecord) throws(StoreError)
    func removeInvitation(id: [UInt8]) throws(StoreError)
}
