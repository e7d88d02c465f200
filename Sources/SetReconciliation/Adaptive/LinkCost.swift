/// What bytes and round trips cost on a link, in milliseconds: what the cost model of ``AdaptiveReconciler`` weighs against
/// processor time.
public struct LinkCost: Hashable, Sendable {
    public var bytesPerMillisecond: Double
    public var roundTripMilliseconds: Double

    /// - Parameters:
    ///   - bytesPerMillisecond: above 0. 125, a megabit a second, where nothing is known.
    ///   - roundTripMilliseconds: at least 0. 50, where nothing is known.
    public init(bytesPerMillisecond: Double = 125, roundTripMilliseconds: Double = 50) {
        precondition(bytesPerMillisecond > 0 && roundTripMilliseconds >= 0, "a link moves bytes, and time with them")
        self.bytesPerMillisecond = bytesPerMillisecond
        self.roundTripMilliseconds = roundTripMilliseconds
    }

    /// How long something takes, in milliseconds.
    public func milliseconds(bytes: Double, roundTrips: Int, processor: Double = 0) -> Double {
        bytes / bytesPerMillisecond + Double(roundTrips) * roundTripMilliseconds + processor
    }

    /// How many bytes are as dear as a round trip.
    var roundTripBytes: Double { roundTripMilliseconds * bytesPerMillisecond }
}

/// What ways to find a difference are expected to cost. The constants are measured (`Benchmarks reconcile`), on a processor of 2024.
struct DifferenceCost {
    let link: LinkCost
    /// Of both sets together.
    let items: Int
    /// How many coded symbols are kept up to date.
    let warmCells: Int

    private static let cellBytes = 13.3
    /// Asking for an id, and being told, for each difference: half of them are the other side's.
    private static let idBytes = 18.5
    private static let millisecondsPerItemOfNewCells = 0.000_3
    private static let millisecondsPerDecoded = 0.000_8
    private static let millisecondsPerRangeItem = 0.000_2
    /// By ranges a difference that is alone among a million costs so much.
    private static let loneRangeBytes = 1_900.0
    private static let loneRangeMilliseconds = 0.2

    /// Cells that are enough in most cases, where so many differ.
    static func cells(for difference: Int) -> Int {
        let count = Double(difference)
        return Int(1.36 * count + 4 * count.squareRoot()) + 8
    }

    /// How wrong an estimate by the counts of so many cells is, as a standard deviation.
    private static func relativeError(ofEstimateBy cells: Int) -> Double {
        1.25 * (2 / Double(max(2, cells))).squareRoot()
    }

    /// How many cells to send next. Sending some too few costs a round trip, each one too many its bytes: the margin is what is best
    /// between these, for a normally distributed error (the newsvendor's problem, its solution as a straight line). Where even so much
    /// would be sent in vain, a few that make the estimate a better one come first.
    func batch(for difference: Int, estimatedBy cells: Int) -> Int {
        let needed = Self.cells(for: difference)
        let deviation = Double(needed) * Self.relativeError(ofEstimateBy: cells)
        let dearness = deviation * Self.cellBytes / max(1, link.roundTripBytes)
        if cells < Self.refiningCells, dearness > 1.5, needed > Self.refiningCells { return Self.refiningCells }
        let batch = needed + Int(deviation * max(0, 2 - 5 * dearness))
        // Making new cells costs every item.
        return needed <= warmCells ? min(batch, warmCells) : batch
    }

    private static let refiningCells = 512

    /// By coded symbols.
    func byCells(_ difference: Int) -> Double {
        let needed = Self.cells(for: difference)
        let making = needed > warmCells ? Double(items) * Self.millisecondsPerItemOfNewCells : 0
        let bytes = Double(needed) * Self.cellBytes + Double(difference) * Self.idBytes
        return link.milliseconds(
            bytes: bytes, roundTrips: 2, processor: making + Double(difference) * Self.millisecondsPerDecoded)
    }

    /// By ranges, where nothing is known of where the differences lie.
    func byRanges(_ difference: Int) -> Double {
        let count = Double(difference)
        return link.milliseconds(
            bytes: 338 + count * Self.loneRangeBytes, roundTrips: 3, processor: count * Self.loneRangeMilliseconds)
    }

    /// By ranges, where of our `size` items `own` are in ranges that differ, and of all items `items`: spread over everything, both
    /// sides' ids are sent; lying together, one side's, and the closer together they lie the more does the next message leave out.
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
