// The rights of members, and their effect on events (protocol 2.6-16 to 2.6-48).
extension Replica {
    /// Validates the right of an event's author, once all its ancestors are held.
    ///
    /// A state event that is valid becomes a part of the group's state. Before ``resolveState(_:in:)``, the result is
    /// provisional: new demotions may take effect on it.
    mutating func validateRight(
        to event: EventReference, _ header: EventHeader, content: Bytes?, ordinal: Int64, log: Int,
        in batch: inout Batch<some Cryptography>
    ) throws(StoreError) -> EventStatus {
        guard let certificate = frontier.logs[log].certificate else { return .invalid }
        if header.kind.isState {
            return try insertState(event, header, content: content, ordinal: ordinal, by: certificate, in: &batch)
        }
        guard isSealedCorrectly(header), let right = state.right(of: certificate.author), right.role >= .member else {
            return .invalid
        }
        noteEnd(event, log: log)
        return try status(of: event, header, log: log, in: batch.store)
    }

    /// The status of a valid event of the conversation.
    private mutating func status(
        of event: EventReference, _ header: EventHeader, log: Int, in store: any EventStore
    ) throws(StoreError) -> EventStatus {
        guard !isPassedOver(header) else { return .heldBack }
        return try isWanted(event, log: log, in: store) ? .delivered : .heldBack
    }

    private mutating func insertState(
        _ event: EventReference, _ header: EventHeader, content: Bytes?, ordinal: Int64, by certificate: Certificate,
        in batch: inout Batch<some Cryptography>
    ) throws(StoreError) -> EventStatus {
        guard let action = StateAction(of: header, content), isSealedCorrectly(action, header),
            action.deviceRemoval?.isValid(using: batch.cryptography) ?? true,
            let index = state.insert(
                event, ordinal: ordinal, by: certificate.author, action.withoutValue, previous: header.previous?.id,
                parents: header.ancestors)
        else { return .invalid }
        let node = state.nodes[index]
        try noteSecrets(of: node, in: &batch)
        noteRedactions(among: [index])
        if let removal = action.deviceRemoval { noteRemoval(removal, in: &batch) }
        if action.kind == .checkpoint { openCheckpoints(now: batch.now) }
        return node.stands ? .delivered : .heldBack
    }

    /// Resolves the state after the state events of a batch, and corrects the provisional statuses of pending events.
    mutating func resolveState(_ pending: inout PendingEvents, in store: any EventStore) throws(StoreError) {
        guard resolveState() else { return }
        for (offset, (log, event)) in pending.events.enumerated() where pending.statuses[offset].isValid {
            let status =
                event.header.kind.isState
                ? statusOfState(event.id) : try status(of: event.reference, event.header, log: log, in: store)
            pending.correct(status, at: offset)
            remember(event.reference, status)
        }
    }

    func statusOfState(_ event: EventID) -> EventStatus {
        state.index(of: event).map { state.nodes[$0].stands } == true ? .delivered : .heldBack
    }

    /// Resolves the state, and notes what that changes.
    ///
    /// - Returns: whether earlier verdicts may have changed.
    mutating func resolveState() -> Bool {
        let turned = state.resolve()
        guard state.changes != settledChanges else { return false }
        settledChanges = state.changes
        let changed = state.takeChangedMembers()
        unsettled.turned.formUnion(turned)
        noteRedactions(among: turned)
        for (log, old) in parts {
            guard let certificate = frontier.logs[log].certificate, changed?.contains(certificate.member) ?? true else {
                continue
            }
            let new = state.wantedPart(ofLog: frontier.logs[log].id, by: certificate.author)
            guard new != old else { continue }
            unsettled.parts[log] = unsettled.parts[log] ?? old
            parts[log] = new
            keptPaths.forget(log)
        }
        return true
    }

    // MARK: Wanted events of the conversation

