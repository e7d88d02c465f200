// Who can read: secrets that rekey events begin, and contents that are sealed under them (protocol §2.8).
extension Engine {
    // MARK: State

    /// What a group's state says of secrets, and which of them are here; nil if its contents are not sealed.
    static func openSealing(
        of replica: GroupReplica, for member: MemberKey, _ store: any EventStore
    ) throws(StoreError) -> GroupSealing? {
        guard replica.state.policy.isSealed else { return nil }
        let secrets = Dictionary(grouping: try store.secrets(inGroup: replica.record.reference)) { $0.extent }
        func rekeys(_ extent: SecretExtent) -> Set<EventID> { Set((secrets[extent] ?? []).map(\.rekey)) }
        var sealing = GroupSealing(
            held: rekeys(.proven), unproven: rekeys(.unproven), valuesOnly: rekeys(.values))
        for node in replica.state.nodes { sealing.note(node, of: replica.frontier) }
        var state = replica.state
        sealing.closed = Set(state.rekeyEvents.filter { !state.isOpen($0, to: member) })
        let whole = sealing.closed.intersection(sealing.valuesOnly)
        sealing.missing.removeAll { whole.contains($0) }
        return sealing
    }

    /// To be called for each state event that was taken.
    mutating func noteSealing(_ node: StateNode, group: Int, _ store: any EventStore) throws(StoreError) {
        guard groups[group].sealing != nil else { return }
        let frontier = groups[group].frontier
        groups[group].sealing?.note(node, of: frontier)
        if case .rekey = node.action, !groups[group].state.isOpen(node.reference.id, to: identity.member) {
            groups[group].sealing?.closed.insert(node.reference.id)
        }
        try takeEarlySecret(of: node, group: group, store)
    }

    /// Whether what an event names as the secret of its content is a rekey event that is here, and its secret is not.
    func lacksSecret(_ header: EventHeader, group: Int) -> Bool {
        // Every event comes by here: nothing is copied.
        guard let rekey = header.rekeys.first, !header.kind.isState,
            groups[group].sealing?.held.contains(rekey.id) == false
        else { return false }
        return isRekey(rekey.id, group: group)
    }

    /// Whether an event of the conversation is sealed under a secret that is not for this device's member: it is held back here for good.
    func isPassedOver(_ header: EventHeader, group: Int) -> Bool {
        guard let rekey = header.rekeys.first, groups[group].sealing?.closed.isEmpty == false else { return false }
        return groups[group].sealing?.closed.contains(rekey.id) == true
    }

    private func isRekey(_ event: EventID, group: Int) -> Bool {
        guard let index = groups[group].state.index(of: event), case .rekey = groups[group].state.nodes[index].action
        else { return false }
        return true
    }

    /// Whether an event of the conversation is sealed where it must be, and only there.
    func isSealedRightly(_ header: EventHeader, group: Int) -> Bool {
        isSealed(header, if: header.contentLength > 0, group: group)
    }

    /// The same for a state event: the value of a key is sealed.
    func isSealedRightly(_ action: StateAction, _ header: EventHeader, group: Int) -> Bool {
        isSealed(header, if: action.isSealable, group: group)
    }

    private func isSealed(_ header: EventHeader, if hasToBe: Bool, group: Int) -> Bool {
        guard header.isUnderstood else { return true }
        guard groups[group].sealing != nil, hasToBe else { return header.rekeys.isEmpty }
        return header.rekeys.count == 1 && isRekey(header.rekeys[0].id, group: group)
    }

    // MARK: Writing

    /// Under what this device seals what it writes now: the latest rekey event that every lowering known to it comes before, that is not too
    /// old, and whose secret it holds; else a new one.
    ///
    /// - Returns: nil where contents are not sealed, or if no rekey event could be written.
    mutating func chooseRekey(group: Int, _ store: any EventStore) throws(StoreError) -> EventReference? {
        guard groups[group].sealing != nil else { return nil }
        if let current = groups[group].sealing?.current, current.states == groups[group].state.nodes.count,
            !isOld(current.timestamp)
        {
            return current.rekey
        }
        for node in groups[group].state.currentRekeys(atMost: Self.rekeysLookedAt)
        where groups[group].sealing?.held.contains(node.reference.id) == true {
            guard groups[group].state.isOpenToAll(node.reference.id) else { continue }
            guard let event = try store.events(ordinals: [node.ordinal]).first?.event, !isOld(event.timestamp) else {
                continue
            }
            guard try use(node.reference, begun: event.timestamp, group: group, store) else { continue }
            return node.reference
        }
        return try rekey(group: group, store)
    }

