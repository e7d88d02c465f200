// What a device keeps of what is said, and what it can get back (protocol §2.10).
extension Engine {
    /// How much of a group this device keeps; nil if the group is not here.
    package func retention(of group: GroupID) -> Retention? { groupIndex(group).map { groups[$0].kept.retention } }

    mutating func setRetention(
        _ request: RequestID, _ group: GroupID, _ retention: Retention, _ store: any EventStore
    ) throws(StoreError) {
        guard let index = nativeGroup(group, request) else { return }
        guard retention.age ?? 1 > 0, retention.count ?? 1 > 0, retention.bytes ?? 1 > 0 else {
            return effects.append(.failed(request, .notAllowed("what is kept is more than nothing")))
        }
        groups[index].kept.retention = retention
        groups[index].kept.isChanged = true
        groups[index].kept.due = retention == .everything ? nil : now
        effects.append(.done(request))
    }

    // MARK: Dropping

    /// To be called for events that have come.
    mutating func noteKept(group: Int) {
        guard groups[group].kept.retention != .everything else { return }
        groups[group].kept.due = min(groups[group].kept.due ?? .max, now + Self.retentionDelay)
    }

    /// Milliseconds after something has come before what is kept is looked through; several are looked at together.
    private static var retentionDelay: UInt64 { 60_000 }
    /// The same where nothing comes.
    private static var retentionPause: UInt64 { 3_600_000 }
    private static var droppedAtOnce: Int { 4_096 }

    /// Drops what is not kept any longer, of each group that is due; a part of it, where it is much.
    mutating func keepWithinRetention(_ store: any EventStore) throws(StoreError) {
        for group in groups.indices {
            guard let due = groups[group].kept.due, due <= now else { continue }
            groups[group].kept.due = groups[group].kept.retention.age.map { now + min($0, Self.retentionPause) }
            groups[group].kept.mark(try store.lastOrdinal(), at: now)
            let surplus = try surplus(group: group, store)
            if let last = surplus.last {
                try drop(surplus, group: group, store)
                groups[group].kept.dropped = last
                if surplus.count == Self.droppedAtOnce { groups[group].kept.due = now }
            }
        }
    }

    /// The first to come of what is here, as far as it is more than what is kept.
    private func surplus(group: Int, _ store: any EventStore) throws(StoreError) -> [Int64] {
        let kept = groups[group].kept
        var contents: [ContentSize] = []
        while true {
            let after = contents.last?.ordinal ?? kept.dropped
            let more = try store.contentSizes(
                inGroup: groups[group].record.reference, after: after, limit: Self.droppedAtOnce)
            contents += more
            if more.count < Self.droppedAtOnce { break }
        }
        let aged = kept.lastAged(at: now)
        var (count, bytes) = (contents.count, contents.reduce(0) { $0 + $1.bytes })
        let surplus = contents.prefix { content in
            guard
                content.ordinal <= aged || count > kept.retention.count ?? .max || bytes > kept.retention.bytes ?? .max
            else { return false }
            (count, bytes) = (count - 1, bytes - content.bytes)
            return true
        }
        return surplus.prefix(Self.droppedAtOnce).map(\.ordinal)
    }

    private mutating func drop(_ ordinals: [Int64], group: Int, _ store: any EventStore) throws(StoreError) {
        let agreed = try lastAgreed(group: group, store)
        let events = try store.headers(ordinals: ordinals).filter { event in
            // What this device has said and nobody has taken yet would be lost.
            let log = groups[group].frontier.index(of: event.header.log)
            let isOwn = log.flatMap { groups[group].frontier.logs[$0].certificate?.device } == identity.device
            return !isOwn || event.ordinal <= agreed
        }
        guard !events.isEmpty else { return }
        try takeAway(events, forGood: false, group: group, store)
        raiseHorizon(to: events.map(\.header.lamport).max() ?? 0, group: group)
        noteChanged(groups[group].id)
    }

