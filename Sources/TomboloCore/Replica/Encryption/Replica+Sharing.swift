// Secrets that devices share with each other (protocol 5.7).
extension Replica {
    /// Whether a device may be sent secrets: its member may read, and it was not removed.
    func mayRead(_ device: GroupSecrets.Recipient, _ identity: Identity<some Cryptography>) -> Bool {
        state.standing(of: device.member).role >= .reader
            && !isRemoved(device.devices, of: device.member, identity)
            // No other member is in the group of this member's devices, whatever a device has written there.
            && (id != identity.ownGroup || device.member == identity.member)
    }

    /// The member's device to which a peer's secrets are encrypted; nil if the peer may not be sent secrets.
    ///
    /// - Parameter joiner: the device as it proved itself when it joined. It counts until the device has stated a key
    ///   in the group.
    func recipient(
        for peer: DeviceKey, joiner: GroupSecrets.Recipient?, _ identity: Identity<some Cryptography>
    ) -> GroupSecrets.Recipient? {
        (secrets?.recipients[peer] ?? joiner).flatMap { mayRead($0, identity) ? $0 : nil }
    }

    /// Seals a secret to a key of a member's device, part by part. Of a secret that is not for the member, only the
    /// values key is sealed.
    ///
    /// - Returns: nothing if the key is not valid.
    mutating func seal(
        _ secret: RekeySecret, of rekey: EventID, to member: MemberKey, key: Bytes32,
        using cryptography: some Cryptography
    ) -> [[UInt8]] {
        let info = SecretShare.info(rekey, in: id)
        let isOpen = state.isOpen(rekey, to: member)
        return SecretShare.parts(of: secret, withContents: isOpen).compactMap {
            cryptography.seal($0.encoded, to: key, info: info)
        }
    }

    /// Opens a part of a secret that was sealed to the key of a seed.
    ///
    /// - Throws: `WireError` if it is malformed; `EngineError` if it is not sealed to the key.
    func openShare(
        _ sealed: Bytes, of rekey: EventID, seed: Bytes32, using cryptography: some Cryptography
    ) throws -> SecretShare {
        let info = SecretShare.info(rekey, in: id)
        guard let text = cryptography.open(sealed, seed: seed, info: info) else {
            throw EngineError.protocolViolation("it sent a share that is not encrypted to this device")
        }
        return try SecretShare(decoding: text)
    }

    /// Lets other peers be asked at once for secrets that one peer was asked for.
    mutating func requestElsewhere(_ rekeys: some Sequence<EventID>) {
        for rekey in rekeys { secrets?.nextRequest[rekey] = nil }
    }

    /// Receives a secret that a peer has sent.
    ///
    /// - Throws: `EngineError` if it is not the one that the rekey event begins; `StoreError`.
    mutating func receive(
        _ secret: RekeySecret, of rekey: EventID, from peer: DeviceKey, over session: SessionID,
        in batch: inout Batch<some Cryptography>
    ) throws {
        guard state.index(of: rekey) != nil else {
            if secret.extent != .unproven { secrets?.early.insert(secret, of: rekey, from: session) }
            return
        }
        guard begins(rekey, secret, using: batch.cryptography) else {
            throw EngineError.protocolViolation("it sent a share of another secret than the rekey event's")
        }
        // Others may have it whole, or have lost less of it.
        if secret.extent != .proven {
            requestElsewhere([rekey])
            let isClosed = secrets?.closed.contains(rekey) == true
            if !isClosed, secrets?.contributors[rekey]?.count ?? 0 < Limits.secretHanders {
                secrets?.contributors[rekey, default: []].insert(peer)
            }
        }
        try receive(secret, of: rekey, in: &batch)
    }

    /// Receives a secret that its rekey event begins, if it is more than the store has.
    private mutating func receive(
        _ secret: RekeySecret, of rekey: EventID, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        var secret = secret
        if secrets?.unproven.contains(rekey) == true {
            switch secret.extent {
            case .proven: break
            case .unproven:
                guard try opensWaitingEvent(secret, rekey, in: &batch), let tree = secret.contents.first,
                    let known = try self.secret(of: rekey, in: batch.store)
                else { return }
                secret = known.adding(tree)
            case .values: return
            }
        }
        try store(secret, of: rekey, in: batch.store)
        try release(waitersOf: [rekey], in: &batch)
    }

    /// Whether a rekey event begins a secret.
    private func begins(_ rekey: EventID, _ secret: RekeySecret, using cryptography: some Cryptography) -> Bool {
        guard let index = state.index(of: rekey) else { return false }
        return state.nodes[index].begins(secret, using: cryptography)
    }

    /// Whether a secret decrypts an event that waits, which the stored secret does not decrypt.
    private mutating func opensWaitingEvent(
        _ secret: RekeySecret, _ rekey: EventID, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) -> Bool {
        let waiting = try batch.store.takeWaiting(for: [rekey], inGroup: record.reference)
        try batch.store.addWaiting(waiting.map { (rekey, $0) }, inGroup: record.reference)
        var keys = ContentKeys(secret)
        for stored in try batch.store.events(ordinals: Array(waiting.prefix(Self.proofs))) {
            if keys.open(stored.event, using: batch.cryptography) != nil { return true }
        }
        return false
    }

