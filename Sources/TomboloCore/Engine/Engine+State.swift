// Who may do what in a group, and what that makes of events (protocol §2.6).
extension Engine {
    /// What a member may do in a group, all that is held considered; nil if the group is not here.
    public func role(of member: MemberKey, in group: GroupID) -> Role? {
        groupIndex(group).map { groups[$0].state.standing(of: member).role }
    }

    /// What the group's state events come to, for those who look at an engine from outside; nil if the group is not here.
    package func state(of group: GroupID) -> StateGraph? { groupIndex(group).map { groups[$0].state } }

    // MARK: Judging

    /// Judges an event whose ancestors are all here and valid by its author's right to it.
    ///
    /// A state event that is valid is a part of the group's state from here on.
    mutating func judgeRight(
        of event: EventReference, _ header: EventHeader, content: Bytes?, ordinal: Int64, log: Int, group: Int,
        _ store: any EventStore
    ) throws(StoreError) -> EventStatus {
        guard let certificate = groups[group].frontier.logs[log].certificate else { return .invalid }
        let (author, devices) = (certificate.member, certificate.admission.devices)
        // A rekey event is a state event: who names it need not name it twice.
        let named = (header.stateHeads + header.rekeys).compactMap { groups[group].state.index(of: $0.id) }
        guard named.count == header.stateHeads.count + header.rekeys.count else { return .invalid }
        if header.kind.isState {
            guard let action = StateAction(of: header, content),
                isSealedRightly(action, header, group: group),
                action.deviceRemoval?.isValid(using: cryptography) ?? true
            else { return .invalid }
            let change = groups[group].state.insert(
                event, ordinal: ordinal, by: author, devices: devices, action.withoutValue, parents: header.ancestors,
                isUnderstood: header.isUnderstood)
            guard let change, let node = groups[group].state.nodes.last else { return .invalid }
            groups[group].turnedState.formUnion(change.turned)
            try noteSealing(node, group: group, store)
            noteRedactions(among: change.turned + [groups[group].state.nodes.count - 1], group: group)
            for (member, old) in change.members { groups[group].formerStandings[member, default: []].append(old) }
            if let removal = action.deviceRemoval { noteRemoval(removal, group: group) }
            if action.kind == .checkpoint { openCheckpoints(group: group) }
            return node.stands ? .delivered : .heldBack
        }
        guard isSealedRightly(header, group: group),
            groups[group].state.standing(of: author, seenFrom: named).role >= .member,
            !groups[group].state.isRemoved(devices, of: author, seenFrom: named)
        else { return .invalid }
        guard !isPassedOver(header, group: group) else { return .heldBack }
        return try isWanted(event, log: log, group: group, store) ? .delivered : .heldBack
    }

    /// Whether an event of the conversation is none of those that a removal of its author, or of its author's device, makes unwanted.
    private func isWanted(
        _ event: EventReference, log: Int, group: Int, _ store: any EventStore
    ) throws(StoreError) -> Bool {
        guard let member = groups[group].frontier.logs[log].certificate?.member else { return false }
        for ends in bounds(ofLog: log, group: group, given: groups[group].state.standing(of: member)) {
            var isKept = false
            for end in ends where !isKept {
                isKept = try self.isKept(event, upTo: end, log: log, group: group, store)
            }
            guard isKept else { return false }
        }
        return true
    }

    /// For each removal of a log's author, or of its author's device, the last events of the log that it keeps.
    private func bounds(ofLog log: Int, group: Int, given standing: Standing) -> [[LogPosition]] {
        guard let certificate = groups[group].frontier.logs[log].certificate else { return [] }
        let removals = groups[group].state.removals(of: certificate.admission.devices, of: certificate.member)
        let bounds = removals.map { $0.kept(ofLog: groups[group].frontier.logs[log].id) }
        guard standing.role < .member else { return bounds }
        return bounds + [[keptPosition(by: standing.lowering, log: log, group)].compactMap(\.self)]
    }

