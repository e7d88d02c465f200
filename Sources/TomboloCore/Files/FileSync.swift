/// Fetches and serves files: it knows the wanted files, the peers that have them, and the chunks on their way
/// (protocol 2.9, 5.8).
///
/// The engine opens and closes sessions, and names the groups that both sides of a session have. It passes on file
/// messages, and notes the events that began or ceased to refer to files. At the end of each batch it calls
/// ``requestWanted(over:in:)`` and ``advance(_:in:)`` for each session that the batch concerns, and ``save(in:)`` once.
struct FileSync: Sendable {
    /// Files that are wanted and not complete.
    var fetches: [FileID: FileFetch]
    /// Counts the times that a fetch began or became possible in another group. Sessions compare it with what they last
    /// saw.
    var fetchesChanged = 0
    var limits: FileLimits
    /// Bytes that count towards the quota.
    var chargedBytes: UInt64
    /// The last file that the search for automatic fetches looked at, and whether any more may wait.
    var refillCursor: FileID?
    var mayRefill = true
    /// The state of each open session, in ascending order of their ids.
    var sessions = SessionTable<FileSession>()

    /// Milliseconds that this device waits for a peer's chunk or answer.
    static var patience: UInt64 { 10_000 }

    /// Loads the limits, and the fetches that the application asked for.
    ///
    /// - Parameter generator: draws where each fetch starts, so that several devices fetch different parts first.
    init<Generator: RandomNumberGenerator>(
        opening store: any EventStore, generator: inout Generator
    ) throws(StoreError) {
        fetches = [:]
        for record in try store.wantedFiles(.asked, after: nil, limit: Limits.fetches - Limits.automaticFetches) {
            let groups = try store.groups(referringTo: record.id)
            fetches[record.id] = FileFetch(record, groups: groups, startingAnywhere: &generator)
        }
        chargedBytes = try store.fileBytes()
        limits = FileLimits(decoding: try store.value(forKey: FileLimits.key))
    }

    // MARK: Sessions

    mutating func open(_ session: SessionID, windowLimit: Int?) {
        sessions.insert(FileSession(windowLimit: windowLimit), for: session)
    }

    /// Names a group that both sides of a session have.
    mutating func match(_ group: FileGroup, in session: SessionID) {
        guard let index = sessions.index(of: session) else { return }
        let place = sessions.values[index].groups.firstIndex { $0.place > group.place }
        sessions.values[index].groups.insert(group, at: place ?? sessions.values[index].groups.endIndex)
    }

    /// Sends nothing more over a session. Other peers may be asked for the chunks that did not come.
    mutating func close(_ session: SessionID) {
        guard let index = sessions.index(of: session) else { return }
        sessions.values[index].isClosed = true
        releaseChunks(index)
    }

    mutating func remove(_ session: SessionID) { sessions.remove(session) }

    /// Whether no message about files was exchanged over a session.
    func isUnused(_ session: SessionID) -> Bool {
        guard let index = sessions.index(of: session) else { return true }
        return sessions.values[index].isUnused
    }

    /// When a session next waits no longer for a chunk or an answer, in milliseconds since 1970; nil for never.
    func nextWake(of session: SessionID) -> UInt64? {
        guard let index = sessions.index(of: session) else { return nil }
        return sessions.values[index].deadline(after: Self.patience)
    }

    /// Whether a fetch is under way or may begin, so that any session may have something to do.
    var mayConcernAllSessions: Bool { !fetches.isEmpty || mayRefill }
}