    private static var rekeysLookedAt: Int { 16 }

    private func isOld(_ timestamp: Int64) -> Bool { timestamp + Int64(Limits.rekeyAge) <= Int64(clamping: now) }

    /// - Returns: false if too much of its secret was punctured.
    private mutating func use(
        _ rekey: EventReference, begun timestamp: Int64, group: Int, _ store: any EventStore
    ) throws(StoreError) -> Bool {
        guard let secret = try secret(of: rekey.id, group: group, store), secret.nodes <= Limits.sealingNodes
        else { return false }
        let current = GroupSealing.Current(
            rekey: rekey, timestamp: timestamp, states: groups[group].state.nodes.count, keys: ContentKeys(secret))
        groups[group].sealing?.current = current
        return true
    }

    /// Begins a new secret.
    private mutating func rekey(group: Int, _ store: any EventStore) throws(StoreError) -> EventReference? {
        let secret = RekeySecret(root: .random(using: &generator), using: cryptography)
        guard let id = try write(.rekey(secret.commitment(using: cryptography)), group: group, store),
            let node = groups[group].state.nodes.last, node.reference.id == id
        else { return nil }
        try keep(secret, of: id, group: group, store)
        // With very many state heads, one event does not name all that it must come after.
        guard groups[group].state.currentRekeys(atMost: Self.rekeysLookedAt).contains(where: { $0.reference.id == id }),
            groups[group].state.isOpenToAll(id),
            try use(node.reference, begun: Int64(clamping: now), group: group, store)
        else { return nil }
        return node.reference
    }

    /// Seals a content that this device writes, or a value, under the rekey event that was chosen.
    mutating func seal(
        _ content: [UInt8], _ kind: EventKind, for log: LogID, sequence: UInt64, nonce: Bytes, group: Int
    ) -> [UInt8]? {
        let key =
            kind.isState
            ? groups[group].sealing?.current?.keys.key(ofValueIn: log, sequence: sequence, using: cryptography)
            : groups[group].sealing?.current?.keys.key(ofLog: log, sequence: sequence, using: cryptography)
        return key.map { cryptography.seal(content[...], key: $0, nonce: nonce) }
    }

    /// The same for what is not kept: nonce ‖ sealed.
    mutating func sealEphemeral(_ content: [UInt8], from log: LogID, at timestamp: Int64, group: Int) -> [UInt8]? {
        let nonce = [UInt8].random(12, using: &generator)
        let key = groups[group].sealing?.current?.keys.key(ofEphemeralFrom: log, at: timestamp, using: cryptography)
        return key.map { nonce + cryptography.seal(content[...], key: $0, nonce: nonce[...]) }
    }

    /// What an ephemeral event says; nil if that cannot be read here.
    mutating func contentOfEphemeral(_ event: Event, group: Int, _ store: any EventStore) throws(StoreError) -> [UInt8]?
    {
        guard let content = event.content, isSealedRightly(event.header, group: group) else { return nil }
        guard let rekey = event.header.rekeys.first else { return Array(content) }
        let cryptography = cryptography
        return try withKeys(of: rekey.id, group: group, store) { $0.openEphemeral(event, using: cryptography) }
    }

    /// What a stored event says; nil if it cannot be read here.
    mutating func readableContent(
        of event: Event, group: Int, _ store: any EventStore
    ) throws(StoreError) -> [UInt8]? {
        guard let rekey = event.header.rekeys.first else { return event.content.map(Array.init) }
        let cryptography = cryptography
        return try withKeys(of: rekey.id, group: group, store) { $0.open(event, using: cryptography) }.map(Array.init)
    }

    // MARK: This device's own key

    /// Whether there are groups in which this device has not said yet what shares for it are sealed to: as soon as its member may read, it does.
    var mayHaveToSayKey: Bool {
        groups.contains { $0.sealing != nil && $0.sealing?.recipients[identity.device] == nil }
    }

    mutating func saySharingKeys(_ store: any EventStore) throws(StoreError) {
        for group in groups.indices where groups[group].sealing != nil && !hasSaidKey(group: group) {
            let key = groups[group].sealing?.ownKey ?? cryptography.sharingKey(seed: sharingSeed(of: groups[group].id))
            groups[group].sealing?.ownKey = key
            guard !hasSaidKey(group: group), groups[group].state.standing(of: identity.member).role >= .reader,
                whyRemoved(group: group) == nil
            else { continue }
            _ = try write(.device(key), group: group, store)
        }
    }