    /// Up to which event some peer is known to hold everything.
    private func lastAgreed(group: Int, _ store: any EventStore) throws(StoreError) -> Int64 {
        var last: Int64 = 0
        for peer in peers.keys.sorted() {
            let agreement = try store.agreements(with: peer, inGroup: groups[group].record.reference).first
            last = max(last, agreement?.ordinal ?? 0)
        }
        return last
    }

    // MARK: What others have dropped

    private mutating func raiseHorizon(to lamport: UInt64, group: Int) {
        guard lamport > groups[group].kept.horizon else { return }
        groups[group].kept.horizon = lamport
        groups[group].kept.isChanged = true
    }

    /// Takes an event without its content, which who brings it says that it does not keep: it does not wait for it.
    ///
    /// - Parameter horizon: what whoever brings it says of the contents that it keeps.
    mutating func acceptWithoutContent(_ event: Event, log: Int, upTo horizon: UInt64, group: Int) {
        guard event.header.isErasable, event.header.lamport <= horizon,
            needsContent(event.reference, event.header, log: log, group: group)
        else { return }
        raiseHorizon(to: event.header.lamport, group: group)
    }

    /// Keeps what is known of contents, and judges anew what need not wait for them any more.
    mutating func settleHorizon(group: Int, _ store: any EventStore) throws(StoreError) {
        guard groups[group].kept.isChanged else { return }
        groups[group].kept.isChanged = false
        try store.setValue(groups[group].kept.encoded, forKey: KeptContents.key(of: groups[group].id))
        let horizon = groups[group].kept.horizon
        try handOver(
            groups[group].contentless.values.filter { $0.lamport <= horizon }.map(\.id).sorted(), group: group, store)
    }

    /// Tells peers how much of a group's contents is here, where that has changed.
    mutating func sayHorizon(_ group: Int, session index: Int) {
        let number = sessions[index].groups[group].group
        let horizon = groups[number].kept.horizon
        guard sessions[index].groups[group].horizonSaid != horizon else { return }
        sessions[index].groups[group].horizonSaid = horizon
        var sync = GroupSync(number: number)
        sync.horizon = horizon
        send(sync, to: index)
    }

    // MARK: Getting back

    /// Asks a peer for what is not here, a part at a time, if this device keeps everything; and once, as long as neither side has got or lost more.
    mutating func askForDropped(_ group: Int, session index: Int, _ store: any EventStore) throws(StoreError) {
        let number = sessions[index].groups[group].group
        let kept = groups[number].kept
        let horizons = Horizons(ours: kept.horizon, theirs: sessions[index].groups[group].peerHorizon)
        guard kept.retention == .everything, kept.horizon > 0,
            groups[number].askedForDropped[sessions[index].link.peer] != horizons
        else { return }
        var restoring = sessions[index].groups[group].restoring
        defer { sessions[index].groups[group].restoring = restoring }
        if !restoring.awaited.isEmpty {
            guard now >= restoring.deadline else { return wake(group, session: index, at: restoring.deadline) }
            // It holds less than it says.
            restoring = Restoring()
            return noteAskedForDropped(horizons, session: index, group: number)
        }
        if restoring.horizons != horizons { restoring = Restoring(horizons: horizons) }
        while restoring.awaited.isEmpty {
            let ordinals = try store.withoutContent(
                inGroup: groups[number].record.reference, lamports: 1...kept.horizon, after: restoring.after,
                limit: Limits.wantedRanges)
            guard let last = ordinals.last else {
                // Above what has not come everything is here, but for what was taken back.
                if restoring.left < kept.horizon {
                    groups[number].kept.horizon = restoring.left
                    groups[number].kept.isChanged = true
                    try settleHorizon(group: number, store)
                }
                noteAskedForDropped(
                    Horizons(ours: restoring.left, theirs: horizons.theirs), session: index, group: number)
                return
            }
            restoring.after = last
            let events = try store.headers(ordinals: ordinals).filter { event in
                guard event.header.isErasable, let log = groups[number].frontier.index(of: event.header.log) else {
                    return false
                }
                return !isGone(event.reference, event.header, log: log, group: number)
            }
            restoring.awaited = Set(events.map(\.id))
            restoring.deadline = now + Self.patienceForDropped
            ask(for: events.map { ($0.header.log, $0.header.sequence...$0.header.sequence) }, group, session: index)
        }
    }