    /// Waiting events that a secret is tried on.
    private static var proofs: Int { 64 }

    // MARK: By hand, in answers to bundles (protocol 6-9 to 6-14)

    /// Makes the key that an answer to a bundle is to be sealed to. In a private group its seed is kept until an answer
    /// has brought what was missing.
    mutating func openBundle(
        _ request: RequestID, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        let seed = Bytes32.random(using: &batch.generator)
        let key = batch.cryptography.sharingKey(seed: seed)
        if secrets != nil {
            let seeds = try AnswerSeeds.load(from: batch.store)
            try AnswerSeeds.save(seeds + [seed], in: batch.store)
            // A seed that falls out must leave the store's files.
            if seeds.count >= Limits.answerSeeds { batch.effects.append(.erased(id)) }
        }
        let statement = BundleOpening.statement(id, time: batch.now, answerKey: key)
        let signature = batch.cryptography.sign(statement, with: batch.identity.deviceKey)
        let opening = BundleOpening(
            device: batch.identity.device, time: batch.now, answerKey: key, signature: signature)
        batch.effects.append(.openedBundle(request, opening))
    }

    /// Seals secrets to the device that has written a bundle, as far as that device may have them: the latest first, at
    /// most ``Limits/carriedSecretBytes``.
    mutating func sealSecrets(
        _ request: RequestID, to opening: BundleOpening, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        let carried = try sealedSecrets(to: opening, in: &batch)
        batch.effects.append(.sealedSecrets(request, carried))
    }

    private mutating func sealedSecrets(
        to opening: BundleOpening, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) -> [CarriedSecret] {
        guard opening.isValid(in: id, using: batch.cryptography),
            let recipient = secrets?.recipients[opening.device], mayRead(recipient, batch.identity)
        else { return [] }
        var carried: [CarriedSecret] = []
        var bytes = 0
        for rekey in state.rekeyEvents.reversed() {
            guard let secret = try secret(of: rekey, in: batch.store) else { continue }
            let parts = seal(
                secret, of: rekey, to: recipient.member, key: opening.answerKey, using: batch.cryptography)
            guard !parts.isEmpty else { continue }
            let sealed = CarriedSecret(answerKey: opening.answerKey, rekey: rekey, parts: parts)
            bytes += sealed.encoded.count
            guard bytes <= Limits.carriedSecretBytes else { break }
            carried.append(sealed)
        }
        return carried
    }

    /// Receives the secrets of an answer that this device lacks.
    ///
    /// The seeds of their answer keys are forgotten once the store has a part of every secret. While one is missing,
    /// another answer may contain it. A secret that its rekey event does not commit to is ignored, so that a forger
    /// cannot have the seed forgotten.
    mutating func receiveSecrets(
        _ request: RequestID, _ carried: [CarriedSecret], in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        let seeds = try AnswerSeeds.load(from: batch.store)
        let cryptography = batch.cryptography
        let seedOfKey = Dictionary(
            seeds.map { (cryptography.sharingKey(seed: $0), $0) }, uniquingKeysWith: { first, _ in first })
        var used: Set<Bytes32> = []
        for carried in carried {
            guard let seed = seedOfKey[carried.answerKey], state.index(of: carried.rekey) != nil else { continue }
            let isHeld = secrets?.held.contains(carried.rekey) == true
            if isHeld, used.contains(seed) { continue }
            for secret in opened(carried, seed: seed, using: cryptography)
            where begins(carried.rekey, secret, using: cryptography) {
                used.insert(seed)
                if !isHeld { try receive(secret, of: carried.rekey, in: &batch) }
            }
        }
        if !used.isEmpty, secrets?.hasSomethingOfAll == true {
            try AnswerSeeds.save(seeds.filter { !used.contains($0) }, in: batch.store)
            // The seeds must leave the store's files.
            batch.effects.append(.erased(id))
        }
        batch.effects.append(.done(request))
    }

    /// The secrets that an answer carries, tree by tree, as far as they open.
    private func opened(
        _ carried: CarriedSecret, seed: Bytes32, using cryptography: some Cryptography
    ) -> [RekeySecret] {
        var (secrets, begun): ([RekeySecret], RekeySecret?) = ([], nil)
        for part in carried.parts {
            guard let share = try? openShare(part[...], of: carried.rekey, seed: seed, using: cryptography),
                let secret = try? RekeySecret(share, after: begun, using: cryptography)
            else { return secrets }
            begun = share.isLast ? nil : secret
            if share.isLast { secrets.append(secret) }
        }
        return secrets
    }
}

/// Seeds of the keys that answers to this device's bundles are sealed to, the latest last.
private enum AnswerSeeds {
    static func load(from store: any EventStore) throws(StoreError) -> [Bytes32] {
        let kept = try store.value(forKey: IdentityKeys.answerSeeds) ?? []
        return stride(from: 0, to: kept.count, by: 32).compactMap { Bytes32(kept[$0..<min($0 + 32, kept.count)]) }
    }

    static func save(_ seeds: [Bytes32], in store: any EventStore) throws(StoreError) {
        let kept = seeds.suffix(Limits.answerSeeds).flatMap(\.bytes)
        try store.setValue(kept.isEmpty ? nil : kept, forKey: IdentityKeys.answerSeeds)
    }
}
