/// The events of a window in the making, and which of them must carry their signature (protocol §2.3).
struct Window {
    private(set) var events: [PlannedEvent] = []
    /// About what it takes: on the wire, and where it is rebuilt.
    private(set) var weight = 0
    /// By the plan's cursor: whether the log's last event so far is unsigned.
    private var unsigned: [Bool] = []
    private(set) var unsignedLogs = 0

    mutating func append(_ planned: PlannedEvent) {
        events.append(planned)
        weight += planned.event.weight
        if planned.cursor >= unsigned.count {
            unsigned += repeatElement(false, count: planned.cursor + 1 - unsigned.count)
        }
        let isUnsigned = planned.event.signature == nil
        if isUnsigned != unsigned[planned.cursor] {
            unsigned[planned.cursor] = isUnsigned
            unsignedLogs += isUnsigned ? 1 : -1
        }
    }

    func isUnsigned(_ cursor: Int) -> Bool { unsigned[cursor] }
    var unsignedCursors: [Int] { unsigned.indices.filter { unsigned[$0] } }

    /// The events of a log since the last signature that is sent.
    private struct Run {
        var length = 0
        var bytes = 0
        var latestSigned: (position: Int, length: Int, bytes: Int)?
        /// Position of the log's last event.
        var last = -1
    }

    /// As few signatures as the run rule allows: each log's last, and the latest before a run grows too long.
    ///
    /// - Returns: for each event, whether its signature is sent.
    func signaturesToSend() -> [Bool] {
        var runs = [Run](repeating: Run(), count: unsigned.count)
        var chosen = [Bool](repeating: false, count: events.count)
        for (position, planned) in events.enumerated() {
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
