// Which sessions a batch concerns: the others rest, so that who has many links pays for those over which something comes.
extension Engine {
    /// Brings sessions forward at the end of a batch.
    mutating func advanceSessions(_ store: any EventStore) throws(StoreError) {
        let concernsAll = concernsAll || mayConcernAll || !letsSessionsRest
        self.concernsAll = false
        for index in sessions.indices where concernsAll || isDue(index) { sessions[index].isConcerned = true }
        for index in sessions.indices where sessions[index].isConcerned { noteStall(index) }
        for index in sessions.indices where sessions[index].isConcerned || self.concernsAll {
            sessions[index].isConcerned = true
            try advance(index, store)
            try advanceRecordGroups(index, store)
            try sendRecords(index, store)
            try settleRecordGroups(index, store)
        }
        try saveFiles(store)
        for index in sessions.indices where sessions[index].isConcerned {
            // What there was no room to acknowledge goes with the next batch.
            sessions[index].isConcerned = sessions[index].groups.contains { $0.mustAcknowledge }
            sessions[index].nextWake = nextWake(ofSession: index)
        }
        changesSeen = changes
    }

    /// What came over one session and may concern others: all but what says what the peer holds, has taken and wants.
    mutating func noteConcern(of payload: Payload) {
        concernsAll =
            concernsAll || payload.join != nil || payload.welcome != nil || !payload.messages.isEmpty
            || payload.groups.contains {
                $0.events != nil || $0.share != nil || $0.secretsWanted != nil || $0.ephemeral != nil
                    || $0.reconcile != nil || !$0.files.isEmpty
            }
    }

    /// What a session leaves behind that is closed, others may take up.
    mutating func noteConcern(ofClosing index: Int) {
        concernsAll =
            concernsAll || !sessions[index].files.isUnused
            || sessions[index].groups.contains { !$0.window.isEmpty || !$0.awaitsNothing }
    }

    /// Whether the time, or what is under way in a group, may concern all sessions.
    private var mayConcernAll: Bool {
        changes != changesSeen || !mvdsGroups.isEmpty || !fetches.isEmpty || mayRefillFetches || maySpreadRemovals
            || groups.indices.contains { group in
                groups[group].kept.isChanged || !groups[group].checkpoints.ready.isEmpty
                    || groups[group].sealing?.missing.isEmpty == false
            }
    }

    /// How often anything has changed in the groups' frontiers.
    private var changes: UInt64 { groups.indices.reduce(0) { $0 &+ groups[$1].frontier.changes } }

    private func isDue(_ index: Int) -> Bool {
        (sessions[index].nextWake.map { $0 <= now } ?? false) || !sessions[index].files.isUnused
    }

    private func nextWake(ofSession index: Int) -> UInt64? {
        var next = sessions[index].files.deadline(after: Self.patienceForChunks)
        func note(_ time: UInt64?) { if let time, next.map({ time < $0 }) ?? true { next = time } }
        for group in sessions[index].groups.indices {
            note(sessions[index].groups[group].nextWake)
            note(sessions[index].groups[group].nextAsk)
        }
        for group in sessions[index].recordGroups.indices { note(sessions[index].recordGroups[group].nextWake) }
        note(sessions[index].records.nextWake)
        if sessions[index].trust == .stranger { note(sessions[index].trustDeadline) }
        return next
    }
}
