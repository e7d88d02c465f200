public import Foundation
public import TomboloCore
import TomboloSQLite

/// A proposal to forget erased events, including their headers, and the members that have agreed (protocol §2.11).
public struct GroupCheckpoint: Sendable, Identifiable {
    /// The event that proposes it, in the group's state.
    public let id: EventID
    /// The admin that proposed it.
    public let author: MemberKey
    /// The time of the proposal, by its author's clock.
    public let timestamp: Date
    /// The number of logs whose beginnings are to be forgotten.
    public let logs: Int
    /// The members that have passed it, ascending: a device of theirs holds all of these events and can read none. Its
    /// author is one of them.
    public let passed: [MemberKey]
    /// The members that have not passed it yet, ascending. If one of them never returns, an admin can remove it and
    /// propose another checkpoint, which forgets nothing of that member's logs.
    public let awaited: [MemberKey]

    /// Tells whether every member has passed it. A log is forgotten when its own device has passed it too, or a device
    /// that admitted that one.
    public var isPassed: Bool { awaited.isEmpty }
}

// Erased events leave their headers: author, time and causes. A checkpoint that every member has passed removes these
// too.
extension SyncGroup {
    /// Proposes to forget the beginnings of logs whose contents all expired or were redacted. Only admins may propose
    /// it.
    ///
    /// It covers the logs of members that may write. The last event of each log stays. Of more than 512 logs, it covers
    /// those of which most events can be forgotten.
    ///
    /// One device of each member that may write passes it by itself, once it holds all events that are to be forgotten
    /// and no content of them. After the last member has passed it, every device forgets them for good: no device
    /// holds, requests or accepts them. A device that was away brings none of them back. Logs of removed members are
    /// not forgotten. Applications receive ``Change/forgotten(log:through:at:)``.
    /// - Throws: ``TomboloError`` `notAllowed` if this device's member is no admin, nothing can be forgotten, or more
    ///   than 1,024 other members may write; `unknownGroup`, `wrongDialect`.
    @discardableResult
    public func proposeCheckpoint() async throws -> GroupCheckpoint {
        let effect = try await node.runtime.request { .proposeCheckpoint($0, group: id) }
        guard case .appended(_, let event) = effect,
            let made = try readCheckpoints().first(where: { $0.id == event })
        else { throw TomboloError.noAnswer }
        return made
    }

    /// The proposed checkpoints, the latest last.
    ///
    /// It reads all state events, which takes some 10 µs each.
    /// - Throws: ``TomboloError`` `wrongDialect`, or of the store.
    public var checkpoints: [GroupCheckpoint] { get async throws { try readCheckpoints() } }

    private func readCheckpoints() throws -> [GroupCheckpoint] {
        guard dialect == .native else { throw TomboloError(EngineError.notNative(id)) }
        return try node.read { reader in
            let graph = try graph(reader)
            return try graph.checkpointNodes.compactMap { node in
                guard case .checkpoint(let checkpoint) = node.action,
                    let stored = try reader.event(of: record, at: node.reference)
                else { return nil }
                let passed = Set(graph.passed(node).keys)
                let asked = Set(checkpoint.members).union([node.author])
                return GroupCheckpoint(
                    id: node.reference.id, author: node.author,
                    timestamp: Date(milliseconds: stored.event.timestamp), logs: checkpoint.floors.count,
                    passed: asked.intersection(passed).sorted(), awaited: asked.subtracting(passed).sorted())
            }
        }
    }

    /// The number of events of the group that this device has forgotten.
    ///
    /// - Throws: ``TomboloError`` of the store.
    public var forgottenEvents: Int {
        get async throws {
            let floors = try node.read { try $0.logs(of: record).map(\.floor) }
            return Int(clamping: floors.reduce(0, &+))
        }
    }
}
