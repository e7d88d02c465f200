/// Finds out what two sets differ in by what is cheapest: a comparison of summaries, then coded symbols, as many as are likely to be
/// needed; ranges where the difference is too large for those, or what they found does not check.
///
///     initiator → 1 ‖ size varint ‖ sum (32)                      its summary
///     responder → 5                                               equal: the end
///                 2 ‖ size ‖ sum ‖ first varint ‖ end varint ‖ cells   cells of its set, at first from 0 on
///                 4                                               by ranges: begin
///     initiator → 3 ‖ first varint ‖ end varint                   further cells, please
///                 6 ‖ short ids (8 each)                          which are these?
///     responder → 6 ‖ ids (32 each)
///     both      → 4 ‖ message of ``RangeReconciler``
///
/// The first cells are at least 32, and more where the sizes tell that more differ; if they do not decode, they tell about how many
/// are needed. At the end the initiator's sum, with what it needs and without what it has alone, must be the responder's; else
/// everything is done by ranges. Sums catch every accident; against who chooses ids to deceive, compare a collision-resistant digest.
public struct AdaptiveReconciler<Storage: RangeStorage>: Reconciler {
    private enum Kind {
        static var summary: UInt8 { 1 }
        static var cells: UInt8 { 2 }
        static var more: UInt8 { 3 }
        static var ranges: UInt8 { 4 }
        static var equal: UInt8 { 5 }
        static var ids: UInt8 { 6 }
    }

    private let storage: Storage
    private let key: SipHashKey
    private let sha256: ([UInt8]) -> [UInt8]
    private let mostCells: Int
    private var ranges: RangeReconciler<Storage>
    private var sketch: RatelessSketch<UInt64>?
    private var isInitiator = false

    // The initiator's.
    private var decoder: RatelessDecoder<UInt64>
    private var theirs: (size: Int, sum: Sum256)?
    private var have: [ItemID] = []

    /// - Parameters:
    ///   - storage: the set, which must not change meanwhile.
    ///   - sketch: cells that were kept up to date, of the set's ``shortID(of:key:)``s under `key`; else they are made when they
    ///     are needed.
    ///   - key: the same on both sides; secret from whoever could choose elements of the sets.
    ///   - mostCells: beyond so many, ranges are used; bounds memory, and a message to 16 bytes a cell.
    ///   - frameLimit: the most bytes of a message of ranges, as for ``RangeReconciler``.
    ///   - sha256: SHA-256 (FIPS 180-4).
    public init(
        _ storage: Storage, sketch: RatelessSketch<UInt64>? = nil, key: SipHashKey, mostCells: Int = 262_144,
        frameLimit: Int = 0, sha256: @escaping ([UInt8]) -> [UInt8]
    ) {
        precondition(sketch.map { $0.key == key } ?? true, "the sketch is under another key")
        self.storage = storage
        self.sketch = sketch
        self.key = key
        self.mostCells = mostCells
        self.sha256 = sha256
        ranges = RangeReconciler(storage, frameLimit: frameLimit, sha256: sha256)
        decoder = RatelessDecoder(key: key, checksumBytes: Self.checksumBytes)
    }

    /// What stands for an id in cells.
    public static func shortID(of id: ItemID, key: SipHashKey) -> UInt64 {
        max(1, id.hash(key: SipHashKey(key.k0 ^ 0x746f_6d62_6f6c_6f21, key.k1)))
    }

    private static var checksumBytes: Int { 4 }
    private static var fewestCells: Int { 32 }

    public mutating func initiate() throws(ReconciliationError) -> [UInt8] {
        isInitiator = true
        return try [Kind.summary] + summary()
    }

    public mutating func reconcile(_ message: [UInt8]) throws(ReconciliationError) -> ReconciliationStep {
        guard let kind = message.first else { throw .malformed(offset: 0) }
        if kind == Kind.ranges { return try takeRanges(Array(message.dropFirst())) }
        var reader = RangeReader(message)
        _ = try reader.byte()
        switch (kind, isInitiator) {
        case (Kind.summary, false): return ReconciliationStep(reply: try answer(to: try reader.summary()))
        case (Kind.more, false):
            let (first, end) = (try reader.varint(), try reader.varint())
            guard first < end else { throw .malformed(offset: reader.offset) }
            guard end <= UInt64(mostCells) else { return ReconciliationStep(reply: [Kind.ranges]) }
            return ReconciliationStep(reply: try cells(Int(first)..<Int(end)))
        case (Kind.ids, false): return ReconciliationStep(reply: try resolve(try reader.shortIDs()))
        case (Kind.equal, true): return ReconciliationStep()
        case (Kind.cells, true): return try takeCells(&reader, message)
        case (Kind.ids, true): return try takeIDs(try reader.restAsIDs())
        default: throw .malformed(offset: 0)
        }
    }

    // MARK: Summaries and cells

    private func summary() throws(ReconciliationError) -> [UInt8] {
        var bytes: [UInt8] = []
        let size = try storage.count
        bytes.append(digits: UInt64(size))
        return bytes + (try storage.sum(of: 0..<size)).bytes
    }

    /// As many cells as the sizes tell to differ, and some more.
    private mutating func answer(to theirs: (size: Int, sum: Sum256)) throws(ReconciliationError) -> [UInt8] {
        let size = try storage.count
        let sum = try storage.sum(of: 0..<size)
        if theirs.size == size, theirs.sum == sum { return [Kind.equal] }
        let difference = abs(theirs.size - size)
        guard difference <= mostCells / 2 else { return [Kind.ranges] }
        return try cells(0..<Self.fewestCells + Self.cells(for: difference))
    }

