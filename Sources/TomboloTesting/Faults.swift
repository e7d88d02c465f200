/// The faults of simulated devices and their network. Rates are averages a minute, over all devices together.
public struct Faults: Hashable, Sendable {
    /// The latency of a payload in one direction, in milliseconds. A link keeps the order of payloads.
    public var latency: ClosedRange<UInt64> = 5...80
    /// The rate at which a link breaks. Payloads in flight are lost.
    public var linkBreaks = 0.0
    /// The rate at which a device's process is killed. Its store keeps the last commit. The device starts again 1 to 30
    /// s later.
    public var crashes = 0.0
    /// The rate at which the devices are split in two parts that cannot reach each other, for 10 to 60 s.
    public var partitions = 0.0
    /// The largest error of a device's clock, in milliseconds; below a year.
    public var clockSkew: UInt64 = 0

    public init() {}

    /// No faults, only latency.
    public static let none = Faults()

    /// Faults of all kinds. In each minute about two links break and a device crashes. Every other minute the network
    /// is split in two. Clocks are wrong by up to five minutes.
    public static let rough: Faults = {
        var faults = Faults()
        faults.linkBreaks = 2
        faults.crashes = 1
        faults.partitions = 0.5
        faults.clockSkew = 300_000
        return faults
    }()
}