    /// Whether an event stands behind another one of its log, or is that.
    private func isKept(
        _ event: EventReference, upTo last: LogPosition, log: Int, group: Int, _ store: any EventStore
    ) throws(StoreError) -> Bool {
        guard event.sequence <= last.sequence else { return false }
        if event.sequence == last.sequence { return event.id == last.id }
        let state = groups[group].frontier.logs[log]
        if state.isLinear { return true }
        // Of a forked log only the branch that was seen: as soon as it is held.
        var (wanted, next) = (last.id, last.sequence)
        while true {
            let first = max(event.sequence, next < 255 ? 1 : next - 255)
            let part = try store.headers(
                ofLog: state.reference, in: first...next, limit: 256 * Limits.endsPerLog)
            while next >= first {
                guard let found = part.first(where: { $0.id == wanted && $0.header.sequence == next }) else {
                    return true
                }
                if next == event.sequence { return wanted == event.id }
                wanted = found.header.previous?.id ?? wanted
                next -= 1
            }
        }
    }

    private func keptPosition(by lowering: EventID?, log: Int, _ group: Int) -> LogPosition? {
        guard let index = lowering.flatMap({ groups[group].state.index(of: $0) }),
            case .lower(_, _, let kept) = groups[group].state.nodes[index].action
        else { return nil }
        let id = groups[group].frontier.logs[log].id
        return kept.first { $0.log == id }
    }

    private mutating func noteRedactions(among nodes: [Int], group: Int) {
        for node in nodes {
            if case .redact = groups[group].state.nodes[node].action { groups[group].turnedRedactions.insert(node) }
        }
    }

    /// To be called for an event that was given its place: what a removal keeps of a log depends on its branches.
    mutating func noteBranches(ofLog log: Int, group: Int) {
        let state = groups[group].frontier.logs[log]
        guard !state.isLinear, let member = state.certificate?.member,
            !bounds(ofLog: log, group: group, given: groups[group].state.standing(of: member)).isEmpty
        else { return }
        groups[group].forkedLogs.insert(log)
    }

    // MARK: What a new state event makes of events that are here

    /// Withdraws what is not wanted any more, and hands over what is.
    mutating func settleState(group: Int, _ store: any EventStore) throws(StoreError) {
        let (turned, former) = (groups[group].turnedState, groups[group].formerStandings)
        let (forked, bereft) = (groups[group].forkedLogs, groups[group].bereftMembers)
        guard !turned.isEmpty || !former.isEmpty || !forked.isEmpty || !bereft.isEmpty else { return }
        noteCheckpoints(group: group)
        groups[group].turnedState = []
        groups[group].formerStandings = [:]
        groups[group].forkedLogs = []
        groups[group].bereftMembers = []
        var turns = Turns()
        for index in turned.sorted() {
            let node = groups[group].state.nodes[index]
            guard let log = groups[group].frontier.index(of: node.reference.log) else { continue }
            let number = groups[group].frontier.logs[log].reference
            guard
                let place = try store.places(of: [
                    EventKey(log: number, sequence: node.reference.sequence, id: node.reference.id)
                ])[0]
            else { continue }
            turns.note(node.reference, place, isWanted: node.stands)
        }
        for log in groups[group].frontier.logs.indices {
            guard let certificate = groups[group].frontier.logs[log].certificate, !certificate.isStateLog else {
                continue
            }
            let former = former[certificate.member] ?? []
            guard !former.isEmpty || forked.contains(log) || bereft.contains(certificate.member) else { continue }
            try review(log, of: certificate.member, former: former, group: group, &turns, store)
        }
        try carryOut(turns, group: group, store)
    }

