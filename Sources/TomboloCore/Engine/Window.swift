/// The events of a window in the making, and which of them must carry their signature (protocol §2.3).
struct Window {
    private(set) var events: [PlannedEvent] = []
    /// About what it takes on the wire.
    private(set) var wireBytes = 0
    /// At least what its receiver counts it for.
    private(set) var weight = 0
    /// By the plan's cursor: events that nothing later in the window vouches for. At most one where the log is one chain.
    private var unsigned: [Int] = []
    /// Those of logs with branches, by their ids.
    private var unsignedTips: Set<EventID> = []
    private(set) var unsignedLogs = 0

    mutating func append(_ planned: PlannedEvent) {
        let event = planned.event
        events.append(planned)
        wireBytes += event.wireEstimate
        weight += event.weight
        if planned.cursor >= unsigned.count {
            unsigned += repeatElement(0, count: planned.cursor + 1 - unsigned.count)
        }
        let before = unsigned[planned.cursor]
        let isUnsigned = event.signature == nil
        if planned.isLinear {
            unsigned[planned.cursor] = isUnsigned ? 1 : 0
        } else {
            if let previous = event.header.previous, unsignedTips.remove(previous.id) != nil {
                unsigned[planned.cursor] -= 1
            }
            if isUnsigned {
                unsignedTips.insert(event.id)
                unsigned[planned.cursor] += 1
            }
        }
        let after = unsigned[planned.cursor]
        if before == 0, after > 0 { unsignedLogs += 1 } else if before > 0, after == 0 { unsignedLogs -= 1 }
    }

    func isUnsigned(_ cursor: Int) -> Bool { unsigned[cursor] > 0 }
    var unsignedCursors: [Int] { unsigned.indices.filter { unsigned[$0] > 0 } }

    /// Takes out, of a log, what nothing in the window vouches for: all of it where the log has branches.
    mutating func removeUnsignedTail(of cursor: Int) -> [PlannedEvent] {
        let lastSigned = events.lastIndex { $0.cursor == cursor && $0.isLinear && $0.event.signature != nil } ?? -1
        let tail = events.indices.filter { $0 > lastSigned && events[$0].cursor == cursor }
        let removed = tail.map { events[$0] }
        for index in tail.reversed() { events.remove(at: index) }
        if unsigned[cursor] > 0 { unsignedLogs -= 1 }
        unsigned[cursor] = 0
        return removed
    }

    /// The events of a log since the last signature that is sent.
    private struct Run {
        var length = 0
        var bytes = 0
        var latestSigned: (position: Int, length: Int, bytes: Int)?
        /// Position of the log's last event.
        var last = -1
    }

    /// As few signatures as the run rule allows: each log's last, and the latest before a run grows too long. Of a log with
    /// branches all are sent.
    ///
    /// - Returns: for each event, whether its signature is sent.
    func signaturesToSend() -> [Bool] {
        var runs = [Run](repeating: Run(), count: unsigned.count)
        var chosen = [Bool](repeating: false, count: events.count)
        for (position, planned) in events.enumerated() {
            guard planned.isLinear else {
                chosen[position] = planned.event.signature != nil
                continue
            }
            let cursor = planned.cursor
            runs[cursor].length += 1
            runs[cursor].bytes += planned.event.header.contentLength
            runs[cursor].last = position
            if planned.event.signature != nil {
                runs[cursor].latestSigned = (position, runs[cursor].length, runs[cursor].bytes)
            }
            let isFull = runs[cursor].length >= Limits.runEvents || runs[cursor].bytes > Limits.runBytes
            if isFull, let latest = runs[cursor].latestSigned {
                chosen[latest.position] = true
                runs[cursor].length -= latest.length
                runs[cursor].bytes -= latest.bytes
                runs[cursor].latestSigned = nil
            }
        }
        for run in runs where run.last >= 0 { chosen[run.last] = true }
        return chosen
    }
}

extension Event {
    /// About how many bytes it takes in a window on the wire.
    var wireEstimate: Int { (content?.count ?? 0) + header.extensions.count + 40 }
    /// At least what it counts for in a window at its receiver: its bytes on the wire, at worst with all its references in full,
    /// and ``rebuiltSize``.
    var weight: Int { (content?.count ?? 0) + headerBytes.count + 192 + rebuiltSize }
    /// What it takes rebuilt, beside its content.
    var rebuiltSize: Int { headerBytes.count + 512 }
}
