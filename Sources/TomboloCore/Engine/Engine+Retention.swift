// What a device keeps of what is said, and what it can get back (protocol §2.10).
extension Engine {
    /// How much of a group this device keeps; nil if the group is not here.
    package func retention(of group: GroupID) -> Retention? { groupIndex(group).map { groups[$0].kept.retention } }

    mutating func setRetention(
        _ request: RequestID, _ group: GroupID, _ retention: Retention, _ store: any EventStore
    ) throws(StoreError) {
        guard let index = nativeGroup(group, request) else { return }
        guard retention.age ?? .seconds(1) > .zero, retention.count ?? 1 > 0, retention.bytes ?? 1 > 0 else {
            return effects.append(.failed(request, .notAllowed("what is kept is more than nothing")))
        }
        groups[index].kept.retention = retention
        groups[index].kept.dropped = 0
        groups[index].kept.isChanged = true
        groups[index].kept.due = retention == .everything ? nil : now
        effects.append(.done(request))
    }

    // MARK: Dropping

    /// To be called for events that were delivered.
    mutating func noteKept(_ delivered: [StoredHeader], group: Int) {
        guard groups[group].kept.retention != .everything, let first = delivered.lazy.map(\.ordinal).min() else {
            return
        }
        // Some were held for long before.
        groups[group].kept.dropped = min(groups[group].kept.dropped, first - 1)
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
            groups[group].kept.due = groups[group].kept.age.map { now + min($0, Self.retentionPause) }
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
        let (kept, aged) = (groups[group].kept, groups[group].kept.lastAged(at: now))
        let own = Set(
            groups[group].frontier.logs.filter { $0.certificate?.device == identity.device }.map(\.reference))
        var (count, bytes) = (0, 0)
        try forEachContent(after: kept.dropped, group: group, store) { content in
            if !own.contains(content.log) { (count, bytes) = (count + 1, bytes + content.bytes) }
            return true
        }
        var surplus: [Int64] = []
        try forEachContent(after: kept.dropped, group: group, store) { content in
            guard !own.contains(content.log) else { return true }
            guard
                content.ordinal <= aged || count > kept.retention.count ?? .max || bytes > kept.retention.bytes ?? .max
            else { return false }
            (count, bytes) = (count - 1, bytes - content.bytes)
            surplus.append(content.ordinal)
            return surplus.count < Self.droppedAtOnce
        }
        return surplus
    }

    /// Goes through the contents that are here, in the order in which they came, until `body` returns false.
    private func forEachContent(
        after ordinal: Int64, group: Int, _ store: any EventStore, _ body: (ContentSize) -> Bool
    ) throws(StoreError) {
        var after = ordinal
        while true {
            let contents = try store.contentSizes(
                inGroup: groups[group].record.reference, after: after, limit: Self.droppedAtOnce)
            for content in contents { guard body(content) else { return } }
            guard contents.count == Self.droppedAtOnce, let last = contents.last else { return }
            after = last.ordinal
        }
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
        try release(waitersOf: returned.map(\.id), group: group, store)
    }

    mutating func saveKept(_ group: Int, _ store: any EventStore) throws(StoreError) {
        groups[group].kept.isChanged = false
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
        guard kept.retention == .everything, kept.horizon > 0, !sessions[index].groups[group].peerOnlyTakes else {
            return
        }
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
                // All peers are told, also those that were brought forward before.
                if groups[number].kept.horizon != kept.horizon { concernsAll = true }
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

    /// Takes contents that are not here, and that this device wants.
    ///
    /// - Returns: how many.
    mutating func restoreContents(
        of events: [Event], group: Int, _ store: any EventStore
    ) throws(StoreError) -> Int {
        let kept = groups[group].kept
        guard kept.retention == .everything, kept.horizon > 0 else { return 0 }
        var restored: [StoredHeader] = []
        var count = 0
        for event in events where event.header.isErasable && event.header.lamport <= kept.horizon {
            guard let content = event.content, let salt = event.salt, groups[group].contentless[event.id] == nil,
                let log = index(of: event, group), !isGone(event.reference, event.header, log: log, group: group)
            else { continue }
            guard let place = try place(of: event, log: log, group: group, store),
                try store.headers(ordinals: [place.ordinal]).first?.hasContent == false
            else { continue }
            try store.setContent(content, salt: salt, ofEvent: place.ordinal)
            noteExpiry(of: event, group: group)
            count += 1
            if place.status == .delivered { restored.append(event.stored(place.ordinal)) }
        }
        guard !restored.isEmpty else { return count }
        restored.sort { $0.ordinal < $1.ordinal }
        try store.setStatus(
            .delivered, ordinals: restored.map(\.ordinal), noting: .restored, inGroup: groups[group].record.reference)
        try noteFiles(of: restored, group: group, store)
        noteChanged(groups[group].id)
        return count
    }

    /// Notes what a peer has sent of what it was asked for, with content or without.
    mutating func noteAnswered(_ window: [Event], _ group: Int, session index: Int) {
        sessions[index].groups[group].awaitedContents.subtract(window.lazy.map(\.id))
        guard !sessions[index].groups[group].restoring.awaited.isEmpty else { return }
        let number = sessions[index].groups[group].group
        for event in window where sessions[index].groups[group].restoring.awaited.remove(event.id) != nil {
            sessions[index].groups[group].restoring.deadline = now + Self.patienceForContents
            guard event.content == nil, let log = self.index(of: event, number),
                !isGone(event.reference, event.header, log: log, group: number)
            else { continue }
            let left = sessions[index].groups[group].restoring.left
            sessions[index].groups[group].restoring.left = max(left, event.header.lamport)
        }
    }
}
