/// The sessions that a batch concerns. The others rest, so that a device with many links pays only for those that carry
/// something.
struct Resting: Sendable {
    /// Whether sessions may rest at all.
    var isAllowed = true
    /// Whether something has happened in this batch that may concern every session.
    var concernsAll = false
    /// The number of changes in all frontiers when sessions last advanced.
    var changesSeen: UInt64 = 0

    /// Notes a payload that came over one session. It concerns all sessions, unless it only states what the peer holds,
    /// has processed or wants.
    mutating func note(_ payload: Payload) {
        concernsAll =
            concernsAll || payload.join != nil || payload.welcome != nil || !payload.messages.isEmpty
            || payload.groups.contains {
                $0.events != nil || $0.share != nil || $0.secretsWanted != nil || $0.ephemeral != nil
                    || $0.reconcile != nil || !$0.files.isEmpty
            }
    }
}

extension Engine {
    /// Advances the sessions that the batch concerns.
    mutating func advanceSessions(in batch: inout Batch<Crypto>) throws(StoreError) {
        let concernsAll = resting.concernsAll || mayConcernAll || !resting.isAllowed
        resting.concernsAll = false
        for index in sessions.indices where concernsAll || isDue(index, at: batch.now) {
            sessions[index].isConcerned = true
        }
        // A stalled peer is noted before chunks are requested of any.
        for index in sessions.indices where sessions[index].isConcerned {
            files.noteStall(sessions[index].link.session, at: batch.now)
        }
        for index in sessions.indices where sessions[index].isConcerned || resting.concernsAll {
            sessions[index].isConcerned = true
            try advance(index, in: &batch)
            try advanceMVDS(index, in: &batch)
        }
        try files.save(in: &batch)
        for index in sessions.indices where sessions[index].isConcerned {
            // Acknowledgements without room in this batch go with the next one.
            sessions[index].isConcerned = sessions[index].mustAcknowledge
            sessions[index].nextWake = nextWake(ofSession: index)
        }
        resting.changesSeen = changes
    }

    /// Advances one session: files, groups, chunks.
    mutating func advance(_ index: Int, in batch: inout Batch<Crypto>) throws(StoreError) {
        guard !sessions[index].isClosed, sessions[index].hasGreeted else { return }
        let id = sessions[index].link.session
        try files.requestWanted(over: id, in: &batch)
        files.noteTransferring(id, in: &batch)
        let context = sessions[index].context
        for group in sessions[index].groups.indices where sessions[index].groups[group].isMatched {
            let replica = sessions[index].groups[group].replica.value
            try sessions[index].groups[group].advance(over: context, &replicas[replica], in: &batch)
            try fanOut(from: replica, in: &batch)
        }
        try files.advance(id, in: &batch)
    }

    private mutating func advanceMVDS(_ index: Int, in batch: inout Batch<Crypto>) throws(StoreError) {
        guard !mvds.isEmpty else { return }
        let id = sessions[index].link.session
        try mvds.advance(id, unmatched: &sessions[index].unmatched, in: &batch)
        closeIfMVDSFailed(index, in: &batch)
    }

    /// Whether the time, or what is under way in a group, may concern all sessions.
    private var mayConcernAll: Bool {
        changes != resting.changesSeen || !mvds.isEmpty || files.mayConcernAllSessions || mayPostRemovals
            || replicas.indices.contains { replica in
                replicas[replica].kept.isChanged || !replicas[replica].checkpoints.ready.isEmpty
                    || replicas[replica].secrets?.missing.isEmpty == false
            }
    }

    private var changes: UInt64 { replicas.indices.reduce(0) { $0 &+ replicas[$1].frontier.changes } }

    private func isDue(_ index: Int, at now: UInt64) -> Bool {
        (sessions[index].nextWake.map { $0 <= now } ?? false) || !files.isUnused(sessions[index].link.session)
    }

    private func nextWake(ofSession index: Int) -> UInt64? {
        let id = sessions[index].link.session
        var next = earliest(files.nextWake(of: id), mvds.nextWake(of: id))
        for group in sessions[index].groups.indices {
            next = earliest(next, sessions[index].groups[group].nextWake)
        }
        return sessions[index].trust == .peer ? next : earliest(next, sessions[index].deadline)
    }
}
