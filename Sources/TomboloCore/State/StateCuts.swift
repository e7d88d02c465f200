/// The cuts that divide state events, in the order of (Lamport time, id), into segments (protocol 2.6-28,
/// decision 0014).
///
/// A cut is a place before which every event is an ancestor of every event from there on. So concurrent events stand in
/// one segment.
struct StateCuts: Sendable {
    private struct Cut {
        let place: Int
        /// The events before the cut that no event before it names.
        let heads: [Int]

        func isSeen(by parents: [Int], latest: Int) -> Bool { latest >= place || heads.allSatisfy(parents.contains) }
    }

    /// The cuts, ascending by place.
    private var cuts: [Cut] = []

    /// The place where the last segment begins.
    var last: Int { cuts.last?.place ?? 0 }
    var places: [Int] { cuts.map(\.place) }

    /// Notes an event that was inserted at a place, and removes the cuts that it breaks.
    ///
    /// The event descends from everything before a cut if it has a parent behind the cut, or names all heads there. If
    /// it does so for one cut, it does so for all earlier ones.
    ///
    /// - Parameters:
    ///   - parents: the events that it names.
    ///   - latest: the place of the last of these; -1 if there are none.
    ///   - heads: the heads of the events before it, if it comes last; else nil.
    /// - Returns: whether cuts were removed.
    mutating func insert(at place: Int, parents: [Int], latest: Int, heads: Set<Int>?) -> Bool {
        let count = cuts.count
        while let cut = cuts.last, cut.place > place || !cut.isSeen(by: parents, latest: latest) {
            cuts.removeLast()
        }
        let isRemoved = cuts.count < count
        if let heads, heads.allSatisfy(parents.contains) { cuts.append(Cut(place: place, heads: heads.sorted())) }
        return isRemoved
    }

    /// The place where the segment of a place begins.
    func start(ofSegmentWith place: Int) -> Int {
        let next = cuts.partitionPoint { $0.place > place }
        return next == 0 ? 0 : cuts[next - 1].place
    }

    /// Whether an author that names these events has seen all events before a place, and no others.
    func isEverything(before place: Int, seenFrom heads: [Int]) -> Bool {
        let next = cuts.partitionPoint { $0.place > place }
        return next > 0 && cuts[next - 1].place == place && cuts[next - 1].heads.allSatisfy(heads.contains)
    }
}
