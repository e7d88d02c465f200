/// An event that is to be sent.
struct PlannedEvent {
    /// The plan's number of the log, dense among the logs of which it sends events.
    let cursor: Int
    /// The log's index in the group.
    let log: Int
    /// Whether the held part of the log is one chain.
    let isLinear: Bool
    let event: Event
}

/// The events that a peer is still to be sent, in their order: parents first. The plan merges the logs by Lamport time.
struct SendPlan {
    /// The planned parts of one log.
    private struct Cursor {
        let log: Int
        var isLinear = true
        /// The ordinal after which an event must have arrived for the peer to lack it; 0 for all.
        var after: Int64
        /// The planned sequences, disjoint and ascending.
        var ranges: [ClosedRange<UInt64>] = []
        var buffer: [Item] = []
        var position = 0
        var isQueued = false
    }

    /// An event to be sent.
    ///
    /// Its content is read ahead, unless the plan has many logs, or may skip events of its log. Then it is read at its
    /// turn.
    private struct Item {
        let key: Key
        let ordinal: Int64
        let event: Event?
    }

    private struct Key: Comparable {
        /// Whether the event waits until all state events are sent.
        let isLater: Bool
        let lamport: UInt64
        let id: EventID

        init(_ header: EventHeader, _ id: EventID, stateFirst isStateFirst: Bool) {
            isLater = isStateFirst && !header.kind.isState
            lamport = header.lamport
            self.id = id
        }

        init(_ event: Event, stateFirst isStateFirst: Bool) {
            self.init(event.header, event.id, stateFirst: isStateFirst)
        }

        static func < (lhs: Key, rhs: Key) -> Bool {
            if lhs.isLater != rhs.isLater { return rhs.isLater }
            return (lhs.lamport, lhs.id) < (rhs.lamport, rhs.id)
        }
    }

    /// Bytes of content that are read ahead.
    private static let bufferBytes = 16 << 20
    private static let bufferEvents = 8_192
    /// The number of logs above which no content is read ahead.
    private static let bufferedLogs = 256
    private static let rangesPerLog = 1_024

    /// Whether state events go first, since the receiver needs the checkpoints to validate logs with floors
    /// (protocol 5.3-4).
    var isStateFirst = false
    /// The ordinal after which events must have arrived for the peer to lack them; 0 for all. It counts for logs that
    /// are added from now on.
    var after: Int64 = 0
    /// For logs that are not one chain: the ids of events that the peer holds.
    var excluded: [Int: Set<EventID>] = [:]
    private var cursors: [Cursor] = []
    private var cursorOfLog: [Int: Int] = [:]
    /// A binary heap of the cursors' next events.
    private var heap: [(key: Key, cursor: Int)] = []
    /// Whether a cursor outside the heap may have an event to send.
    private var hasUnqueued = false

    /// Whether nothing is left to send. Cursors that are not yet read count as something.
    var isEmpty: Bool {
        guard heap.isEmpty, hasUnqueued else { return heap.isEmpty }
        for index in cursors.indices where !cursors[index].isQueued && !cursors[index].ranges.isEmpty { return false }
        return true
    }

    /// Adds a part of a log. A part that is planned already and not yet read is not planned twice.
    ///
    /// - Parameter isAskedFor: whether the peer requested this part. Then its events are sent whenever they arrived.
    mutating func add(log: Int, _ range: ClosedRange<UInt64>, isAskedFor: Bool = false) {
        hasUnqueued = true
        let index: Int
        if let known = cursorOfLog[log] {
            index = known
        } else {
            index = cursors.count
            cursors.append(Cursor(log: log, after: after))
            cursorOfLog[log] = index
        }
        if isAskedFor {
            cursors[index].after = 0
            excluded[log] = nil
        }
        cursors[index].ranges.add(range, most: Self.rangesPerLog)
    }

    /// The next event to send; nil if none is left.
    mutating func next(_ frontier: Frontier, in store: any EventStore) throws(StoreError) -> PlannedEvent? {
        if hasUnqueued {
            for index in cursors.indices where !cursors[index].isQueued {
                guard let key = try fill(index, frontier, in: store) else { continue }
                push(key, index)
            }
            hasUnqueued = false
        }
        // Events that were forgotten in the meantime are skipped.
        while !heap.isEmpty { if let planned = try take(at: 0, frontier, in: store) { return planned } }
        return nil
    }

    /// The next event of one log, even if events of other logs come before it.
    mutating func next(
        ofCursor cursor: Int, _ frontier: Frontier, in store: any EventStore
    ) throws(StoreError) -> PlannedEvent? {
        while cursors[cursor].isQueued, let place = heap.firstIndex(where: { $0.cursor == cursor }) {
            if let planned = try take(at: place, frontier, in: store) { return planned }
        }
        return nil
    }

    /// Puts events of one log back that were taken and not sent. They are its next ones again.
    mutating func putBack(_ events: [PlannedEvent]) {
        guard let first = events.first else { return }
        let cursor = first.cursor
        let isStateFirst = isStateFirst
        let items = events.map {
            Item(key: Key($0.event, stateFirst: isStateFirst), ordinal: 0, event: $0.event)
        }
        cursors[cursor].buffer = items + cursors[cursor].buffer[cursors[cursor].position...]
        cursors[cursor].position = 0
        if let place = heap.firstIndex(where: { $0.cursor == cursor }) {
            heap[place].key = Key(first.event, stateFirst: isStateFirst)
            siftUp(place)
            siftDown(place)
        } else {
            push(Key(first.event, stateFirst: isStateFirst), cursor)
        }
    }

