public import Foundation
public import TomboloCore
import TomboloCrypto
import TomboloSQLite

/// A member of a group, as everyone who holds the same events sees it.
public struct GroupMember: Hashable, Sendable, Identifiable {
    public let id: MemberKey
    public let role: Role
    /// Those that have written to the group, ascending.
    public let devices: [DeviceKey]
}

/// What a group's keys are set to: the latest setting in causal order counts, of concurrent ones that with the highest (Lamport time, id).
public struct GroupState: Hashable, Sendable {
    private let values: [String: [Data?]]

    fileprivate init(_ graph: StateGraph) {
        var values: [String: [Data?]] = [:]
        for key in graph.keys {
            values[key] = graph.settings(of: key).map { node in
                if case .set(_, let value?) = node.action { Data(value) } else { nil }
            }
        }
        self.values = values
    }

    /// Keys that are set, ascending.
    public var keys: [String] { values.filter { $0.value.first.flatMap(\.self) != nil }.keys.sorted() }
    /// Nil if the key is not set, or was removed.
    public subscript(key: String) -> Data? { values[key]?.first.flatMap(\.self) }
    /// What the key was set to by people who did not know of each other, the one that counts first; nil where one removed it.
    public func concurrentValues(of key: String) -> [Data?] { values[key] ?? [] }

    /// The value as a type of the application's, which is carried as JSON.
    public func value<Value: Decodable>(of key: String, as: Value.Type = Value.self) throws -> Value? {
        try self[key].map { try JSONDecoder().decode(Value.self, from: $0) }
    }

    /// The key `title`, which admins set.
    public var title: String? { self["title"].map { String(decoding: $0, as: UTF8.self) } }
    /// The key `topic`, which admins set.
    public var topic: String? { self["topic"].map { String(decoding: $0, as: UTF8.self) } }
}

// Who may do what in a group, and what everyone is to know of it. All of it is a function of the events that are held.
extension SyncGroup {
    /// Who writes without having been made a member; fixed when the group was made.
    ///
    /// - Throws: `EngineError` `notNative` in a group of the mvds dialect, which knows nothing of members.
    public var policy: Policy { get throws { try statement.policy } }

    private var statement: GroupStatement {
        get throws {
            guard dialect == .native else { throw EngineError.notNative(id) }
            return try GroupStatement(decoding: record.statement[...])
        }
    }

    /// Who is named by the group's state, removed ones too (with the role `none`), and who has written; ascending by key.
    ///
    /// Goes through all state events: some 10 µs each.
    public var members: [GroupMember] {
        get throws {
            try node.storage.read { reader in
                let graph = try graph(reader)
                var devices: [MemberKey: Set<DeviceKey>] = [:]
                for log in try reader.logs(of: record) {
                    guard let certificate = log.certificate else { continue }
                    devices[certificate.member, default: []].insert(certificate.device)
                }
                let named = Set(graph.members.map(\.member)).union(devices.keys)
                return named.sorted().map {
                    GroupMember(id: $0, role: graph.standing(of: $0).role, devices: (devices[$0] ?? []).sorted())
                }
            }
        }
    }

    /// What a member may do, all that is held here considered.
    public func role(of member: MemberKey) throws -> Role {
        try node.storage.read { try graph($0).standing(of: member).role }
    }

    /// Makes a member what it shall be.
    ///
    /// Admins and owners raise others up to below their own role (owners up to owner), and lower who is below them: by role, then by who came first.
    /// What a lowered member did without knowing of it, and its messages that this device does not hold yet, have no effect anywhere.
    /// - Throws: `EngineError` `notAllowed`, saying why.
    public func setRole(_ role: Role, of member: MemberKey) async throws {
        _ = try await node.replica.request { .setRole($0, group: id, of: member, to: role) }
    }

    /// Removes a member: it neither writes nor counts as a member any more. In a private group it cannot read what is said from now on by whoever
    /// has heard of it; elsewhere it can read what reaches it.
    public func remove(_ member: MemberKey) async throws { try await setRole(.none, of: member) }

    /// Gives up this device's member's own rights. The group stays here, to be read.
    public func leave() async throws { try await setRole(.none, of: node.member) }

    /// What the group's keys are set to.
    public var state: GroupState { get throws { try node.storage.read { GroupState(try graph($0)) } } }

    /// Sets a key for everyone; nil removes it. Keys have 1 to 255 bytes; `title`, `topic` and `expiry` are the group's own, which admins set.
    ///
    /// - Throws: `EngineError` `notAllowed`, or `contentTooLarge` above 4,096 bytes, in a private group above 4,068.
    public func setState(_ key: String, to value: Data?) async throws {
        _ = try await node.replica.request {
            .setState($0, group: id, key: key, value: value.map { Array($0) })
        }
    }

    /// The same with a value of the application's, carried as JSON.
    public func setState(_ key: String, encoding value: some Encodable & Sendable) async throws {
        let data: Data? = try JSONEncoder().encode(value)
        try await setState(key, to: data)
    }

    /// The state as it is now, then each time that it has become another one, until the task is cancelled. Who is slow sees the latest.
    public func states() -> AsyncThrowingStream<GroupState, any Error> {
        let cursor = StateCursor(group: self)
        return AsyncThrowingStream { try await cursor.next() }
    }

    func graph(_ reader: SQLiteReader) throws -> StateGraph {
        try reader.graph(of: record, try statement)
    }
}

extension SQLiteReader {
    /// A group's state with all that it says, as far as it can be read here.
    func graph(of group: GroupRecord, _ statement: GroupStatement) throws -> StateGraph {
        var graph = StateGraph(owner: statement.owner, policy: statement.policy)
        var opener = opener(of: group)
        try graph.insert(try stateEvents(of: group)) { try opener.value($1, of: $0) }
        return graph
    }

    func opener(of group: GroupRecord) -> ContentOpener<SwiftCryptography> {
        ContentOpener(using: SwiftCryptography()) { try self.secret(of: $0, in: group) }
    }
}

private actor StateCursor {
    private let group: SyncGroup
    private var latest: GroupState?
    private var news: AsyncStream<Void>.AsyncIterator?

    init(group: SyncGroup) { self.group = group }

    func next() async throws -> GroupState? {
        if news == nil { news = try await group.news().makeAsyncIterator() }
        while true {
            let state = try group.state
            if state != latest {
                latest = state
                return state
            }
            var iterator = news
            guard await iterator?.next(isolation: self) != nil else { return nil }
            news = iterator
        }
    }
}
