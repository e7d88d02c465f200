import TomboloCore
import TomboloSQLite

/// Goes through a group's events in the order of their arrival, but what vouches for each other stays together.
struct BundledEvents {
    private let group: GroupRecord
    private let storage: SQLiteStorage
    /// For logs that are known elsewhere up to an event: its sequence.
    private var known: [LogID: UInt64] = [:]
    /// Of each log, events that a later one vouches for.
    private var unsigned: [LogID: [Event]] = [:]
    private var after: Int64 = 0
    let total: Int
    private(set) var seen = 0
    private(set) var written = 0

    init(of group: GroupRecord, in storage: SQLiteStorage, without ends: [LogPosition]) throws {
        (self.group, self.storage) = (group, storage)
        (known, total) = try storage.read { reader in
            let logs = Dictionary(uniqueKeysWithValues: try reader.logs(of: group).map { ($0.id, $0) })
            var known: [LogID: UInt64] = [:]
            for end in ends {
                guard let log = logs[end.log], log.isLinear,
                    try reader.event(ofLog: log, at: end.sequence)?.event.id == end.id
                else { continue }
                known[end.log] = end.sequence
            }
            return (known, try reader.count(of: group))
        }
    }

    /// The next events, in runs that end with a signature; nil at the end.
    mutating func next() throws -> [[Event]]? {
        let events = try storage.read { try $0.events(of: group, after: after, limit: 1_024) }
        guard let last = events.last else {
            // What vouches for these came before them.
            let left = unsigned.sorted { $0.key < $1.key }.map(\.value)
            unsigned = [:]
            written += left.reduce(0) { $0 + $1.count }
            return left.isEmpty ? nil : left
        }
        after = last.ordinal
        seen += events.count
        var runs: [[Event]] = []
        for event in events.map(\.event) where event.sequence > known[event.log] ?? 0 {
            if event.signature == nil {
                unsigned[event.log, default: []].append(event)
            } else {
                runs.append(run(upTo: event))
            }
        }
        written += runs.reduce(0) { $0 + $1.count }
        return runs
    }

    /// An event that is signed, behind those that it vouches for.
    private mutating func run(upTo last: Event) -> [Event] {
        var (run, left): ([Event], [Event]) = ([last], [])
        for event in (unsigned.removeValue(forKey: last.log) ?? []).reversed() {
            if event.id == run[run.count - 1].header.previous?.id { run.append(event) } else { left.append(event) }
        }
        if !left.isEmpty { unsigned[last.log] = left.reversed() }
        return run.reversed()
    }
}
