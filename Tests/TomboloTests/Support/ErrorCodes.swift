import Tombolo

/// The code of the error that a body throws; nil if it throws none, or one of another type.
func code(of body: () async throws -> Void) async -> TomboloError.Code? {
    do {
        try await body()
    } catch let error as TomboloError {
        return error.code
    } catch {}
    return nil
}

/// The same for a body with a result that is of no interest.
func code<Result>(_ body: () async throws -> Result) async -> TomboloError.Code? {
    await code(of: { _ = try await body() })
}

extension Change {
    /// The change in a few words, to be compared.
    var name: String {
        switch self {
        case .delivered: "delivered"
        case .withdrawn: "withdrawn"
        case .restored: "restored"
        case .erased(_, .expired, _): "erased expired"
        case .erased(_, .redacted, _): "erased redacted"
        case .erased(_, .notKept, _): "erased not kept"
        case .forgotten: "forgotten"
        }
    }

    /// The id of the entry that it is about; nil for a log.
    var entryID: EventID? {
        switch self {
        case .delivered(let entry, _), .restored(let entry, _): entry.id
        case .withdrawn(let id, _), .erased(let id, _, _): id
        case .forgotten: nil
        }
    }
}
