/// What happens when: a binary heap, by time and then in the order of entry.
package struct Agenda<Item> {
    private var heap: [(time: UInt64, number: UInt64, item: Item)] = []
    private var count: UInt64 = 0

    package init() {}

    package mutating func add(_ item: Item, at time: UInt64) {
        heap.append((time, count, item))
        count += 1
        var child = heap.count - 1
        while child > 0, precedes(child, (child - 1) / 2) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    package var nextTime: UInt64? { heap.first?.time }

    package mutating func removeFirst() -> Item {
        heap.swapAt(0, heap.count - 1)
        let first = heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && precedes(child, least) {
                least = child
            }
            if least == parent { return first.item }
            heap.swapAt(parent, least)
            parent = least
        }
    }

    private func precedes(_ one: Int, _ other: Int) -> Bool {
        (heap[one].time, heap[one].number) < (heap[other].time, heap[other].number)
    }
}
