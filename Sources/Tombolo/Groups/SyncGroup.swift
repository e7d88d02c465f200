public import TomboloCore
import TomboloCrypto
import TomboloSQLite

/// A handle to read a group on this device and to write to it.
public struct SyncGroup: Sendable, Identifiable {
    /// The group's id.
    public let id: GroupID
    /// The name that its creator gave it.
    public let name: String
    /// The dialect: Tombolo's own, or that of other MVDS peers.
    public var dialect: Dialect { record.dialect }
    let node: Node
    let record: GroupRecord

    init(_ record: GroupRecord, _ node: Node) {
        id = record.id
        name = record.name
        self.record = record
        self.node = node
    }

    /// Sends a content to the group; returns once it is on this device's disk.
    ///
    /// - Parameters:
    ///   - content: the content.
    ///   - files: the files that the content refers to, at most 16. They are kept as long as the entry is.
    ///   - duration: the time after which its content expires everywhere; at most the group's own expiry.
    /// - Throws: ``TomboloError`` `contentTooLarge` above 65,536 bytes, in a private group above 65,520; `unnamedFiles`
    ///   if the content refers to a file that is not among `files`; `wrongDialect` in a group of the mvds dialect,
    ///   which carries bytes (``send(bytes:)``); `notAllowed` if this device's member may not write; or of the store.
    @discardableResult
    public func send(
        _ content: some EventContent, files: [FileReference] = [], expiring duration: Duration? = nil
    ) async throws -> EventID {
        guard dialect == .native else { throw TomboloError(EngineError.notNative(id)) }
        let bytes = try ContentEnvelope.seal(content, naming: files.map(\.id))
        let expiry = duration.map { node.clock.now + $0.roundedMilliseconds }
        let effect = try await node.runtime.request {
            .append($0, group: id, kind: .message, content: bytes, expiry: expiry, files: files.map(\.id))
        }
        guard case .appended(_, let event) = effect else { throw TomboloError.noAnswer }
        return event
    }

    /// Sends a content to the connected peers. No device stores it. At most 4,096 bytes; in a private group, where it
    /// is encrypted as well, 4,068.
    ///
    /// - Throws: ``TomboloError`` `contentTooLarge`, `notAllowed`; `wrongDialect` in a group of the mvds dialect, which
    ///   carries bytes (``broadcast(bytes:)``).
    public func broadcast(_ content: some EventContent) async throws {
        guard dialect == .native else { throw TomboloError(EngineError.notNative(id)) }
        let bytes = try ContentEnvelope.seal(content, naming: nil)
        _ = try await node.runtime.request { .broadcast($0, group: id, content: bytes) }
    }

    /// Imports events that were made elsewhere, each with its own signature. If one is not valid, none is stored.
    ///
    /// - Returns: the number of new events.
    /// - Throws: ``TomboloError`` `invalidEvent`, or of the store.
    public func ingest(_ messages: [Message]) async throws -> Int {
        let effect = try await node.runtime.request { .ingest($0, group: id, messages) }
        guard case .ingested(_, let accepted, _) = effect else { throw TomboloError.noAnswer }
        return accepted
    }

    /// A link that lets devices join the group.
    ///
    /// - Parameters:
    ///   - expiring: the time for which it admits devices; at most a hundred years.
    ///   - role: the role of members that join by it, if the group's policy gives none.
    ///   - uses: the number of devices that it admits.
    ///   - addresses: addresses of this device, each as `host:port`, before those where it listens.
    /// - Throws: ``TomboloError`` `notAllowed` if this device's member may not admit others; `notListening` if no peer
    ///   could reach this device; `invalidArgument` if no peer can dial an address.
    public func invite(
        expiring: Duration = .seconds(7 * 86_400), as role: Role = .member, uses: Int = 1,
        addresses: [String] = []
    ) async throws -> InvitationLink {
        let expiry = node.clock.now + expiring.roundedMilliseconds
        let all = try node.invitationAddresses(adding: addresses)
        let effect = try await node.runtime.request {
            .invite($0, group: id, addresses: all, expiry: expiry, role: role, uses: uses)
        }
        guard case .invited(_, let invitation) = effect else { throw TomboloError.noAnswer }
        return InvitationLink(invitation)
    }

    /// The invitations of this device that still admit devices, the first to expire first.
    ///
    /// - Throws: ``TomboloError`` of the store.
    public var invitations: [OpenInvitation] {
        get async throws {
            let now = node.clock.now
            return try node.read { try $0.invitations(to: record) }
                .filter { $0.expiry >= now && $0.uses.count < $0.mostUses }.map(OpenInvitation.init)
        }
    }

    /// Ends an invitation of this device. Members that have joined by it stay.
    ///
    /// - Throws: ``TomboloError`` `notAllowed` if there is no such invitation.
    public func revoke(_ invitation: OpenInvitation) async throws {
        _ = try await node.runtime.request { .revoke($0, group: id, invitation: invitation.bytes) }
    }

    /// The delivered messages in the order that all devices show, ascending: the latest `limit` before an entry, or of
    /// all.
    ///
    /// - Throws: ``TomboloError`` of the store.
    public func timeline(before entry: Entry? = nil, limit: Int) async throws -> [Entry] {
        try readTimeline(before: entry, limit: limit)
    }

    package func readTimeline(before entry: Entry? = nil, limit: Int) throws -> [Entry] {
        try node.read { reader in
            if dialect == .mvds {
                let place = entry.map { (Int64(clamping: $0.lamport), $0.id) }
                return try reader.messageTimeline(of: record, before: place, limit: limit).map { Entry($0) }
            }
            let found = try reader.timeline(of: record, before: entry.map { ($0.lamport, $0.id) }, limit: limit)
            return try entries(found.filter { $0.event.header.kind == .message }, reader)
        }
    }

    /// The status of the group on this device.
    ///
    /// - Throws: ``TomboloError`` of the store.
    public var status: GroupStatus {
        get async throws {
            try node.read { reader in
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

    /// A digest of all held events of the group. Devices with the same digest hold the same.
    ///
    /// - Throws: ``TomboloError`` of the store.
    public var digest: String {
        get async throws {
            if dialect == .mvds { return try messageDigest }
            let logs = try node.read { try $0.logs(of: record) }
            return GroupDigest.root(of: logs).description
        }
    }
}

/// The status of a group on this device.
public struct GroupStatus: Sendable, Hashable {
    /// The number of held events.
    public let held: Int
    /// The number of delivered events.
    public let delivered: Int
    /// The number of held events whose ancestors are missing.
    public let waiting: Int
    /// The number of logs, each of one device.
    public let logs: Int
}
