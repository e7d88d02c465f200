// The logs that this device writes to, each under one right of its member.
extension Replica {
    /// This device's log in the group, with a key made for it alone. The log begins with its first event.
    ///
    /// Where the right that the log is written under has fallen or was cut, the device begins a new one.
    /// - Returns: nil if the member has no right to write.
    mutating func ownLog<Crypto: Cryptography>(
        in batch: inout Batch<Crypto>
    ) throws(StoreError) -> OwnLog<Crypto>? {
        if let known = knownLog(in: &batch) {
            if wantedPart(ofLog: known.index) == .everything { return known.log }
            guard state.standing(of: batch.identity.member).role >= .member else { return nil }
            (record.ownSeed, record.ownLog) = (nil, nil)
            batch.identity.forgetLogKeys(of: id)
        }
        let standing = state.standing(of: batch.identity.member)
        let key = seedOwnLogs(in: &batch)
        let certificate = Certificate(
            ofLogWithKey: key, in: record.id, member: batch.identity.member, admission: batch.identity.admission,
            grant: standing.grant?.id, signedBy: batch.identity.deviceKey, using: batch.cryptography)
        let log = certificate.logID(in: record.id, using: batch.cryptography)
        record.ownLog = log
        try batch.store.put(&record)
        return OwnLog(key: key, id: log, certificate: certificate, grant: standing.grant)
    }

    /// The log that this device has begun; nil if it has begun none.
    private mutating func knownLog<Crypto: Cryptography>(
        in batch: inout Batch<Crypto>
    ) -> (index: Int, log: OwnLog<Crypto>)? {
        guard let log = record.ownLog, let index = frontier.index(of: log),
            let certificate = frontier.logs[index].certificate
        else { return nil }
        return (index, OwnLog(key: seedOwnLogs(in: &batch), id: log, certificate: certificate, grant: nil))
    }

    /// The key of the log of the conversation. The keys of state logs follow from the same seed.
    private mutating func seedOwnLogs<Crypto: Cryptography>(in batch: inout Batch<Crypto>) -> Crypto.SigningKey {
        let seed = record.ownSeed ?? .random(using: &batch.generator)
        record.ownSeed = seed
        if let known = batch.identity.logKeys[record.id] { return known }
        let key = batch.cryptography.signingKey(seed: seed)
        batch.identity.logKeys[record.id] = key
        return key
    }

    /// This device's log of state events under its member's strongest right; nil if there is no such right.
    mutating func ownStateLog<Crypto: Cryptography>(
        in batch: inout Batch<Crypto>
    ) throws(StoreError) -> OwnLog<Crypto>? {
        let standing = state.standing(of: batch.identity.member)
        guard standing.right != nil else { return nil }
        if record.ownSeed == nil {
            _ = seedOwnLogs(in: &batch)
            try batch.store.put(&record)
        }
        return stateLog(under: standing.grant, in: &batch)
    }

    private func stateLog<Crypto: Cryptography>(
        under grant: EventReference?, in batch: inout Batch<Crypto>
    ) -> OwnLog<Crypto> {
        if let known = batch.identity.stateLogs[record.id], known.certificate.grant == grant?.id { return known }
        let label = Array("tombolo-state-log-1".utf8) + (grant?.id.bytes ?? [])
        let seed = batch.cryptography.hmac(key: record.ownSeed ?? .zero, label)
        let key = batch.cryptography.signingKey(seed: seed)
        let certificate = Certificate(
            ofLogWithKey: key, isStateLog: true, in: record.id, member: batch.identity.member,
            admission: batch.identity.admission, grant: grant?.id, signedBy: batch.identity.deviceKey,
            using: batch.cryptography)
        let made = OwnLog<Crypto>(
            key: key, id: certificate.logID(in: record.id, using: batch.cryptography), certificate: certificate,
            grant: grant)
        batch.identity.stateLogs[record.id] = made
        return made
    }

    /// The logs that this device writes to, as far as it has begun them.
    func ownLogs(in batch: inout Batch<some Cryptography>) -> [LogID] {
        guard record.ownSeed != nil else { return [] }
        let stateLog = stateLog(under: state.standing(of: batch.identity.member).grant, in: &batch)
        return (record.ownLog.map { [$0] } ?? []) + [stateLog.id]
    }
}
