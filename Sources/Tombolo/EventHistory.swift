public import Foundation
public import TomboloCore
import TomboloSQLite

/// What this device knows of one event: whether it is held, whose it is, what it waits for, who else has it.
public struct EventHistory: Sendable {
    /// An event that another one names.
    public struct Cause: Sendable {
        public let id: EventID
        public let log: LogID
        public let sequence: UInt64
        /// Nil if it is not held.
        public let status: EventStatus?
    }

    public let id: EventID
    public let status: EventStatus
    public let log: LogID
    public let sequence: UInt64
    public let lamport: UInt64
    public let timestamp: Date
    /// The order of arrival on this device.
    public let ordinal: Int64
    /// The device and the member that the log's certificate names; nil until the log's first event has come.
    public let device: DeviceKey?
    public let member: MemberKey?
    public let isSigned: Bool
    /// What the header says: of what is erased, that many bytes were there.
    public let contentBytes: Int
    /// When the content goes away, or went; nil for never.
    public let expiry: Date?
    /// Whether the content is not here.
    public let isErased: Bool
    /// Whether that is so although nobody took it back: see ``Entry/isDropped``.
    public let isDropped: Bool
    /// Whether it waits for the secret that it is sealed under: no peer that has it has been met, or none may hand it to this device. Or, under the
    /// policy `privateFromJoining`, whether it is held back because that is never for this device's member.
    public let lacksSecret: Bool
    /// All that it names: its log's event before it, then others.
    public let causes: [Cause]
    /// Peers that are known to hold it.
    public let holders: [DeviceKey]
}

extension SyncGroup {
    /// What is known of the event whose id begins with these hexadecimal digits.
    ///
    /// Goes through the group's order, some hundred milliseconds for a million events.
    /// - Returns: nil if no such event is held, in a native group.
    /// - Throws: ``TomboloError`` if the digits fit several events, or are none.
    public func history(ofID digits: String) throws -> EventHistory? {
        try node.storage.read { reader -> EventHistory? in
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
                isErased: stored.event.content == nil,
                isDropped: try !dropped(among: [stored], reader).isEmpty, lacksSecret: try lacksSecret(stored, reader),
                causes: causes,
                holders: try reader.holders(of: stored, in: record).sorted())
        }
    }
}

extension SyncGroup {
    private func lacksSecret(_ stored: StoredEvent, _ reader: SQLiteReader) throws -> Bool {
        if try stored.status == .heldBack && !policy.sharesHistory, let rekey = stored.event.header.rekeys.first {
            var graph = try self.graph(reader)
            return !graph.isOpen(rekey.id, to: node.member)
        }
        guard stored.status == .waiting, stored.event.content != nil else { return false }
        var opener = opener(reader)
        return try opener.content(of: stored.event) == nil
    }

    /// The entry whose id begins with these hexadecimal digits; the same holds as for ``history(ofID:)``.
    public func entry(ofID digits: String) throws -> Entry? {
        guard dialect == .native else { throw EngineError.notNative(id) }
        return try node.storage.read { reader in
            try storedEvent(ofID: digits, reader).map { try entries([$0], reader)[0] }
        }
    }

    private func storedEvent(ofID digits: String, _ reader: SQLiteReader) throws -> StoredEvent? {
        let lower = digits.lowercased()
        guard (4...64).contains(lower.count), lower.allSatisfy(\.isHexDigit) else {
            throw TomboloError("\(digits) is not the beginning of an event's id: 4 to 64 hexadecimal digits")
        }
        let first = UInt64(lower.prefix(16).padded(with: "0"), radix: 16) ?? 0
        let last = UInt64(lower.prefix(16).padded(with: "f"), radix: 16) ?? .max
        let found = try reader.events(of: record, idsFrom: first, through: last, limit: 16)
            .filter { $0.event.id.description.hasPrefix(lower) }
        guard found.count <= 1 else {
            throw TomboloError("\(found.count) events begin with \(digits): give more digits")
        }
        return found.first
    }
}

extension Substring {
    fileprivate func padded(with character: Character) -> String {
        self + String(repeating: character, count: 16 - count)
    }
}
