// Secrets that are handed from device to device (protocol §5.7).
extension Engine {
    /// Asks a peer for secrets that are missing; one peer at a time, and each once in a session.
    mutating func askForSecrets(_ group: Int, session index: Int) {
        let number = sessions[index].groups[group].group
        sessions[index].groups[group].nextAsk = nil
        askAgainForSecrets(group, session: index)
        guard let sealing = groups[number].sealing, !sealing.missing.isEmpty, hasSaidKey(group: number),
            !sessions[index].groups[group].peerOnlyTakes
        else { return }
        let wasAwaiting = !sessions[index].groups[group].awaitedSecrets.isEmpty
        var wanted: [UInt8] = []
        // Whoever begins secrets without end is not to keep others from agreeing.
        let latest = sealing.missing.suffix(Self.secretsAtOnce)
        let waitedFor = sealing.waitedFor.subtracting(latest).sorted().prefix(Limits.wantedSecrets / 2)
        let peer = sessions[index].link.peer
        for rekey in latest + waitedFor where !sessions[index].groups[group].askedSecrets.contains(rekey) {
            if sealing.handers[rekey]?.contains(peer) == true { continue }
            guard wanted.count < 32 * Self.secretsAtOnce,
                sessions[index].groups[group].askedSecrets.count < Limits.wantedSecrets
            else { break }
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
        let deadline =
            now
            + Self.mismatchDelay(
                afterRepairs: Self.patienceDoublings + sessions[index].groups[group].unansweredSecrets)
        if !wasAwaiting { sessions[index].groups[group].secretsDeadline = deadline }
        sessions[index].groups[group].nextAsk = min(sessions[index].groups[group].nextAsk ?? deadline, deadline)
        var sync = GroupSync(number: number)
        sync.secretsWanted = wanted[...]
        send(sync, to: index)
    }

    /// What a peer was asked for and does not answer for 32 s, it is asked for once more, each time after twice as long: it may never have
    /// heard of it.
    private mutating func askAgainForSecrets(_ group: Int, session index: Int) {
        guard !sessions[index].groups[group].awaitedSecrets.isEmpty else { return }
        let deadline = sessions[index].groups[group].secretsDeadline
        guard now >= deadline else { return sessions[index].groups[group].nextAsk = deadline }
        let awaited = sessions[index].groups[group].awaitedSecrets
        sessions[index].groups[group].awaitedSecrets = []
        sessions[index].groups[group].askedSecrets.subtract(awaited)
        sessions[index].groups[group].unansweredSecrets += 1
        askOthersForSecrets(awaited, group: sessions[index].groups[group].group)
    }

    /// What one peer was asked for, others may be asked for at once.
    mutating func askOthersForSecrets(_ rekeys: Set<EventID>, group: Int) {
        for rekey in rekeys { groups[group].sealing?.nextAsk[rekey] = nil }
    }

    /// Secrets that one payload asks for.
    private static var secretsAtOnce: Int { 256 }
    /// 2 s, doubled so often: 32 s.
    private static var patienceDoublings: Int { 4 }
    /// Milliseconds before another peer is asked for what one was asked for.
    private static var patienceForSecrets: UInt64 { 1_000 }

    /// Each is handed once in a session; who asks for more than there can be of use is not answered.
    mutating func receiveSecretsWanted(_ bytes: Bytes, _ group: Int, session index: Int) throws {
        var reader = WireReader(bytes)
        while !reader.isAtEnd {
            let rekey = EventID(try reader.bytes32())
            guard sessions[index].groups[group].wantedSecrets.count < Limits.wantedSecrets,
                !sessions[index].groups[group].handedSecrets.contains(rekey)
            else { continue }
            sessions[index].groups[group].wantedSecrets.insert(rekey)
            // Who asks again has not heard that it was declined.
            sessions[index].groups[group].declinedSecrets.remove(rekey)
        }
    }

    /// Hands a peer the secrets that it asked for, as soon as they are here and it is known to be a member's device.
    mutating func shareSecrets(_ group: Int, session index: Int, _ store: any EventStore) throws(StoreError) {
        let wanted = sessions[index].groups[group].wantedSecrets
        let number = sessions[index].groups[group].group
        guard !wanted.isEmpty, let sealing = groups[number].sealing,
            let recipient = recipient(group, session: index)
        else { return }
        // What is not proven opens what it opens there, too: those who had it whole may be gone.
        var here = sealing.held.union(sealing.unproven)
        // Where there is no more than the values key, it is handed to who is to have no more.
        for rekey in wanted.intersection(sealing.valuesOnly)
        where !groups[number].state.isOpen(rekey, to: recipient.member) { here.insert(rekey) }
        sessions[index].groups[group].wantedSecrets.subtract(here)
        sessions[index].groups[group].declinedSecrets.subtract(here)
        for rekey in wanted.sorted() where here.contains(rekey) {
            guard let secret = try secret(of: rekey, group: number, store) else { continue }
            sessions[index].groups[group].handedSecrets.insert(rekey)
            hand(secret, of: rekey, to: recipient, group, session: index)
        }
    }

    /// Hands a peer the secrets of rekey events that it is about to be sent: what is sealed under them need not wait there.
    mutating func shareSecrets(
        of window: Window, _ group: Int, session index: Int, _ store: any EventStore
    ) throws(StoreError) {
        let number = sessions[index].groups[group].group
        guard groups[number].sealing != nil, let recipient = recipient(group, session: index) else { return }
        for planned in window.events where planned.event.kind == .rekey {
            // What was punctured is taken only by who has asked for it.
            guard groups[number].sealing?.held.contains(planned.event.id) == true,
                let secret = try secret(of: planned.event.id, group: number, store), secret.contents.first?.root != nil
            else { continue }
            hand(secret, of: planned.event.id, to: recipient, group, session: index)
        }
    }

    /// The member whose device a peer is, and what shares for it are sealed to, if that member may read.
    private func recipient(_ group: Int, session index: Int) -> GroupSealing.Recipient? {
        guard sessions[index].groups[group].visibility == .shared else { return nil }
        let number = sessions[index].groups[group].group
        let known = groups[number].sealing?.recipients[sessions[index].link.peer]
        let joiner = sessions[index].joiner.flatMap { $0.group == groups[number].id ? $0.recipient : nil }
        return (known ?? joiner).flatMap { mayRead($0, group: number) ? $0 : nil }
    }

    /// Whether a device may be handed secrets: it is one of somebody who may read.
    func mayRead(_ device: GroupSealing.Recipient, group: Int) -> Bool {
        groups[group].state.standing(of: device.member).role >= .reader
            && !isRemoved(device.devices, of: device.member, group: group)
            // Nobody else is in the group of this member's devices, whatever one of them has said there.
            && (groups[group].id != identity.ownGroup || device.member == identity.member)
    }

    private mutating func hand(
        _ secret: RekeySecret, of rekey: EventID, to recipient: GroupSealing.Recipient, _ group: Int, session index: Int
    ) {
        let number = sessions[index].groups[group].group
        for part in seal(secret, of: rekey, to: recipient.member, key: recipient.key, group: number) {
            var sync = GroupSync(number: number)
            sync.share = (rekey.bytes + part)[...]
            send(sync, to: index)
        }
    }

    /// Seals a secret to a key of a member's device, or the values key alone where the rest is not for the member: part by part.
    mutating func seal(
        _ secret: RekeySecret, of rekey: EventID, to member: MemberKey, key: Bytes32, group: Int
    ) -> [[UInt8]] {
        let info = SecretShare.info(rekey, in: groups[group].id)
        let isOpen = groups[group].state.isOpen(rekey, to: member)
        // The key is none, or that of all parts.
        return SecretShare.parts(of: secret, withContents: isOpen).compactMap {
            cryptography.seal($0.encoded, to: key, info: info)
        }
    }

    /// - Throws: `WireError` if it is none; `EngineError` if it is not sealed to what the seed makes.
    func openShare(_ sealed: Bytes, of rekey: EventID, seed: Bytes32, group: Int) throws -> SecretShare {
        let id = groups[group].id
        let info = SecretShare.info(rekey, in: id)
        guard let text = cryptography.open(sealed, seed: seed, info: info) else {
            throw EngineError.protocolViolation("a share that is not sealed to this device")
        }
        return try SecretShare(decoding: text)
    }

    /// Tells a peer, once everything that it has said is here, what it is not handed: it may ask others.
    mutating func declineSecrets(_ group: Int, session index: Int) {
        let declined = sessions[index].groups[group].declinedSecrets
        for rekey in sessions[index].groups[group].wantedSecrets.sorted() where !declined.contains(rekey) {
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
        guard let sealing = groups[number].sealing, !sealing.held.contains(rekey) else {
            // Another peer was faster.
            sessions[index].groups[group].awaitedSecrets.remove(rekey)
            return
        }
        let seed = sharingSeed(of: groups[number].id)
        let part = try openShare(reader.rest(), of: rekey, seed: seed, group: number)
        let begun = sessions[index].groups[group].partialSecret.take().flatMap { $0.rekey == rekey ? $0.secret : nil }
        // What was punctured is taken only by who has asked for it, be it that the peer had declined at first: else its parts are passed over.
        let isAsked = sessions[index].groups[group].askedSecrets.contains(rekey)
        guard isAsked || begun != nil || part.isOnlyPart else { return }
        let secret = try RekeySecret(part, after: begun, using: cryptography)
        guard isAsked || secret.extent != .unproven else { return }
        guard part.isLast else {
            sessions[index].groups[group].partialSecret = (rekey, secret)
            return
        }
        sessions[index].groups[group].awaitedSecrets.remove(rekey)
        try take(secret, of: rekey, group, session: index, store)
    }

    private mutating func take(
        _ secret: RekeySecret, of rekey: EventID, _ group: Int, session index: Int, _ store: any EventStore
    ) throws {
        let number = sessions[index].groups[group].group
        guard groups[number].state.index(of: rekey) != nil else {
            if secret.extent != .unproven, sessions[index].groups[group].earlySecrets.count < Limits.earlySecrets {
                sessions[index].groups[group].earlySecrets[rekey] = secret
            }
            return
        }
        guard begins(rekey, secret, group: number) else {
            throw EngineError.protocolViolation("a share that is not of the secret that the rekey event began")
        }
        // Others may have it whole, or have lost less of it.
        if secret.extent != .proven {
            askOthersForSecrets([rekey], group: number)
            let isClosed = groups[number].sealing?.closed.contains(rekey) == true
            if !isClosed, groups[number].sealing?.handers[rekey]?.count ?? 0 < Limits.secretHanders {
                groups[number].sealing?.handers[rekey, default: []].insert(sessions[index].link.peer)
            }
        }
        try take(secret, of: rekey, group: number, store)
    }

    /// Takes a secret that its rekey event has begun, if it is more than what is here.
    mutating func take(
        _ secret: RekeySecret, of rekey: EventID, group: Int, _ store: any EventStore
    ) throws(StoreError) {
        var secret = secret
        if groups[group].sealing?.unproven.contains(rekey) == true {
            switch secret.extent {
            case .proven: break
            case .unproven:
                guard try opensWhatWaits(secret, rekey, group: group, store), let tree = secret.contents.first,
                    let known = try self.secret(of: rekey, group: group, store)
                else { return }
                secret = known.adding(tree)
            case .values: return
            }
        }
        try keep(secret, of: rekey, group: group, store)
        try release(waitersOf: [rekey], group: group, store)
    }

    /// Whether it is a rekey event that has begun this secret.
    func begins(_ rekey: EventID, _ secret: RekeySecret, group: Int) -> Bool {
        guard let index = groups[group].state.index(of: rekey) else { return false }
        return groups[group].state.nodes[index].begins(secret, using: cryptography)
    }

    /// Takes the secret of a rekey event that came before it.
    mutating func takeEarlySecret(of node: StateNode, group: Int, _ store: any EventStore) throws(StoreError) {
        guard case .rekey = node.action, groups[group].sealing?.held.contains(node.reference.id) == false else {
            return
        }
        for index in sessions.indices {
            for number in sessions[index].groups.indices where sessions[index].groups[number].group == group {
                guard let secret = sessions[index].groups[number].earlySecrets.removeValue(forKey: node.reference.id),
                    node.begins(secret, using: cryptography)
                else { continue }
                try keep(secret, of: node.reference.id, group: group, store)
                if secret.extent == .proven { return }
            }
        }
    }

    /// Whether a secret opens something that the one which is here does not.
    private mutating func opensWhatWaits(
        _ secret: RekeySecret, _ rekey: EventID, group: Int, _ store: any EventStore
    ) throws(StoreError) -> Bool {
        let reference = groups[group].record.reference
        let waiting = try store.takeWaiting(for: [rekey], inGroup: reference)
        try store.addWaiting(waiting.map { (rekey, $0) }, inGroup: reference)
        var keys = ContentKeys(secret)
        for stored in try store.events(ordinals: Array(waiting.prefix(Self.proofs))) {
            if keys.open(stored.event, using: cryptography) != nil { return true }
        }
        return false
    }

    private static var proofs: Int { 64 }
}

extension StateNode {
    /// Whether it is a rekey event that begins this secret.
    fileprivate func begins(_ secret: RekeySecret, using cryptography: some Cryptography) -> Bool {
        guard case .rekey(let commitment) = action else { return false }
        return secret.commitment(using: cryptography) == commitment
    }
}

extension RekeySecret {
    /// What was handed over up to a part.
    ///
    /// - Parameter begun: what the parts before it have come to; nil for the first.
    init(
        _ part: SecretShare, after begun: RekeySecret?, using cryptography: some Cryptography
    ) throws(WireError) {
        var contents = begun?.contents ?? []
        if !part.nodes.isEmpty {
            if contents.isEmpty {
                contents = [try PuncturableKey(decoding: part.nodes)]
            } else {
                try contents[0].append(decoding: part.nodes)
            }
        }
        if let root = contents.first?.root {
            self.init(root: root, using: cryptography)
        } else if let values = part.values ?? begun?.values {
            self.init(contents.isEmpty ? .values : .unproven, values: values, contents: contents)
        } else {
            throw .invalid("a share without its values key", offset: 0)
        }
    }
}
