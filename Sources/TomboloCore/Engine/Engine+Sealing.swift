// Who can read: secrets that rekey events begin, and contents that are sealed under them (protocol §2.8).
extension Engine {
    // MARK: State

    /// What a group's state says of secrets, and which of them are here; nil if its contents are not sealed.
    static func openSealing(
        of replica: GroupReplica, _ store: any EventStore
    ) throws(StoreError) -> GroupSealing? {
        guard replica.state.policy == .private else { return nil }
        var sealing = GroupSealing(held: Set(try store.secrets(inGroup: replica.record.reference)))
        for node in replica.state.nodes { sealing.note(node, of: replica.frontier) }
        return sealing
    }

    /// To be called for each state event that was taken.
    mutating func noteSealing(_ node: StateNode, group: Int) {
        let frontier = groups[group].frontier
        groups[group].sealing?.note(node, of: frontier)
    }

    /// Whether what an event names as the secret of its content is a rekey event that is here, and its secret is not.
    func lacksSecret(_ header: EventHeader, group: Int) -> Bool {
        guard let sealing = groups[group].sealing, let rekey = header.rekeys.first, !header.kind.isState,
            !sealing.held.contains(rekey.id)
        else { return false }
        return isRekey(rekey.id, group: group)
    }

    private func isRekey(_ event: EventID, group: Int) -> Bool {
        guard let index = groups[group].state.index(of: event), case .rekey = groups[group].state.nodes[index].action
        else { return false }
        return true
    }

    /// Whether an event is sealed where it must be, and only there.
    func isSealedRightly(_ header: EventHeader, group: Int) -> Bool {
        guard groups[group].sealing != nil, !header.kind.isState, header.contentLength > 0 else {
            return header.rekeys.isEmpty
        }
        return header.rekeys.count == 1 && isRekey(header.rekeys[0].id, group: group)
    }

    // MARK: Writing

