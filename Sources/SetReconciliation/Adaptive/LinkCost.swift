/// The costs of a link: its throughput and its round-trip time. The cost model of ``AdaptiveReconciler`` weighs them
/// against processor time.
public struct LinkCost: Hashable, Sendable {
    public var bytesPerMillisecond: Double
    public var roundTripMilliseconds: Double

    /// - Parameters:
    ///   - bytesPerMillisecond: above 0. The default is 125, a megabit a second, for an unknown link.
    ///   - roundTripMilliseconds: at least 0. The default is 50, for an unknown link.
    public init(bytesPerMillisecond: Double = 125, roundTripMilliseconds: Double = 50) {
        precondition(bytesPerMillisecond > 0 && roundTripMilliseconds >= 0, "a link moves bytes, and time with them")
        self.bytesPerMillisecond = bytesPerMillisecond
        self.roundTripMilliseconds = roundTripMilliseconds
    }

    /// The time in milliseconds that a transfer of `bytes` takes, with its round trips and processor time.
    public func milliseconds(bytes: Double, roundTrips: Int, processor: Double = 0) -> Double {
        bytes / bytesPerMillisecond + Double(roundTrips) * roundTripMilliseconds + processor
    }

    /// The number of bytes that take as long as one round trip.
    var roundTripBytes: Double { roundTripMilliseconds * bytesPerMillisecond }
}

/// The expected cost of each way to find a difference. The constants are measured (`Benchmarks reconcile`) on a
/// processor of 2024.
struct DifferenceCost {
    let link: LinkCost
    /// The number of items in both sets together.
    let items: Int
    /// The number of coded symbols that are kept up to date and need not be computed.
    let warmCells: Int

    private static let cellBytes = 13.3
    /// Average bytes per difference to ask for an id (5) and to receive it (32). The other side holds half of the
    /// differences.
    private static let idBytes = 18.5
    private static let millisecondsPerItemOfNewCells = 0.000_3
    private static let millisecondsPerDecoded = 0.000_8
    private static let millisecondsPerRangeItem = 0.000_2
    /// Bytes that ranges need for one isolated difference among a million items.
    private static let loneRangeBytes = 1_900.0
    private static let loneRangeMilliseconds = 0.2

    /// The number of cells that suffices in most cases for a difference of this size.
    static func cells(for difference: Int) -> Int {
        let count = Double(difference)
        return Int(1.36 * count + 4 * count.squareRoot()) + 8
    }

    /// The standard deviation of the relative error of an estimate from the counts of this many cells.
    private static func relativeError(ofEstimateBy cells: Int) -> Double {
        1.25 * (2 / Double(max(2, cells))).squareRoot()
    }

    /// The number of cells to send next.
    ///
    /// A few cells too few cost a round trip, and each cell too many costs its bytes. The margin is the best compromise
    /// for a normally distributed error: the newsvendor's problem, with its solution as a straight line. If even that
    /// margin risks many wasted cells, a first batch of ``refiningCells`` cells improves the estimate.
    func batch(for difference: Int, estimatedBy cells: Int) -> Int {
        let needed = Self.cells(for: difference)
        let deviation = Double(needed) * Self.relativeError(ofEstimateBy: cells)
        let dearness = deviation * Self.cellBytes / max(1, link.roundTripBytes)
        if cells < Self.refiningCells, dearness > 1.5, needed > Self.refiningCells { return Self.refiningCells }
        let batch = needed + Int(deviation * max(0, 2 - 5 * dearness))
        // New cells must be computed from every item.
        return needed <= warmCells ? min(batch, warmCells) : batch
    }

    private static let refiningCells = 512

    /// The cost in milliseconds of coded symbols.
    func byCells(_ difference: Int) -> Double {
        let needed = Self.cells(for: difference)
        let making = needed > warmCells ? Double(items) * Self.millisecondsPerItemOfNewCells : 0
        let bytes = Double(needed) * Self.cellBytes + Double(difference) * Self.idBytes
        return link.milliseconds(
            bytes: bytes, roundTrips: 2, processor: making + Double(difference) * Self.millisecondsPerDecoded)
    }

    /// The cost in milliseconds of ranges, if nothing is known about where the differences lie.
    func byRanges(_ difference: Int) -> Double {
        let count = Double(difference)
        return link.milliseconds(
            bytes: 338 + count * Self.loneRangeBytes, roundTrips: 3, processor: count * Self.loneRangeMilliseconds)
    }

    /// The cost in milliseconds of ranges, given what the fingerprints have shown.
    ///
    /// Of this side's `size` items, `own` are in ranges that differ; of both sides' items, `items` are. If the
    /// differences are spread over everything, both sides send their ids. If they lie together, one side sends its ids,
    /// and closer differences let the next message leave out more.
    func byRanges(within items: Int, own: Int, of size: Int, difference: Int, roundTrips: Int) -> Double {
        var (count, bytes) = (items, 33.0)
        if own <= size / 4 * 3 {
            bytes = 16.5
            count = max(difference, own > size / 8 ? items / 16 : items / 256)
        }
        return link.milliseconds(
            bytes: bytes * Double(count), roundTrips: roundTrips,
            processor: Double(count) * Self.millisecondsPerRangeItem)
    }
}