    /// Enough for nearly every set of so many differences.
    private static func cells(for difference: Int) -> Int {
        difference < 50 ? 2 * difference : difference + difference * 2 / 5
    }

    private mutating func cells(_ range: Range<Int>) throws(ReconciliationError) -> [UInt8] {
        let cells = try ownCells(range.upperBound)
        let coding = RatelessCoding(size: try storage.count, checksumBytes: Self.checksumBytes)
        var bytes = try [Kind.cells] + summary()
        bytes.append(digits: UInt64(range.lowerBound))
        bytes.append(digits: UInt64(range.upperBound))
        for index in range { coding.write(cells[index], index: index, into: &bytes) }
        return bytes
    }

    private mutating func ownCells(_ count: Int) throws(ReconciliationError) -> [CodedSymbol<UInt64>] {
        if let sketch, sketch.cells.count >= count { return sketch.cells }
        var made = RatelessSketch<UInt64>(count: max(1, count), key: key)
        for index in 0..<(try storage.count) {
            made.insert(Self.shortID(of: try storage[index].id, key: key))
        }
        sketch = made
        return made.cells
    }

    private mutating func takeCells(
        _ reader: inout RangeReader, _ message: [UInt8]
    ) throws(ReconciliationError) -> ReconciliationStep {
        let summary = try reader.summary()
        let (first, end) = (try reader.varint(), try reader.varint())
        guard first == UInt64(decoder.cellCount), first < end, end <= UInt64(mostCells) else {
            throw .malformed(offset: reader.offset)
        }
        theirs = summary
        let coding = RatelessCoding(size: summary.size, checksumBytes: Self.checksumBytes)
        let own = try ownCells(Int(end))
        var offset = reader.offset
        do throws(ReconciliationError) {
            for index in Int(first)..<Int(end) where !decoder.isComplete {
                try decoder.append(try coding.read(message, at: &offset, index: index), own[index])
            }
        } catch .inconsistent {
            return try beginRanges()
        }
        guard decoder.isComplete else {
            let likely = Self.fewestCells + Self.cells(for: decoder.estimatedDifference)
            let needed = max(Int(end) + Int(end) / 4, likely)
            guard needed <= mostCells else { return try beginRanges() }
            var ask = [Kind.more]
            ask.append(digits: end)
            ask.append(digits: UInt64(needed))
            return ReconciliationStep(reply: ask)
        }
        have = try ids(of: Set(decoder.local))
        guard have.count == decoder.local.count else { return try beginRanges() }
        guard !decoder.remote.isEmpty else { return try finish(need: []) }
        var ask = [Kind.ids]
        for short in decoder.remote { short.append(to: &ask) }
        return ReconciliationStep(reply: ask)
    }

    /// Our ids that short ones stand for.
    private func ids(of short: Set<UInt64>) throws(ReconciliationError) -> [ItemID] {
        guard !short.isEmpty else { return [] }
        var found: [ItemID] = []
        for index in 0..<(try storage.count) {
            let id = try storage[index].id
            if short.contains(Self.shortID(of: id, key: key)) { found.append(id) }
        }
        return found
    }

    /// The ids, one for each short id: fewer if some are none of ours.
    private func resolve(_ short: [UInt64]) throws(ReconciliationError) -> [UInt8] {
        guard short.count <= mostCells else { throw .malformed(offset: 0) }
        var reply = [Kind.ids]
        for id in try ids(of: Set(short)) { id.append(to: &reply) }
        return reply
    }

    private mutating func takeIDs(_ ids: [ItemID]) throws(ReconciliationError) -> ReconciliationStep {
        let asked = Set(decoder.remote)
        let named = Set(ids.map { Self.shortID(of: $0, key: key) })
        guard ids.count == asked.count, named == asked else { return try beginRanges() }
        return try finish(need: ids)
    }

    /// What was found must make our set theirs.
    private mutating func finish(need: [ItemID]) throws(ReconciliationError) -> ReconciliationStep {
        let size = try storage.count
        var sum = try storage.sum(of: 0..<size)
        for id in need { sum = sum + id.littleEndian }
        for id in have { sum = sum - id.littleEndian }
        guard let theirs, sum == theirs.sum, size + need.count - have.count == theirs.size else {
            return try beginRanges()
        }
        return ReconciliationStep(reply: nil, have: have, need: need)
    }

    // MARK: Ranges

    private mutating func beginRanges() throws(ReconciliationError) -> ReconciliationStep {
        ReconciliationStep(reply: try [Kind.ranges] + ranges.initiate())
    }

    private mutating func takeRanges(_ message: [UInt8]) throws(ReconciliationError) -> ReconciliationStep {
        if isInitiator, message.isEmpty { return try beginRanges() }
        var step = try ranges.reconcile(message)
        step.reply = step.reply.map { [Kind.ranges] + $0 }
        return step
    }
}

extension RangeReader {
    fileprivate mutating func summary() throws(ReconciliationError) -> (size: Int, sum: Sum256) {
        let size = try varint()
        guard size < 1 << 48 else { throw .malformed(offset: offset) }
        return (Int(size), Sum256(bytes: try take(32)))
    }

    fileprivate mutating func shortIDs() throws(ReconciliationError) -> [UInt64] {
        var ids: [UInt64] = []
        while !isAtEnd { ids.append(UInt64(bytes: try take(8))) }
        return ids
    }

    fileprivate mutating func restAsIDs() throws(ReconciliationError) -> [ItemID] {
        var ids: [ItemID] = []
        while !isAtEnd { ids.append(ItemID(bytes: try take(32))) }
        return ids
    }
}
