import Foundation

/// The two tiers of the tests: the quick one, which CI runs, and the long one, which runs more seeds.
///
/// `make test-long` sets `TOMBOLO_LONG=1`. A test that belongs to the long tier alone is marked
/// `.enabled(if: Tier.isLong)`. A test with seeds takes them from ``seeds(_:long:)``.
package enum Tier {
    package static let isLong = ProcessInfo.processInfo.environment["TOMBOLO_LONG"] == "1"

    /// The seeds from 0 on: `quick` of them, and `long` in the long tier.
    package static func seeds(_ quick: UInt64, long: UInt64) -> Range<UInt64> {
        0..<(isLong ? max(quick, long) : quick)
    }

    /// The named seeds, which have found faults, and in the long tier also those from 0 on.
    package static func seeds(_ quick: [UInt64], long: UInt64) -> [UInt64] {
        quick + (isLong ? (0..<long).filter { !quick.contains($0) } : [])
    }

    /// How many seeds a test tries: as many as the environment's variable says, else as many as the tier has.
    package static func count(_ quick: Int, long: Int, variable: String) -> Int {
        ProcessInfo.processInfo.environment[variable].flatMap { Int($0) } ?? (isLong ? max(quick, long) : quick)
    }
}
