// Ephemeral events: sent to connected peers, and never stored.
extension Replica {
    /// Sends an event of the application without storing it.
    mutating func broadcast(
        _ request: RequestID, content: [UInt8], in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        let limit = Limits.ephemeralContent - (secrets == nil ? 0 : Limits.sealWithNonce)
        guard content.count <= limit else { return batch.fail(request, .contentTooLarge(limit: limit)) }
        if let reason = refusalToWrite(batch.identity) { return batch.refuse(request, reason) }
        guard let own = try ownLog(in: &batch) else { return batch.fail(request, .groupFull(id)) }
        let (key, log) = (own.key, own.id)
        // Receivers know the key by the log's first event: an empty merge begins a log that has none.
        if frontier.index(of: log) == nil { try write(.merge, content: [], expiry: nil, in: &batch) }
        let last = ephemeralTimes[log] ?? 0
        let timestamp = max(Int64(min(batch.now, Limits.integer - 1)), last + 1)
        var content = content
        let rekey = content.isEmpty ? nil : try chooseRekey(in: &batch)
        if secrets != nil, !content.isEmpty {
            guard rekey != nil, let sealed = sealEphemeral(content, from: log, at: timestamp, in: &batch) else {
                return batch.fail(request, .groupFull(id))
            }
            content = sealed
        }
        let header = EventHeader(
            kind: .ephemeral, isSalted: false, log: log, sequence: 0, previous: nil, rekeys: rekey.map { [$0] } ?? [],
            contentLength: content.count,
            commitment: hashing.commitment(salt: [], content: content[...], using: batch.cryptography))
        let bytes = header.encoded[...]
        ephemeralTimes[log] = timestamp
        let signature = hashing.sign(timestamp: timestamp, header: bytes, with: key, using: batch.cryptography)
        let message = Message(
            groupID: id.bytes[...], timestamp: timestamp, body: bytes, content: content[...],
            signature: signature[...])
        note(.ephemeral(message, from: nil))
        batch.effects.append(
            .appended(request, hashing.id(timestamp: timestamp, header: bytes, using: batch.cryptography)))
    }

    /// Receives an ephemeral event of a peer, and passes it on. One without a right or a signature is ignored.
    mutating func receiveEphemeral(
        _ event: Event, _ message: Message, from session: SessionID, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        let log = event.log
        guard event.header.kind.isEphemeral, let known = frontier.index(of: log),
            let certificate = frontier.logs[known].certificate, let signature = event.signature,
            state.standing(of: certificate.member).role >= .member,
            state.removals(of: certificate.admission.devices, of: certificate.member).isEmpty
        else { return }
        // One that is not later than the last of its log is a replay.
        guard event.timestamp > ephemeralTimes[log] ?? 0,
            hashing.isValid(
                signature, timestamp: event.timestamp, header: event.headerBytes, key: certificate.key,
                using: batch.cryptography)
        else { return }
        ephemeralTimes[log] = event.timestamp
        if event.header.isUnderstood, let content = try contentOfEphemeral(event, in: &batch) {
            batch.effects.append(.receivedEphemeral(id, from: log, timestamp: event.timestamp, content: content))
        }
        note(.ephemeral(message, from: session))
    }
}
