import GRDB
import TomboloCore

// Forgetting behind checkpoints (protocol §2.11).
extension SQLiteTransaction {
    func forget(_ beginnings: [LogBeginning], inGroup group: Int64) throws(StoreError) {
        try run {
            try execute("UPDATE lastOrdinal SET ordinal = ?", [try lastOrdinal()])
            var ordinals: [Int64] = []
            for beginning in beginnings {
                // The entry is added first, so that no number of the change log is reused.
                try addChanges(.forgotten, from: beginning.log, count: 1, inGroup: group)
                try execute(
                    """
                    DELETE FROM change WHERE replica = ? AND kind = ? AND event = ?
                    AND number < (SELECT max(number) FROM change)
                    """, [group, Int64(ChangeKind.forgotten.rawValue), beginning.log])
                ordinals += try Int64.fetchAll(
                    db, sql: "SELECT ordinal FROM event WHERE log = ? AND sequence <= ?",
                    arguments: [beginning.log, Int64(clamping: beginning.sequence)])
            }
            ordinals.sort()
            try forget(ordinals, inChangeLogOf: group)
            let head = try db.cachedStatement(sql: "DELETE FROM head WHERE replica = ? AND event = ?")
            let event = try db.cachedStatement(sql: "DELETE FROM event WHERE ordinal = ?")
            for ordinal in ordinals {
                try head.execute(arguments: [group, ordinal])
                try event.execute(arguments: [ordinal])
            }
            for (table, column) in [("waiting", "waiter"), ("expiry", "event")] {
                try execute(
                    """
                    DELETE FROM \(table)
                    WHERE replica = ? AND NOT EXISTS (SELECT 1 FROM event WHERE ordinal = \(column))
                    """, [group])
            }
        }
    }

    /// Removes events from the runs of the change log. All other events keep their numbers.
    ///
    /// - Parameter ordinals: the ordinals of the events, ascending.
    private func forget(_ ordinals: [Int64], inChangeLogOf group: Int64) throws {
        guard let first = ordinals.first, let last = ordinals.last else { return }
        let runs = try Row.fetchAll(
            db,
            sql: """
                SELECT number, event, count, kind FROM change
                WHERE replica = ? AND kind != ? AND event <= ? AND event + count > ?
                """, arguments: [group, Int64(ChangeKind.forgotten.rawValue), last, first])
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
