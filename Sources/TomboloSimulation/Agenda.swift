/// The queue of future happenings: a binary heap, ordered by time and then by the order of entry. Only keys move in the
/// heap.
package struct Agenda<Item> {
    private struct Key {
        let time: UInt64
        let number: UInt64
        /// The index of the item in ``items``.
        let place: Int32

        @inline(__always) func precedes(_ other: Key) -> Bool {
            time != other.time ? time < other.time : number < other.number
        }
    }

    private var heap: [Key] = []
    private var items: [Item?] = []
    private var free: [Int32] = []
    private var count: UInt64 = 0

    package init() {}

    package mutating func add(_ item: Item, at time: UInt64) {
        let place: Int32
        if let last = free.popLast() {
            place = last
            items[Int(place)] = item
        } else {
            place = Int32(items.count)
            items.append(item)
        }
        let key = Key(time: time, number: count, place: place)
        count += 1
        var child = heap.count
        heap.append(key)
        while child > 0 {
            let parent = (child - 1) / 2
            guard key.precedes(heap[parent]) else { break }
            heap[child] = heap[parent]
            child = parent
        }
        heap[child] = key
    }

    package var nextTime: UInt64? { heap.first?.time }

    /// Removes and returns the next item; nil if there is none.
    package mutating func popFirst() -> Item? {
        guard let first = heap.first, let last = heap.popLast() else { return nil }
        if !heap.isEmpty { sink(last) }
        free.append(first.place)
        return items[Int(first.place)].take()
    }

    private mutating func sink(_ key: Key) {
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, heap[child + 1].precedes(heap[child]) { child += 1 }
            guard heap[child].precedes(key) else { break }
            heap[parent] = heap[child]
            parent = child
        }
        heap[parent] = key
    }
}
