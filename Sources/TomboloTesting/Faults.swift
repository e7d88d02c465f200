/// What befalls simulated devices and their network. Rates are averages a minute, over all devices together.
public struct Faults: Hashable, Sendable {
    /// One way, for each payload: milliseconds. A link keeps the order.
    public var latency: ClosedRange<UInt64> = 5...80
    /// How often a link breaks. What is under way on it is lost.
    public var linkBreaks = 0.0
    /// How often a device's process is killed. Its store stays as the last commit left it; it starts again 1 to 30 s later.
    public var crashes = 0.0
    /// How often the devices are cut in two parts that cannot reach each other, for 10 to 60 s.
    public var partitions = 0.0
    /// By how much a device's clock is fast or slow at most: milliseconds, below a year.
    public var clockSkew: UInt64 = 0

    public init() {}

    /// Only latency.
    public static let none = Faults()

    /// In each minute about two links break, a device crashes, and every other minute the network is cut in two; clocks are
    /// off by up to five minutes.
    public static let rough: Faults = {
        var faults = Faults()
        faults.linkBreaks = 2
        faults.crashes = 1
        faults.partitions = 0.5
        faults.clockSkew = 300_000
        return faults
    }()
}
