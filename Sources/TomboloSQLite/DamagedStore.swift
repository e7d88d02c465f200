public import Foundation
import GRDB
public import TomboloCore

/// A damaged store that was set aside. It reads everything that is still readable, table by table and row by row.
public final class DamagedStore {
    /// The keys of the device, and the data that it needs to meet its peers again.
    public struct Essentials: Sendable {
        public var values: [String: [UInt8]] = [:]
        public var groups: [GroupRecord] = []
        public var peers: [PeerRecord] = []
        /// The peers that share each group of the mvds dialect.
        public var sharers: [GroupID: [DeviceKey]] = [:]
        /// The secrets that seal the contents of private groups, by their rekey events.
        public var secrets: [GroupID: [EventID: [UInt8]]] = [:]
        /// Descriptions of the parts that could not be read.
        public var unreadable: [String] = []
    }

    private let database: DatabaseQueue
    private let cells: SecretCells

    /// - Parameters:
    ///   - file: the database.
    ///   - lock: the lock of its secrets; nil if they were not locked.
    /// - Throws: `StoreError` if the file is no longer a database, or needs another lock.
    public init(at file: URL, lock: (any StoreLock)? = nil) throws(StoreError) {
        do {
            var configuration = Configuration()
            configuration.readonly = true
            database = try DatabaseQueue(path: file.path, configuration: configuration)
            cells = try database.read { try SecretCells(of: $0, lock) }
        } catch {
            throw .from(error)
        }
    }

    public func essentials() -> Essentials {
        var found = Essentials()
        func read<Value>(_ what: String, _ body: (Database) throws -> [Value]) -> [Value] {
            do {
                return try database.read(body)
            } catch {
                found.unreadable.append(what)
                return []
            }
        }
        let values = read("the device's keys") { db in try Row.fetchAll(db, sql: "SELECT key, value FROM value") }
        for row in values {
            guard let key = String.fromDatabaseValue(row[0]), let cell = Data.fromDatabaseValue(row[1]) else {
                continue
            }
            found.values[key] = try? cells.value(cell, forKey: key)
            if found.values[key] == nil { found.unreadable.append("the device's \(key)") }
        }
        for row in read("the groups", { try Row.fetchAll($0, sql: "SELECT * FROM replica ORDER BY reference") }) {
            do {
                found.groups.append(try Rows.group(row, cells, isForRecovery: true))
            } catch {
                found.unreadable.append("a group")
            }
        }
        found.peers = read("the peers") { db in try Row.fetchAll(db, sql: "SELECT * FROM peer").map(Rows.peer) }
        for group in found.groups where group.dialect == .native {
            let secrets = read("the secrets of group \(group.name)") { db in
                try Row.fetchAll(
                    db, sql: "SELECT rekey, nodes FROM secret WHERE replica = ?", arguments: [group.reference])
            }
            for row in secrets {
                let cell = Data.fromDatabaseValue(row[1])
                if let rekey = Data.fromDatabaseValue(row[0]).flatMap({ EventID($0) }),
                    let secret = try? cell.map({ try cells.openedSecret($0, of: rekey, in: group.id) }),
                    (try? RekeySecret(decoding: secret)) != nil
                {
                    found.secrets[group.id, default: [:]][rekey] = secret
                } else {
                    found.unreadable.append("a secret of group \(group.name)")
                }
            }
        }
        for group in found.groups where group.dialect == .mvds {
            let sharers = read("the peers that share group \(group.name)") { db in
                try Data.fetchAll(db, sql: "SELECT peer FROM sharing WHERE replica = ?", arguments: [group.reference])
            }
            found.sharers[group.id] = sharers.compactMap { DeviceKey($0) }
        }
        return found
    }

    /// The certificates of a group's logs whose beginnings are forgotten, as far as they are readable.
    public func forgottenBeginnings(of group: GroupRecord) -> [Certificate] {
        let rows = try? database.read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM log WHERE replica = ?", arguments: [group.reference])
        }
        return (rows ?? []).compactMap { try? Rows.log($0) }.filter { $0.floor > 0 }.compactMap(\.certificate)
    }

    /// Passes the readable events or messages of a group to `body`, in runs that end with a signed event. Rows on a
    /// damaged page are skipped.
    public func forEachRun(of group: GroupRecord, _ body: ([Message]) throws -> Void) throws {
        var run: [Message] = []
        func flush() throws {
            if !run.isEmpty { try body(run) }
            run = []
        }
        if group.dialect == .mvds {
            try forEachRow(in: "message") { row in
                guard let message = try? Rows.message(row), message.group == group.reference else { return }
                run.append(message.message)
                if run.count >= Self.runLength { try flush() }
            }
            return try flush()
        }
        // State events come first: they tell which of the other events are forgotten.
        for isState in [true, false] {
            try forEachRow(in: "event") { row in
                guard row[1] as Int64? == group.reference, let stored = try? Rows.event(row),
                    stored.event.header.kind.isState == isState
                else { return }
                run.append(stored.event.message(in: group.id))
                if run.count >= Self.runLength, stored.event.signature != nil { try flush() }
            }
            try flush()
        }
    }

    private static let runLength = 256

    /// Passes the rows of a table to `body` in the order of their numbers, part by part. A part that cannot be read is
    /// halved and tried again.
    private func forEachRow(in table: String, _ body: (Row) throws -> Void) throws {
        var parts: [ClosedRange<Int64>] = []
        let end = lastNumber(in: table)
        for first in stride(from: 1, through: end, by: Self.partLength) {
            parts.append(first...min(end, first + Int64(Self.partLength) - 1))
        }
        for part in parts {
            var halves = [part]
            while let range = halves.popLast() {
                let rows = try? database.read { db in
                    try Row.fetchAll(
                        db, sql: "SELECT * FROM \(table) WHERE ordinal BETWEEN ? AND ? ORDER BY ordinal",
                        arguments: [range.lowerBound, range.upperBound])
                }
                if let rows {
                    for row in rows { try body(row) }
                } else if range.count > 1 {
                    let middle = (range.lowerBound + range.upperBound) / 2
                    halves += [(middle + 1)...range.upperBound, range.lowerBound...middle]
                }
            }
        }
    }

    /// The number of the last row, or an upper bound of it.
    ///
    /// If the last row is on a damaged page, other tables give the highest number that they know. The bound adds the
    /// most rows that the file has room for.
    private func lastNumber(in table: String) -> Int64 {
        func number(_ sql: String) -> Int64? { (try? database.read { try Int64.fetchOne($0, sql: sql) }) ?? nil }
        if let last = number("SELECT max(ordinal) FROM \(table)") { return last }
        let told = [number("SELECT max(event + count - 1) FROM change"), number("SELECT ordinal FROM lastOrdinal")]
        let size = (try? FileManager.default.attributesOfItem(atPath: database.path)[.size] as? Int64) ?? nil
        return (told.compactMap(\.self).max() ?? 0) + (size ?? 0) / Self.smallestRow
    }

    private static let partLength = 4_096
    /// The size in bytes of the smallest row, which has a header alone.
    private static let smallestRow: Int64 = 128
}
