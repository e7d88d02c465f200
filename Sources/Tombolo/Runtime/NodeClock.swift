import Foundation

/// A source of time for a node: the system's, except in tests.
public protocol NodeClock: Sendable {
    /// Milliseconds since 1970. The time jumps when a user sets the device's clock.
    var now: UInt64 { get }
    /// The time since a fixed moment, which never jumps.
    var uptime: Duration { get }
    /// Returns when the duration has passed.
    ///
    /// - Throws: `CancellationError` if the task is cancelled before.
    func sleep(for duration: Duration) async throws
}

/// The time of the operating system.
public struct SystemClock: NodeClock {
    private static let start = ContinuousClock.now

    /// The system's clock.
    public init() { _ = Self.start }

    public var now: UInt64 { UInt64(max(0, Date().timeIntervalSince1970 * 1_000)) }
    public var uptime: Duration { ContinuousClock.now - Self.start }
    public func sleep(for duration: Duration) async throws { try await Task.sleep(for: duration) }
}
