/// Finds the difference of two sets in the cheapest way that its cost model predicts.
///
/// The two sides first compare summaries. If these differ, the responder usually sends as many coded symbols as are
/// likely to be needed. Ranges are used if the differences lie close together, if they are very many, or if coded
/// symbols fail.
///
///     initiator → 1 ‖ size varint ‖ sum (32) ‖ hints                     its summary
///     responder → 5                                                      equal: the end
///                 2 ‖ size ‖ sum ‖ first varint ‖ end varint ‖ cells     cells of its set, at first from 0 on
///                 7 ‖ size ‖ sum ‖ difference varint ‖ message           ranges, if the differences seem to be close
///                 4                                                      asks the initiator to begin with ranges
///     initiator → 3 ‖ first varint ‖ end varint                          asks for further cells
///                 6 ‖ prefixes of ids (5 each)                           asks for the whole ids
///     responder → 6 ‖ ids (32 each)
///     both      → 4 ‖ message of ``RangeReconciler``
///
///     hints = nothing, or u8 n ‖ for each of n cells from 0 on
///             the zigzag varint of (count − expected) ‖ message of ranges
///
/// An initiator that already knows that the sets differ sends hints with its summary. The hints are the element counts
/// of its first cells, which show about how many elements differ, and fingerprints of ranges. The fingerprints show
/// whether the differences lie close together. Without hints, the responder sends at least 32 cells.
///
/// At the end the initiator adds to its sum the ids that it needs and subtracts those that it alone has. If the result
/// is not the responder's sum, both sides start again with ranges. The sums detect every accidental error. Against an
/// attacker that chooses ids to deceive, compare a collision-resistant digest.
public struct AdaptiveReconciler<Storage: RangeStorage>: Reconciler {
    private enum Kind {
        static var summary: UInt8 { 1 }
        static var cells: UInt8 { 2 }
        static var more: UInt8 { 3 }
        static var ranges: UInt8 { 4 }
        static var equal: UInt8 { 5 }
        static var ids: UInt8 { 6 }
        static var close: UInt8 { 7 }
    }

    private let storage: Storage
    private let key: SipHashKey
    private let sha256: ([UInt8]) -> [UInt8]
    private let options: AdaptiveOptions
    private var ranges: RangeReconciler<Storage>

    /// The state of the reconciliation apart from the set. Another value continues from it, given the same set.
    public private(set) var progress: AdaptiveProgress

    /// The method that has been used so far to find the difference.
    public var strategy: ReconciliationStrategy { progress.strategy }

    /// - Parameters:
    ///   - storage: the set. An element that is added meanwhile may or may not be found.
    ///   - progress: the progress of an earlier reconciliation over the same set, to continue it.
    ///   - sketch: up-to-date cells of the set's ``ItemID/short``s under `key`. If nil, cells are computed when they
    ///     are needed.
    ///   - key: the same key on both sides. Keep it secret from anyone that can choose elements of the sets.
    ///   - options: the costs of the link, and bounds.
    ///   - sha256: SHA-256 (FIPS 180-4).
    public init(
        _ storage: Storage, resuming progress: AdaptiveProgress? = nil, sketch: RatelessSketch<UInt64>? = nil,
        key: SipHashKey, options: AdaptiveOptions = AdaptiveOptions(), sha256: @escaping ([UInt8]) -> [UInt8]
    ) {
        precondition(sketch.map { $0.key == key } ?? true, "the sketch is under another key")
        self.storage = storage
        self.key = key
        self.options = options
        self.sha256 = sha256
        self.progress =
            progress
            ?? AdaptiveProgress(sketch: sketch, decoder: RatelessDecoder(key: key, checksumBytes: Self.checksumBytes))
        ranges = RangeReconciler(
            storage, frameLimit: options.frameLimit, isInitiator: self.progress.isInitiator, sha256: sha256)
    }

    private static var checksumBytes: Int { 4 }
    /// The number of cells whose counts are sent as a hint.
    private static var countedCells: Int { 96 }

    public mutating func initiate() throws(ReconciliationError) -> [UInt8] {
        progress.isInitiator = true
        return try [Kind.summary] + summary() + (options.isKnownToDiffer ? counts() + ranges.initiate() : [])
    }

