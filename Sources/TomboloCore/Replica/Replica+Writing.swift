// Events that this device writes.
extension Replica {
    /// Bytes of a content that an event can have.
    var contentLimit: Int { Limits.content - (secrets == nil ? 0 : Limits.seal) }

    /// Appends an event of the application.
    ///
    /// - Parameters:
    ///   - content: at most ``contentLimit`` bytes.
    ///   - files: at most ``Limits/filesPerEvent``.
    mutating func append(
        _ request: RequestID, _ kind: EventKind, content: [UInt8], expiry: UInt64?, files: [FileID],
        in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        if let reason = refusalToWrite(batch.identity) { return batch.refuse(request, reason) }
        if let expiry, expiry <= batch.now || expiry >= Limits.integer {
            return batch.refuse(request, "the message would expire at once or never: set another expiry")
        }
        let expiry = [expiry, groupExpiry(after: batch.now)].compactMap(\.self).min()
        try joinStateHeads(in: &batch)
        try mergeHeads(in: &batch)
        let rekey = content.isEmpty ? nil : try chooseRekey(in: &batch)
        guard secrets == nil || content.isEmpty || rekey != nil,
            let id = try write(
                kind, content: content, under: rekey, expiry: expiry, files: files, in: &batch)
        else { return batch.fail(request, .groupFull(self.id)) }
        batch.effects.append(.appended(request, id))
    }

    /// Merges heads until one event can name the rest. Where there are very many, somebody made them: some are left.
    private mutating func mergeHeads(in batch: inout Batch<some Cryptography>) throws(StoreError) {
        var merges = 0
        while heads.count > Limits.references + 1, merges < Limits.mergesPerAppend {
            guard try write(.merge, content: [], expiry: nil, in: &batch) != nil else { return }
            merges += 1
        }
    }

    /// Writes an event into this device's log.
    ///
    /// - Parameters:
    ///   - rekey: the rekey event that the content is sealed under, as `chooseRekey` chose it last; nil for none.
    ///   - clear: bytes at the beginning of the content that are not sealed.
    ///   - naming: state events that it names before all other state heads.
    /// - Returns: nil if the event was not taken, for a bound on the group.
    @discardableResult
    mutating func write<Crypto: Cryptography>(
        _ kind: EventKind, content: [UInt8], under rekey: EventReference? = nil, clear: Int = 0, expiry: UInt64?,
        files: [FileID] = [], naming: [EventReference] = [], in batch: inout Batch<Crypto>
    ) throws(StoreError) -> EventID? {
        guard let own = try kind.isState ? ownStateLog(in: &batch) : ownLog(in: &batch) else { return nil }
        let (key, log, certificate) = (own.key, own.id, own.certificate)
        let end = frontier.index(of: log).flatMap { frontier.logs[$0].ends.last }
        let previous = end.map { Backlink(id: $0.id, lamport: $0.lamport) }
        var parents: [EventReference] = []
        if !kind.isState {
            parents = heads.values.lazy.map(\.place).filter { $0.id != previous?.id && $0.log != log }.sorted()
        }
        let named = (end == nil ? own.grant.map { [$0] } ?? [] : []) + naming + state.heads
        let stateHeads = Self.distinct(named, besides: [previous?.id, rekey?.id]).prefix(Limits.references).sorted()
        // State is never erased, so it needs no salt.
        let salt = kind.isState ? [] : [UInt8].random(16, using: &batch.generator)
        let sequence = (end?.sequence ?? 0) + 1
        var content = content
        if rekey != nil {
            let nonce = kind.isState ? .random(12, using: &batch.generator) : Array(salt.prefix(12))
            let text = Array(content[clear...])
            let sealed = seal(
                text, kind, for: log, sequence: sequence, nonce: nonce[...], using: batch.cryptography)
            guard let sealed else { return nil }
            content = content[..<clear] + (kind.isState ? nonce : []) + sealed
        }
        let header = EventHeader(
            kind: kind, isSalted: !salt.isEmpty, log: log, sequence: sequence, previous: previous,
            parents: Array(parents.prefix(Limits.references)),
            stateHeads: stateHeads, rekeys: rekey.map { [$0] } ?? [], expiry: expiry,
            contentLength: content.count,
            commitment: hashing.commitment(salt: salt[...], content: content[...], using: batch.cryptography),
            extensions: ((end == nil ? certificate.headerExtension : []) + EventHeader.filesExtension(files))[...])
        guard header.lamport < Limits.integer else { return nil }
        let bytes = header.encoded[...]
        let timestamp = Int64(min(batch.now, Limits.integer - 1))
        let event = Event(
            id: hashing.id(timestamp: timestamp, header: bytes, using: batch.cryptography), timestamp: timestamp,
            header: header, headerBytes: bytes, content: content[...], salt: salt.isEmpty ? nil : salt[...],
            signature: hashing.sign(timestamp: timestamp, header: bytes, with: key, using: batch.cryptography)[...])
        receiptDue = nil
        return try ingestOwn(event, in: &batch) ? event.id : nil
    }

    /// The time at which a content written now expires by the group's setting, in milliseconds since 1970; nil for never.
    ///
    /// A time that an event cannot state is never: no setting may keep members from writing.
    private func groupExpiry(after now: UInt64) -> UInt64? {
        guard case .set(_, let value?)? = state.settings(of: StateAction.expiryKey).first?.action,
            let lifetime = StateAction.expiry(value)
        else { return nil }
        let (time, isTooLate) = now.addingReportingOverflow(lifetime)
        return isTooLate || time >= Limits.integer ? nil : time
    }

    /// Ingests events that the application brings from elsewhere, such as a bundle.
    ///
    /// - Parameters:
    ///   - horizon: the Lamport time up to which their source does not keep all contents.
    ///   - certificates: those of logs whose beginnings the source has forgotten.
    mutating func ingest(
        _ request: RequestID, _ messages: [Message], horizon: UInt64, certificates: [Certificate],
        in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        var events: [Event] = []
        events.reserveCapacity(messages.count)
        for message in messages {
            do throws(EventError) {
                events.append(try Event(checking: message, hashing: &hashing, using: batch.cryptography))
            } catch {
                return batch.fail(request, .invalidEvent(error))
            }
        }
        let verified = verified(certificates, for: events, using: batch.cryptography)
        let result = try ingest(events, from: nil, horizon: horizon, certificates: verified, in: &batch)
        batch.effects.append(.ingested(request, accepted: result.accepted, held: result.alreadyHeld))
    }

    /// The first mention of each reference, without some.
    private static func distinct(_ references: [EventReference], besides others: [EventID?]) -> [EventReference] {
        var seen = Set(others.compactMap(\.self))
        return references.filter { seen.insert($0.id).inserted }
    }

    /// Has this device write into new logs from now on.
    mutating func leaveOwnLog(in batch: inout Batch<some Cryptography>) throws(StoreError) {
        record.leaveOwnLog()
        batch.identity.forgetLogKeys(of: id)
        try batch.store.put(&record)
        batch.effects.append(.foundOlder(id))
    }
}
