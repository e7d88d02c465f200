/// Range-based set reconciliation (Meyer, "Range-Based Set Reconciliation", SRDS 2023) in the negentropy protocol,
/// version 1.
///
/// The two sides exchange fingerprints of ranges. A range whose fingerprints differ is split in 16; for a range below
/// 32 items the ids are sent. The reconciler performs no I/O: it receives messages and returns messages. The initiator
/// learns which items each side lacks.
///
///     var initiator = RangeReconciler(SortedItems(items), sha256: sha256)
///     var message = initiator.initiate()
///     // send it; for each answer:
///     let step = try initiator.reconcile(answer)      // step.reply is nil at the end
///
/// The work and memory for a message are bounded. They are at most proportional to the message, the bound of the
/// answer, and the items of the ranges that it names. A peer can prolong the exchange forever by asking for more, so
/// the caller must bound the rounds.
public struct RangeReconciler<Storage: RangeStorage>: Reconciler {
    private let storage: Storage
    /// The most bytes in a message; 0 for no limit.
    private let frameLimit: Int
    private let sha256: ([UInt8]) -> [UInt8]
    private var isInitiator = false

    private static var version: UInt8 { 0x61 }
    private static var fingerprintBytes: Int { 16 }
    private static var fanOut: Int { 16 }
    /// The number of bytes reserved for the fingerprint of the items that do not fit into a message.
    private static var frameReserve: Int { 200 }

    /// - Parameters:
    ///   - storage: the set, which must not change during the reconciliation.
    ///   - frameLimit: the most bytes in a message: 0 for no limit, otherwise at least 4,096.
    ///   - sha256: SHA-256 (FIPS 180-4).
    public init(_ storage: Storage, frameLimit: Int = 0, sha256: @escaping ([UInt8]) -> [UInt8]) {
        self.init(storage, frameLimit: frameLimit, isInitiator: false, sha256: sha256)
    }

    /// Creates a reconciler that continues from another value.
    init(_ storage: Storage, frameLimit: Int, isInitiator: Bool, sha256: @escaping ([UInt8]) -> [UInt8]) {
        self.isInitiator = isInitiator
        precondition(frameLimit == 0 || frameLimit >= 4_096, "a frame limit is 0 or at least 4,096, not \(frameLimit)")
        self.storage = storage
        self.frameLimit = frameLimit
        self.sha256 = sha256
    }

    /// Makes this side the initiator and returns the first message.
    public mutating func initiate() throws(ReconciliationError) -> [UInt8] {
        isInitiator = true
        var output = RangeWriter(version: Self.version)
        try split(0..<storage.count, upTo: .infinity, into: &output)
        return output.bytes
    }

    /// Processes a message of the other side and returns the answer.
    ///
    /// - Throws: ``ReconciliationError`` if it is not a message of the protocol.
    public mutating func reconcile(_ message: [UInt8]) throws(ReconciliationError) -> ReconciliationStep {
        var reader = RangeReader(message)
        let version = try reader.byte()
        guard (0x60...0x6f).contains(version) else { throw .malformed(offset: 0) }
        guard version == Self.version else {
            if isInitiator { throw .unsupportedVersion(version) }
            return ReconciliationStep(reply: [Self.version])
        }
        var step = ReconciliationStep()
        var output = RangeWriter(version: Self.version)
        var previousBound = RangeBound(timestamp: 0, prefix: [])
        var lower = 0
        var skips = false
        while !reader.isAtEnd {
            let bound = try reader.bound()
            let mode = try reader.varint()
            var upper = try storage.firstIndex(notBelow: bound, from: lower)
            // The part for this range joins the output only if the frame has room for it.
            var part = output.part()
            func endSkip(_ part: inout RangeWriter) {
                guard skips else { return }
                skips = false
                part.append(previousBound)
                part.append(varint: Mode.skip)
            }
            switch mode {
            case Mode.skip: skips = true
            case Mode.fingerprint:
                if try reader.take(Self.fingerprintBytes) == fingerprint(lower..<upper)[...] {
                    skips = true
                } else {
                    endSkip(&part)
                    try split(lower..<upper, upTo: bound, into: &part)
                }
            case Mode.idList:
                let theirs = try reader.ids()
                if isInitiator {
                    skips = true
                    try compare(lower..<upper, with: theirs, &step)
                } else {
                    endSkip(&part)
                    upper = try answer(lower..<upper, upTo: bound, frameBytes: output.count, into: &part)
                    output.append(part)
                    part = output.part()
                }
            default: throw .malformed(offset: reader.offset)
            }
            if exceedsFrame(output.count + part.count) {
                var rest = output.part()
                rest.append(.infinity)
                rest.append(varint: Mode.fingerprint)
                try rest.append(fingerprint(upper..<storage.count))
                output.append(rest)
                break
            }
            output.append(part)
            lower = upper
            previousBound = bound
        }
        step.reply = isInitiator && output.count == 1 ? nil : output.bytes
        return step
    }

