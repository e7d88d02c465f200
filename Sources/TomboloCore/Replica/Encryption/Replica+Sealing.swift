// Encrypting contents, and decrypting them (protocol 2.8).
extension Replica {
    /// Notes a state event that was inserted. A secret that came before its rekey event is stored now.
    mutating func noteSecrets(
        of node: StateNode, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        guard secrets != nil else { return }
        secrets?.note(node, of: frontier)
        guard case .rekey = node.action else { return }
        let rekey = node.reference.id
        if !state.isOpen(rekey, to: batch.identity.member) { secrets?.closed.insert(rekey) }
        guard secrets?.held.contains(rekey) == false else { return }
        for secret in secrets?.early.remove(rekey) ?? []
        where secrets?.held.contains(rekey) == false && node.begins(secret, using: batch.cryptography) {
            try store(secret, of: rekey, in: batch.store)
        }
    }

    /// Whether an event names a held rekey event without a secret in the store.
    func lacksSecret(_ header: EventHeader) -> Bool {
        guard let rekey = header.rekeys.first, !header.kind.isState, secrets?.held.contains(rekey.id) == false
        else { return false }
        return isRekey(rekey.id)
    }

    /// Whether an event of the conversation is sealed under a secret that is not for this device's member. Such an
    /// event is held back here for good.
    func isPassedOver(_ header: EventHeader) -> Bool {
        guard let rekey = header.rekeys.first, secrets?.closed.isEmpty == false else { return false }
        return secrets?.closed.contains(rekey.id) == true
    }

    private func isRekey(_ event: EventID) -> Bool {
        guard let index = state.index(of: event), case .rekey = state.nodes[index].action else { return false }
        return true
    }

    /// Whether an event of the conversation is sealed where it must be, and only there.
    func isSealedCorrectly(_ header: EventHeader) -> Bool { isSealed(header, if: header.contentLength > 0) }

    /// The same for a state event: the value of a key is sealed.
    func isSealedCorrectly(_ action: StateAction, _ header: EventHeader) -> Bool {
        isSealed(header, if: action.isSealable)
    }

    private func isSealed(_ header: EventHeader, if mustBe: Bool) -> Bool {
        guard header.isUnderstood else { return true }
        guard secrets != nil, mustBe else { return header.rekeys.isEmpty }
        return header.rekeys.count == 1 && isRekey(header.rekeys[0].id)
    }

    // MARK: Sealing

    /// Chooses the secret that this device seals under now: the latest whose rekey event states the exclusions known here,
    /// that is not too old, and that is held. Else it begins a new one.
    ///
    /// - Returns: nil where contents are not sealed, or if no rekey event could be written.
    mutating func chooseRekey(in batch: inout Batch<some Cryptography>) throws(StoreError) -> EventReference? {
        guard secrets != nil else { return nil }
        if let current = secrets?.current, current.states == state.nodes.count,
            !isOld(current.timestamp, now: batch.now)
        {
            return current.rekey
        }
        let candidates = state.rekeys(stating: exclusionsDigest(using: batch.cryptography))
        for node in candidates.prefix(Self.rekeyCandidates)
        where secrets?.held.contains(node.reference.id) == true {
            guard state.isOpenToAll(node.reference.id) else { continue }
            guard let event = try batch.store.events(ordinals: [node.ordinal]).first?.event,
                !isOld(event.timestamp, now: batch.now)
            else { continue }
            guard try use(node.reference, begun: event.timestamp, in: batch.store) else { continue }
            return node.reference
        }
        return try beginSecret(in: &batch)
    }

    private static var rekeyCandidates: Int { 16 }

    private func isOld(_ timestamp: Int64, now: UInt64) -> Bool {
        timestamp + Int64(Limits.rekeyAge) <= Int64(clamping: now)
    }

    /// Makes a secret the current one.
    ///
    /// - Returns: false if too much of it was punctured.
    private mutating func use(
        _ rekey: EventReference, begun timestamp: Int64, in store: any EventStore
    ) throws(StoreError) -> Bool {
        guard let secret = try secret(of: rekey.id, in: store), secret.nodes <= Limits.sealingNodes else {
            return false
        }
        secrets?.current = GroupSecrets.Current(
            rekey: rekey, timestamp: timestamp, states: state.nodes.count, keys: ContentKeys(secret))
        return true
    }

