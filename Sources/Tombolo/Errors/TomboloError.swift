public import Foundation

/// The reason why a request of an application failed, and the way out.
///
/// All functions of this module throw it. They throw `CancellationError` if the calling task was cancelled.
public struct TomboloError: Error, Sendable {
    /// The kind of the error. More codes can be added; a `switch` over them needs a default.
    public let code: Code
    /// One English clause about the failure, for a log or a person.
    public let message: String
    /// The way out, for a person or the application; nil if there is none.
    public let recovery: String?
    /// The error that caused this one; nil if there is none.
    public let underlying: (any Error)?

    /// Creates an error, for an application that reports its own errors in the same way.
    public init(_ code: Code, _ message: String, recovery: String? = nil, underlying: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.recovery = recovery
        self.underlying = underlying
    }
}

extension TomboloError: CustomStringConvertible, LocalizedError {
    /// Message and recovery, as one line.
    public var description: String { recovery.map { "\(message): \($0)" } ?? message }
    /// The message.
    public var errorDescription: String? { message }
    /// The way out.
    public var recoverySuggestion: String? { recovery }
}

extension TomboloError: Hashable {
    /// Tells whether two errors have the same code, message and recovery. Their causes are not compared.
    public static func == (lhs: Self, rhs: Self) -> Bool {
        (lhs.code, lhs.message, lhs.recovery) == (rhs.code, rhs.message, rhs.recovery)
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(code)
        hasher.combine(message)
    }
}
