public import Foundation
public import TomboloCore
import TomboloCrypto
import TomboloSQLite

/// A member of a group, the same on all devices that hold the same events.
public struct GroupMember: Hashable, Sendable, Identifiable {
    /// The member's key.
    public let id: MemberKey
    /// Its role; `none` if it was removed.
    public let role: Role
    /// Its devices that have written to the group, ascending.
    public let devices: [DeviceKey]
}

/// The values of a group's keys. The latest setting in causal order counts; of concurrent ones the one with the highest
/// (Lamport time, id).
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

    /// The keys that are set, ascending.
    public var keys: [String] { values.filter { $0.value.first.flatMap(\.self) != nil }.keys.sorted() }
    /// The value of a key; nil if the key is not set, or was removed.
    public subscript(key: String) -> Data? { values[key]?.first.flatMap(\.self) }
    /// The concurrent values of a key, the one that counts first; nil stands for a removal of the key.
    public func concurrentValues(of key: String) -> [Data?] { values[key] ?? [] }

    /// The value as a type of the application; nil if the key is not set, or was removed.
    ///
    /// A `String` is the value's UTF-8 text. All other types are read as JSON.
    /// - Throws: ``TomboloError`` `undecodableContent` if the value has another type: any admin may have set it.
    public func value<Value: Decodable>(of key: String, as: Value.Type = Value.self) throws -> Value? {
        guard let data = self[key] else { return nil }
        do {
            if Value.self == String.self || Value.self == String?.self {
                guard let text = String(data: data, encoding: .utf8) else {
                    throw TomboloError(.undecodableContent, "the value of \(key) is not text")
                }
                return text as? Value
            }
            return try JSONDecoder().decode(Value.self, from: data)
        } catch {
            throw TomboloError(
                .undecodableContent, "the value of \(key) is not a \(Value.self)",
                recovery: "set it again, or update the application", underlying: error)
        }
    }

    /// The key `title`, which admins set.
    public var title: String? { self["title"].map { String(decoding: $0, as: UTF8.self) } }
    /// The key `topic`, which admins set.
    public var topic: String? { self["topic"].map { String(decoding: $0, as: UTF8.self) } }
}

// Members and keys of a group. Both are a function of the events that are held.
extension SyncGroup {
    /// The policy of the group, which was fixed when the group was made.
    ///
    /// - Throws: ``TomboloError`` `wrongDialect` in a group of the mvds dialect, which has no members.
    public var policy: Policy { get throws { try statement.policy } }

    private var statement: GroupStatement {
        get throws {
            guard dialect == .native else { throw TomboloError(EngineError.notNative(id)) }
            return try convertingErrors { try GroupStatement(decoding: record.statement[...]) }
        }
    }

    /// The members that the group's state names, removed ones too (with the role `none`), and those that have written;
    /// ascending by key.
    ///
    /// It reads all state events, which takes some 10 µs each.
    /// - Throws: ``TomboloError`` `wrongDialect`, or of the store.
    public var members: [GroupMember] {
        get async throws {
            try node.read { reader in
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

    /// The role of a member, by all state events that are held here.
    ///
    /// - Throws: ``TomboloError`` `wrongDialect`, or of the store.
    public func role(of member: MemberKey) async throws -> Role {
        try node.read { try graph($0).standing(of: member).role }
    }

    /// Gives a member a role.
    ///
    /// Admins and owners promote others up to below their own role (owners up to owner), and demote members below
    /// themselves. Rank goes by role, then by seniority. Events that a demoted member wrote without knowing of the
    /// demotion, and that this device does not hold yet, have no effect anywhere.
    /// - Parameters:
    ///   - role: the new role.
    ///   - member: the member, which can be this device's own.
    ///   - allowsAbandoning: whether this device's member may give up its role although no other member could then admit
    ///     or remove members. That cannot be undone.
    /// - Throws: ``TomboloError`` `notAllowed`, with the reason; `lastAdmin`.
    public func setRole(_ role: Role, of member: MemberKey, allowsAbandoning: Bool = false) async throws {
        if member == node.member, role < .admin, !allowsAbandoning, try isOnlyAdmin(member) {
            throw TomboloError(
                .lastAdmin, "no other member could then admit or remove members, for ever",
                recovery: "make another member an owner first")
        }
        _ = try await node.runtime.request { .setRole($0, group: id, of: member, to: role) }
    }

    /// Removes a member: it may no longer write and is no longer a member.
    ///
    /// In a private group it cannot read events whose author has seen the removal. In other groups it can read all
    /// events that reach it.
    /// - Throws: ``TomboloError`` `notAllowed`, with the reason.
    public func remove(_ member: MemberKey) async throws { try await setRole(.none, of: member) }

    private func isOnlyAdmin(_ member: MemberKey) throws -> Bool {
        let admins = try node.read { try graph($0).members }.filter { $0.standing.role >= .admin }
        return admins.map(\.member) == [member]
    }

    /// Gives up the rights of this device's member. The group stays on this device and can be read.
    ///
    /// - Parameter allowsAbandoning: whether to leave although no other member could then admit or remove members. That
    ///   cannot be undone.
    /// - Throws: ``TomboloError`` `notAllowed`, with the reason; `lastAdmin`.
    public func leave(allowsAbandoning: Bool = false) async throws {
        try await setRole(.none, of: node.member, allowsAbandoning: allowsAbandoning)
    }

    /// The values of the group's keys.
    ///
    /// - Throws: ``TomboloError`` `wrongDialect`, or of the store.
    public var state: GroupState { get async throws { try readState() } }

    private func readState() throws -> GroupState { try node.read { GroupState(try graph($0)) } }

    /// Sets a key for all members; nil removes it. Keys have 1 to 255 bytes of UTF-8. The group's own keys are `title`,
    /// `topic` and `expiry`, which admins set.
    ///
    /// - Throws: ``TomboloError`` `notAllowed`; `contentTooLarge` above 4,096 bytes, in a private group above 4,068.
    public func setState(_ key: String, to value: Data?) async throws {
        _ = try await node.runtime.request {
            .setState($0, group: id, key: key, value: value.map { Array($0) })
        }
    }

    /// Sets a key to a value of the application. A `String` is stored as UTF-8 text, all other types as JSON;
    /// ``GroupState/value(of:as:)`` reads it back.
    ///
    /// - Throws: ``TomboloError`` as ``setState(_:to:)``; `invalidArgument` if the value cannot be encoded.
    public func setState(_ key: String, encoding value: some Encodable & Sendable) async throws {
        let data: Data? =
            if let text = value as? String {
                Data(text.utf8)
            } else {
                try Self.encoded(value)
            }
        try await setState(key, to: data)
    }

    private static func encoded(_ value: some Encodable) throws -> Data {
        do {
            return try JSONEncoder().encode(value)
        } catch {
            throw TomboloError(.invalidArgument, "the value cannot be encoded as JSON", underlying: error)
        }
    }

    /// The state, now and after each change, until the task is cancelled. A slow reader gets only the latest.
    ///
    /// The sequence throws ``TomboloError`` `wrongDialect`, or of the store.
    public func stateUpdates() -> some AsyncSequence<GroupState, TomboloError> & Sendable {
        PullSequence<GroupState, TomboloError>(
            signals: { signals() }, readsFirst: (), skipping: { $0 == $1 }, read: { _ in try readState() })
    }

    func graph(_ reader: SQLiteReader) throws -> StateGraph {
        try reader.graph(of: record, try statement)
    }
}

extension SQLiteReader {
    /// The state graph of a group, with the contents that can be read here.
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
