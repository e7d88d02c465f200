public import Foundation

/// Why something that an application asked for was not done, and the way out.
///
/// All functions of this module throw it, apart from `CancellationError` where the calling task was cancelled.
public struct TomboloError: Error, Sendable {
    /// The kind of the error. More codes can be added; a `switch` over them needs a default.
    public let code: Code
    /// One clause that says what happened, for a log or a person, in English.
    public let message: String
    /// The way out, for a person or the application; nil if there is nothing to say.
    public let recovery: String?
    /// The error that caused this one; nil if there is none.
    public let underlying: (any Error)?

    /// An error, for an application that reports its own in the same way.
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
    /// Whether two errors have the same code, message and recovery; what caused them is not compared.
    public static func == (lhs: Self, rhs: Self) -> Bool {
        (lhs.code, lhs.message, lhs.recovery) == (rhs.code, rhs.message, rhs.recovery)
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(code)
        hasher.combine(message)
    }
}
