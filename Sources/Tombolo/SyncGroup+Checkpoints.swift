public import Foundation
public import TomboloCore
import TomboloSQLite

/// A proposal to forget what has gone away, headers and all, and who has agreed (protocol §2.11).
public struct GroupCheckpoint: Sendable, Identifiable {
    /// The event that says so, in the group's state.
    public let id: EventID
    /// An admin.
    public let author: MemberKey
    /// By its author's clock.
    public let timestamp: Date
    /// The logs of which a beginning is to be forgotten.
    public let logs: Int
    /// The members who have found that nothing is left there, nor missing; ascending. Its author is one of them.
    public let passed: [MemberKey]
    /// Those who have not yet; ascending. If one of them never comes back, it can be removed, and another checkpoint proposed, by which nothing of
    /// its own is forgotten.
    public let awaited: [MemberKey]

    /// Whether every member has passed it. A log is forgotten when the device whose it is has passed it as well, or one that admitted that.
    public var isPassed: Bool { awaited.isEmpty }
}

// What has gone away leaves its headers: who wrote when, and in answer to what. Behind a checkpoint that every member has passed they go too.
extension SyncGroup {
    /// Proposes to forget, of each log of a member who may write, the events with which it begins and of which nothing is left that says anything:
    /// because their time is over, or they were taken back. An admin does. The last event of each log stays; of more than 512 logs those come
    /// first of which most can be forgotten.
    ///
    /// Every member who may write then passes it, by one of its devices and without being asked, once that has everything that is to be
    /// forgotten, and nothing of it says anything there either. When the last one has, every device forgets it for good: nobody has, asks for or
    /// takes these events any more, and a device that was away meanwhile brings none of them back. Of who was removed nothing is forgotten.
    /// Applications are told `forgotten`.
    /// - Throws: `EngineError` `notAllowed` if this device's member is no admin, nothing can be forgotten, or more than 1,024 other members may write;
    ///   `unknownGroup`, `notNative`.
    @discardableResult
    public func proposeCheckpoint() async throws -> GroupCheckpoint {
        let effect = try await node.replica.request { .proposeCheckpoint($0, group: id) }
        guard case .appended(_, let event) = effect, let made = try checkpoints.first(where: { $0.id == event }) else {
            throw TomboloError("the engine gave no answer")
        }
        return made
    }

    /// The checkpoints that were proposed, the latest last.
    ///
    /// Goes through all state events: some 10 µs each.
    /// - Throws: `EngineError` `notNative`.
    public var checkpoints: [GroupCheckpoint] {
        get throws {
            guard dialect == .native else { throw EngineError.notNative(id) }
            return try node.storage.read { reader in
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
    }

    /// How many events of the group are forgotten here: the sum of the places up to which its logs are.
    public var forgottenEvents: Int {
        get throws {
            let floors = try node.storage.read { try $0.logs(of: record).map(\.floor) }
            return Int(clamping: floors.reduce(0, &+))
        }
    }
}
