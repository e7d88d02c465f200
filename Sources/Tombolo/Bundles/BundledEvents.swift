import TomboloCore
import TomboloSQLite

/// The events of a group in the order of arrival, in runs: events that one later signature covers stay together.
struct BundledEvents {
    private let group: GroupRecord
    private let storage: SQLiteStorage
    /// The sequence up to which the reader knows each log.
    private let known: [LogID: UInt64]
    /// The events of each log that wait for a later signature.
    private var unsigned: [LogID: [Event]] = [:]
    /// The last sequence that was seen of each log. `named` has events that a log's earlier arrivals already named.
    private var lastSeen: [LogID: UInt64] = [:]
    private var named: Set<EventID> = []
    /// The classes of events still to write. Where a log has a floor, state comes first, since it tells the floors.
    private var classes: [ClosedRange<UInt8>] = [0...3]
    private var after: Int64 = 0
    let total: Int
    private(set) var seen = 0
    private(set) var written = 0

    /// The number of events to read at once. The largest take 16 MiB.
    private static let page = 256
    /// The most consecutive events without a signature in a part: as many as one signature covers.
    private static let longestRun = 127

    init(of group: GroupRecord, in storage: SQLiteStorage, without ends: [LogPosition]) throws {
        (self.group, self.storage) = (group, storage)
        let hasFloors: Bool
        (known, total, hasFloors) = try storage.read { reader in
            let logs = Dictionary(uniqueKeysWithValues: try reader.logs(of: group).map { ($0.id, $0) })
            var known: [LogID: UInt64] = [:]
            for end in ends {
                guard let log = logs[end.log], log.isLinear,
                    try reader.event(ofLog: log, at: end.sequence)?.event.id == end.id
                else { continue }
                known[end.log] = end.sequence
            }
            return (known, try reader.count(of: group), logs.values.contains { $0.floor > 0 })
        }
        if hasFloors { classes = [1...1, 0...0] }
    }

    /// The next events; nil at the end. Each run ends with an event that is signed, or that an earlier event names.
    mutating func next() throws -> [[Event]]? {
        let events = try storage.read { try $0.events(of: group, after: after, limit: Self.page) }
        guard let last = events.last, let kinds = classes.first else {
            if let runs = leftovers() { return runs }
            guard classes.count > 1 else { return nil }
            classes.removeFirst()
            after = 0
            return []
        }
        after = last.ordinal
        var runs: [[Event]] = []
        for event in events.map(\.event) where kinds.contains(event.kind.rawValue >> 6) {
            seen += 1
            guard event.sequence > known[event.log] ?? 0 else { continue }
            // An event that arrived before the event that it names covers that one.
            if let previous = event.header.previous, event.sequence != (lastSeen[event.log] ?? 0) + 1 {
                named.insert(previous.id)
            }
            lastSeen[event.log] = event.sequence
            if named.remove(event.id) != nil || event.signature != nil {
                runs.append(run(upTo: event))
            } else {
                unsigned[event.log, default: []].append(event)
            }
        }
        written += runs.reduce(0) { $0 + $1.count }
        return runs
    }

    /// An authenticated event, after the waiting events that it covers.
    private mutating func run(upTo last: Event) -> [Event] {
        guard let before = unsigned[last.log] else { return [last] }
        var (run, left): ([Event], [Event]) = ([last], [])
        for event in before.reversed() {
            if event.id == run[run.count - 1].header.previous?.id { run.append(event) } else { left.append(event) }
        }
        unsigned[last.log] = left.isEmpty ? nil : left.reversed()
        return run.reversed()
    }

    /// The remaining events of branches whose later, signed events have been written. The last events of a log come
    /// first, since they authenticate those before them.
    private mutating func leftovers() -> [[Event]]? {
        guard let log = unsigned.keys.min(), var events = unsigned[log] else { return nil }
        let run = Array(events.suffix(Self.longestRun))
        events.removeLast(run.count)
        unsigned[log] = events.isEmpty ? nil : events
        written += run.count
        return [run]
    }
}