    /// Goes through the events of a log whose verdict may have changed.
    private func review(
        _ log: Int, of member: MemberKey, former: [Standing], group: Int, _ turns: inout Turns,
        _ store: any EventStore
    ) throws(StoreError) {
        // Removals of devices are never undone: those that were there before are there now.
        let bounds = (former + [groups[group].state.standing(of: member)]).flatMap {
            self.bounds(ofLog: log, group: group, given: $0)
        }
        if bounds.isEmpty { return }
        let state = groups[group].frontier.logs[log]
        var next = state.floor + 1
        if state.isLinear {
            // What every removal at hand keeps is not touched.
            next = max(next, bounds.map { $0.map(\.sequence).min() ?? 0 }.min() ?? 1)
        }
        while next <= state.lastSequence {
            let (events, after) = try walk(next...state.lastSequence, ofLog: state.reference, store)
            let places = try store.places(
                of: events.map { EventKey(log: state.reference, sequence: $0.header.sequence, id: $0.id) })
            for (event, place) in zip(events, places) {
                guard let place, place.status.isJudged, !isPassedOver(event.header, group: group) else { continue }
                let isWanted = try isWanted(event.reference, log: log, group: group, store)
                turns.note(event.reference, place, isWanted: isWanted)
            }
            next = after
        }
    }

    private mutating func carryOut(_ turns: Turns, group: Int, _ store: any EventStore) throws(StoreError) {
        let reference = groups[group].record.reference
        for (status, change, events) in turns.all where !events.isEmpty {
            let sorted = events.sorted { $0.ordinal < $1.ordinal }
            try store.setStatus(status, ordinals: sorted.map(\.ordinal), noting: change, inGroup: reference)
            for event in sorted { remember(event.reference, status, group: group) }
            noteChanged(groups[group].id)
        }
    }

    // MARK: What this device does

    /// Raises or lowers a member, whichever the role asks for.
    mutating func setRole(
        _ request: RequestID, _ group: GroupID, of member: MemberKey, to role: Role, _ store: any EventStore
    ) throws(StoreError) {
        guard let index = nativeGroup(group, request) else { return }
        let old = groups[index].state.standing(of: member).role
        guard role != old else {
            return effects.append(
                .failed(
                    request,
                    .notAllowed(
                        role == .none
                            ? "it is not a member, so there is nothing to take away"
                            : "it is \(role.withArticle) already")))
        }
        try act(request, role > old ? .raise(member, to: role) : lowering(of: member, to: role, index), index, store)
    }

    mutating func setState(
        _ request: RequestID, _ group: GroupID, key: String, value: [UInt8]?, _ store: any EventStore
    ) throws(StoreError) {
        guard let index = nativeGroup(group, request) else { return }
        guard (1...Limits.stateKey).contains(key.utf8.count) else {
            return effects.append(.failed(request, .notAllowed("a key has 1 to \(Limits.stateKey) bytes")))
        }
        let action = StateAction.set(key: key, value: value)
        let isSealed = groups[index].sealing != nil && action.isSealable
        let limit = Limits.stateValue - (isSealed ? Limits.sealWithNonce : 0)
        guard value?.count ?? 0 <= limit else {
            return effects.append(.failed(request, .contentTooLarge(limit: limit)))
        }
        try act(request, action, index, store)
    }

    /// The index of a native group; nil, and the request has failed, if there is none.
    mutating func nativeGroup(_ group: GroupID, _ request: RequestID) -> Int? {
        if let index = groupIndex(group) { return index }
        effects.append(.failed(request, mvdsIndex(group) == nil ? .unknownGroup(group) : .notNative(group)))
        return nil
    }

    /// Writes a state event, if this device's member has the right to.
    mutating func act(
        _ request: RequestID, _ action: StateAction, _ index: Int, _ store: any EventStore
    ) throws(StoreError) {
        if let why = whyNot(action, index) { return effects.append(.failed(request, .notAllowed(why))) }
        guard let id = try write(action, group: index, store) else {
            return effects.append(.failed(request, .groupFull(groups[index].id)))
        }
        effects.append(.appended(request, id))
    }

