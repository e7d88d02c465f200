/// An event that is to be sent.
struct PlannedEvent {
    /// The plan's number for the log, dense among the logs that it sends of.
    let cursor: Int
    /// The log's index in the group.
    let log: Int
    let event: Event
}

/// Which events a peer is still to be sent, and in which order: parents first, by merging the logs by Lamport time.
struct SendPlan {
    /// What is wanted of one log.
    private struct Cursor {
        let log: Int
        /// Disjoint and ascending.
        var ranges: [ClosedRange<UInt64>]
        var buffer: [StoredEvent] = []
        var position = 0
        var isQueued = false
    }

    /// Events that the peer lacks must have arrived after this; 0 for all.
    var after: Int64 = 0
    /// Of logs that are not one chain: what the peer holds of them, by id.
    var excluded: [Int: Set<EventID>] = [:]
    private var cursors: [Cursor] = []
    private var cursorOfLog: [Int: Int] = [:]
    /// A binary heap of the cursors' next events.
    private var heap: [(key: Key, cursor: Int)] = []

    private struct Key: Comparable {
        let lamport: UInt64
        let id: EventID
        static func < (lhs: Key, rhs: Key) -> Bool { (lhs.lamport, lhs.id) < (rhs.lamport, rhs.id) }
    }

    /// Whether a cursor that is not on the heap may have something to send.
    private var hasUnqueued = false

    /// Whether nothing is left to send. Cursors that are not yet read count as something.
    var isEmpty: Bool { heap.isEmpty && !(hasUnqueued && cursors.contains { !$0.isQueued && !$0.ranges.isEmpty }) }

    /// Adds a part of a log; sequences that were planned before are not planned again.
    mutating func add(log: Int, _ range: ClosedRange<UInt64>) {
        hasUnqueued = true
        let index: Int
        if let known = cursorOfLog[log] {
            index = known
        } else {
            index = cursors.count
            cursors.append(Cursor(log: log, ranges: []))
            cursorOfLog[log] = index
        }
        if let last = cursors[index].ranges.last, last.upperBound + 1 == range.lowerBound {
            cursors[index].ranges[cursors[index].ranges.count - 1] = last.lowerBound...range.upperBound
        } else {
            cursors[index].ranges.append(range)
        }
    }

    /// The next event that matters, or nil when there is none left.
    mutating func next(_ frontier: Frontier, _ store: any EventStore) throws(StoreError) -> PlannedEvent? {
        if hasUnqueued {
            for index in cursors.indices where !cursors[index].isQueued {
                guard let key = try fill(index, frontier, store) else { continue }
                heap.append((key, index))
                siftUp(heap.count - 1)
                cursors[index].isQueued = true
            }
            hasUnqueued = false
        }
        guard !heap.isEmpty else { return nil }
        return try take(at: 0, frontier, store)
    }

    /// The next event of one log, whatever others come before it.
    mutating func next(
        ofCursor cursor: Int, _ frontier: Frontier, _ store: any EventStore
    ) throws(StoreError) -> PlannedEvent? {
        guard cursors[cursor].isQueued, let place = heap.firstIndex(where: { $0.cursor == cursor }) else { return nil }
        return try take(at: place, frontier, store)
    }

    /// Takes the event of a place of the heap, which its log's next one gets.
    private mutating func take(
        at place: Int, _ frontier: Frontier, _ store: any EventStore
    ) throws(StoreError) -> PlannedEvent {
        let index = heap[place].cursor
        let event = cursors[index].buffer[cursors[index].position].event
        cursors[index].position += 1
        if let key = try fill(index, frontier, store) {
            heap[place].key = key
        } else {
            cursors[index].isQueued = false
            heap.swapAt(place, heap.count - 1)
            heap.removeLast()
        }
        if place < heap.count {
            siftUp(place)
            siftDown(place)
        }
        return PlannedEvent(cursor: index, log: cursors[index].log, event: event)
    }

    /// Sees to it that a cursor's next event is in its buffer, reading on in its log where needed.
    ///
    /// - Returns: the event's place in the order; nil if there is none left.
    private mutating func fill(
        _ index: Int, _ frontier: Frontier, _ store: any EventStore
    ) throws(StoreError) -> Key? {
        while cursors[index].position == cursors[index].buffer.count {
            guard let range = cursors[index].ranges.first else { return nil }
            let log = frontier[cursors[index].log]
            // At most 64 branches share a sequence, so that a batch of 128 always gets past one.
            let batch = log.isLinear ? max(8, min(128, 8_192 / cursors.count)) : 128
            let read = try store.events(ofLog: log.reference, in: range, limit: batch)
            let excluded = self.excluded[cursors[index].log]
            cursors[index].position = 0
            cursors[index].buffer =
                after == 0 && excluded == nil
                ? read : read.filter { $0.ordinal > after && !(excluded?.contains($0.event.id) ?? false) }
            // A fork's branches share a sequence: the batch must not end between them.
            if read.count < batch || read.last?.event.sequence == range.upperBound {
                cursors[index].ranges.removeFirst()
            } else if let last = read.last?.event.sequence {
                if log.isLinear {
                    cursors[index].ranges[0] = last + 1...range.upperBound
                } else {
                    let complete = cursors[index].buffer.prefix { $0.event.sequence < last }
                    cursors[index].buffer = Array(complete)
                    cursors[index].ranges[0] = last...range.upperBound
                }
            }
        }
        let event = cursors[index].buffer[cursors[index].position].event
        return Key(lamport: event.lamport, id: event.id)
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