    /// Removes these events' contents from those that were read ahead.
    mutating func erase(_ ids: Set<EventID>) {
        for cursor in cursors.indices {
            for place in cursors[cursor].buffer.indices.dropFirst(cursors[cursor].position) {
                let item = cursors[cursor].buffer[place]
                guard ids.contains(item.key.id), let event = item.event else { continue }
                cursors[cursor].buffer[place] = Item(key: item.key, ordinal: item.ordinal, event: event.erased)
            }
        }
    }

    /// Drops the rest of a log from the plan.
    mutating func drop(_ cursor: Int) {
        cursors[cursor].ranges = []
        cursors[cursor].buffer = []
        cursors[cursor].position = 0
        guard let place = heap.firstIndex(where: { $0.cursor == cursor }) else { return }
        remove(place)
    }

    /// Takes the event at a place of the heap. The next event of its log takes that place.
    ///
    /// - Returns: nil if the store has the event no more.
    private mutating func take(
        at place: Int, _ frontier: Frontier, in store: any EventStore
    ) throws(StoreError) -> PlannedEvent? {
        let index = heap[place].cursor
        let item = cursors[index].buffer[cursors[index].position]
        var found = item.event
        if found == nil { found = try store.events(ordinals: [item.ordinal]).first?.event }
        cursors[index].position += 1
        if let key = try fill(index, frontier, in: store) {
            heap[place].key = key
            siftUp(place)
            siftDown(place)
        } else {
            remove(place)
        }
        return found.map {
            PlannedEvent(cursor: index, log: cursors[index].log, isLinear: cursors[index].isLinear, event: $0)
        }
    }

    /// Fills a cursor's buffer from its log, unless the next event is there already.
    ///
    /// - Returns: the next event's place in the order; nil if none is left.
    private mutating func fill(
        _ index: Int, _ frontier: Frontier, in store: any EventStore
    ) throws(StoreError) -> Key? {
        let isStateFirst = isStateFirst
        while cursors[index].position == cursors[index].buffer.count {
            guard let range = cursors[index].ranges.first else { return nil }
            let log = frontier[cursors[index].log]
            cursors[index].isLinear = log.isLinear
            let excluded = self.excluded[cursors[index].log]
            let isReadAhead =
                log.isLinear && excluded == nil && cursors[index].after == 0 && cursors.count <= Self.bufferedLogs
            let last: UInt64
            let isComplete: Bool
            cursors[index].position = 0
            if isReadAhead {
                let limit = max(8, min(128, Self.bufferEvents / cursors.count))
                let read = try store.events(
                    ofLog: log.reference, in: range, limit: limit, bytes: Self.bufferBytes / cursors.count)
                cursors[index].buffer = read.map {
                    Item(key: Key($0.event, stateFirst: isStateFirst), ordinal: $0.ordinal, event: $0.event)
                }
                last = read.last?.event.sequence ?? range.upperBound
                isComplete = read.isEmpty || last == range.upperBound
            } else {
                // At most 64 branches share a sequence, so a batch of 128 always gets past one.
                let read = try store.headers(ofLog: log.reference, in: range, limit: 128)
                isComplete = read.count < 128
                last = isComplete ? range.upperBound : (read.last?.header.sequence ?? range.upperBound) - 1
                let after = cursors[index].after
                cursors[index].buffer = read.compactMap { stored in
                    guard stored.header.sequence <= last, stored.ordinal > after,
                        !(excluded?.contains(stored.id) ?? false)
                    else { return nil }
                    return Item(
                        key: Key(stored.header, stored.id, stateFirst: isStateFirst), ordinal: stored.ordinal,
                        event: nil)
                }
            }
            if isComplete {
                cursors[index].ranges.removeFirst()
            } else {
                cursors[index].ranges[0] = last + 1...range.upperBound
            }
        }
        return cursors[index].buffer[cursors[index].position].key
    }

    // MARK: The heap

    private mutating func push(_ key: Key, _ cursor: Int) {
        heap.append((key, cursor))
        siftUp(heap.count - 1)
        cursors[cursor].isQueued = true
    }

    private mutating func remove(_ place: Int) {
        cursors[heap[place].cursor].isQueued = false
        heap.swapAt(place, heap.count - 1)
        heap.removeLast()
        guard place < heap.count else { return }
        siftUp(place)
        siftDown(place)
    }

    private mutating func siftUp(_ start: Int) {
        var child = start
        while child > 0, heap[child].key < heap[(child - 1) / 2].key {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private mutating func siftDown(_ start: Int) {
        var parent = start
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child].key < heap[least].key
            {
                least = child
            }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}

extension [ClosedRange<UInt64>] {
    /// Adds a range and joins it with those that it meets, so that all stay disjoint and ascending.
    ///
    /// - Parameter most: the most ranges. Beyond it, the range is joined with the one before it, gap included.
    fileprivate mutating func add(_ range: ClosedRange<UInt64>, most: Int) {
        let first = firstIndex { $0.upperBound + 1 >= range.lowerBound } ?? endIndex
        var (end, merged) = (first, range)
        while end < endIndex, self[end].lowerBound <= range.upperBound + 1 {
            merged =
                Swift.min(merged.lowerBound, self[end].lowerBound)...Swift.max(merged.upperBound, self[end].upperBound)
            end += 1
        }
        replaceSubrange(first..<end, with: [merged])
        guard count > most else { return }
        let lower = Swift.max(startIndex, first - 1)
        replaceSubrange(lower...lower + 1, with: [self[lower].lowerBound...self[lower + 1].upperBound])
    }
}