    func hasSaidKey(group: Int) -> Bool {
        guard let sealing = groups[group].sealing, let key = sealing.ownKey else { return false }
        return sealing.recipients[identity.device]?.key == key
    }

    /// It follows from the device's key: a store that is made anew, or put back, can be given what the lost one had.
    package func sharingSeed(of group: GroupID) -> Bytes32 {
        cryptography.hmac(key: identity.sharingSeed, group.bytes)
    }

    // MARK: Secrets

    func secret(
        of rekey: EventID, group: Int, _ store: any EventStore
    ) throws(StoreError) -> RekeySecret? {
        guard let stored = try store.secret(of: rekey, inGroup: groups[group].record.reference) else { return nil }
        do throws(WireError) {
            return try RekeySecret(decoding: stored)
        } catch {
            throw StoreError(.corrupt, "the secret of rekey event \(rekey) is damaged")
        }
    }

    /// Does something with the keys of a secret; several of one secret are read once.
    private mutating func withKeys<Result>(
        of rekey: EventID, group: Int, _ store: any EventStore, _ body: (inout ContentKeys) -> Result?
    ) throws(StoreError) -> Result? {
        if !isLatest(rekey, group: group) {
            guard let secret = try secret(of: rekey, group: group, store) else { return nil }
            groups[group].sealing?.latest = (rekey, ContentKeys(secret))
        }
        // Taken out: what is held twice would be copied for each event.
        guard var latest = groups[group].sealing?.latest.take() else { return nil }
        defer { groups[group].sealing?.latest = latest }
        return body(&latest.keys)
    }

    /// Whether a secret that is not proven opens an event all the same: then it need not wait.
    mutating func noteWhetherReadable(_ event: Event, group: Int, _ store: any EventStore) throws(StoreError) {
        guard let rekey = unprovenSecret(of: event.header, group: group) else { return }
        let cryptography = cryptography
        var mayBeDelivered = isProven(event, group: group, by: rekey)
        if !mayBeDelivered {
            let opens = try withKeys(of: rekey, group: group, store) {
                $0.opens(event, using: cryptography) ? true : nil
            }
            mayBeDelivered = opens == true
        }
        if !mayBeDelivered { mayBeDelivered = try isKeyErased(of: event, group: group, store) }
        if mayBeDelivered { groups[group].sealing?.readable.insert(event.id) }
    }

    // In functions that change nothing, groups are looked into where they are; in others they are copied for each look.

    /// The rekey event under whose secret an event of the conversation is sealed, if something of that is here, and not proven.
    private func unprovenSecret(of header: EventHeader, group: Int) -> EventID? {
        guard let rekey = header.rekeys.first, groups[group].sealing?.unproven.contains(rekey.id) == true,
            lacksSecret(header, group: group)
        else { return nil }
        return rekey.id
    }

    private func isProven(_ event: Event, group: Int, by rekey: EventID) -> Bool {
        isLatest(rekey, group: group) && groups[group].sealing?.latest?.keys.isProven(event) == true
    }

    /// Whether an event of this batch need not wait for a secret that is proven.
    func isReadable(_ event: EventID, group: Int) -> Bool { groups[group].sealing?.readable.contains(event) == true }

    private func isLatest(_ rekey: EventID, group: Int) -> Bool { groups[group].sealing?.latest?.rekey == rekey }

    /// Whether the content's key has gone with another content: where a log is forked, what stands at one place has one key.
    private func isKeyErased(of event: Event, group: Int, _ store: any EventStore) throws(StoreError) -> Bool {
        try others(beside: event.stored(0), group: group, store).contains { other, place in
            !other.hasContent && (place.status == .delivered || place.status == .withdrawn)
        }
    }

    mutating func keep(
        _ secret: RekeySecret, of rekey: EventID, group: Int, _ store: any EventStore
    ) throws(StoreError) {
        let isClosed = groups[group].sealing?.closed.contains(rekey) == true
        let secret = isClosed ? RekeySecret(.values, values: secret.values) : secret
        try store.setSecret(secret.encoded, of: rekey, inGroup: groups[group].record.reference)
        if groups[group].sealing?.latest?.rekey == rekey { groups[group].sealing?.latest = nil }
        groups[group].sealing?.valuesOnly.remove(rekey)
        switch secret.extent {
        case .values:
            groups[group].sealing?.valuesOnly.insert(rekey)
            // There is nothing more to have.
            if isClosed { groups[group].sealing?.missing.removeAll { $0 == rekey } }
            return
        case .unproven:
            groups[group].sealing?.unproven.insert(rekey)
            return
        case .proven: break
        }
        groups[group].sealing?.unproven.remove(rekey)
        groups[group].sealing?.waitedFor.remove(rekey)
        groups[group].sealing?.handers[rekey] = nil
        groups[group].sealing?.held.insert(rekey)
        groups[group].sealing?.missing.removeAll { $0 == rekey }
        groups[group].sealing?.nextAsk[rekey] = nil
    }

