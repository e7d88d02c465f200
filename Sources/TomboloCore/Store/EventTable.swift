/// The events of a store in memory by their ordinals: sixteen bytes each, and the events that all stores of the process
/// share.
struct EventTable {
    private struct Row {
        var event: Event
        let log: Int32
        var status: EventStatus
    }

    private var rows: [Row] = []

    /// The highest ordinal so far; 0 for none.
    var last: Int64 { Int64(rows.count) }

    func contains(_ ordinal: Int64) -> Bool { ordinal >= 1 && ordinal <= last }

    /// The event with an ordinal, which must exist.
    subscript(ordinal: Int64) -> StoredEvent {
        let row = rows[Int(ordinal) - 1]
        return StoredEvent(ordinal: ordinal, log: Int64(row.log), status: row.status, event: row.event)
    }

    /// The events that arrived after an ordinal, in the order of arrival.
    func after(_ ordinal: Int64) -> LazyMapSequence<Range<Int64>, StoredEvent> {
        (min(ordinal, last)..<last).lazy.map { self[$0 + 1] }
    }

    /// Appends an event of a log with a number below 2³¹.
    mutating func append(_ event: Event, ofLog log: Int64, _ status: EventStatus) {
        rows.append(Row(event: event, log: Int32(log), status: status))
    }

    mutating func setStatus(_ status: EventStatus, of ordinal: Int64) { rows[Int(ordinal) - 1].status = status }
    mutating func replace(_ ordinal: Int64, by event: Event) { rows[Int(ordinal) - 1].event = event }
}
