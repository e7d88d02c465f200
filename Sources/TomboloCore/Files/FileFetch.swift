/// A fetch of a file: the chunks that are held and those that peers were asked for.
struct FileFetch: Sendable {
    let id: FileID
    let shape: FileShape
    var want: FileRecord.Want
    /// The positions of chunks that are held.
    var held: RangeSet<Int>
    /// The positions of chunks that peers were asked for.
    var asked = RangeSet<Int>()
    /// Whether the last peer that was asked had no chunk of use.
    var isUnavailable = false
    /// The positions of chunks that arrived in this batch.
    var fresh = RangeSet<Int>()
    /// The leaf from which on leaves are requested.
    ///
    /// It is where the application reads, else anywhere. So several devices that fetch a file from one peer have
    /// different parts to send each other.
    var cursor: Int
    /// The nodes by which chunks were verified last.
    private var nodes: [Int: [UInt8]] = [:]
    private static let mostNodes = 8
    /// The store's numbers of the groups with events that refer to the file.
    var groups: Set<Int64> = []

    init(_ record: FileRecord) {
        id = record.id
        shape = FileShape(size: record.id.size)
        want = record.want
        held = record.held
        cursor = shape.firstLeaf
    }

    init<Generator: RandomNumberGenerator>(
        _ record: FileRecord, groups: [Int64], startingAnywhere generator: inout Generator
    ) {
        self.init(record)
        self.groups = Set(groups)
        cursor = .random(in: shape.leaves, using: &generator)
    }

    /// Notes that chunks have arrived.
    mutating func receive(_ positions: RangeSet<Int>) {
        isUnavailable = false
        held.formUnion(positions)
        fresh.formUnion(positions)
        asked.subtract(positions)
    }

    /// Notes that a held chunk is damaged.
    mutating func lose(_ position: Int) {
        held.remove(position)
        nodes = [:]
    }

    var isComplete: Bool { shape.isAll(held) }

    /// The hash that a chunk must have; nil if the node above it is not held.
    mutating func hash(of position: Int, in store: any EventStore) throws(StoreError) -> Bytes32? {
        guard let (parent, slot) = shape.parent(of: position) else { return position == 0 ? id.root : nil }
        if nodes[parent] == nil {
            guard held.contains(parent), let bytes = try store.chunk(parent, of: id) else { return nil }
            if nodes.count == Self.mostNodes { nodes = [:] }
            nodes[parent] = bytes
        }
        return nodes[parent].flatMap { FileShape.hash(in: slot, of: $0) }
    }

    /// Chooses the chunks to request from a peer next, and notes them as asked for.
    ///
    /// These are leaves from the cursor on, and before them the nodes that verify them. Lost nodes come last.
    ///
    /// - Parameters:
    ///   - theirs: the positions that the peer holds and may be asked for.
    ///   - limit: the most chunks.
    mutating func choose(from theirs: RangeSet<Int>, limit: Int) -> [Int] {
        let open = theirs.subtracting(held).subtracting(asked)
        var chosen: [Int] = []
        forEachStep(towards: open) { step in
            if open.contains(step), step >= shape.firstLeaf || !chosen.contains(step) { chosen.append(step) }
            return chosen.count < limit
        }
        for position in chosen { asked.insert(position) }
        return chosen
    }

    /// Whether a peer that holds these positions has a chunk that is missing and could be verified.
    func isHelped(by theirs: RangeSet<Int>) -> Bool {
        var isHelped = false
        forEachStep(towards: theirs.subtracting(held)) { step in
            isHelped = theirs.contains(step)
            return !isHelped
        }
        return isHelped
    }

    /// Visits missing positions, with the position that has to come first: the missing one itself, or a node above it.
    ///
    /// - Parameter body: returns whether to continue.
    private func forEachStep(towards open: RangeSet<Int>, _ body: (Int) -> Bool) {
        for turn in [cursor..<shape.count, shape.firstLeaf..<cursor, 0..<shape.firstLeaf] {
            for range in open.intersection(RangeSet(turn)).ranges {
                var position = range.lowerBound
                while position < range.upperBound {
                    let missing = missingNode(above: position)
                    guard body(missing ?? position) else { return }
                    // All other positions below the same node have to wait for it too.
                    position = missing.map { max(position + 1, shape.leaves(below: $0).upperBound) } ?? position + 1
                }
            }
        }
    }

    /// The highest missing node above a chunk.
    private func missingNode(above position: Int) -> Int? {
        var (position, missing) = (position, Int?.none)
        while let parent = shape.parent(of: position)?.position {
            if !held.contains(parent) { missing = parent }
            position = parent
        }
        return missing
    }
}
