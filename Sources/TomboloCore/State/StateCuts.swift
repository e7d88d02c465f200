/// Where state events, in the order of (Lamport time, id), fall into segments: the places before which everything is an ancestor of
/// everything from there on. What is concurrent stands in one segment (decision 0014).
struct StateCuts: Sendable {
    private struct Cut {
        let place: Int
        /// The events before it that no event before it names.
        let heads: [Int]

        func isSeen(by parents: [Int], latest: Int) -> Bool { latest >= place || heads.allSatisfy(parents.contains) }
    }

    /// Ascending.
    private var cuts: [Cut] = []

    /// Where the last segment begins.
    var last: Int { cuts.last?.place ?? 0 }
    var places: [Int] { cuts.map(\.place) }

    /// Takes an event that was put at a place.
    ///
    /// It descends from all that is before a cut if it has a parent behind the cut, or names all heads there. Where it does so for one
    /// cut, it does for those before.
    /// - Parameters:
    ///   - parents: the events that it names.
    ///   - latest: the place of the last of these; -1 without any.
    ///   - heads: if nothing comes after it, the heads of what comes before it; else nil.
    /// - Returns: whether there are cuts no more that there were.
    mutating func insert(at place: Int, parents: [Int], latest: Int, heads: Set<Int>?) -> Bool {
        let count = cuts.count
        while let cut = cuts.last, cut.place > place || !cut.isSeen(by: parents, latest: latest) {
            cuts.removeLast()
        }
        let isRemoved = cuts.count < count
        if let heads, heads.allSatisfy(parents.contains) { cuts.append(Cut(place: place, heads: heads.sorted())) }
        return isRemoved
    }

    /// The place where the segment that a place is in begins.
    func start(ofSegmentWith place: Int) -> Int {
        let next = cuts.partitionPoint { $0.place > place }
        return next == 0 ? 0 : cuts[next - 1].place
    }

    /// Whether who names these events has seen all that comes before a place, and nothing else.
    func isEverything(before place: Int, seenFrom heads: [Int]) -> Bool {
        let next = cuts.partitionPoint { $0.place > place }
        return next > 0 && cuts[next - 1].place == place && cuts[next - 1].heads.allSatisfy(heads.contains)
    }
}