    /// The part of a log of the conversation that is wanted.
    mutating func wantedPart(ofLog log: Int) -> WantedPart {
        if let known = parts[log] { return known }
        guard let certificate = frontier.logs[log].certificate else { return .nothing }
        let part = state.wantedPart(ofLog: frontier.logs[log].id, by: certificate.author)
        parts[log] = part
        return part
    }

    /// Whether no demotion of an event's author, and no removal of its device, makes the event unwanted.
    mutating func isWanted(_ event: EventReference, log: Int, in store: any EventStore) throws(StoreError) -> Bool {
        switch wantedPart(ofLog: log) {
        case .everything: return true
        case .nothing: return false
        case .upTo(let cuts):
            for ends in cuts {
                var isKept = false
                for end in ends where !isKept { isKept = try self.isKept(event, upTo: end, log: log, in: store) }
                guard isKept else { return false }
            }
            return true
        }
    }

    /// Whether an event is the given one of its log, or stands behind it.
    ///
    /// Of a forked log only the branch of the given event is kept, as soon as that event is valid here.
    private mutating func isKept(
        _ event: EventReference, upTo end: LogPosition, log: Int, in store: any EventStore
    ) throws(StoreError) -> Bool {
        guard event.sequence <= end.sequence else { return false }
        if event.sequence == end.sequence { return event.id == end.id }
        if frontier.logs[log].isLinear { return true }
        let named = EventReference(id: end.id, log: end.log, sequence: end.sequence, lamport: 0)
        guard let place = try known(named, in: store), place.status.isValid else { return true }
        if let known = keptPaths.contains(event.id, to: end.id, log: log) { return known }
        keptPaths.insert(try path(to: end, log: log, in: store), to: end.id, log: log)
        return keptPaths.contains(event.id, to: end.id, log: log) ?? false
    }

    /// The events of a log that are reached from a valid event by `previous`.
    private func path(
        to end: LogPosition, log: Int, in store: any EventStore
    ) throws(StoreError) -> Set<EventID> {
        let state = frontier.logs[log]
        var path: Set<EventID> = []
        var (wanted, next) = (Optional(end.id), end.sequence)
        while let id = wanted, next > state.floor {
            let first = max(state.floor + 1, next < 255 ? 1 : next - 255)
            let part = try store.headers(ofLog: state.reference, in: first...next, limit: .max)
            var previous: [EventID: EventID?] = [:]
            for event in part { previous[event.id] = .some(event.header.previous?.id) }
            wanted = id
            while let id = wanted, let before = previous[id] {
                path.insert(id)
                wanted = before
            }
            next = first - 1
        }
        return path
    }

    /// Notes that an event became valid: if a cut of a forked log ends with it, the branches beside it end.
    private mutating func noteEnd(_ event: EventReference, log: Int) {
        guard !frontier.logs[log].isLinear, case .upTo(let cuts) = wantedPart(ofLog: log),
            cuts.contains(where: { $0.contains { $0.id == event.id } })
        else { return }
        unsettled.parts[log] = unsettled.parts[log] ?? .everything
    }

    private mutating func noteRedactions(among nodes: [Int]) {
        for node in nodes {
            if case .redact = state.nodes[node].action { unsettled.redactions.insert(node) }
        }
    }
}

extension StateAction {
    /// The action of an event: none if this version does not know its kind; nil if the content does not fit the kind.
    init?(of header: EventHeader, _ content: Bytes?) {
        guard header.isUnderstood else {
            self = .join
            return
        }
        guard let decoded = try? StateAction(decoding: content ?? [], kind: header.kind) else { return nil }
        self = decoded
    }

    /// The action without texts that no engine acts on. Readers of the state get them from the store.
    var withoutValue: StateAction {
        switch self {
        case .set(let key, _) where key != Self.expiryKey: return .set(key: key, value: nil)
        case .redact(var redaction):
            redaction.reason = ""
            return .redact(redaction)
        default: return self
        }
    }
}
