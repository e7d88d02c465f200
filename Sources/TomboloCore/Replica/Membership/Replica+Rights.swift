// The rights of members, and their effect on events (protocol 2.6-16 to 2.6-23).
extension Replica {
    /// Validates the right of an event's author, once all its ancestors are held and valid.
    ///
    /// A state event that is valid becomes a part of the group's state.
    mutating func validateRight(
        to event: EventReference, _ header: EventHeader, content: Bytes?, ordinal: Int64, log: Int,
        in batch: inout Batch<some Cryptography>
    ) throws(StoreError) -> EventStatus {
        guard let certificate = frontier.logs[log].certificate else { return .invalid }
        // A rekey event is a state event: an event that names it as its secret need not name it twice.
        let named = (header.stateHeads + header.rekeys).compactMap { state.index(of: $0.id) }
        guard named.count == header.stateHeads.count + header.rekeys.count else { return .invalid }
        if header.kind.isState {
            return try insertState(event, header, content: content, ordinal: ordinal, by: certificate, in: &batch)
        }
        let (author, devices) = (certificate.member, certificate.admission.devices)
        guard isSealedCorrectly(header), state.standing(of: author, seenFrom: named).role >= .member,
            !state.isRemoved(devices, of: author, seenFrom: named)
        else { return .invalid }
        guard !isPassedOver(header) else { return .heldBack }
        return try isWanted(event, log: log, in: batch.store) ? .delivered : .heldBack
    }

    private mutating func insertState(
        _ event: EventReference, _ header: EventHeader, content: Bytes?, ordinal: Int64, by certificate: Certificate,
        in batch: inout Batch<some Cryptography>
    ) throws(StoreError) -> EventStatus {
        guard let action = StateAction(of: header, content), isSealedCorrectly(action, header),
            action.deviceRemoval?.isValid(using: batch.cryptography) ?? true
        else { return .invalid }
        let change = state.insert(
            event, ordinal: ordinal, by: certificate.member, devices: certificate.admission.devices,
            action.withoutValue, parents: header.ancestors, isUnderstood: header.isUnderstood)
        guard let change, let node = state.nodes.last else { return .invalid }
        unsettled.turned.formUnion(change.turned)
        try noteSecrets(of: node, in: &batch)
        noteRedactions(among: change.turned + [state.nodes.count - 1])
        for (member, old) in change.members { unsettled.formerStandings[member, default: []].append(old) }
        if let removal = action.deviceRemoval { noteRemoval(removal, in: &batch) }
        if action.kind == .checkpoint { openCheckpoints(now: batch.now) }
        return node.stands ? .delivered : .heldBack
    }

    /// Whether an event of the conversation is none of those that a demotion of its author, or a removal of its
    /// author's device, makes unwanted.
    func isWanted(_ event: EventReference, log: Int, in store: any EventStore) throws(StoreError) -> Bool {
        guard let member = frontier.logs[log].certificate?.member else { return false }
        for ends in bounds(ofLog: log, given: state.standing(of: member)) {
            var isKept = false
            for end in ends where !isKept { isKept = try self.isKept(event, upTo: end, log: log, in: store) }
            guard isKept else { return false }
        }
        return true
    }

    /// For each demotion of a log's author, and each removal of its device: the last events of the log that it keeps.
    func bounds(ofLog log: Int, given standing: Standing) -> [[LogPosition]] {
        guard let certificate = frontier.logs[log].certificate else { return [] }
        let removals = state.removals(of: certificate.admission.devices, of: certificate.member)
        let bounds = removals.map { $0.kept(ofLog: frontier.logs[log].id) }
        guard standing.role < .member else { return bounds }
        return bounds + [[keptPosition(by: standing.demotion, log: log)].compactMap(\.self)]
    }

    /// Whether an event is the given one of its log, or stands behind it.
    private func isKept(
        _ event: EventReference, upTo last: LogPosition, log: Int, in store: any EventStore
    ) throws(StoreError) -> Bool {
        guard event.sequence <= last.sequence else { return false }
        if event.sequence == last.sequence { return event.id == last.id }
        let state = frontier.logs[log]
        if state.isLinear { return true }
        // Of a forked log only the branch of the last event is kept, as soon as it is held.
        var (wanted, next) = (last.id, last.sequence)
        while true {
            let first = max(event.sequence, next < 255 ? 1 : next - 255)
            let part = try store.headers(ofLog: state.reference, in: first...next, limit: 256 * Limits.endsPerLog)
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

    private func keptPosition(by demotion: EventID?, log: Int) -> LogPosition? {
        guard let index = demotion.flatMap({ state.index(of: $0) }),
            case .demote(_, _, let kept) = state.nodes[index].action
        else { return nil }
        let id = frontier.logs[log].id
        return kept.first { $0.log == id }
    }

    private mutating func noteRedactions(among nodes: [Int]) {
        for node in nodes {
            if case .redact = state.nodes[node].action { unsettled.redactions.insert(node) }
        }
    }

    /// Notes that an event was inserted into a log: the part that a demotion keeps of it depends on its branches.
    mutating func noteBranches(ofLog log: Int) {
        guard !frontier.logs[log].isLinear, let member = frontier.logs[log].certificate?.member,
            !bounds(ofLog: log, given: state.standing(of: member)).isEmpty
        else { return }
        unsettled.forkedLogs.insert(log)
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
