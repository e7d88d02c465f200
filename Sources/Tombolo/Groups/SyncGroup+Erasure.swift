public import Foundation
public import TomboloCore
import TomboloSQLite

/// A redaction of an entry's content, with the confirmations of devices that have erased it.
public struct Redaction: Sendable {
    /// The state event of the redaction.
    public let id: EventID
    /// The member that redacted it: its author, or an admin.
    public let member: MemberKey
    /// The time when it was written, by the clock of its author's device.
    public let timestamp: Date
    /// The reason; empty if none was given.
    public let reason: String
    /// Tells whether it has an effect. It has none if its author was removed and did not know of that.
    public let stands: Bool
    /// The devices that have written an event since they erased the content, each with the first event that proves it
    /// by its signature. A device that lies can keep the content; one that is not named may have erased it as well.
    public let receipts: [Receipt]

    /// A device's confirmation that it has erased the content.
    public struct Receipt: Hashable, Sendable {
        /// The device that confirms it.
        public let device: DeviceKey
        /// The event that confirms it.
        public let event: EventID
        /// The time when it was written, by the clock of its author's device.
        public let timestamp: Date
    }
}

// Contents expire, or a member redacts them. They leave the store's files, and no peer, backup or import brings them
// back. The event itself stays, so that later events can be validated.
extension SyncGroup {
    /// Redacts an entry: erases its content at once here, and on other devices when the redaction arrives.
    ///
    /// - Parameters:
    ///   - entry: a message, with or without its content.
    ///   - reason: shown to all members; at most 1,024 bytes of UTF-8.
    /// - Throws: ``TomboloError`` `notAllowed` if the entry is another member's and this device's member is not an
    ///   admin; `contentTooLarge`, `wrongDialect`.
    public func redact(_ entry: Entry, reason: String = "") async throws {
        guard dialect == .native, let log = entry.log else { throw TomboloError(EngineError.notNative(id)) }
        _ = try await node.runtime.request {
            .redact(
                $0, group: id,
                EventReference(id: entry.id, log: log, sequence: entry.sequence, lamport: entry.lamport), reason: reason
            )
        }
    }

    /// Sets the time after which contents that are sent from now on expire; nil for never. Only admins may set it.
    ///
    /// The sender applies it: a device that does not know of the setting yet sends without an expiry.
    /// - Throws: ``TomboloError`` `invalidArgument` unless the duration is positive; `notAllowed`.
    public func setExpiry(_ duration: Duration?) async throws {
        if let duration, duration <= .zero {
            throw TomboloError(
                .invalidArgument, "the expiry must be positive", recovery: "give a longer time, or nil for never")
        }
        try await setState(StateAction.expiryKey, to: duration.map { Data("\($0.roundedMilliseconds)".utf8) })
    }

    /// The redactions of an entry, in the order of arrival.
    ///
    /// It reads all state events, and some events of each log.
    /// - Throws: ``TomboloError`` of the store.
    public func redactions(of entry: Entry) async throws -> [Redaction] {
        guard dialect == .native, let log = entry.log else { return [] }
        return try redactions(at: LogPosition(log: log, sequence: entry.sequence, id: entry.id))
    }

    /// The redactions of an event that was looked up.
    ///
    /// - Throws: ``TomboloError`` of the store.
    public func redactions(of event: EventHistory) async throws -> [Redaction] {
        try redactions(at: LogPosition(log: event.log, sequence: event.sequence, id: event.id))
    }

    private func redactions(at event: LogPosition) throws -> [Redaction] {
        try node.read { reader in
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

    /// The receipts of a redaction. All later events of a device that has seen a state event depend on it, so a binary
    /// search finds the first of each log.
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
    /// The time after which contents of the group expire; nil for never.
    public var expiry: Duration? {
        self[StateAction.expiryKey].flatMap { StateAction.expiry(Array($0)) }.map { .milliseconds(Int64(clamping: $0)) }
    }
}
