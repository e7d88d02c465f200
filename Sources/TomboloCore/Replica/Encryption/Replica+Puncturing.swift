// Keys of erased contents are erased too, so that a copy of a content made before cannot be read later.
extension Replica {
    /// Punctures the keys of erased contents.
    ///
    /// Contents that were never delivered keep their keys: an author without the right to write must not wear a secret
    /// out, or fork a log to erase the key of the event beside.
    mutating func puncture(
        _ events: [StoredHeader], in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        guard secrets != nil else { return }
        let byRekey = Dictionary(grouping: events.filter { !$0.header.rekeys.isEmpty }) { $0.header.rekeys[0].id }
        for (rekey, events) in byRekey.sorted(by: { $0.key < $1.key }) {
            let isUnproven = secrets?.unproven.contains(rekey) == true
            guard isUnproven || secrets?.held.contains(rekey) == true,
                var secret = try secret(of: rekey, in: batch.store)
            else { continue }
            var isChanged = false
            let places = try batch.store.places(of: events.compactMap { key(of: $0) })
            for (event, place) in zip(events, places) where place?.status == .delivered || place?.status == .withdrawn {
                guard secret.nodes < Limits.keyNodes - secret.contents.count * TreePath.longest else { break }
                let others = try others(beside: event, in: batch.store)
                guard !others.contains(where: { $0.1.status == .delivered && $0.0.hasContent }) else { continue }
                let path = ContentKeys.path(toLog: event.header.log, number: event.header.sequence, isEphemeral: false)
                for tree in secret.contents.indices {
                    secret.contents[tree].puncture(path, using: batch.cryptography)
                }
                isChanged = true
                // An event that has lost its key with this one need not wait for it.
                if isUnproven, !others.isEmpty { secrets?.keyless.insert(rekey) }
            }
            guard isChanged else { continue }
            try store(secret, of: rekey, in: batch.store)
            if secrets?.current?.rekey.id == rekey { secrets?.current = nil }
        }
    }

    /// Other events at the place of one in a forked log, whose contents have the same key.
    func others(
        beside event: StoredHeader, in store: any EventStore
    ) throws(StoreError) -> [(StoredHeader, EventPlace)] {
        guard let log = frontier.index(of: event.header.log), !frontier.logs[log].isLinear else { return [] }
        let (logState, sequence) = (frontier.logs[log], event.header.sequence)
        let others = try store.headers(
            ofLog: logState.reference, in: sequence...sequence, limit: Limits.endsPerLog
        ).filter { $0.id != event.id && $0.header.rekeys.first?.id == event.header.rekeys.first?.id }
        let places = try store.places(
            of: others.map { EventKey(log: logState.reference, sequence: sequence, id: $0.id) })
        return zip(others, places).compactMap { other, place in place.map { (other, $0) } }
    }

    /// Delivers events that waited for keys that have been punctured.
    mutating func releaseKeyless(in batch: inout Batch<some Cryptography>) throws(StoreError) {
        while let rekeys = secrets?.takeKeyless(), !rekeys.isEmpty {
            try release(waitersOf: rekeys.sorted(), in: &batch)
        }
    }
}