    /// Under what this device seals what it writes now: the latest rekey event whose secret it has, if every removal that it knows of
    /// comes before, and that is not too old; else a new one.
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
            guard let event = try store.events(ordinals: [node.ordinal]).first?.event, !isOld(event.timestamp) else {
                continue
            }
            try use(node.reference, begun: event.timestamp, group: group, store)
            return node.reference
        }
        return try rekey(group: group, store)
    }

    private static var rekeysLookedAt: Int { 16 }

    private func isOld(_ timestamp: Int64) -> Bool { timestamp + Int64(Limits.rekeyAge) <= Int64(clamping: now) }

    private mutating func use(
        _ rekey: EventReference, begun timestamp: Int64, group: Int, _ store: any EventStore
    ) throws(StoreError) {
        guard let secret = try secret(of: rekey.id, group: group, store) else { return }
        let current = GroupSealing.Current(
            rekey: rekey, timestamp: timestamp, states: groups[group].state.nodes.count, keys: ContentKeys(secret))
        groups[group].sealing?.current = current
    }

    /// Begins a new secret.
    private mutating func rekey(group: Int, _ store: any EventStore) throws(StoreError) -> EventReference? {
        let secret = Bytes32.random(using: &generator)
        let commitment = SecretShare.commitment(to: secret, using: cryptography)
        guard let id = try write(.rekey(commitment), group: group, store),
            let node = groups[group].state.nodes.last, node.reference.id == id
        else { return nil }
        try keep(PuncturableKey(root: secret), of: id, group: group, store)
        try use(node.reference, begun: Int64(clamping: now), group: group, store)
        return node.reference
    }

    /// Seals a content that this device writes under the rekey event that was chosen.
    mutating func seal(
        _ content: [UInt8], for log: LogID, sequence: UInt64, nonce: Bytes, group: Int
    ) -> [UInt8]? {
        groups[group].sealing?.current?.keys.key(ofLog: log, sequence: sequence, using: cryptography).map {
            cryptography.seal(content[...], key: $0, nonce: nonce)
        }
    }

    /// The same for what is not kept: nonce ‖ sealed.
    mutating func sealEphemeral(_ content: [UInt8], from log: LogID, at timestamp: Int64, group: Int) -> [UInt8]? {
        let nonce = [UInt8].random(12, using: &generator)
        let key = groups[group].sealing?.current?.keys.key(ofEphemeralFrom: log, at: timestamp, using: cryptography)
        return key.map { nonce + cryptography.seal(content[...], key: $0, nonce: nonce[...]) }
    }

    /// What an ephemeral event says; nil if that cannot be read here.
    func contentOfEphemeral(_ event: Event, group: Int, _ store: any EventStore) throws(StoreError) -> [UInt8]? {
        guard let content = event.content, isSealedRightly(event.header, group: group) else { return nil }
        guard let rekey = event.header.rekeys.first else { return Array(content) }
        guard let secret = try secret(of: rekey.id, group: group, store) else { return nil }
        var keys = ContentKeys(secret)
        let key = keys.key(ofEphemeralFrom: event.log, at: event.timestamp, using: cryptography)
        return key.flatMap { cryptography.open(content.dropFirst(12), key: $0, nonce: content.prefix(12)) }
    }

    // MARK: This device's own key

    /// Whether there are groups in which this device has not said yet what shares for it are sealed to: as soon as its member may read, it does.
    var mayHaveToSayKey: Bool {
        groups.contains { $0.sealing != nil && $0.sealing?.recipients[identity.device] == nil }
    }

    mutating func saySharingKeys(_ store: any EventStore) throws(StoreError) {
        for group in groups.indices where groups[group].sealing != nil && !hasSaidKey(group: group) {
            let key = groups[group].sealing?.ownKey ?? cryptography.sharingKey(seed: sharingSeed(group: group))
            groups[group].sealing?.ownKey = key
            guard !hasSaidKey(group: group), groups[group].state.standing(of: identity.member).role >= .reader else {
                continue
            }
            _ = try write(.device(key), group: group, store)
        }
    }

    private func hasSaidKey(group: Int) -> Bool {
        guard let sealing = groups[group].sealing, let key = sealing.ownKey else { return false }
        return sealing.recipients[identity.device]?.key == key
    }

    /// It follows from the device's key: a store that is made anew, or put back, can be given what the lost one had.
    private func sharingSeed(group: Int) -> Bytes32 {
        cryptography.hmac(key: identity.sharingSeed, groups[group].id.bytes)
    }

    // MARK: Secrets

    private func secret(
        of rekey: EventID, group: Int, _ store: any EventStore
    ) throws(StoreError) -> PuncturableKey? {
        guard let stored = try store.secret(of: rekey, inGroup: groups[group].record.reference) else { return nil }
        do throws(WireError) {
            return try PuncturableKey(decoding: stored[...])
        } catch {
            throw StoreError(.corrupt, "the secret of rekey event \(rekey) is damaged")
        }
    }

    private mutating func keep(
        _ secret: PuncturableKey, of rekey: EventID, group: Int, _ store: any EventStore
    ) throws(StoreError) {
        try store.setSecret(secret.encoded, of: rekey, inGroup: groups[group].record.reference)
        groups[group].sealing?.held.insert(rekey)
        groups[group].sealing?.missing.removeAll { $0 == rekey }
        groups[group].sealing?.nextAsk[rekey] = nil
    }

    /// Takes the keys of erased contents out of what is kept: who gets hold of it cannot read a copy of them.
    mutating func puncture(_ events: [StoredHeader], group: Int, _ store: any EventStore) throws(StoreError) {
        guard groups[group].sealing != nil else { return }
        let byRekey = Dictionary(grouping: events.filter { !$0.header.rekeys.isEmpty }) { $0.header.rekeys[0].id }
        for (rekey, events) in byRekey.sorted(by: { $0.key < $1.key }) {
            guard var secret = try secret(of: rekey, group: group, store) else { continue }
            for event in events {
                let path = ContentKeys.path(toLog: event.header.log, number: event.header.sequence, isEphemeral: false)
                secret.puncture(path, using: cryptography)
            }
            try keep(secret, of: rekey, group: group, store)
            if groups[group].sealing?.current?.rekey.id == rekey { groups[group].sealing?.current = nil }
        }
    }

    // MARK: Shares

    /// Asks a peer for secrets that are missing; one peer at a time, and each once in a session.
    mutating func askForSecrets(_ group: Int, session index: Int) {
        let number = sessions[index].groups[group].group
        sessions[index].groups[group].nextAsk = nil
        guard let sealing = groups[number].sealing, !sealing.missing.isEmpty, hasSaidKey(group: number) else { return }
        var wanted: [UInt8] = []
        for rekey in sealing.missing where !sessions[index].groups[group].askedSecrets.contains(rekey) {
            guard wanted.count < 32 * Self.secretsAtOnce else { break }
            let time = sealing.nextAsk[rekey] ?? 0
            guard now >= time else {
                sessions[index].groups[group].nextAsk = min(sessions[index].groups[group].nextAsk ?? time, time)
                continue
            }
            groups[number].sealing?.nextAsk[rekey] = now + Self.patienceForSecrets
            sessions[index].groups[group].askedSecrets.insert(rekey)
            sessions[index].groups[group].awaitedSecrets.insert(rekey)
            wanted += rekey.bytes
        }
        guard !wanted.isEmpty else { return }
        var sync = GroupSync(number: number)
        sync.secretsWanted = wanted[...]
        send(sync, to: index)
    }

    /// Whoever this peer was asked in place of may be asked.
    mutating func askOthersForSecrets(_ rekeys: Set<EventID>, group: Int) {
        for rekey in rekeys { groups[group].sealing?.nextAsk[rekey] = nil }
    }

    /// Secrets that one payload asks for.
    private static var secretsAtOnce: Int { 256 }
    /// Milliseconds before another peer is asked for what one was asked for.
    private static var patienceForSecrets: UInt64 { 1_000 }

    mutating func receiveSecretsWanted(_ bytes: Bytes, _ group: Int, session index: Int) throws {
        var reader = WireReader(bytes)
        while !reader.isAtEnd {
            guard sessions[index].groups[group].wantedSecrets.count < Limits.wantedSecrets else {
                throw WireError.tooLarge("secrets wanted", limit: Limits.wantedSecrets)
            }
            sessions[index].groups[group].wantedSecrets.append(EventID(try reader.bytes32()))
        }
    }

    /// Hands a peer the secrets that it asked for, as soon as they are here and it is known to be a member's device.
    mutating func shareSecrets(_ group: Int, session index: Int, _ store: any EventStore) throws(StoreError) {
        let number = sessions[index].groups[group].group
        let wanted = sessions[index].groups[group].wantedSecrets
        guard !wanted.isEmpty, let sealing = groups[number].sealing,
            let recipient = sealing.recipients[sessions[index].link.peer],
            groups[number].state.standing(of: recipient.member).role >= .reader
        else { return }
        sessions[index].groups[group].wantedSecrets = wanted.filter { !sealing.held.contains($0) }
        sessions[index].groups[group].declinedSecrets.subtract(sealing.held)
        for rekey in wanted where sealing.held.contains(rekey) {
            guard let secret = try secret(of: rekey, group: number, store) else { continue }
            for part in SecretShare.parts(of: secret) {
                let info = SecretShare.info(rekey, in: groups[number].id)
                guard let sealed = cryptography.seal(part, to: recipient.key, info: info) else { return }
                var sync = GroupSync(number: number)
                sync.share = (rekey.bytes + sealed)[...]
                send(sync, to: index)
            }
        }
    }

    /// Tells a peer, once everything that it has said is here, what it is not handed: it may ask others.
    mutating func declineSecrets(_ group: Int, session index: Int) {
        let declined = sessions[index].groups[group].declinedSecrets
        for rekey in sessions[index].groups[group].wantedSecrets where !declined.contains(rekey) {
            sessions[index].groups[group].declinedSecrets.insert(rekey)
            var sync = GroupSync(number: sessions[index].groups[group].group)
            sync.share = rekey.bytes[...]
            send(sync, to: index)
        }
    }

    mutating func receiveShare(_ bytes: Bytes, _ group: Int, session index: Int, _ store: any EventStore) throws {
        let number = sessions[index].groups[group].group
        var reader = WireReader(bytes)
        let rekey = EventID(try reader.bytes32())
        if reader.isAtEnd {
            sessions[index].groups[group].awaitedSecrets.remove(rekey)
            return askOthersForSecrets([rekey], group: number)
        }
        guard let node = groups[number].state.index(of: rekey),
            case .rekey(let commitment) = groups[number].state.nodes[node].action,
            groups[number].sealing?.missing.contains(rekey) == true
        else {
            // Another peer was faster.
            sessions[index].groups[group].awaitedSecrets.remove(rekey)
            return
        }
        let info = SecretShare.info(rekey, in: groups[number].id)
        guard let text = cryptography.open(reader.rest(), seed: sharingSeed(group: number), info: info) else {
            throw EngineError.protocolViolation("a share that is not sealed to this device")
        }
        var parts = WireReader(text[...])
        let isLast = try parts.byte() == 1
        var secret = sessions[index].groups[group].partialSecret.flatMap { $0.rekey == rekey ? $0.key : nil }
        if secret == nil {
            secret = try PuncturableKey(decoding: parts.rest())
        } else {
            try secret?.append(decoding: parts.rest())
        }
        guard let secret else { return }
        sessions[index].groups[group].partialSecret = isLast ? nil : (rekey, secret)
        guard isLast else { return }
        sessions[index].groups[group].awaitedSecrets.remove(rekey)
        if let root = secret.root {
            guard SecretShare.commitment(to: root, using: cryptography) == commitment else {
                throw EngineError.protocolViolation("a share that is not of the secret that the rekey event began")
            }
        } else if !(try opensWhatWaits(secret, rekey, group: number, store)) {
            return askOthersForSecrets([rekey], group: number)
        }
        try keep(secret, of: rekey, group: number, store)
        var delivered: [StoredHeader] = []
        try release(waitersOf: [rekey], group: number, &delivered, store)
        try moveHeads(delivered: delivered, group: number, store)
        if !delivered.isEmpty { noteChanged(groups[number].id) }
    }

    /// What was punctured cannot be held against the rekey event: it is believed if it opens something that waits for it.
    private mutating func opensWhatWaits(
        _ secret: PuncturableKey, _ rekey: EventID, group: Int, _ store: any EventStore
    ) throws(StoreError) -> Bool {
        let reference = groups[group].record.reference
        let waiting = try store.takeWaiting(for: [rekey], inGroup: reference)
        try store.addWaiting(waiting.map { (rekey, $0) }, inGroup: reference)
        var keys = ContentKeys(secret)
        for stored in try store.events(ordinals: Array(waiting.prefix(Self.proofs))) {
            guard let content = stored.event.content, let salt = stored.event.salt,
                let key = keys.key(ofLog: stored.event.log, sequence: stored.event.sequence, using: cryptography)
            else { continue }
            if cryptography.open(content, key: key, nonce: salt.prefix(12)) != nil { return true }
        }
        return false
    }

    private static var proofs: Int { 64 }
}

extension GroupSealing {
    fileprivate mutating func note(_ node: StateNode, of frontier: Frontier) {
        switch node.action {
        case .rekey:
            if !held.contains(node.reference.id) { missing.append(node.reference.id) }
        case .device(let key):
            guard let log = frontier.index(of: node.reference.log),
                let device = frontier.logs[log].certificate?.device
            else { return }
            let place = Seniority(lamport: node.reference.lamport, id: node.reference.id)
            if let known = recipients[device], known.place > place { return }
            recipients[device] = Recipient(member: node.author, key: key, place: place)
        default: break
        }
    }
}
