// Forgetting what has gone away, headers and all, behind checkpoints that every member has passed (protocol §2.11).
extension Engine {
    /// Whether a checkpoint that all have passed whom it names has the beginning of a log forgotten.
    enum Reach {
        case covered(log: Int)
        /// Not before more of the log has come: of which nothing is here, nobody knows whose it is; and the last event stays, which its author's
        /// next one names.
        case early
        /// The device whose it is has not passed it, nor one by which that was admitted.
        case refused
        /// State stays.
        case never
    }

    func reach(
        of floor: Checkpoint.LogFloor, passedBy passed: [MemberKey: Set<DeviceKey>], group: Int
    ) -> Reach {
        guard let log = groups[group].frontier.index(of: floor.log),
            let certificate = groups[group].frontier.logs[log].certificate
        else { return .early }
        guard !certificate.isStateLog else { return .never }
        guard certificate.isAgreed(to: passed) else { return .refused }
        return floor.sequence < groups[group].frontier.logs[log].lastSequence ? .covered(log: log) : .early
    }

    typealias Said = (content: [UInt8], expiry: UInt64?, files: [FileID])

    /// What can be read here of what this device has said and is to forget.
    mutating func ownSpeaking(
        below beginnings: [Int: UInt64], group: Int, _ store: any EventStore
    ) throws(StoreError) -> [Said] {
        var spoken: [Said] = []
        for (log, sequence) in beginnings.sorted(by: { $0.key < $1.key }) {
            let state = groups[group].frontier.logs[log]
            guard state.certificate?.device == identity.device, state.floor < sequence else { continue }
            var next = state.floor + 1
            while next <= sequence {
                let (events, after) = try walk(next...sequence, ofLog: state.reference, store)
                let speaking = events.filter {
                    $0.hasContent && $0.header.kind == .message
                        && !mustLackContent($0.reference, $0.header, log: log, group: group)
                }
                for stored in try store.events(ordinals: speaking.map(\.ordinal)) {
                    guard let content = try readableContent(of: stored.event, group: group, store) else { continue }
                    spoken.append((content, stored.event.header.expiry, stored.event.header.files))
                }
                next = after
            }
        }
        return spoken
    }

    /// Erases what is left of a part of a log.
    private mutating func eraseContents(
        ofLog log: Int, in part: ClosedRange<UInt64>, group: Int, _ store: any EventStore
    ) throws(StoreError) {
        let reference = groups[group].frontier.logs[log].reference
        var next = part.lowerBound
        while next <= part.upperBound {
            let (events, after) = try walk(next...part.upperBound, ofLog: reference, store)
            // What is not here for another reason than that it had to be has its key here.
            let left = events.filter {
                $0.header.isErasable
                    && ($0.hasContent || !mustLackContent($0.reference, $0.header, log: log, group: group))
            }
            try erase(left, group: group, store)
            next = after
        }
    }

    /// Says in another log what is to be forgotten of one: of this one nobody would take it.
    mutating func sayAgain(
        _ spoken: [Said], insteadOf beginnings: [Int: UInt64], group: Int, _ store: any EventStore
    ) throws(StoreError) {
        let isCurrent = beginnings.keys.contains {
            groups[group].frontier.logs[$0].id == groups[group].record.ownLog
        }
        if isCurrent { try leaveOwnLog(group: group, store) }
        for said in spoken {
            try append(0, groups[group].id, .message, said.content, said.expiry, said.files, store)
        }
    }

