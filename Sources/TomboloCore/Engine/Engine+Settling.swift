// When nothing is left to send in either direction: do both sides know the same? (protocol §5)
extension Engine {
    /// Notes that both sides know the same.
    mutating func agree(_ group: Int, session index: Int, _ store: any EventStore) throws(StoreError) {
        let number = sessions[index].groups[group].group
        let root = groups[number].frontier.root(using: cryptography)
        let peer = sessions[index].link.peer
        let reference = groups[number].record.reference
        let agreement = Agreement(
            token: root.prefix64, ordinal: try store.lastOrdinal(), lastLog: groups[number].frontier.lastReference)
        // Of visitors nothing is remembered: there is no end of them.
        if sessions[index].peer != nil, root != .zero,
            try store.agreements(with: peer, inGroup: reference).first?.token != agreement.token
        {
            try store.putAgreement(agreement, with: peer, inGroup: reference)
        }
        sessions[index].groups[group].agreedRoot = root
        sessions[index].groups[group].settleDeadline = nil
        sessions[index].groups[group].mismatchDeadline = nil
        sessions[index].groups[group].repairs = 0
        effects.append(
            .agreed(
                sessions[index].link.session, groups[number].id, sessions[index].groups[group].reconciliation))
        sessions[index].groups[group].reconciliation = ReconciliationReport()
    }

    /// What all show each other that know the same of a group; nil if it is not here.
    package mutating func root(of group: GroupID) -> Bytes32? {
        groupIndex(group).map { groups[$0].frontier.root(using: cryptography) }
    }

    /// Compares roots once both sides are done, and repairs what differs then.
    mutating func settle(_ group: Int, session index: Int, _ store: any EventStore) throws(StoreError) {
        sessions[index].groups[group].nextWake = nil
        if let deadline = sessions[index].groups[group].announceDeadline {
            if now >= deadline {
                askForAnnounced(group, session: index)
            } else {
                wake(group, session: index, at: deadline)
            }
        }
        let isLive = sessions[index].groups[group].phase == .live
        guard isLive || sessions[index].groups[group].hasFrontier, sessions[index].groups[group].isIdle else { return }
        // Who agrees now, and hangs up, would not hear what this device passes with the next batch.
        guard groups[sessions[index].groups[group].group].checkpoints.ready.isEmpty else { return }
        if !sessions[index].groups[group].awaitedContents.isEmpty {
            let deadline = sessions[index].groups[group].contentsDeadline
            if now < deadline {
                wake(group, session: index, at: deadline)
            } else {
                sessions[index].groups[group].awaitedContents = []
            }
        }
        if !sessions[index].groups[group].peerOnlyTakes { askForContents(group, session: index) }
        declineSecrets(group, session: index)
        if sessions[index].groups[group].changesSaid != groups[sessions[index].groups[group].group].frontier.changes {
            guard sayRoot(group, session: index) else { return }
        }
        guard let root = sessions[index].groups[group].lastRootSent else { return }
        // The proof costs something: what was agreed on is not proved again.
        if isLive, sessions[index].groups[group].agreedRoot == root,
            sessions[index].groups[group].peerRoot?.token == root.prefix64
        {
            return try askForDropped(group, session: index, store)
        }
        if peerShows(root, group, session: index) {
            sessions[index].groups[group].phase = .live
            try askForDropped(group, session: index, store)
            // Who hangs up now could not read what it was given.
            guard sessions[index].groups[group].awaitsNothing else { return }
            try agree(group, session: index, store)
        } else if sessions[index].groups[group].visibility != .shared || sessions[index].groups[group].peerOnlyTakes {
            // One of the two sends nothing: they need not come to know the same.
            settleOneSided(group, session: index)
        } else {
            try repair(group, session: index, store)
        }
    }

    func peerShows(_ root: Bytes32, _ group: Int, session index: Int) -> Bool {
        sessions[index].groups[group].peerRoot?.shows(root, on: sessions[index].link, using: cryptography) == true
    }

    /// Tells the peer our root: at once after an exchange; while people talk, a second after the last word.
    ///
    /// - Returns: whether the peer knows it.
    private mutating func sayRoot(_ group: Int, session index: Int) -> Bool {
        sessions[index].groups[group].mismatchDeadline = nil
        if sessions[index].groups[group].phase == .live {
            let deadline = sessions[index].groups[group].settleDeadline ?? now + Self.settleDelay
            if now < deadline {
                sessions[index].groups[group].settleDeadline = deadline
                wake(group, session: index, at: deadline)
                return false
            }
        }
        sessions[index].groups[group].settleDeadline = nil
        let number = sessions[index].groups[group].group
        let root = groups[number].frontier.root(using: cryptography)
        sessions[index].groups[group].changesSaid = groups[number].frontier.changes
        guard sessions[index].groups[group].lastRootSent != root else { return true }
        say(root, group, session: index)
        return true
    }

