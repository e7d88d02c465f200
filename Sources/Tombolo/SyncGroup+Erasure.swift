public import Foundation
public import TomboloCore
import TomboloSQLite

/// That the content of an entry was taken back, and who has said that it is gone.
public struct Redaction: Sendable {
    /// The event that says so, in the group's state.
    public let id: EventID
    /// Who took it back: its author, or an admin.
    public let member: MemberKey
    public let timestamp: Date
    /// Empty if none was given.
    public let reason: String
    /// Whether it has its effect: not if who made it was removed without knowing of it.
    public let stands: Bool
    /// Devices that have written something since they carried it out, each with the first event that proves it by its signature.
    /// A device that lies can keep what it has seen; one that is not named may have erased it as well.
    public let receipts: [Receipt]

    public struct Receipt: Hashable, Sendable {
        public let device: DeviceKey
        public let event: EventID
        public let timestamp: Date
    }
}

// What goes away: after a time, or because it was taken back. What is erased is gone from the store's files, and no peer,
// backup or import brings it back; the event itself stays, so that what came after it can be judged.
extension SyncGroup {
    /// Takes the content of an entry back, for everyone: at once here, elsewhere as soon as this is known there.
    ///
    /// - Parameters:
    ///   - entry: something that was said, with or without its content.
    ///   - reason: told to everyone; at most 1,024 bytes.
    /// - Throws: `EngineError` `notAllowed` if the entry is another member's and this device's member is not an admin.
    public func redact(_ entry: Entry, reason: String = "") async throws {
        guard dialect == .native, let log = entry.log else { throw EngineError.notNative(id) }
        _ = try await node.replica.request {
            .redact(
                $0, group: id,
                EventReference(id: entry.id, log: log, sequence: entry.sequence, lamport: entry.lamport), reason: reason
            )
        }
    }

    /// Lets everything that is said from now on go away after a while; nil ends that. Admins set it.
    ///
    /// It is kept by who writes: a device that has not heard of it yet sends without.
    public func setExpiry(_ duration: Duration?) async throws {
        if let duration, duration <= .zero { throw EngineError.notAllowed("what is said has to stay for a while") }
        try await setState(StateAction.expiryKey, to: duration.map { Data("\($0.roundedMilliseconds)".utf8) })
    }

    /// What was made of an entry by who took it back, in the order of arrival; empty if nobody did.
    ///
    /// Goes through all state events, and some of each log.
    public func redactions(of entry: Entry) throws -> [Redaction] {
        guard dialect == .native, let log = entry.log else { return [] }
        return try redactions(of: LogPosition(log: log, sequence: entry.sequence, id: entry.id))
    }

    /// The same for an event that was looked up.
    public func redactions(of event: EventHistory) throws -> [Redaction] {
        try redactions(of: LogPosition(log: event.log, sequence: event.sequence, id: event.id))
    }

    private func redactions(of event: LogPosition) throws -> [Redaction] {
        try node.storage.read { reader in
            let logs = try reader.logs(of: record)
            guard let author = logs.first(where: { $0.id == event.log })?.certificate?.member else { return [] }
            let graph = try graph(reader)
            return try graph.redactions(of: event, by: author).compactMap { node in
                guard case .redact(let redaction) = node.action,
                    let stored = try reader.event(of: record, at: node.reference)
                else { return nil }
                return Redaction(
                    id: node.reference.id, member: node.author, timestamp: Date(milliseconds: stored.event.timestamp),
                    reason: redaction.reason, stands: node.stands,
                    receipts: try receipts(for: node.reference.id, graph, logs, reader))
            }
        }
    }

    /// Who has seen an event of the state writes later ones as well that have: the first of a log is found by halving.
    private func receipts(
        for redaction: EventID, _ graph: StateGraph, _ logs: [LogState], _ reader: SQLiteReader
    ) throws -> [Redaction.Receipt] {
        var first: [DeviceKey: Redaction.Receipt] = [:]
        for log in logs {
            guard let device = log.certificate?.device, log.lastSequence > 0 else { continue }
            var (low, high) = (log.floor + 1, log.lastSequence + 1)
            var found: StoredEvent?
            while low < high {
                let middle = (low + high) / 2
                let stored = try reader.event(ofLog: log, at: middle)
                let isLater = stored.map { sees(redaction, $0.event, graph) } ?? false
                if isLater { found = stored }
                (low, high) = isLater ? (low, middle) : (middle + 1, high)
            }
            guard let event = found?.event else { continue }
            let receipt = Redaction.Receipt(
                device: device, event: event.id, timestamp: Date(milliseconds: event.timestamp))
            if first[device].map({ receipt.timestamp < $0.timestamp }) ?? true { first[device] = receipt }
        }
        return first.values.sorted { $0.device < $1.device }
    }

    private func sees(_ redaction: EventID, _ event: Event, _ graph: StateGraph) -> Bool {
        if event.header.kind.isState { return graph.hasSeen(redaction, from: [event.id]) }
        return graph.hasSeen(redaction, from: (event.header.stateHeads + event.header.rekeys).map(\.id))
    }
}

extension GroupState {
    /// After how long what is said in the group goes away; nil for never.
    public var expiry: Duration? {
        self[StateAction.expiryKey].flatMap { StateAction.expiry(Array($0)) }.map { .milliseconds(Int64(clamping: $0)) }
    }
}
