import Foundation
import TomboloCore
import TomboloSQLite

// The errors of other modules, as an application sees them.
extension TomboloError {
    /// Any error as a `TomboloError`, which keeps it as ``underlying``.
    ///
    /// An error of Foundation about a file becomes a clause with the file's path.
    public init(_ error: any Error) {
        switch error {
        case let error as TomboloError: self = error
        case let error as EngineError: self.init(engine: error)
        case let error as StoreError: self.init(store: error)
        case let error as TransportError: self.init(.unreachable, "\(error)", underlying: error)
        case let error as EventError: self.init(.invalidEvent, "\(error)", underlying: error)
        case let error as CocoaError: self.init(.fileUnusable, error.clause, underlying: error)
        default: self.init(.unexpected, "\(error)", underlying: error)
        }
    }

    private init(engine error: EngineError) {
        let (code, recovery): (Code, String?) =
            switch error {
            case .unknownGroup: (.unknownGroup, nil)
            case .contentTooLarge: (.contentTooLarge, nil)
            case .invalidEvent: (.invalidEvent, nil)
            case .protocolViolation: (.protocolViolation, nil)
            case .invitationRefused: (.invitationRefused, "ask for a new one")
            case .tooManySessions: (.tooManyLinks, nil)
            case .groupExists: (.groupExists, nil)
            case .groupFull: (.groupFull, nil)
            case .notAllowed: (.notAllowed, nil)
            case .unknownFile: (.unknownFile, nil)
            case .fileQuota: (.fileQuotaExceeded, nil)
            case .visibilityChanged: (.visibilityChanged, nil)
            case .peerRemoved, .linkReplaced, .visitorIdle: (.linkClosed, nil)
            case .notMVDS, .notNative: (.wrongDialect, nil)
            }
        self.init(code, described: "\(error)", recovery: recovery, underlying: error)
    }

    private init(store error: StoreError) {
        let (code, recovery): (Code, String?) =
            switch error.code {
            case .full: (.storeFull, "make room and open the device again")
            case .corrupt: (.storeCorrupt, "check the store, and rebuild it")
            case .newer: (.storeNewer, "update the application")
            case .older: (.storeOlder, "make a new device in another directory")
            case .busy: (.storeBusy, "stop the other process, or choose another directory")
            case .unavailable: (.storeUnavailable, nil)
            case .locked: (.storeLocked, "open it with the right lock")
            }
        self.init(code, described: "\(error)", recovery: recovery, underlying: error)
    }

    /// - Parameter text: a clause, and after a colon the way out, if there is one.
    private init(_ code: Code, described text: String, recovery: String?, underlying: any Error) {
        let parts = text.split(separator: ": ", maxSplits: 1)
        // For other errors and these codes, the clause after the colon is a reason and no way out.
        let hasReason = [.protocolViolation, .invitationRefused, .invalidEvent, .notAllowed].contains(code)
        let hasWayOut =
            underlying is EngineError ? !hasReason : [.storeFull, .storeLocked, .storeCorrupt].contains(code)
        if parts.count == 2, hasWayOut {
            self.init(code, String(parts[0]), recovery: String(parts[1]), underlying: underlying)
        } else {
            self.init(code, text, recovery: recovery, underlying: underlying)
        }
    }

    /// The engine's answer does not fit the request.
    static let noAnswer = TomboloError(.unexpected, "the engine did not answer the request")
}

/// Runs a body, and converts its errors to ``TomboloError``. A `CancellationError` is not converted.
func convertingErrors<Result>(_ body: () throws -> Result) throws -> Result {
    do {
        return try body()
    } catch let error as CancellationError {
        throw error
    } catch {
        throw TomboloError(error)
    }
}

/// Runs an asynchronous body, and converts its errors to ``TomboloError``. A `CancellationError` is not converted.
func convertingErrors<Result>(
    isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Result
) async throws -> Result {
    do {
        return try await body()
    } catch let error as CancellationError {
        throw error
    } catch {
        throw TomboloError(error)
    }
}
