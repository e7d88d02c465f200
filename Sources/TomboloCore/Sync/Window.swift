/// The events of a window that is being made. It finds out which of them must carry their signatures (protocol 2.3-6).
struct Window {
    private(set) var events: [PlannedEvent] = []
    /// An estimate of the window's bytes on the wire.
    private(set) var wireBytes = 0
    /// An upper bound of what the window counts for at the receiver (protocol 5.3-3).
    private(set) var weight = 0
    /// For each cursor of the plan: the number of events that no later event authenticates. It is at most 1 for a
    /// chain.
    private var unsigned: [Int] = []
    /// These events of logs with branches, by their ids.
    private var unsignedTips: Set<Tip> = []

    private struct Tip: Hashable {
        let cursor: Int
        let id: EventID
    }
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
            if let previous = event.header.previous,
                unsignedTips.remove(Tip(cursor: planned.cursor, id: previous.id)) != nil
            {
                unsigned[planned.cursor] -= 1
            }
            if isUnsigned {
                unsignedTips.insert(Tip(cursor: planned.cursor, id: event.id))
                unsigned[planned.cursor] += 1
            }
        }
        let after = unsigned[planned.cursor]
        if before == 0, after > 0 { unsignedLogs += 1 } else if before > 0, after == 0 { unsignedLogs -= 1 }
    }

    func isUnsigned(_ cursor: Int) -> Bool { unsigned[cursor] > 0 }
    var unsignedCursors: [Int] { unsigned.indices.filter { unsigned[$0] > 0 } }

    /// Removes the events of a log that nothing in the window authenticates.
    ///
    /// - Returns: the removed events in order, and whether the window has others of the log.
    mutating func removeUnsigned(of cursor: Int) -> (removed: [PlannedEvent], isSomeLeft: Bool) {
        var (vouchedFor, removed): (Set<EventID>, Set<Int>) = ([], [])
        var isSomeLeft = false
        for index in events.indices.reversed() where events[index].cursor == cursor {
            let event = events[index].event
            guard event.signature != nil || vouchedFor.contains(event.id) else {
                removed.insert(index)
                continue
            }
            isSomeLeft = true
            if let previous = event.header.previous { vouchedFor.insert(previous.id) }
        }
        let taken = removed.sorted().map { events[$0] }
        events = events.indices.filter { !removed.contains($0) }.map { events[$0] }
        unsignedTips = unsignedTips.filter { $0.cursor != cursor }
        if unsigned[cursor] > 0 { unsignedLogs -= 1 }
        unsigned[cursor] = 0
        return (taken, isSomeLeft)
    }

    /// The events of a log since the last signature that is sent.
    private struct Run {
        var sequence: UInt64 = 0
        var length = 0
        var bytes = 0
        var latestSigned: (position: Int, length: Int, bytes: Int)?
        /// The position of the log's last event in the window.
        var last = -1
    }

    /// Chooses as few signatures as the run rule allows (protocol 2.3-6).
    ///
    /// These are each log's last one, and the latest one before a run grows too long. Of a log with branches, all
    /// signatures are sent.
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
            if runs[cursor].sequence + 1 != planned.event.sequence {
                end(runs[cursor], &chosen)
                runs[cursor] = Run()
            }
            runs[cursor].sequence = planned.event.sequence
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
        for run in runs { end(run, &chosen) }
        return chosen
    }

    /// Ends a run with its last event if that is signed, else with its last signed event.
    private func end(_ run: Run, _ chosen: inout [Bool]) {
        guard run.last >= 0 else { return }
        if events[run.last].event.signature != nil {
            chosen[run.last] = true
        } else if let latest = run.latestSigned {
            chosen[latest.position] = true
        }
    }
}

extension Event {
    /// An estimate of the event's bytes in a window on the wire.
    var wireEstimate: Int { (content?.count ?? 0) + header.extensions.count + 40 }
    /// An upper bound of what the event counts for in a window: its bytes on the wire, with all references in full, and
    /// ``rebuiltSize``.
    var weight: Int { (content?.count ?? 0) + headerBytes.count + 192 + rebuiltSize }
    /// The bytes that the rebuilt event counts for, besides its content (protocol 5.3-3).
    var rebuiltSize: Int { headerBytes.count + 512 }
}