    /// Both sides are done, and yet they differ: after a while everything is said anew, with whole ids; each time that does not
    /// help, the next while is longer.
    private mutating func repair(_ group: Int, session index: Int, _ store: any EventStore) throws(StoreError) {
        let repairs = sessions[index].groups[group].repairs
        let deadline =
            sessions[index].groups[group].mismatchDeadline ?? now + Self.mismatchDelay(afterRepairs: repairs)
        guard now >= deadline else {
            sessions[index].groups[group].mismatchDeadline = deadline
            return wake(group, session: index, at: deadline)
        }
        guard sessions[index].groups[group].hasHeardSinceRoot else { return probe(group, session: index) }
        if repairs > 0 {
            effects.append(.differed(sessions[index].link.session, groups[sessions[index].groups[group].group].id))
        }
        sessions[index].groups[group].repairs += 1
        let next = now + Self.mismatchDelay(afterRepairs: repairs + 1)
        sessions[index].groups[group].mismatchDeadline = next
        sessions[index].groups[group].phase = .exchanging
        sessions[index].groups[group].base = nil
        sessions[index].groups[group].hasHeardSinceRoot = false
        try sendFrontier(group, session: index, store)
        // Looked at again even if the peer says no more; without its frontier there is nothing to look at.
        if sessions[index].groups[group].hasFrontier { wake(group, session: index, at: next) }
    }

    /// Nothing has come since the root was said: more likely than that the two differ is that the peer has gone, and that the
    /// transport has not noticed. The root is said again, which costs little, and which a peer that is there answers by its own.
    private mutating func probe(_ group: Int, session index: Int) {
        sessions[index].groups[group].probes += 1
        let next = now + Self.mismatchDelay(afterRepairs: sessions[index].groups[group].probes)
        sessions[index].groups[group].mismatchDeadline = next
        wake(group, session: index, at: next)
        guard let root = sessions[index].groups[group].lastRootSent else { return }
        say(root, group, session: index)
    }

    /// Takes a root of the peer's. The same again asks for ours.
    mutating func hear(_ root: ShownRoot, _ group: Int, session index: Int) {
        let isProbing = sessions[index].groups[group].probes > 0
        if !isProbing, sessions[index].groups[group].peerRoot == root {
            sessions[index].groups[group].lastRootSent = nil
            sessions[index].groups[group].changesSaid = nil
            sessions[index].groups[group].settleDeadline = now
        }
        sessions[index].groups[group].peerRoot = root
        sessions[index].groups[group].probes = 0
        sessions[index].groups[group].mismatchDeadline = isProbing ? now : nil
    }

    private mutating func say(_ root: Bytes32, _ group: Int, session index: Int) {
        sessions[index].groups[group].lastRootSent = root
        sessions[index].groups[group].hasHeardSinceRoot = false
        var sync = GroupSync(number: sessions[index].groups[group].group)
        sync.root = ShownRoot(root, on: sessions[index].link, using: cryptography)
        send(sync, to: index)
    }

    mutating func wake(_ group: Int, session index: Int, at time: UInt64) {
        sessions[index].groups[group].nextWake = min(sessions[index].groups[group].nextWake ?? time, time)
    }

    /// Milliseconds after the last event before roots are compared again.
    static var settleDelay: UInt64 { 1_000 }
    /// Milliseconds that roots may differ although both sides are done, before the first repair.
    private static var mismatchDelay: UInt64 { 2_000 }
    private static var longestMismatchDelay: UInt64 { 600_000 }
    /// The same before a further repair.
    static func mismatchDelay(afterRepairs repairs: Int) -> UInt64 {
        min(mismatchDelay << UInt64(min(repairs, 16)), longestMismatchDelay)
    }
    /// Milliseconds that an announced event has to come by itself.
    static var announceDelay: UInt64 { 1_000 }

    private mutating func askForAnnounced(_ group: Int, session index: Int) {
        let number = sessions[index].groups[group].group
        var wanted: [(LogID, ClosedRange<UInt64>)] = []
        for (log, sequence) in sessions[index].groups[group].announced.sorted(by: { $0.key < $1.key }) {
            let held = groups[number].frontier.index(of: log).map { groups[number].frontier.logs[$0].lastSequence } ?? 0
            if sequence > held, wanted.count < Limits.wantedRanges { wanted.append((log, held + 1...sequence)) }
        }
        sessions[index].groups[group].announced = [:]
        sessions[index].groups[group].announceDeadline = nil
        ask(for: wanted, push: 2, group, session: index)
    }

    /// Asks the peer for parts of logs, at most ``Limits/wantedRanges``.
    mutating func ask(
        for wanted: [(log: LogID, sequences: ClosedRange<UInt64>)], push: UInt64? = nil, _ group: Int,
        session index: Int
    ) {
        guard !wanted.isEmpty else { return }
        var table = sessions[index].groups[group].outgoingLogs
        var want: [UInt8] = [0]
        for (log, sequences) in wanted {
            table.write(log, to: &want)
            want.append(varint: sequences.lowerBound)
            want.append(varint: sequences.upperBound)
        }
        sessions[index].groups[group].outgoingLogs = table
        var sync = GroupSync(number: sessions[index].groups[group].group)
        sync.want = want[...]
        sync.push = push
        send(sync, to: index)
    }
}
