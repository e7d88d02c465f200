// What a device keeps of what is said, and what it can get back (protocol §2.10).
extension Engine {
    /// How much of a group this device keeps; nil if the group is not here.
    package func retention(of group: GroupID) -> Retention? { groupIndex(group).map { groups[$0].kept.retention } }

    mutating func setRetention(
        _ request: RequestID, _ group: GroupID, _ retention: Retention, _ store: any EventStore
    ) throws(StoreError) {
        guard let index = nativeGroup(group, request) else { return }
        guard retention.age ?? 1 > 0, retention.age ?? 0 < Limits.integer, retention.count ?? 1 > 0,
            retention.bytes ?? 1 > 0
        else {
            return effects.append(.failed(request, .notAllowed("what is kept is more than nothing")))
        }
        groups[index].kept.retention = retention
        groups[index].kept.dropped = 0
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
            groups[group].kept.due = groups[group].kept.retention.age.map {
                now + min(max($0, Self.retentionDelay), Self.retentionPause)
            }
            groups[group].kept.mark(try store.lastOrdinal(), at: now)
            let surplus = try surplus(group: group, store)
            if let last = surplus.last {
                try drop(surplus, group: group, store)
                groups[group].kept.dropped = last
                if surplus.count == Self.droppedAtOnce { groups[group].kept.due = now }
            }
        }
    }

    /// The first to come of what others have said, as far as it is more than what is kept. What a device has said itself it keeps: so whatever
    /// others drop, somebody has it.
    private func surplus(group: Int, _ store: any EventStore) throws(StoreError) -> [Int64] {
        let kept = groups[group].kept
        let own = Set(
            groups[group].frontier.logs.filter { $0.certificate?.device == identity.device }.map(\.reference))
        var contents: [ContentSize] = []
        var after = kept.dropped
        while true {
            let more = try store.contentSizes(
                inGroup: groups[group].record.reference, after: after, limit: Self.droppedAtOnce)
            contents += more.filter { !own.contains($0.log) }
            guard more.count == Self.droppedAtOnce, let last = more.last else { break }
            after = last.ordinal
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
        let events = try store.headers(ordinals: ordinals)
        try takeAway(events, forGood: false, group: group, store)
        groups[group].kept.noteMissing(events.map(\.header.lamport))
        noteChanged(groups[group].id)
    }

    // MARK: What others have dropped

    /// What waits for its content alone, and comes without it again from who does not keep it, waits no more.
    ///
    /// - Parameter horizon: up to which Lamport time whoever brings it does not keep all contents.
    mutating func acceptWithoutContents(
        _ events: [Event], upTo horizon: UInt64, group: Int, _ store: any EventStore
    ) throws(StoreError) {
        guard horizon > 0, !groups[group].contentless.isEmpty else { return }
        let returned = events.filter { event in
            event.content == nil && event.header.lamport <= horizon && groups[group].contentless[event.id] != nil
        }
        guard !returned.isEmpty else { return }
        groups[group].accepting = horizon
        defer { groups[group].accepting = 0 }
        var delivered: [StoredHeader] = []
        try release(waitersOf: returned.map(\.id), group: group, &delivered, store)
        try note(delivered: delivered, group: group, store)
        if !delivered.isEmpty { noteChanged(groups[group].id) }
    }

    /// Keeps what is known of contents.
    func saveKept(group: Int, _ store: any EventStore) throws(StoreError) {
        try store.setValue(groups[group].kept.encoded, forKey: KeptContents.key(of: groups[group].id))
    }

    mutating func hear(_ horizon: UInt64, _ group: Int, session index: Int) {
        if horizon > sessions[index].groups[group].peerHorizon {
            // What it withheld it may not keep any more.
            sessions[index].groups[group].askedContents = []
            sessions[index].groups[group].contentsAskedFor = 0
        }
        sessions[index].groups[group].peerHorizon = horizon
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

    /// Asks a peer that knows the same for what is not here, a part at a time, if this device keeps everything; one peer at a time.
    mutating func askForDropped(_ group: Int, session index: Int, _ store: any EventStore) throws(StoreError) {
        let number = sessions[index].groups[group].group
        let (kept, peer) = (groups[number].kept, sessions[index].link.peer)
        let asking = KeptContents.Asked(theirs: sessions[index].groups[group].peerHorizon, missed: kept.missed)
        guard kept.retention == .everything, kept.horizon > 0 else { return }
        if let asked = kept.asked[peer], asked.missed == asking.missed, asked.theirs <= asking.theirs { return }
        var restoring = sessions[index].groups[group].restoring
        defer { sessions[index].groups[group].restoring = restoring }
        if restoring.asking != asking { restoring = Restoring(asking: asking) }
        guard !restoring.isGivenUp else { return }
        if !restoring.awaited.isEmpty {
            guard now >= restoring.deadline else { return wake(group, session: index, at: restoring.deadline) }
            // Perhaps another time.
            restoring = Restoring(asking: asking, isGivenUp: true)
            return
        }
        let others = sessions.indices.filter { $0 != index }.flatMap { sessions[$0].groups }
        if let busy = others.first(where: { $0.group == number && !$0.restoring.awaited.isEmpty }) {
            return wake(group, session: index, at: max(now + Self.settleDelay, busy.restoring.deadline))
        }
        while restoring.awaited.isEmpty {
            let ordinals = try store.withoutContent(
                inGroup: groups[number].record.reference, lamports: 1...kept.horizon, after: restoring.after,
                limit: Limits.wantedRanges)
            guard let last = ordinals.last else {
                // Above what has not come everything is here, but for what was taken back.
                groups[number].kept.horizon = min(kept.horizon, restoring.left)
                groups[number].kept.noteAsked(peer, asking)
                return
            }
            restoring.after = last
            let events = try store.headers(ordinals: ordinals).filter { event in
                guard event.header.isErasable, let log = groups[number].frontier.index(of: event.header.log) else {
                    return false
                }
                return groups[number].contentless[event.id] == nil
                    && !isGone(event.reference, event.header, log: log, group: number)
            }
            restoring.awaited = Set(events.map(\.id))
            restoring.deadline = now + Self.patienceForContents
            ask(for: events.map { ($0.header.log, $0.header.sequence...$0.header.sequence) }, group, session: index)
        }
    }

    /// Milliseconds after which nothing more is expected of what a peer was asked for.
    static var patienceForContents: UInt64 { 10_000 }

    /// Takes what has come back of what is not here.
    ///
    /// - Returns: how many.
    mutating func takeDropped(
        _ window: [Event], _ group: Int, session index: Int, _ store: any EventStore
    ) throws(StoreError) -> Int {
        let number = sessions[index].groups[group].group
        let kept = groups[number].kept
        guard kept.retention == .everything, kept.horizon > 0 else { return 0 }
        var restored: [StoredHeader] = []
        var count = 0
        for event in window where event.header.isErasable && event.header.lamport <= kept.horizon {
            let isAwaited = sessions[index].groups[group].restoring.awaited.remove(event.id) != nil
            if isAwaited { sessions[index].groups[group].restoring.deadline = now + Self.patienceForContents }
            guard isAwaited || event.content != nil, groups[number].contentless[event.id] == nil,
                let log = self.index(of: event, number)
            else { continue }
            let key = EventKey(
                log: groups[number].frontier.logs[log].reference, sequence: event.sequence, id: event.id)
            guard let place = try store.places(of: [key])[0],
                !isGone(event.reference, event.header, log: log, group: number),
                try store.headers(ordinals: [place.ordinal]).first?.hasContent == false
            else { continue }
            guard let content = event.content, let salt = event.salt else {
                let left = sessions[index].groups[group].restoring.left
                sessions[index].groups[group].restoring.left = max(left, event.header.lamport)
                continue
            }
            try store.setContent(content, salt: salt, ofEvent: place.ordinal)
            count += 1
            if place.status == .delivered { restored.append(event.stored(place.ordinal)) }
        }
        guard !restored.isEmpty else { return count }
        restored.sort { $0.ordinal < $1.ordinal }
        try store.setStatus(
            .delivered, ordinals: restored.map(\.ordinal), noting: .restored, inGroup: groups[number].record.reference)
        try noteFiles(of: restored, group: number, store)
        noteChanged(groups[number].id)
        return count
    }
}

/// How far a session has got in bringing back what was dropped.
struct Restoring: Sendable {
    /// What it was begun with.
    var asking = KeptContents.Asked()
    /// The last event that was looked at.
    var after: Int64 = 0
    /// What the peer was asked for and has not sent.
    var awaited: Set<EventID> = []
    /// When nothing more of that is expected, in milliseconds since 1970.
    var deadline: UInt64 = 0
    /// The highest Lamport time of what has come without its content again; 0 for none.
    var left: UInt64 = 0
    /// Whether the peer has not answered in time: it is not asked again in this session.
    var isGivenUp = false
}