    /// The number of this side's items that a message leaves open: the items of ranges that differ between the sides.
    func itemsInQuestion(in message: [UInt8]) throws(ReconciliationError) -> Int {
        var reader = RangeReader(message)
        guard try reader.byte() == Self.version else { throw .malformed(offset: 0) }
        var (lower, count) = (0, 0)
        while !reader.isAtEnd {
            let upper = try storage.firstIndex(notBelow: try reader.bound(), from: lower)
            switch try reader.varint() {
            case Mode.skip: break
            case Mode.fingerprint:
                if try reader.take(Self.fingerprintBytes) != fingerprint(lower..<upper)[...] { count += upper - lower }
            case Mode.idList:
                _ = try reader.ids()
                count += upper - lower
            default: throw .malformed(offset: reader.offset)
            }
            lower = upper
        }
        return count
    }

    private func exceedsFrame(_ bytes: Int) -> Bool { frameLimit != 0 && bytes > frameLimit - Self.frameReserve }

    private func compare(_ range: Range<Int>, with theirs: [ItemID], _ step: inout ReconciliationStep)
        throws(ReconciliationError)
    {
        let known = Set(theirs)
        var ours: Set<ItemID> = []
        for index in range {
            let id = try storage[index].id
            ours.insert(id)
            if !known.contains(id) { step.have.append(id) }
        }
        var told: Set<ItemID> = []
        for id in theirs where !ours.contains(id) && told.insert(id).inserted { step.need.append(id) }
    }

    /// Appends this side's ids of a range, as many as the frame has room for.
    /// - Returns: the end of the range of written ids.
    private func answer(
        _ range: Range<Int>, upTo bound: RangeBound, frameBytes: Int, into output: inout RangeWriter
    ) throws(ReconciliationError) -> Int {
        var (end, endBound) = (range.upperBound, bound)
        var ids: [UInt8] = []
        for index in range {
            if exceedsFrame(frameBytes + ids.count) {
                (end, endBound) = (index, RangeBound(try storage[index]))
                break
            }
            try ids += storage[index].id.bytes
        }
        output.append(endBound)
        output.append(varint: Mode.idList)
        output.append(varint: UInt64(ids.count / 32))
        output.append(ids)
        return end
    }

    private func split(_ range: Range<Int>, upTo bound: RangeBound, into output: inout RangeWriter)
        throws(ReconciliationError)
    {
        guard range.count >= 2 * Self.fanOut else {
            output.append(bound)
            output.append(varint: Mode.idList)
            output.append(varint: UInt64(range.count))
            for index in range { try output.append(storage[index].id.bytes) }
            return
        }
        let (size, extra) = range.count.quotientAndRemainder(dividingBy: Self.fanOut)
        var start = range.lowerBound
        for bucket in 0..<Self.fanOut {
            let end = start + size + (bucket < extra ? 1 : 0)
            try output.append(
                end == range.upperBound ? bound : RangeBound(between: storage[end - 1], and: storage[end]))
            output.append(varint: Mode.fingerprint)
            try output.append(fingerprint(start..<end))
            start = end
        }
    }

    private func fingerprint(_ range: Range<Int>) throws(ReconciliationError) -> [UInt8] {
        var bytes = try storage.sum(of: range).bytes
        bytes.append(digits: UInt64(range.count))
        return Array(sha256(bytes).prefix(Self.fingerprintBytes))
    }
}

/// The encoding of a range in a message.
private enum Mode {
    static let skip: UInt64 = 0
    static let fingerprint: UInt64 = 1
    static let idList: UInt64 = 2
}