    /// Why this device's member may not do something; nil if it may.
    func whyNot(_ action: StateAction, _ index: Int) -> String? {
        if let why = whyRemoved(group: index) { return why }
        if let removal = action.deviceRemoval,
            !groups[index].state.removals(of: removal.signer.devices, of: removal.member).isEmpty
        {
            return "the device that has signed it was removed itself: nothing that it says holds here"
        }
        let own = groups[index].state.standing(of: identity.member)
        let author = Strength(standing: own, member: identity.member)
        let target = action.target.map { groups[index].state.standing(of: $0) }
        guard !action.isAllowed(to: author, on: target) else { return nil }
        guard action.isAllowed(to: own.role, of: identity.member) else {
            return "you are \(own.role.withArticle) of this group, which is not enough for this: ask an admin or owner"
        }
        return "this member has come before you, or has a higher role: only who is above it can do this"
    }

    /// Why this device's member may not write; nil if it may.
    func whyNotWrite(group index: Int) -> String? {
        if let why = whyRemoved(group: index) { return why }
        return switch groups[index].state.standing(of: identity.member).role {
        case .member, .admin, .owner: nil
        case .reader: "you read this group and do not write to it: an admin can make you a member"
        case .none: "you are not a member of this group, or not any more: an admin can admit you"
        }
    }

    /// Why this device's member may not invite; nil if it may.
    func whyNotInvite(as role: Role, group index: Int) -> String? {
        // Who needs no state event to be what it shall be can be invited by anyone.
        if role <= groups[index].state.defaultRole { return nil }
        return whyNot(.raise(MemberKey(.zero), to: role), index)
    }

    /// Takes rights away, keeping what is here of the member's logs.
    private func lowering(of member: MemberKey, to role: Role, _ index: Int) -> StateAction {
        var kept: [LogPosition] = []
        for log in groups[index].frontier.logs where log.certificate?.member == member {
            guard log.certificate?.isStateLog == false, let end = log.ends.last else { continue }
            kept.append(LogPosition(log: log.id, sequence: end.sequence, id: end.id))
        }
        kept.sort { $0.sequence > $1.sequence }
        return .lower(member, to: role, kept: Array(kept.prefix(Limits.keptLogs)))
    }

    /// Makes who has joined by an invitation what it promised, if this device's member may.
    ///
    /// - Returns: whether the member now has the role, or a higher one.
    mutating func admit(_ member: MemberKey, as role: Role, group: Int, _ store: any EventStore) throws(StoreError)
        -> Bool
    {
        guard groups[group].state.standing(of: member).role < role else { return true }
        let action = StateAction.raise(member, to: role)
        guard whyNot(action, group) == nil else { return false }
        return try write(action, group: group, store) != nil
    }

    mutating func write(
        _ action: StateAction, group index: Int, _ store: any EventStore
    ) throws(StoreError) -> EventID? {
        try joinStateHeads(group: index, store)
        guard groups[index].sealing != nil, action.isSealable, case .set(_, let value?) = action else {
            return try write(action.kind, content: action.encoded, expiry: nil, group: index, store)
        }
        guard let rekey = try chooseRekey(group: index, store) else { return nil }
        let content = action.encoded
        return try write(
            action.kind, content: content, under: rekey, clear: content.count - value.count, expiry: nil, group: index,
            store)
    }

    /// One event names at most 16 state heads: more are joined first.
    mutating func joinStateHeads(group index: Int, _ store: any EventStore) throws(StoreError) {
        var joins = 0
        while groups[index].state.heads.count > Limits.references, joins < Limits.mergesPerAppend {
            guard try write(.setting, content: [], expiry: nil, group: index, store) != nil else { return }
            joins += 1
        }
    }
}

/// Events whose verdict has changed, by what becomes of them.
private struct Turns {
    typealias Turned = (ordinal: Int64, reference: EventReference)
    private var withdrawn: [Turned] = []
    private var restored: [Turned] = []
    private var delivered: [Turned] = []

    mutating func note(_ event: EventReference, _ place: EventPlace, isWanted: Bool) {
        switch (place.status, isWanted) {
        case (.delivered, false): withdrawn.append((place.ordinal, event))
        case (.withdrawn, true): restored.append((place.ordinal, event))
        case (.heldBack, true): delivered.append((place.ordinal, event))
        default: break
        }
    }

