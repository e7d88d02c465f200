/// What an application has been handed, and the promises about it.
struct DeliveredView {
    /// In this order.
    private(set) var order: [Int32] = []
    private var numbers = BitSet()
    /// The last sequence of each log: a log's events come in its order where it has no fork.
    private var lastOfLog: [UInt64] = []

    func contains(_ number: Int) -> Bool { number >= 0 && numbers.contains(number) }

    /// Whether exactly the same has been delivered, in whatever order.
    func isAlike(_ other: DeliveredView) -> Bool {
        order.count == other.order.count && numbers == other.numbers
    }

    mutating func take(_ number: Int, _ history: History, on device: Int) throws(Violation) {
        guard !contains(number) else { throw Violation(.deliveredTwice, device, "number \(number)") }
        let fact = history.fact(number)
        guard fact.ancestors.allSatisfy(contains) else {
            throw Violation(.beforeItsCause, device, "number \(number)")
        }
        if fact.sequence > 0 {
            while lastOfLog.count <= fact.log { lastOfLog.append(0) }
            let last = lastOfLog[fact.log]
            lastOfLog[fact.log] = fact.sequence
            guard fact.sequence == last + 1 || history.forkedLogs.contains(fact.log) else {
                throw Violation(.outOfOrder, device, "number \(number) is \(fact.sequence), and the last was \(last)")
            }
        }
        _ = numbers.insert(number)
        order.append(Int32(number))
    }
}
