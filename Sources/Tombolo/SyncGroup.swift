public import TomboloCore
import TomboloCrypto
import TomboloSQLite

/// A group on this device: what is said in it, and a way to say something.
public struct SyncGroup: Sendable, Identifiable {
    public let id: GroupID
    /// What its creator called it.
    public let name: String
    /// Tombolo's own, or the one that other MVDS peers speak.
    public var dialect: Dialect { record.dialect }
    let node: Node
    let record: GroupRecord

    init(_ record: GroupRecord, _ node: Node) {
        id = record.id
        name = record.name
        self.record = record
        self.node = node
    }

    /// Says something; returns once it is on disk.
    ///
    /// - Parameters:
    ///   - content: what is said.
    ///   - files: those that it refers to, at most 16: they are kept as long as this is there.
    ///   - duration: after which its content goes away everywhere; at most what the group's own expiry says.
    /// - Throws: `EngineError` `contentTooLarge` above 65,536 bytes, in a private group above 65,520; `StoreError` if the store failed.
    @discardableResult
    public func send(
        _ content: some EventContent, files: [FileReference] = [], expiring duration: Duration? = nil
    ) async throws -> EventID {
        let bytes = try ContentEnvelope.seal(content)
        if duration != nil || !files.isEmpty, dialect == .mvds { throw EngineError.notNative(id) }
        let expiry = duration.map { node.clock.now + $0.roundedMilliseconds }
        let effect = try await node.replica.request {
            .append($0, group: id, kind: .message, content: bytes, expiry: expiry, files: files.map(\.id))
        }
        guard case .appended(_, let event) = effect else { throw TomboloError("the engine gave no answer") }
        return event
    }

    /// Says something that is not kept, to whoever is connected now. At most 4,096 bytes; in a private group, where it is sealed as well, 4,068.
    public func broadcast(_ content: some EventContent) async throws {
        let bytes = try ContentEnvelope.seal(content)
        _ = try await node.replica.request { .broadcast($0, group: id, content: bytes) }
    }

    /// Takes events that were made elsewhere, each with its own signature: an import. Nothing of it is kept if one is bad.
    /// - Returns: how many were new.
    public func ingest(_ messages: [Message]) async throws -> Int {
        let effect = try await node.replica.request { .ingest($0, group: id, messages) }
        guard case .ingested(_, let accepted, _) = effect else { throw TomboloError("the engine gave no answer") }
        return accepted
    }

    /// A link that lets as many devices join as `uses` says, for a hundred years at most. Whoever uses it becomes what `role` says, where the
    /// group's policy does not make it that anyway.
    ///
    /// - Throws: `EngineError` `notAllowed` if this device's member may not admit others.
    public func invite(
        expiring: Duration = .seconds(7 * 86_400), as role: Role = .member, uses: Int = 1,
        addresses: [String] = []
    ) async throws -> InvitationLink {
        let expiry = node.clock.now + expiring.roundedMilliseconds
        let all = addresses + node.listeningAddresses
        let effect = try await node.replica.request {
            .invite($0, group: id, addresses: all, expiry: expiry, role: role, uses: uses)
        }
        guard case .invited(_, let invitation) = effect else { throw TomboloError("the engine gave no answer") }
        return InvitationLink(invitation)
    }

    /// The invitations that this device has given out and that still admit somebody, the first to expire first.
    public var invitations: [OpenInvitation] {
        get throws {
            let now = node.clock.now
            return try node.storage.read { try $0.invitations(to: record) }
                .filter { $0.expiry >= now && $0.users.count < $0.uses }.map(OpenInvitation.init)
        }
    }

    /// Admits nobody any more by an invitation of this device's; who has joined by it stays.
    ///
    /// - Throws: `EngineError` `notAllowed` if there is none such.
    public func revoke(_ invitation: OpenInvitation) async throws {
        _ = try await node.replica.request { .revoke($0, group: id, invitation: invitation.bytes) }
    }

    /// What was delivered, withdrawn, restored or erased after `bookmark`, then what is from now on, until the task is cancelled.
    ///
    /// Pulled from the store: a slow consumer holds nothing back and misses nothing.
    public func changes(after bookmark: Bookmark = .start) -> AsyncThrowingStream<Change, any Error> {
        let cursor = ChangeCursor(group: self, after: bookmark)
        return AsyncThrowingStream { try await cursor.next() }
    }

    /// Says when something was delivered, until the task is cancelled; several deliveries may be one piece of news.
    public func news() async throws -> AsyncStream<Void> {
        guard node.isReadOnly else { return try await node.replica.notices(of: .group(id)) }
        return AsyncStream {
            // Another process writes: there is nobody to tell this one.
            try? await node.clock.sleep(for: .seconds(1))
            return Task.isCancelled ? nil : ()
        }
    }