    private mutating func beginSecret(
        in batch: inout Batch<some Cryptography>
    ) throws(StoreError) -> EventReference? {
        let secret = RekeySecret(root: .random(using: &batch.generator), using: batch.cryptography)
        let known = state.policy.sharesHistory ? [] : Array(state.knownRoleChanges.prefix(Limits.keptLogs))
        let rekey = Rekey(
            commitment: secret.commitment(using: batch.cryptography),
            exclusions: exclusionsDigest(using: batch.cryptography), known: known)
        guard let id = try write(.rekey(rekey), in: &batch), let node = state.nodes.last, node.reference.id == id else {
            return nil
        }
        try store(secret, of: id, in: batch.store)
        guard try use(node.reference, begun: Int64(clamping: batch.now), in: batch.store) else { return nil }
        return node.reference
    }

    /// The digest of the exclusions that this device knows: what a rekey event states whose secret it writes under.
    private func exclusionsDigest(using cryptography: some Cryptography) -> Bytes32 {
        cryptography.sha256(Array("tombolo-exclusions-1".utf8) + state.exclusions.flatMap(\.bytes))
    }

    /// Closes and opens secrets after role changes of this device's member that their authors had known.
    mutating func reviewClosedSecrets(in batch: inout Batch<some Cryptography>) throws(StoreError) {
        guard secrets != nil, !state.policy.sharesHistory else { return }
        let seen = state.countOfRoleChanges(of: batch.identity.member)
        guard secrets?.reviewed != seen else { return }
        secrets?.reviewed = seen
        let closed = Set(state.rekeyEvents.filter { !state.isOpen($0, to: batch.identity.member) })
        let changed = closed.symmetricDifference(secrets?.closed ?? [])
        guard !changed.isEmpty else { return }
        secrets?.closed = closed
        try release(waitersOf: changed.sorted(), in: &batch)
    }

    /// Encrypts a content, or a value, under the current secret; nil if its key was punctured.
    mutating func seal(
        _ content: [UInt8], _ kind: EventKind, for log: LogID, sequence: UInt64, nonce: Bytes,
        using cryptography: some Cryptography
    ) -> [UInt8]? {
        let key =
            kind.isState
            ? secrets?.current?.keys.key(ofValueIn: log, sequence: sequence, using: cryptography)
            : secrets?.current?.keys.key(ofLog: log, sequence: sequence, using: cryptography)
        return key.map { cryptography.seal(content[...], key: $0, nonce: nonce) }
    }

    /// Seals an ephemeral content: nonce ‖ ciphertext.
    mutating func sealEphemeral(
        _ content: [UInt8], from log: LogID, at timestamp: Int64, in batch: inout Batch<some Cryptography>
    ) -> [UInt8]? {
        let nonce = [UInt8].random(12, using: &batch.generator)
        let key = secrets?.current?.keys.key(ofEphemeralFrom: log, at: timestamp, using: batch.cryptography)
        return key.map { nonce + batch.cryptography.seal(content[...], key: $0, nonce: nonce[...]) }
    }

    // MARK: Reading

    /// The content of an ephemeral event; nil if it cannot be read here.
    mutating func contentOfEphemeral(
        _ event: Event, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) -> [UInt8]? {
        guard let content = event.content, isSealedCorrectly(event.header) else { return nil }
        guard let rekey = event.header.rekeys.first else { return Array(content) }
        let cryptography = batch.cryptography
        return try withKeys(of: rekey.id, in: batch.store) { $0.openEphemeral(event, using: cryptography) }
    }

    /// The content of a stored event; nil if it cannot be read here.
    mutating func readableContent(
        of event: Event, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) -> [UInt8]? {
        guard let rekey = event.header.rekeys.first else { return event.content.map(Array.init) }
        let cryptography = batch.cryptography
        return try withKeys(of: rekey.id, in: batch.store) { $0.open(event, using: cryptography) }.map(Array.init)
    }

    /// Loads a secret from the store; nil if the store has nothing of it.
    func secret(of rekey: EventID, in store: any EventStore) throws(StoreError) -> RekeySecret? {
        guard let stored = try store.secret(of: rekey, inGroup: record.reference) else { return nil }
        do throws(WireError) {
            return try RekeySecret(decoding: stored)
        } catch {
            throw StoreError(.corrupt, "the secret of rekey event \(rekey) is damaged")
        }
    }

