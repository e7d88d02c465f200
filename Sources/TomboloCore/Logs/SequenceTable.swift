/// A sequence for each log of a group, by the log's index; 0 where none was noted.
struct SequenceTable: Sendable {
    private var values: [UInt64] = []

    subscript(log: Int) -> UInt64 {
        get { log < values.count ? values[log] : 0 }
        set {
            if log >= values.count { values += repeatElement(0, count: log + 1 - values.count) }
            values[log] = newValue
        }
    }

    /// Notes a sequence if it is higher than the noted one.
    mutating func raise(_ log: Int, to sequence: UInt64) { self[log] = max(self[log], sequence) }
}