    private mutating func noteAskedForDropped(_ horizons: Horizons, session index: Int, group: Int) {
        // Visitors come without end.
        if groups[group].askedForDropped.count >= Limits.askedForDropped { groups[group].askedForDropped = [:] }
        groups[group].askedForDropped[sessions[index].link.peer] = horizons
    }

    /// Milliseconds after which nothing more is expected of what a peer was asked for.
    private static var patienceForDropped: UInt64 { 10_000 }

    /// What waits for contents that a peer which knows the same does not keep waits no more.
    mutating func acceptWhatIsDropped(_ group: Int, session index: Int, _ store: any EventStore) throws(StoreError) {
        let number = sessions[index].groups[group].group
        let horizon = sessions[index].groups[group].peerHorizon
        guard horizon > 0, !groups[number].contentless.isEmpty else { return }
        let dropped = groups[number].contentless.values.map(\.lamport).filter { $0 <= horizon }
        raiseHorizon(to: dropped.max() ?? 0, group: number)
        try settleHorizon(group: number, store)
    }

    /// Takes what has come back of what a peer was asked for.
    mutating func takeDropped(
        _ window: [Event], _ group: Int, session index: Int, _ store: any EventStore
    ) throws(StoreError) {
        guard !sessions[index].groups[group].restoring.awaited.isEmpty else { return }
        let number = sessions[index].groups[group].group
        var restored: [StoredHeader] = []
        for event in window where sessions[index].groups[group].restoring.awaited.remove(event.id) != nil {
            guard let log = self.index(of: event, number) else { continue }
            let key = EventKey(
                log: groups[number].frontier.logs[log].reference, sequence: event.sequence, id: event.id)
            guard let place = try store.places(of: [key])[0] else { continue }
            guard !isGone(event.reference, event.header, log: log, group: number) else { continue }
            guard let content = event.content, let salt = event.salt else {
                let left = sessions[index].groups[group].restoring.left
                sessions[index].groups[group].restoring.left = max(left, event.header.lamport)
                continue
            }
            // Another peer may have brought it meanwhile.
            guard try store.headers(ordinals: [place.ordinal]).first?.hasContent == false else { continue }
            try store.setContent(content, salt: salt, ofEvent: place.ordinal)
            noteExpiry(of: event, group: number)
            if place.status == .delivered { restored.append(event.stored(place.ordinal)) }
        }
        sessions[index].groups[group].restoring.deadline = now + Self.patienceForDropped
        guard !restored.isEmpty else { return }
        restored.sort { $0.ordinal < $1.ordinal }
        try store.setStatus(
            .delivered, ordinals: restored.map(\.ordinal), noting: .restored, inGroup: groups[number].record.reference)
        try noteFiles(of: restored, group: number, store)
        noteChanged(groups[number].id)
    }
}

/// Up to which Lamport times not all contents are here, and with a peer.
struct Horizons: Hashable, Sendable {
    var ours: UInt64 = 0
    var theirs: UInt64 = 0
}

/// How far a session has got in bringing back what was dropped.
struct Restoring: Sendable {
    /// What it was begun with.
    var horizons = Horizons()
    /// The last event that was looked at.
    var after: Int64 = 0
    /// What the peer was asked for and has not sent.
    var awaited: Set<EventID> = []
    /// When nothing more of that is expected, in milliseconds since 1970.
    var deadline: UInt64 = 0
    /// The highest Lamport time of what has come without its content again; 0 for none.
    var left: UInt64 = 0
}
