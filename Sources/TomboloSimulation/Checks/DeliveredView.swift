/// What an application has been handed, and the promises about it.
struct DeliveredView {
    /// In this order.
    private(set) var order: [Int32] = []
    private var words: [UInt64] = []
    /// The last sequence of each log: a log's events come in its order where it has no fork.
    private var lastOfLog: [UInt64] = []

    func contains(_ number: Int) -> Bool {
        number >= 0 && number >> 6 < words.count && words[number >> 6] & (1 << UInt64(number & 63)) != 0
    }

    /// Whether exactly the same has been delivered, in whatever order.
    func isAlike(_ other: DeliveredView) -> Bool {
        guard order.count == other.order.count else { return false }
        let shared = min(words.count, other.words.count)
        return words[..<shared] == other.words[..<shared]
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
        while words.count <= number >> 6 { words.append(0) }
        words[number >> 6] |= 1 << UInt64(number & 63)
        order.append(Int32(number))
    }
}
