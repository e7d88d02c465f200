import TomboloCore
import TomboloCrypto
import TomboloSQLite

// Events of the store as applications see them.
extension SyncGroup {
    func opener(_ reader: SQLiteReader) -> ContentOpener<SwiftCryptography> { reader.opener(of: record) }

    func entries(_ stored: [StoredEvent], _ reader: SQLiteReader) throws -> [Entry] {
        var opener = opener(reader)
        let certificates = try reader.certificates(ofLogs: Set(stored.map(\.log)))
        let erasures = try erasures(among: stored, certificates, reader)
        return try stored.map { stored in
            let author = certificates[stored.log].map { EntryAuthor(member: $0.member, device: $0.device) }
            return Entry(
                stored.event, content: try opener.content(of: stored.event), author: author,
                erasure: erasures[stored.event.id])
        }
    }

    /// The reasons why contents of events are not here, by the events' ids.
    ///
    /// The group's state is resolved if one of them was erased before its expiry.
    func erasures(
        among events: [StoredEvent], _ certificates: [Int64: Certificate], _ reader: SQLiteReader
    ) throws -> [EventID: ErasureReason] {
        let contentless = events.filter { $0.event.content == nil }
        guard !contentless.isEmpty else { return [:] }
        let now = node.clock.now
        var reasons: [EventID: ErasureReason] = [:]
        var early: [StoredEvent] = []
        for stored in contentless {
            if let expiry = stored.event.header.expiry, expiry <= now {
                reasons[stored.event.id] = .expired
            } else {
                early.append(stored)
            }
        }
        guard !early.isEmpty else { return reasons }
        let horizon = try kept(reader).horizon
        let graph = try graph(reader)
        for stored in early {
            let event = stored.event
            let position = LogPosition(log: event.log, sequence: event.sequence, id: event.id)
            let redactions = certificates[stored.log].map { graph.redactions(of: position, by: $0.member) } ?? []
            if let redaction = redactions.first(where: \.stands) ?? redactions.first {
                reasons[event.id] = .redacted(by: redaction.author)
            } else {
                let isDropped = event.header.isErasable && event.lamport <= horizon
                reasons[event.id] = isDropped ? .notKept : .redacted(by: nil)
            }
        }
        return reasons
    }
}