    /// Uses the keys of a secret, which is loaded once for several events in a row.
    private mutating func withKeys<Result>(
        of rekey: EventID, in store: any EventStore, _ body: (inout ContentKeys) -> Result?
    ) throws(StoreError) -> Result? {
        if secrets?.latest?.rekey != rekey {
            guard let secret = try secret(of: rekey, in: store) else { return nil }
            secrets?.latest = (rekey, ContentKeys(secret))
        }
        // Taken out: two references to the keys would cost a copy for each event.
        guard var latest = secrets?.latest.take() else { return nil }
        defer { secrets?.latest = latest }
        return body(&latest.keys)
    }

    /// Notes an event that need not wait for a proven secret: an unproven one decrypts it, or its key was punctured.
    mutating func noteWhetherReadable(
        _ event: Event, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        guard let rekey = event.header.rekeys.first?.id, secrets?.unproven.contains(rekey) == true,
            lacksSecret(event.header)
        else { return }
        let cryptography = batch.cryptography
        var mayBeDelivered = secrets?.latest?.rekey == rekey && secrets?.latest?.keys.isProven(event) == true
        if !mayBeDelivered {
            let opens = try withKeys(of: rekey, in: batch.store) { $0.opens(event, using: cryptography) ? true : nil }
            mayBeDelivered = opens == true
        }
        if !mayBeDelivered { mayBeDelivered = try isKeyErased(of: event, in: batch.store) }
        if mayBeDelivered { secrets?.readable.insert(event.id) }
    }

    /// Whether an event of this batch need not wait for a proven secret.
    func isReadable(_ event: EventID) -> Bool { secrets?.readable.contains(event) == true }

    /// Whether the key was punctured with another content: all events at one place of a forked log have one key.
    private func isKeyErased(of event: Event, in store: any EventStore) throws(StoreError) -> Bool {
        try others(beside: event.stored(0), in: store).contains { other, place in
            !other.hasContent && (place.status == .delivered || place.status == .withdrawn)
        }
    }

    /// Stores a secret, as far as it is for this device's member.
    mutating func store(
        _ secret: RekeySecret, of rekey: EventID, in store: any EventStore
    ) throws(StoreError) {
        let isClosed = secrets?.closed.contains(rekey) == true
        let secret = isClosed ? RekeySecret(.values, values: secret.values) : secret
        try store.setSecret(secret.encoded, of: rekey, inGroup: record.reference)
        secrets?.note(stored: secret.extent, of: rekey)
    }

    // MARK: This device's key

    /// Whether this device has not stated the key that secrets for it are sealed to.
    func mayHaveToStateKey(_ identity: Identity<some Cryptography>) -> Bool {
        secrets != nil && secrets?.recipients[identity.device] == nil
    }

    /// States the key that secrets for this device are sealed to, as soon as its member may read.
    mutating func stateSharingKey(in batch: inout Batch<some Cryptography>) throws(StoreError) {
        guard secrets != nil, !hasStatedKey(of: batch.identity.device) else { return }
        let key = secrets?.ownKey ?? batch.cryptography.sharingKey(seed: batch.sharingSeed(of: id))
        secrets?.ownKey = key
        guard !hasStatedKey(of: batch.identity.device), state.standing(of: batch.identity.member).role >= .reader,
            refusalOfDevice(batch.identity) == nil
        else { return }
        _ = try write(.device(key), in: &batch)
    }

    /// - Parameter device: this device.
    func hasStatedKey(of device: DeviceKey) -> Bool {
        guard let key = secrets?.ownKey else { return false }
        return secrets?.recipients[device]?.key == key
    }
}

extension Batch {
    /// The seed of the key to which peers encrypt secrets of a group for this device.
    ///
    /// It follows from the device's key. So a device that has lost its store can be sent the same secrets again.
    func sharingSeed(of group: GroupID) -> Bytes32 { identity.sharingSeed(of: group, using: cryptography) }
}

extension Identity {
    func sharingSeed(of group: GroupID, using cryptography: Crypto) -> Bytes32 {
        cryptography.hmac(key: sharingSeed, group.bytes)
    }
}

extension StateNode {
    /// Whether this is the rekey event that begins a secret.
    func begins(_ secret: RekeySecret, using cryptography: some Cryptography) -> Bool {
        guard case .rekey(let rekey) = action else { return false }
        return secret.commitment(using: cryptography) == rekey.commitment
    }
}