    /// The changes that are there now, at most `limit`.
    public func changes(after bookmark: Bookmark, limit: Int) throws -> [Change] {
        try node.storage.read { reader in
            if dialect == .mvds {
                return try reader.messageChanges(after: bookmark.number, of: record, limit: limit).map {
                    Change(kind: .delivered, entry: Entry($1), bookmark: Bookmark(number: $0))
                }
            }
            let changes = try reader.changes(after: bookmark.number, of: record, limit: limit)
            var entries = try entries(
                changes.compactMap { if case .event(_, let event) = $0.change { event } else { nil } }, reader
            ).makeIterator()
            return changes.compactMap { number, change in
                let bookmark = Bookmark(number: number)
                switch change {
                case .forgotten(let log, let sequence):
                    return Change(
                        kind: .forgotten, entry: Entry(last: sequence, forgottenOf: log), bookmark: bookmark)
                case .event(let kind, _):
                    guard let entry = entries.next() else { return nil }
                    // What has gone since is not told of as if it were there.
                    let isGone = entry.isErased && (kind == .delivered || kind == .restored)
                    return Change(kind: isGone ? .erased : kind, entry: entry, bookmark: bookmark)
                }
            }
        }
    }

    /// Delivered entries in the order that everyone shows: the latest `limit` before an entry, or the latest of all.
    public func timeline(before entry: Entry? = nil, limit: Int) throws -> [Entry] {
        try node.storage.read { reader in
            if dialect == .mvds {
                let place = entry.map { (Int64(clamping: $0.lamport), $0.id) }
                return try reader.messageTimeline(of: record, before: place, limit: limit).map { Entry($0) }
            }
            let found = try reader.timeline(of: record, before: entry.map { ($0.lamport, $0.id) }, limit: limit)
            return try entries(found.filter { $0.event.header.kind == .message }, reader)
        }
    }

    /// What is said without being kept, from now on.
    public func ephemeralMessages() async throws -> AsyncStream<EphemeralMessage> {
        try await node.replica.ephemeralMessages(of: id)
    }

    public var status: GroupStatus {
        get throws {
            try node.storage.read { reader in
                if dialect == .mvds {
                    let held = try reader.messageCount(of: record)
                    let waiting = try reader.messageCount(of: record, status: .waiting)
                    return GroupStatus(held: held, delivered: held - waiting, waiting: waiting, logs: 0)
                }
                let logs = try reader.logs(of: record)
                return GroupStatus(
                    held: try reader.count(of: record), delivered: try reader.count(of: record, status: .delivered),
                    waiting: logs.reduce(0) { $0 + $1.waitingForAncestors }, logs: logs.count)
            }
        }
    }

    /// Bytes of content of the group's events, in the order of arrival, without the first `count`.
    public func contentBytes(after count: Int) throws -> Int {
        try node.storage.read { try $0.contentBytes(of: record, skipping: count) }
    }

    /// The first entry of a log: where authors introduce themselves.
    public func firstEntry(of log: LogID) throws -> Entry? {
        try node.storage.read { reader in
            try reader.firstEvent(of: record, log: log).map { try entries([$0], reader)[0] }
        }
    }

    func opener(_ reader: SQLiteReader) -> ContentOpener<SwiftCryptography> {
        reader.opener(of: record)
    }

    /// Events as applications see them.
    func entries(_ stored: [StoredEvent], _ reader: SQLiteReader) throws -> [Entry] {
        var opener = opener(reader)
        let dropped = try dropped(among: stored, reader)
        return try stored.map {
            Entry($0.event, content: try opener.content(of: $0.event), isDropped: dropped.contains($0.event.id))
        }
    }

    /// A digest over everything that is known of the group: equal digests, equal knowledge.
    public var digest: String {
        get throws {
            if dialect == .mvds { return try messageDigest }
            let logs = try node.storage.read { try $0.logs(of: record) }
            return GroupDigest.root(of: logs).description
        }
    }
}

/// How much of a group is here.
public struct GroupStatus: Sendable, Hashable {
    public let held: Int
    public let delivered: Int
    /// Held, but ancestors are missing.
    public let waiting: Int
    public let logs: Int
}

/// A pull cursor over a group's change log.
private actor ChangeCursor {
    private let group: SyncGroup
    private var bookmark: Bookmark
    private var read: [Change] = []
    private var notices: AsyncStream<Void>.Iterator?

    init(group: SyncGroup, after bookmark: Bookmark) {
        self.group = group
        self.bookmark = bookmark
    }

    func next() async throws -> Change? {
        while read.isEmpty {
            try Task.checkCancellation()
            // Listening begins before reading, so that nothing falls in between.
            if notices == nil { notices = try await group.news().makeAsyncIterator() }
            read = try group.changes(after: bookmark, limit: 256).reversed()
            if read.isEmpty {
                var iterator = notices
                guard await iterator?.next(isolation: self) != nil else { return nil }
                notices = iterator
            }
        }
        let change = read.removeLast()
        bookmark = change.bookmark
        return change
    }
}
