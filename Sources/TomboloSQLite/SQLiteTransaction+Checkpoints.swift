import GRDB
import TomboloCore

// Forgetting behind checkpoints (protocol §2.11).
extension SQLiteTransaction {
    func collect(ofLog log: Int64, through sequence: UInt64, inGroup group: Int64) throws(StoreError) -> Int {
        try run {
            let arguments: StatementArguments = [log, Int64(clamping: sequence)]
            let ordinals = try Int64.fetchAll(
                db, sql: "SELECT ordinal FROM event WHERE log = ? AND sequence <= ? ORDER BY ordinal",
                arguments: arguments)
            try execute("UPDATE lastOrdinal SET ordinal = ?", [try lastOrdinal()])
            try forget(ordinals, inChangeLogOf: group)
            let events = "(SELECT ordinal FROM event WHERE log = ? AND sequence <= ?)"
            try execute("DELETE FROM head WHERE replica = ? AND event IN \(events)", [group] + arguments)
            try execute("DELETE FROM expiry WHERE replica = ? AND event IN \(events)", [group] + arguments)
            try execute("DELETE FROM waiting WHERE replica = ? AND waiter IN \(events)", [group] + arguments)
            let waiting = db.changesCount
            try execute("DELETE FROM event WHERE log = ? AND sequence <= ?", arguments)
            try addChanges(.collected, from: log, count: 1, inGroup: group)
            return waiting
        }
    }

    /// Takes events out of the runs of the change log. The numbers of all else stay.
    ///
    /// - Parameter ordinals: ascending.
    private func forget(_ ordinals: [Int64], inChangeLogOf group: Int64) throws {
        guard let first = ordinals.first, let last = ordinals.last else { return }
        let runs = try Row.fetchAll(
            db,
            sql: """
                SELECT number, event, count, kind FROM change
                WHERE replica = ? AND kind != ? AND event <= ? AND event + count > ?
                """, arguments: [group, Int64(ChangeKind.collected.rawValue), last, first])
        for run in runs {
            let (number, event, count, kind): (Int64, Int64, Int64, Int64) = (run[0], run[1], run[2], run[3])
            var place = ordinals.partitionPoint { $0 >= event }
            var (start, kept): (Int64, [(from: Int64, count: Int64)]) = (event, [])
            while place < ordinals.count, ordinals[place] < event + count {
                if ordinals[place] > start { kept.append((start, ordinals[place] - start)) }
                start = ordinals[place] + 1
                place += 1
            }
            guard start > event else { continue }
            if start < event + count { kept.append((start, event + count - start)) }
            try execute("DELETE FROM change WHERE number = ?", [number])
            for part in kept {
                try execute(
                    "INSERT INTO change (number, replica, event, count, kind) VALUES (?, ?, ?, ?, ?)",
                    [number + part.from - event, group, part.from, part.count, kind])
            }
        }
    }

    func takeUndelivered(inGroup group: Int64) throws(StoreError) -> [(ordinal: Int64, status: EventStatus)] {
        try run {
            try execute("DELETE FROM waiting WHERE replica = ?", [group])
            return try Row.fetchAll(
                db,
                sql: "SELECT ordinal, status FROM event WHERE +replica = ? AND status IN (?, ?) ORDER BY ordinal",
                arguments: [group, Int64(EventStatus.waiting.rawValue), Int64(EventStatus.invalid.rawValue)]
            ).map { ($0[0], EventStatus(rawValue: UInt8(clamping: $0[1] as Int64)) ?? .invalid) }
        }
    }

    func forgetAgreements(inGroup group: Int64) throws(StoreError) {
        try run { try execute("DELETE FROM agreement WHERE replica = ?", [group]) }
    }
}
