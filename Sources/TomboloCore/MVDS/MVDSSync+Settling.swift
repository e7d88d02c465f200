// When nothing is outstanding in either direction, digests are compared (protocol 5.6-6).
extension MVDSSync {
    /// Milliseconds after the last message before digests are compared again.
    private static var settleDelay: UInt64 { 1_000 }

    /// Compares digests after records were sent.
    mutating func settle(_ index: Int, in batch: inout Batch<some Cryptography>) throws(StoreError) {
        for group in sessions.values[index].groups.indices
        where sessions.values[index].groups[group].phase == .bringing {
            try settle(group, session: index, in: &batch)
        }
    }

    private mutating func settle(
        _ group: Int, session index: Int, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        let (id, link) = (sessions.ids[index], sessions.values[index].link)
        guard try batch.store.nextRecord(with: link.peer) == nil, sessions.values[index].records.isIdle else {
            sessions.values[index].groups[group].rootDeadline = nil
            sessions.values[index].groups[group].mismatchDeadline = nil
            return
        }
        let session = sessions.values[index].groups[group]
        let root = groups[session.group].set.root(using: batch.cryptography)
        if session.lastRootSent != root {
            // At once after a reconciliation; while people talk, a second after the last message.
            let deadline =
                session.rootDeadline ?? (session.agreedRoot == nil ? batch.now : batch.now + Self.settleDelay)
            sessions.values[index].groups[group].rootDeadline = deadline
            guard batch.now >= deadline else {
                sessions.values[index].groups[group].mismatchDeadline = nil
                return
            }
            sessions.values[index].groups[group].rootDeadline = nil
            sessions.values[index].groups[group].lastRootSent = root
            var sync = GroupSync(number: session.number)
            sync.root = ShownRoot(root, on: link, using: batch.cryptography)
            if !sessions.values[index].isClosed { batch.send(sync, over: id) }
        }
        if session.peerRoot?.shows(root, on: link, using: batch.cryptography) == true {
            sessions.values[index].groups[group].mismatchDeadline = nil
            guard session.agreedRoot != root else { return }
            sessions.values[index].groups[group].agreedRoot = root
            sessions.values[index].groups[group].repairs = 0
            sessions.values[index].groups[group].messages = 0
            batch.effects.append(.agreed(id, groups[session.group].id, session.report))
            sessions.values[index].groups[group].report = ReconciliationReport()
        } else {
            try repair(group, session: index, in: &batch)
        }
    }

    /// Repairs a difference that remains although both sides are done: after a while the dialler begins again, by
    /// ranges. Each time that this does not help, the next while is longer.
    private mutating func repair(
        _ group: Int, session index: Int, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        let session = sessions.values[index].groups[group]
        let delay = RepairDelay.milliseconds(afterRepairs: session.repairs)
        let deadline = session.mismatchDeadline ?? batch.now + delay
        sessions.values[index].groups[group].mismatchDeadline = deadline
        guard batch.now >= deadline else { return }
        sessions.values[index].groups[group].mismatchDeadline = batch.now + delay
        sessions.values[index].groups[group].repairs += 1
        if session.repairs > 0 {
            batch.effects.append(.differed(sessions.ids[index], groups[session.group].id))
        }
        guard sessions.values[index].link.isDialler else { return }
        sessions.values[index].groups[group].mismatchDeadline = nil
        sessions.values[index].groups[group].phase = .introduced
        sessions.values[index].groups[group].progress = nil
        try begin(group, session: index, in: &batch)
    }
}