    var all: [(EventStatus, ChangeKind, [Turned])] {
        [
            (.withdrawn, .withdrawn, withdrawn), (.delivered, .restored, restored),
            (.delivered, .delivered, delivered),
        ]
    }
}

extension EventStatus {
    /// Whether its ancestors are all here, and valid, and its author had the right to it.
    var isJudged: Bool { self == .delivered || self == .heldBack || self == .withdrawn }
}

extension StateAction {
    /// What an event does: nothing if this version does not know its kind; nil if its content is not what its kind says.
    fileprivate init?(of header: EventHeader, _ content: Bytes?) {
        guard header.isUnderstood else {
            self = .join
            return
        }
        guard let decoded = try? StateAction(decoding: content ?? [], kind: header.kind) else { return nil }
        self = decoded
    }

    /// Engines need not remember texts, but for what they act on: who reads the state asks the store.
    fileprivate var withoutValue: StateAction {
        switch self {
        case .set(let key, _) where key != Self.expiryKey: return .set(key: key, value: nil)
        case .redact(var redaction):
            redaction.reason = ""
            return .redact(redaction)
        default: return self
        }
    }
}

extension Role {
    fileprivate var withArticle: String {
        switch self {
        case .none: "not a member"
        case .reader: "a reader"
        case .member: "a member"
        case .admin: "an admin"
        case .owner: "an owner"
        }
    }
}

// Opening.
extension StateGraph {
    /// The state of a group as its statement and its stored events make it.
    ///
    /// - Throws: `StoreError` `corrupt` if the statement or a held event says something that it could not have been taken with.
    package init(of record: GroupRecord, logs: [LogState], in store: any EventStore) throws(StoreError) {
        guard let statement = try? GroupStatement(decoding: record.statement[...]) else {
            throw StoreError(.corrupt, "the statement of group \(record.id) is damaged")
        }
        self.init(owner: statement.owner, policy: statement.policy)
        var events: [(LogAuthor, StoredEvent)] = []
        for log in logs {
            guard let certificate = log.certificate, certificate.isStateLog, log.lastSequence > 0 else { continue }
            events += try store.events(
                ofLog: log.reference, in: 1...log.lastSequence, limit: .max, bytes: .max
            ).map { (certificate.author, $0) }
        }
        insert(events)
    }

    /// Takes stored events, in any order, without what only readers need.
    package mutating func insert(_ events: [(LogAuthor, StoredEvent)]) {
        reserve(events.count)
        for place in Self.order(of: events) { take(events[place].1, by: events[place].0) { $0.withoutValue } }
    }

    /// The same with all that they say.
    ///
    /// - Parameter value: what an event sets a key to, as it can be read; nil if it cannot.
    package mutating func insert(
        _ events: [(LogAuthor, StoredEvent)], value: (Event, [UInt8]) throws -> [UInt8]?
    ) rethrows {
        reserve(events.count)
        for place in Self.order(of: events) {
            let (author, stored) = events[place]
            try take(stored, by: author) { action in
                guard case .set(let key, let bytes?) = action else { return action }
                return .set(key: key, value: try value(stored.event, bytes))
            }
        }
    }

    /// Where those that are part of the state stand, in the order in which they are taken.
    private static func order(of events: [(LogAuthor, StoredEvent)]) -> [Int] {
        let places = events.indices.filter { events[$0].1.status.isJudged }.map { (events[$0].1.event.place, $0) }
        return places.sorted { $0.0 < $1.0 }.map(\.1)
    }

    private mutating func take(
        _ stored: StoredEvent, by author: LogAuthor, _ action: (StateAction) throws -> StateAction
    ) rethrows {
        let header = stored.event.header
        _ = insert(
            stored.event.reference, ordinal: stored.ordinal, by: author.member, devices: author.devices,
            try action(StateAction(of: header, stored.event.content) ?? .join), parents: header.ancestors,
            isUnderstood: header.isUnderstood)
    }
}

extension Event {
    fileprivate var place: Seniority { Seniority(lamport: header.lamport, id: id) }
}
