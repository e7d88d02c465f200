public import Foundation
public import TomboloCore
import TomboloSQLite

/// The knowledge of this device about one event: its author, its causes, and the peers that hold it.
public struct EventHistory: Sendable {
    /// An event that another one names.
    public struct Cause: Sendable {
        /// The event's id.
        public let id: EventID
        /// Its log.
        public let log: LogID
        /// Its number in the log, from 1.
        public let sequence: UInt64
        /// Its status, such as delivered or waiting; nil if it is not held.
        public let status: EventStatus?
    }

    /// The event's id.
    public let id: EventID
    /// Its status, such as delivered or waiting.
    public let status: EventStatus
    /// Its log.
    public let log: LogID
    /// Its number in the log, from 1.
    public let sequence: UInt64
    /// Its Lamport time.
    public let lamport: UInt64
    /// The time when it was written, by the clock of its author's device.
    public let timestamp: Date
    /// Its number in the order of arrival on this device.
    public let ordinal: Int64
    /// The device that the log's certificate names; nil until the log's first event has arrived.
    public let device: DeviceKey?
    /// The member that the log's certificate names; nil until the log's first event has arrived.
    public let member: MemberKey?
    /// Tells whether it has a signature of its own. A later signature of the log covers an event without one.
    public let isSigned: Bool
    /// The length of the content that the header states, also if the content is erased.
    public let contentBytes: Int
    /// The time when the content expires or expired; nil for never.
    public let expiry: Date?
    /// The reason why the content is not on this device; nil if it is.
    public let erasure: ErasureReason?
    /// Tells whether it waits for the secret that encrypts it: this device has met no peer that has the secret and may
    /// send it. It is also true if, under the policy `privateFromJoining`, this device's member never gets the secret.
    public let lacksSecret: Bool
    /// The events that it names: its predecessor in the log, then others.
    public let causes: [Cause]
    /// The peers that are known to hold it, ascending.
    public let holders: [PeerID]

    /// Tells whether the content is not on this device; ``erasure`` says why.
    public var isErased: Bool { erasure != nil }
}

extension SyncGroup {
    /// The history of the event whose id begins with these hexadecimal digits.
    ///
    /// It searches the group's order, which takes some hundred milliseconds for a million events.
    /// - Parameter digits: 4 to 64 hexadecimal digits.
    /// - Returns: nil if no such event is held.
    /// - Throws: ``TomboloError`` `invalidArgument` if several events match, or the text has other characters; or of
    ///   the store.
    public func history(ofID digits: String) async throws -> EventHistory? {
        try node.read { reader -> EventHistory? in
            guard let stored = try storedEvent(ofID: digits, reader) else { return nil }
            let certificate = try reader.logs(of: record).first { $0.id == stored.event.header.log }?.certificate
            let header = stored.event.header
            var causes: [EventHistory.Cause] = []
            func add(_ id: EventID, _ log: LogID, _ sequence: UInt64) throws {
                let status = try reader.event(of: record, log: log, sequence: sequence, id: id)?.status
                causes.append(.init(id: id, log: log, sequence: sequence, status: status))
            }
            if let previous = header.previous { try add(previous.id, header.log, header.sequence - 1) }
            for reference in header.parents + header.stateHeads + header.rekeys {
                try add(reference.id, reference.log, reference.sequence)
            }
            return EventHistory(
                id: stored.event.id, status: stored.status, log: header.log, sequence: header.sequence,
                lamport: header.lamport, timestamp: Date(milliseconds: stored.event.timestamp), ordinal: stored.ordinal,
                device: certificate?.device, member: certificate?.member, isSigned: stored.event.signature != nil,
                contentBytes: header.contentLength,
                expiry: stored.event.expiryToCome.map { Date(milliseconds: $0) },
                erasure: try entries([stored], reader).first?.erasure, lacksSecret: try lacksSecret(stored, reader),
                causes: causes, holders: try reader.holders(of: stored, in: record).sorted().map { .device($0) })
        }
    }
}

extension SyncGroup {
    private func lacksSecret(_ stored: StoredEvent, _ reader: SQLiteReader) throws -> Bool {
        if try stored.status == .heldBack && !policy.sharesHistory, let rekey = stored.event.header.rekeys.first {
            let graph = try self.graph(reader)
            return !graph.isOpen(rekey.id, to: node.member)
        }
        guard stored.status == .waiting, stored.event.content != nil else { return false }
        var opener = opener(reader)
        return try opener.content(of: stored.event) == nil
    }

    /// The entry whose id begins with these hexadecimal digits, found as by ``history(ofID:)``.
    ///
    /// - Throws: ``TomboloError`` as ``history(ofID:)``, and `wrongDialect` in a group of the mvds dialect.
    public func entry(ofID digits: String) async throws -> Entry? {
        guard dialect == .native else { throw TomboloError(EngineError.notNative(id)) }
        return try node.read { reader in
            try storedEvent(ofID: digits, reader).map { try entries([$0], reader)[0] }
        }
    }

    /// The entry of a log with a sequence; nil if it is not held. In a forked log it is the one that arrived first.
    ///
    /// - Throws: ``TomboloError`` of the store.
    public func entry(ofLog log: LogID, at sequence: UInt64) async throws -> Entry? {
        try node.read { reader in
            guard let log = try reader.logs(of: record).first(where: { $0.id == log }),
                let stored = try reader.event(ofLog: log, at: sequence)
            else { return nil }
            return try entries([stored], reader).first
        }
    }

    private func storedEvent(ofID digits: String, _ reader: SQLiteReader) throws -> StoredEvent? {
        let lower = digits.lowercased()
        guard (4...64).contains(lower.count), lower.allSatisfy(\.isHexDigit) else {
            throw TomboloError(
                .invalidArgument, "\(digits) is not the beginning of an event's id",
                recovery: "give 4 to 64 hexadecimal digits")
        }
        let first = UInt64(lower.prefix(16).padded(with: "0"), radix: 16) ?? 0
        let last = UInt64(lower.prefix(16).padded(with: "f"), radix: 16) ?? .max
        let found = try reader.events(of: record, idsFrom: first, through: last, limit: 16)
            .filter { $0.event.id.description.hasPrefix(lower) }
        guard found.count <= 1 else {
            throw TomboloError(
                .invalidArgument, "\(found.count) events begin with \(digits)", recovery: "give more digits")
        }
        return found.first
    }
}

extension Substring {
    fileprivate func padded(with character: Character) -> String {
        self + String(repeating: character, count: 16 - count)
    }
}