    /// Forgets what lies up to a sequence of each log.
    mutating func forget(
        _ beginnings: [Int: UInt64], group: Int, _ store: any EventStore
    ) throws(StoreError) {
        let moved = beginnings.filter { $0.value > groups[group].frontier.logs[$0.key].floor }.sorted {
            $0.key < $1.key
        }
        guard !moved.isEmpty else { return }
        for (log, sequence) in moved {
            // By a clock that is slow something may not have gone yet.
            let state = groups[group].frontier.logs[log]
            try eraseContents(ofLog: log, in: state.floor + 1...sequence, group: group, store)
        }
        try store.forget(
            moved.map { LogBeginning(log: groups[group].frontier.logs[$0.key].reference, through: $0.value) },
            inGroup: groups[group].record.reference)
        for (log, sequence) in moved {
            let state = groups[group].frontier.logs[log]
            let next = try store.headers(
                ofLog: state.reference, in: sequence + 1...sequence + 1, limit: Limits.endsPerLog)
            groups[group].frontier.update(log) {
                $0.raiseFloor(
                    to: sequence,
                    next: next.map {
                        .init(sequence: $0.header.sequence, id: $0.id, previous: $0.header.previous?.id)
                    })
            }
            groups[group].checkpoints.cleared[state.id] = nil
        }
        groups[group].changedLogs.formUnion(moved.map(\.key))
        groups[group].heads = groups[group].heads.filter { !isForgotten($0.value.place, group: group) }
        groups[group].contentless = groups[group].contentless.filter { !isForgotten($0.value, group: group) }
        try settleFloors(group: group, store)
    }

    /// Whether an event lies below the floor of its log.
    func isForgotten(_ event: EventReference, group: Int) -> Bool {
        guard groups[group].frontier.hasFloors, let log = groups[group].frontier.index(of: event.log) else {
            return false
        }
        return event.sequence <= groups[group].frontier.logs[log].floor
    }

    /// Once floors have moved: what waited for something below them waits no more, and what was invalid for something there is judged by
    /// what is left (law 8). What was agreed on is not known as well any more.
    private mutating func settleFloors(group: Int, _ store: any EventStore) throws(StoreError) {
        let reference = groups[group].record.reference
        groups[group].recent = RecentEvents(capacity: recentEvents)
        try store.forgetAgreements(inGroup: reference)
        try judgeAgain(group: group, store)
        for index in sessions.indices {
            for number in sessions[index].groups.indices where sessions[index].groups[number].group == group {
                sessions[index].groups[number].base = nil
                guard sessions[index].groups[number].isMatched else { continue }
                sessions[index].groups[number].changedLogs.formUnion(groups[group].changedLogs)
                sessions[index].groups[number].mustAcknowledge = true
            }
        }
        noteChanged(groups[group].id)
        // What is forgotten is to leave the store's files.
        effects.append(.erased(groups[group].id))
    }

    private mutating func judgeAgain(group: Int, _ store: any EventStore) throws(StoreError) {
        let reference = groups[group].record.reference
        for log in groups[group].frontier.logs.indices where groups[group].frontier.logs[log].waiting > 0 {
            groups[group].frontier.update(log) { $0.waiting = 0 }
            groups[group].changedLogs.insert(log)
        }
        groups[group].waiting = 0
        var waiters: [Int64] = []
        for part in try store.takeUndelivered(inGroup: reference).chunks(of: 1_024) {
            let isInvalid = Set(part.filter { $0.status == .invalid }.map(\.ordinal))
            for event in try store.headers(ordinals: part.map(\.ordinal)) {
                guard let log = groups[group].frontier.index(of: event.header.log),
                    !isInvalid.contains(event.ordinal) || !event.header.kind.isState
                else { continue }
                groups[group].frontier.update(log) { $0.waiting += 1 }
                groups[group].changedLogs.insert(log)
                waiters.append(event.ordinal)
            }
            let judged = isInvalid.intersection(waiters.suffix(part.count)).sorted()
            try store.setStatus(.waiting, ordinals: judged, noting: nil, inGroup: reference)
        }
        groups[group].waiting = waiters.count
        guard !waiters.isEmpty else { return }
        // As if all of them had waited for one.
        let all = EventID(.zero)
        try store.addWaiting(waiters.map { (all, $0) }, inGroup: reference)
        try release(waitersOf: [all], group: group, store)
        try settleState(group: group, store)
        try eraseRedacted(group: group, store)
    }
}