    /// Takes the keys of erased contents out of what is kept: who gets hold of it cannot read a copy of them.
    ///
    /// What was shown to nobody takes none with it: whoever has no right to write is not to wear a secret out, or fork a log to have the key of
    /// what stands beside it.
    mutating func puncture(_ events: [StoredHeader], group: Int, _ store: any EventStore) throws(StoreError) {
        guard groups[group].sealing != nil else { return }
        let byRekey = Dictionary(grouping: events.filter { !$0.header.rekeys.isEmpty }) { $0.header.rekeys[0].id }
        for (rekey, events) in byRekey.sorted(by: { $0.key < $1.key }) {
            let isUnproven = groups[group].sealing?.unproven.contains(rekey) == true
            guard isUnproven || groups[group].sealing?.held.contains(rekey) == true,
                var secret = try secret(of: rekey, group: group, store)
            else { continue }
            var isChanged = false
            let places = try store.places(of: events.compactMap { key(of: $0, group: group) })
            for (event, place) in zip(events, places) where place?.status == .delivered || place?.status == .withdrawn {
                guard secret.nodes < Limits.keyNodes - secret.contents.count * TreePath.longest else { break }
                let others = try others(beside: event, group: group, store)
                guard !others.contains(where: { $0.1.status == .delivered && $0.0.hasContent }) else { continue }
                let path = ContentKeys.path(toLog: event.header.log, number: event.header.sequence, isEphemeral: false)
                for tree in secret.contents.indices { secret.contents[tree].puncture(path, using: cryptography) }
                isChanged = true
                // What has lost its key with it need not wait for it.
                if isUnproven, !others.isEmpty { groups[group].sealing?.keyless.insert(rekey) }
            }
            guard isChanged else { continue }
            try keep(secret, of: rekey, group: group, store)
            if groups[group].sealing?.current?.rekey.id == rekey { groups[group].sealing?.current = nil }
        }
    }

    /// Other events at the place of one in a log that has forked, whose contents have the same key.
    private func others(
        beside event: StoredHeader, group: Int, _ store: any EventStore
    ) throws(StoreError) -> [(StoredHeader, EventPlace)] {
        guard let log = groups[group].frontier.index(of: event.header.log),
            !groups[group].frontier.logs[log].isLinear
        else { return [] }
        let (state, sequence) = (groups[group].frontier.logs[log], event.header.sequence)
        let others = try store.headers(
            ofLog: state.reference, in: sequence...sequence, limit: Limits.endsPerLog
        ).filter { $0.id != event.id && $0.header.rekeys.first?.id == event.header.rekeys.first?.id }
        let places = try store.places(
            of: others.map { EventKey(log: state.reference, sequence: sequence, id: $0.id) })
        return zip(others, places).compactMap { other, place in place.map { (other, $0) } }
    }

    /// Delivers what waited for keys that have gone.
    mutating func releaseKeyless(_ store: any EventStore) throws(StoreError) {
        for group in groups.indices {
            while let rekeys = groups[group].sealing?.takeKeyless(), !rekeys.isEmpty {
                try release(waitersOf: rekeys.sorted(), group: group, store)
            }
        }
    }
}

extension GroupSealing {
    fileprivate mutating func takeKeyless() -> Set<EventID> {
        defer { keyless = [] }
        return keyless
    }

    fileprivate mutating func note(_ node: StateNode, of frontier: Frontier) {
        switch node.action {
        case .rekey:
            if !held.contains(node.reference.id) { missing.append(node.reference.id) }
        case .device(let key):
            guard let log = frontier.index(of: node.reference.log),
                let admission = frontier.logs[log].certificate?.admission
            else { return }
            let device = admission.device
            let place = Seniority(lamport: node.reference.lamport, id: node.reference.id)
            if let known = recipients[device], known.place > place { return }
            recipients[device] = Recipient(
                member: node.author, devices: admission.devices, key: key, place: place)
        default: break
        }
    }
}
