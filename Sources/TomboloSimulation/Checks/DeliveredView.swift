/// The events that an application has received, with checks of the promises about their order.
struct DeliveredView {
    /// The delivered events in the order of delivery.
    private(set) var order: [Int32] = []
    private var numbers = BitSet()
    /// The last delivered sequence of each log. In a log without a fork, events are delivered in its order.
    private var lastOfLog: [UInt64] = []

    func contains(_ number: Int) -> Bool { number >= 0 && numbers.contains(number) }

    /// Tells whether both views contain the same events, in any order.
    func isAlike(_ other: DeliveredView) -> Bool {
        order.count == other.order.count && numbers == other.numbers
    }

    /// - Parameter isUnwanted: tells whether an event is unwanted, and therefore not waited for; nil if no event ever
    ///   is.
    mutating func take(
        _ number: Int, _ history: History, on device: Int, isUnwanted: ((Int) -> Bool)?
    ) throws(Violation) {
        guard !contains(number) else { throw Violation(.deliveredTwice, device, "number \(number)") }
        let fact = history.fact(number)
        if let missing = fact.ancestors.first(where: { !contains($0) && isUnwanted?($0) != true }) {
            throw Violation(.beforeItsCause, device, "number \(number) names number \(missing)")
        }
        // An event that was held back is delivered later, or never.
        if fact.sequence > 0, isUnwanted == nil {
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

    mutating func withdraw(_ number: Int, on device: Int) throws(Violation) {
        guard contains(number), let place = order.lastIndex(of: Int32(number)) else {
            throw Violation(.wronglyShown, device, "number \(number), withdrawn, had not been shown")
        }
        numbers.remove(number)
        order.remove(at: place)
    }
}
