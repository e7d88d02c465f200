/// A file that is wanted here: what of it is held, and what was asked for.
struct FileFetch: Sendable {
    let id: FileID
    let shape: FileShape
    var want: FileRecord.Want
    /// Positions of chunks that are here.
    var held: RangeSet<Int>
    /// Those that peers were asked for.
    var asked = RangeSet<Int>()
    /// Whether the last peer that was asked had nothing of use.
    var isUnavailable = false
    /// Those that came in this batch.
    var fresh = RangeSet<Int>()
    /// The leaf from which on they are asked for: where somebody reads, else anywhere, so that several who fetch a file from one
    /// device have different parts to give each other.
    var cursor: Int
    /// The nodes that chunks were verified by last.
    private var nodes: [Int: [UInt8]] = [:]
    private static let mostNodes = 8
    /// The store's numbers of groups with events that refer to it.
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

    /// Chunks have come.
    mutating func take(_ positions: RangeSet<Int>) {
        isUnavailable = false
        held.formUnion(positions)
        fresh.formUnion(positions)
        asked.subtract(positions)
    }

    /// A chunk is not what it must be.
    mutating func lose(_ position: Int) {
        held.remove(position)
        nodes = [:]
    }

    var isComplete: Bool { shape.isAll(held) }

    /// What a chunk must hash to; nil if the node above it is not here.
    mutating func hash(of position: Int, in store: any EventStore) throws(StoreError) -> Bytes32? {
        guard let (parent, slot) = shape.parent(of: position) else { return position == 0 ? id.root : nil }
        if nodes[parent] == nil {
            guard held.contains(parent), let bytes = try store.chunk(parent, of: id) else { return nil }
            if nodes.count == Self.mostNodes { nodes = [:] }
            nodes[parent] = bytes
        }
        return nodes[parent].flatMap { FileShape.hash(in: slot, of: $0) }
    }

    /// Chooses what to ask a peer for next: leaves from the cursor on, and before them the nodes that verify them; then nodes that were lost.
    ///
    /// - Parameters:
    ///   - theirs: what the peer holds and may be asked for.
    ///   - limit: the most.
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

    /// Whether a peer that holds these has anything that is not here and could be verified.
    func isHelped(by theirs: RangeSet<Int>) -> Bool {
        var isHelped = false
        forEachStep(towards: theirs.subtracting(held)) { step in
            isHelped = theirs.contains(step)
            return !isHelped
        }
        return isHelped
    }

    /// Goes through positions that are not here, and names for each what has to come first: itself, or a node above it.
    ///
    /// - Parameter body: returns whether to go on.
    private func forEachStep(towards open: RangeSet<Int>, _ body: (Int) -> Bool) {
        for turn in [cursor..<shape.count, shape.firstLeaf..<cursor, 0..<shape.firstLeaf] {
            for range in open.intersection(RangeSet(turn)).ranges {
                var position = range.lowerBound
                while position < range.upperBound {
                    let missing = missingNode(above: position)
                    guard body(missing ?? position) else { return }
                    // Whatever else is below the same node has to wait for it, too.
                    position = missing.map { max(position + 1, shape.leaves(below: $0).upperBound) } ?? position + 1
                }
            }
        }
    }

    /// The highest node above a chunk that is not here.
    private func missingNode(above position: Int) -> Int? {
        var (position, missing) = (position, Int?.none)
        while let parent = shape.parent(of: position)?.position {
            if !held.contains(parent) { missing = parent }
            position = parent
        }
        return missing
    }
}

extension RangeSet<Int> {
    init(_ range: Range<Int>) { self.init([range]) }

    mutating func insert(_ position: Int) { insert(contentsOf: position..<position + 1) }
    mutating func remove(_ position: Int) { remove(contentsOf: position..<position + 1) }

    /// How many positions there are.
    package var positions: Int { ranges.reduce(0) { $0 + $1.count } }

    /// For each range, how far it begins behind the end of the one before ‖ how long it is: varints. At most `limit` ranges are written.
    package func append(to buffer: inout [UInt8], limit: Int = .max) {
        var end = 0
        for range in ranges.prefix(limit) {
            buffer.append(varint: range.lowerBound - end)
            buffer.append(varint: range.count)
            end = range.upperBound
        }
    }

    /// Reads ranges to the end.
    ///
    /// - Parameters:
    ///   - bound: what all positions are below.
    ///   - limit: the most ranges.
    package init(reading reader: inout WireReader, below bound: Int, limit: Int = .max) throws(WireError) {
        self.init()
        var (end, count) = (0, 0)
        while !reader.isAtEnd {
            count += 1
            guard count <= limit else { throw .tooLarge("ranges of chunks", limit: limit) }
            let start = end + (try reader.varint(atMost: bound - end, "a range of chunks"))
            let length = try reader.varint(atMost: bound - start, "a range of chunks")
            guard length > 0 else { throw .invalid("an empty range of chunks", offset: reader.offset) }
            end = start + length
            insert(contentsOf: start..<end)
        }
    }
}
