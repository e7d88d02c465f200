// Secrets that travel by hand, in answers to bundles (protocol §6).
extension Engine {
    /// Makes the key that an answer to a bundle is to be sealed to, and in a private group keeps its private half until an answer has brought what
    /// was lacking.
    mutating func openBundle(
        _ request: RequestID, _ group: GroupID, _ store: any EventStore
    ) throws(StoreError) {
        guard let index = nativeGroup(group, request) else { return }
        let seed = Bytes32.random(using: &generator)
        let key = cryptography.sharingKey(seed: seed)
        if groups[index].sealing != nil {
            let seeds = try answerSeeds(store)
            try setAnswerSeeds(seeds + [seed], store)
            // One that falls out is to leave the store's files.
            if seeds.count >= Limits.answerSeeds { effects.append(.erased(group)) }
        }
        let statement = BundleOpening.statement(group, time: now, answerKey: key)
        let signature = cryptography.sign(statement, with: identity.deviceKey)
        let opening = BundleOpening(device: identity.device, time: now, answerKey: key, signature: signature)
        effects.append(.openedBundle(request, opening))
    }

    /// Seals the secrets that are here to who has written a bundle, as far as that device may have them: the latest first, at most
    /// ``Limits/carriedSecretBytes``.
    mutating func sealSecrets(
        _ request: RequestID, _ group: GroupID, to opening: BundleOpening, _ store: any EventStore
    ) throws(StoreError) {
        guard let index = nativeGroup(group, request) else { return }
        var carried: [CarriedSecret] = []
        defer { effects.append(.sealedSecrets(request, carried)) }
        guard opening.isValid(in: group, using: cryptography),
            let recipient = groups[index].sealing?.recipients[opening.device], mayRead(recipient, group: index)
        else { return }
        var bytes = 0
        for rekey in groups[index].state.rekeyEvents.reversed() {
            guard let secret = try secret(of: rekey, group: index, store) else { continue }
            let parts = seal(secret, of: rekey, to: recipient.member, key: opening.answerKey, group: index)
            guard !parts.isEmpty else { continue }
            let sealed = CarriedSecret(answerKey: opening.answerKey, rekey: rekey, parts: parts)
            bytes += sealed.encoded.count
            guard bytes <= Limits.carriedSecretBytes else { return }
            carried.append(sealed)
        }
    }

    /// Takes those of an answer's secrets that this device lacks, and forgets what they were sealed to once there is a part of every secret here: as
    /// long as one is missing, another answer may have it. What is not what its rekey event commits to is left: whoever has made it up is not to
    /// have the key forgotten.
    mutating func takeSecrets(
        _ request: RequestID, _ group: GroupID, _ secrets: [CarriedSecret], _ store: any EventStore
    ) throws(StoreError) {
        guard let index = nativeGroup(group, request) else { return }
        let seeds = try answerSeeds(store)
        let seedOfKey = Dictionary(
            seeds.map { (cryptography.sharingKey(seed: $0), $0) }, uniquingKeysWith: { first, _ in first })
        var used: Set<Bytes32> = []
        for carried in secrets {
            guard let seed = seedOfKey[carried.answerKey], groups[index].state.index(of: carried.rekey) != nil else {
                continue
            }
            let isHeld = groups[index].sealing?.held.contains(carried.rekey) == true
            if isHeld, used.contains(seed) { continue }
            for secret in opened(carried, seed: seed, group: index) where begins(carried.rekey, secret, group: index) {
                used.insert(seed)
                if !isHeld { try take(secret, of: carried.rekey, group: index, store) }
            }
        }
        if !used.isEmpty, groups[index].sealing?.hasSomethingOfAll == true {
            try setAnswerSeeds(seeds.filter { !used.contains($0) }, store)
            // They are to leave the store's files.
            effects.append(.erased(group))
        }
        effects.append(.done(request))
    }

    /// What was carried, tree by tree; as far as it opens.
    private func opened(_ carried: CarriedSecret, seed: Bytes32, group: Int) -> [RekeySecret] {
        var (secrets, begun): ([RekeySecret], RekeySecret?) = ([], nil)
        for part in carried.parts {
            guard let share = try? openShare(part[...], of: carried.rekey, seed: seed, group: group),
                let secret = try? RekeySecret(share, after: begun, using: cryptography)
            else { return secrets }
            begun = share.isLast ? nil : secret
            if share.isLast { secrets.append(secret) }
        }
        return secrets
    }

    // MARK: Keys for answers

    /// From which the keys follow that answers were asked to be sealed to, the latest last.
    private func answerSeeds(_ store: any EventStore) throws(StoreError) -> [Bytes32] {
        let kept = try store.value(forKey: IdentityKeys.answerSeeds) ?? []
        return stride(from: 0, to: kept.count, by: 32).compactMap { Bytes32(kept[$0..<min($0 + 32, kept.count)]) }
    }

    private func setAnswerSeeds(_ seeds: [Bytes32], _ store: any EventStore) throws(StoreError) {
        let kept = seeds.suffix(Limits.answerSeeds).flatMap(\.bytes)
        try store.setValue(kept.isEmpty ? nil : kept, forKey: IdentityKeys.answerSeeds)
    }
}
