import GRDB
import TomboloCore

// The hot paths: a row costs no allocation when written, and one when read.
extension SQLiteTransaction {
    func insert(_ events: [StoredEvent], inGroup group: Int64) throws(StoreError) -> Int64 {
        try run {
            let first = try lastOrdinal() + 1
            let statement = try raw("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
            var ordinal = first
            var run = 0
            var kind = ChangeKind.delivered
            for stored in events {
                let event = stored.event
                try statement.bind(
                    ordinal, group, stored.log, Int64(event.sequence), Int64(event.lamport),
                    event.id.prefix, Int64(stored.status.rawValue), event.timestamp)
                try statement.execute(
                    binding: event.id.value, event.headerBytes, event.salt, event.signature, event.content, from: 9)
                if let expiry = event.expiryToCome {
                    let statement = try raw("INSERT INTO expiry VALUES (?, ?, ?)")
                    try statement.bind(group, Int64(expiry), ordinal)
                    try statement.execute()
                }
                try refer(to: event.filesReferredTo, from: ordinal, inGroup: group)
                let change: ChangeKind = event.content == nil ? .erased : .delivered
                if stored.status != .delivered || change != kind {
                    try addChanges(kind, from: ordinal - Int64(run), count: run, inGroup: group)
                    run = 0
                }
                if stored.status == .delivered {
                    kind = change
                    run += 1
                }
                ordinal += 1
            }
            try addChanges(kind, from: ordinal - Int64(run), count: run, inGroup: group)
            return first
        }
    }

    func lastOrdinal() throws(StoreError) -> Int64 {
        try run {
            let statement = try raw(
                "SELECT max((SELECT coalesce(max(ordinal), 0) FROM event), (SELECT ordinal FROM lastOrdinal))")
            defer { statement.reset() }
            return try statement.step() ? statement.integer(0) : 0
        }
    }

    func places(of keys: [EventKey]) throws(StoreError) -> [EventPlace?] {
        try run {
            let statement = try raw("SELECT ordinal, lamport, status, id FROM event WHERE log = ? AND sequence = ?")
            return try keys.map { key in
                try statement.bind(key.log, Int64(clamping: key.sequence))
                defer { statement.reset() }
                while try statement.step() {
                    guard statement.name(3) == key.id.value else { continue }
                    return EventPlace(
                        ordinal: statement.integer(0), lamport: UInt64(clamping: statement.integer(1)),
                        status: EventStatus(rawValue: UInt8(clamping: statement.integer(2))) ?? .invalid)
                }
                return nil
            }
        }
    }

    func events(
        ofLog log: Int64, in sequences: ClosedRange<UInt64>, limit: Int, bytes: Int
    ) throws(StoreError) -> [StoredEvent] {
        try run {
            let statement = try raw(
                "SELECT * FROM event WHERE log = ? AND sequence BETWEEN ? AND ? ORDER BY sequence, id LIMIT ?")
            try statement.bind(
                log, Int64(clamping: sequences.lowerBound), Int64(clamping: sequences.upperBound), Int64(limit))
            defer { statement.reset() }
            var events: [StoredEvent] = []
            var left = bytes
            while left > 0, try statement.step() {
                let stored = try statement.event()
                left -= stored.event.content?.count ?? 0
                events.append(stored)
            }
            return events
        }
    }

    // The content is the last column of a row. A query that does not select it does not read its pages.

    static let headerColumns = "ordinal, id, header, signature IS NOT NULL, content IS NOT NULL"

    func headers(
        ofLog log: Int64, in sequences: ClosedRange<UInt64>, limit: Int
    ) throws(StoreError) -> [StoredHeader] {
        try run {
            let statement = try raw(
                """
                SELECT \(Self.headerColumns) FROM event WHERE log = ? AND sequence BETWEEN ? AND ?
                ORDER BY sequence, id LIMIT ?
                """)
            try statement.bind(
                log, Int64(clamping: sequences.lowerBound), Int64(clamping: sequences.upperBound), Int64(limit))
            defer { statement.reset() }
            var headers: [StoredHeader] = []
            while try statement.step() { headers.append(try statement.header()) }
            return headers
        }
    }

    func headers(ordinals: [Int64]) throws(StoreError) -> [StoredHeader] {
        try run {
            let statement = try raw("SELECT \(Self.headerColumns) FROM event WHERE ordinal = ?")
            var headers: [StoredHeader] = []
            headers.reserveCapacity(ordinals.count)
            for ordinal in ordinals {
                try statement.bind(ordinal)
                if try statement.step() { headers.append(try statement.header()) }
                statement.reset()
            }
            return headers
        }
    }

    func events(ordinals: [Int64]) throws(StoreError) -> [StoredEvent] {
        try run {
            let statement = try raw("SELECT * FROM event WHERE ordinal = ?")
            var events: [StoredEvent] = []
            events.reserveCapacity(ordinals.count)
            for ordinal in ordinals {
                try statement.bind(ordinal)
                if try statement.step() { events.append(try statement.event()) }
                statement.reset()
            }
            return events
        }
    }

    /// Appends `count` events, beginning at an ordinal, to a group's change log.
    func addChanges(
        _ kind: ChangeKind, from first: Int64, count: Int, inGroup group: Int64
    ) throws {
        guard count > 0 else { return }
        let statement = try raw(
            """
            INSERT INTO change (number, replica, event, count, kind)
            VALUES (coalesce((SELECT number + count FROM change ORDER BY number DESC LIMIT 1), 1), ?, ?, ?, ?)
            """)
        try statement.bind(group, first, Int64(count), Int64(kind.rawValue))
        try statement.execute()
    }

    func raw(_ sql: String) throws -> RawStatement { RawStatement(try db.cachedStatement(sql: sql)) }
}