    public mutating func reconcile(_ message: [UInt8]) throws(ReconciliationError) -> ReconciliationStep {
        guard let kind = message.first else { throw .malformed(offset: 0) }
        if kind == Kind.ranges { return try takeRanges(Array(message.dropFirst())) }
        var reader = RangeReader(message)
        _ = try reader.byte()
        switch (kind, progress.isInitiator) {
        case (Kind.summary, false): return ReconciliationStep(reply: try answer(toSummary: &reader))
        case (Kind.more, false):
            let (first, end) = (try reader.varint(), try reader.varint())
            guard first < end else { throw .malformed(offset: reader.offset) }
            guard end <= UInt64(options.mostCells) else { return ReconciliationStep(reply: [Kind.ranges]) }
            return ReconciliationStep(reply: try cells(Int(first)..<Int(end)))
        case (Kind.ids, false): return ReconciliationStep(reply: try resolve(try reader.prefixes()))
        case (Kind.equal, true): return ReconciliationStep()
        case (Kind.cells, true): return try takeCells(&reader, message)
        case (Kind.close, true): return try takeClose(&reader)
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

    private mutating func counts() throws(ReconciliationError) -> [UInt8] {
        let (cells, size) = (try ownCells(Self.countedCells), try storage.count)
        var bytes = [UInt8(Self.countedCells)]
        for index in 0..<Self.countedCells {
            bytes.append(zigzag: cells[index].count &- expectedCount(of: size, inCell: index))
        }
        return bytes
    }

    /// Estimates the difference from the counts of the other side's first cells.
    private mutating func estimate(
        _ reader: inout RangeReader, theirSize: Int
    ) throws(ReconciliationError) -> (difference: Int, cells: Int) {
        var counts: [Int64] = []
        for index in 0..<Int(try reader.byte()) {
            counts.append(try reader.zigzag() &+ expectedCount(of: theirSize, inCell: index))
        }
        let own = try ownCells(counts.count)
        let estimate = differenceEstimate(of: zip(own, counts).map { $0.count &- $1 })
        return (max(estimate, abs(theirSize - (try storage.count)), 1), counts.count)
    }

    private mutating func answer(toSummary reader: inout RangeReader) throws(ReconciliationError) -> [UInt8] {
        let theirs = try reader.summary()
        let size = try storage.count
        if theirs.size == size, theirs.sum == (try storage.sum(of: 0..<size)) { return [Kind.equal] }
        guard !reader.isAtEnd else {
            let difference = abs(theirs.size - size)
            guard difference <= options.mostCells / 2 else { return [Kind.ranges] }
            return try cells(0..<16 + max(16, DifferenceCost.cells(for: difference)))
        }
        let (difference, counted) = try estimate(&reader, theirSize: theirs.size)
        let message = Array(try reader.rest())
        let own = try ranges.itemsInQuestion(in: message)
        let cost = try cost(theirSize: theirs.size)
        let items = own + max(0, own + theirs.size - size)
        let byRanges = cost.byRanges(within: items, own: own, of: size, difference: difference, roundTrips: 3)
        if min(byRanges, cost.byRanges(difference)) < cost.byCells(difference)
            || difference > options.mostCells
        {
            var reply = try [Kind.close] + summary()
            reply.append(digits: UInt64(difference))
            return try reply + (ranges.reconcile(message).reply ?? [])
        }
        return try cells(0..<min(options.mostCells, cost.batch(for: difference, estimatedBy: counted)))
    }

    /// Continues with ranges if the differences do lie close together, otherwise with cells.
    private mutating func takeClose(_ reader: inout RangeReader) throws(ReconciliationError) -> ReconciliationStep {
        let summary = try reader.summary()
        progress.theirs = summary
        let difference = Int(clamping: try reader.varint())
        let message = Array(try reader.rest())
        let own = try ranges.itemsInQuestion(in: message)
        let size = try storage.count
        let items = own + max(0, own + summary.size - size)
        let cost = try cost(theirSize: summary.size)
        let byRanges = cost.byRanges(
            within: items, own: own, of: size, difference: min(difference, items), roundTrips: 2)
        guard difference <= options.mostCells,
            cost.byCells(difference) < min(byRanges, cost.byRanges(difference))
        else {
            progress.strategy = .range
            return try takeRanges(message)
        }
        return ask(forCells: 0..<min(options.mostCells, cost.batch(for: difference, estimatedBy: Self.countedCells)))
    }

    private func ask(forCells range: Range<Int>) -> ReconciliationStep {
        var ask = [Kind.more]
        ask.append(digits: UInt64(range.lowerBound))
        ask.append(digits: UInt64(range.upperBound))
        return ReconciliationStep(reply: ask)
    }

    private func cost(theirSize: Int) throws(ReconciliationError) -> DifferenceCost {
        DifferenceCost(
            link: options.link, items: try storage.count + theirSize, warmCells: progress.sketch?.cells.count ?? 0)
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
        if let sketch = progress.sketch, sketch.cells.count >= count { return sketch.cells }
        var made = RatelessSketch<UInt64>(count: max(1, count), key: key)
        try storage.forEachID { made.insert($0.short) }
        progress.sketch = made
        return made.cells
    }

    private mutating func takeCells(
        _ reader: inout RangeReader, _ message: [UInt8]
    ) throws(ReconciliationError) -> ReconciliationStep {
        progress.strategy = .rateless
        let summary = try reader.summary()
        let (first, end) = (try reader.varint(), try reader.varint())
        guard first == UInt64(progress.decoder.cellCount), first < end, end <= UInt64(options.mostCells) else {
            throw .malformed(offset: reader.offset)
        }
        progress.theirs = summary
        let coding = RatelessCoding(size: summary.size, checksumBytes: Self.checksumBytes)
        let own = try ownCells(Int(end))
        var offset = reader.offset
        do throws(ReconciliationError) {
            for index in Int(first)..<Int(end) where !progress.decoder.isComplete {
                try progress.decoder.append(try coding.read(message, at: &offset, index: index), own[index])
            }
        } catch .inconsistent {
            return try beginRanges()
        }
        guard progress.decoder.isComplete else { return try goOn(after: Int(end)) }
        let have = try ids(ofShort: progress.decoder.local)
        guard have.count == progress.decoder.local.count else { return try beginRanges() }
        progress.have = have
        if options.namesByPrefix {
            return ReconciliationStep(have: have, needPrefixes: progress.decoder.remote.map(ItemID.prefix(ofShort:)))
        }
        guard !progress.decoder.remote.isEmpty else { return try finish(need: []) }
        var ask = [Kind.ids]
        for short in progress.decoder.remote { ask.append(prefixOf: short) }
        return ReconciliationStep(reply: ask)
    }

    /// Decides how to continue after cells that did not suffice: more cells, or ranges.
    private mutating func goOn(after count: Int) throws(ReconciliationError) -> ReconciliationStep {
        let difference = progress.decoder.estimatedDifference
        let needed = DifferenceCost.cells(for: difference)
        // More cells than the estimate needs have failed: some elements have the same short id.
        guard needed <= options.mostCells, count <= 2 * needed + 64 else { return try beginRanges() }
        let batch = try cost(theirSize: progress.theirs?.size ?? 0).batch(for: difference, estimatedBy: count)
        return ask(forCells: count..<min(options.mostCells, max(count + count / 8 + 8, batch)))
    }

    /// This side's ids that have the given short ids.
    private func ids(ofShort short: [UInt64]) throws(ReconciliationError) -> [ItemID] {
        guard !short.isEmpty else { return [] }
        let wanted = Set(short)
        return try storage.ids(withPrefixes: Set(short.map(ItemID.prefix(ofShort:)))).filter {
            wanted.contains($0.short)
        }
    }

    /// The reply that lists this side's ids with the given prefixes.
    private func resolve(_ prefixes: [UInt64]) throws(ReconciliationError) -> [UInt8] {
        guard prefixes.count <= options.mostCells else { throw .malformed(offset: 0) }
        var reply = [Kind.ids]
        for id in try storage.ids(withPrefixes: Set(prefixes)) { id.append(to: &reply) }
        return reply
    }

    private mutating func takeIDs(_ ids: [ItemID]) throws(ReconciliationError) -> ReconciliationStep {
        let asked = Set(progress.decoder.remote)
        let named = ids.filter { asked.contains($0.short) }
        guard named.count == asked.count, Set(named).count == asked.count else { return try beginRanges() }
        return try finish(need: named)
    }

    /// Ends the reconciliation if the found difference turns this side's set into the other side's. Otherwise begins
    /// with ranges.
    private mutating func finish(need: [ItemID]) throws(ReconciliationError) -> ReconciliationStep {
        let size = try storage.count
        var sum = try storage.sum(of: 0..<size)
        for id in need { sum = sum + id.littleEndian }
        for id in progress.have { sum = sum - id.littleEndian }
        guard let theirs = progress.theirs, sum == theirs.sum, size + need.count - progress.have.count == theirs.size
        else {
            return try beginRanges()
        }
        return ReconciliationStep(reply: nil, have: progress.have, need: need)
    }

    // MARK: Ranges

    private mutating func beginRanges() throws(ReconciliationError) -> ReconciliationStep {
        progress.strategy = .range
        return ReconciliationStep(reply: try [Kind.ranges] + ranges.initiate())
    }

    private mutating func takeRanges(_ message: [UInt8]) throws(ReconciliationError) -> ReconciliationStep {
        if progress.isInitiator, message.isEmpty { return try beginRanges() }
        var step = try ranges.reconcile(message)
        step.reply = step.reply.map { [Kind.ranges] + $0 }
        return step
    }
}

/// Settings of an ``AdaptiveReconciler``: the costs of its link, and its bounds.
public struct AdaptiveOptions: Hashable, Sendable {
    public var link: LinkCost
    /// Tells whether the initiator already knows, from elsewhere, that the sets differ.
    public var isKnownToDiffer: Bool
    /// Allows coded symbols to end with the prefixes of the needed ids (``ReconciliationStep/needPrefixes``). That
    /// saves a round trip and 32 bytes an id. Use it only if the caller compares digests after the needed elements have
    /// arrived.
    public var namesByPrefix: Bool
    /// The most coded symbols to use; a larger difference is found by ranges. It bounds memory, and a message of cells
    /// to 16 bytes a cell.
    public var mostCells: Int
    /// The most bytes in a message of ranges, as for ``RangeReconciler``.
    public var frameLimit: Int

    public init(
        link: LinkCost = LinkCost(), isKnownToDiffer: Bool = false, namesByPrefix: Bool = false,
        mostCells: Int = 262_144,
        frameLimit: Int = 0
    ) {
        self.link = link
        self.isKnownToDiffer = isKnownToDiffer
        self.namesByPrefix = namesByPrefix
        self.mostCells = mostCells
        self.frameLimit = frameLimit
    }
}

/// The state of an ``AdaptiveReconciler``, apart from its set.
public struct AdaptiveProgress: Sendable {
    var isInitiator = false
    var sketch: RatelessSketch<UInt64>?
    var strategy = ReconciliationStrategy.summary

    // The initiator's state.
    var decoder: RatelessDecoder<UInt64>
    var theirs: (size: Int, sum: Sum256)?
    var have: [ItemID] = []

    init(sketch: RatelessSketch<UInt64>?, decoder: RatelessDecoder<UInt64>) {
        self.sketch = sketch
        self.decoder = decoder
    }
}

/// The method by which a difference was found.
public enum ReconciliationStrategy: String, Hashable, Sendable {
    /// The summaries were equal, or only summaries have been exchanged so far.
    case summary
    case rateless
    case range
}

extension RangeReader {
    fileprivate mutating func summary() throws(ReconciliationError) -> (size: Int, sum: Sum256) {
        let size = try varint()
        guard size < 1 << 48 else { throw .malformed(offset: offset) }
        return (Int(size), Sum256(bytes: try take(32)))
    }

    fileprivate mutating func zigzag() throws(ReconciliationError) -> Int64 {
        let value = try varint()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    fileprivate mutating func rest() throws(ReconciliationError) -> ArraySlice<UInt8> { try take(left) }

    fileprivate mutating func prefixes() throws(ReconciliationError) -> [UInt64] {
        var prefixes: [UInt64] = []
        while !isAtEnd { prefixes.append(try take(ItemID.prefixBytes).reduce(0) { $0 << 8 | UInt64($1) }) }
        return prefixes
    }

    fileprivate mutating func restAsIDs() throws(ReconciliationError) -> [ItemID] {
        var ids: [ItemID] = []
        while !isAtEnd { ids.append(ItemID(bytes: try take(32))) }
        return ids
    }
}

extension [UInt8] {
    fileprivate mutating func append(prefixOf short: UInt64) {
        let prefix = ItemID.prefix(ofShort: short)
        for byte in (0..<ItemID.prefixBytes).reversed() {
            append(UInt8(truncatingIfNeeded: prefix >> UInt64(8 * byte)))
        }
    }

    fileprivate mutating func append(zigzag value: Int64) {
        append(digits: UInt64(bitPattern: value << 1) ^ UInt64(bitPattern: value >> 63))
    }
}
