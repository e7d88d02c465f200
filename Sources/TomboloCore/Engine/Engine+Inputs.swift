// Routing inputs to the machines.
extension Engine {
    mutating func receive(_ input: EngineInput, in batch: inout Batch<Crypto>) throws(StoreError) {
        if !input.concernsOneSession { resting.concernsAll = true }
        switch input {
        case .linkOpened(let link): try open(link, in: &batch)
        case .payloadReceived(let session, let bytes): try receive(bytes, from: session, in: &batch)
        case .linkClosed(let session): try linkClosed(session, in: &batch)
        case .createGroup(let request, let name, let policy):
            try createGroup(request, name: name, policy, in: &batch)
        case .createMVDSGroup(let request, let id, let name):
            try createMVDSGroup(request, id, name: name, in: &batch)
        case .openGroup(let request, let record):
            try add(record, in: &batch)
            batch.effects.append(.done(request))
        case .share(let request, let group, let peer): try share(request, group, with: peer, in: &batch)
        case .invite(let request, let group, let addresses, let expiry, let role, let uses):
            try invite(request, group, addresses: addresses, expiry: expiry, role, uses: uses, in: &batch)
        case .revoke(let request, let group, let invitation):
            try revoke(request, group, invitation, in: &batch)
        case .linkDevice(let request, let addresses, let expiry):
            try linkDevice(request, addresses: addresses, expiry: expiry, in: &batch)
        case .removeDevice(let request, let device): try removeDevice(request, device, in: &batch)
        case .setVisibility(let request, let group, let contact, let visibility):
            try setVisibility(request, group, contact, visibility, in: &batch)
        case .addPeer(let device, let dialect, let addresses):
            try addPeer(device, dialect: dialect, addresses: addresses, in: &batch)
        case .removeAddress(let request, let address, let device):
            try removeAddress(request, address, of: device, in: &batch)
        case .removePeer(let request, let device): try removePeer(request, device, in: &batch)
        case .addFile(let request, let file, let held): try files.add(request, file, held: held, in: &batch)
        case .wantFile(let request, let file, let offset): try files.want(request, file, from: offset, in: &batch)
        case .checkChunk(let request, let file, let position):
            try files.check(request, position, of: file, in: &batch)
        case .dropFile(let request, let file): try files.drop(request, file, in: &batch)
        case .setFileLimits(let request, let limits): try files.setLimits(request, limits, in: &batch)
        case .timePassed: break
        default: try receiveForGroup(input, in: &batch)
        }
    }

    /// Routes a request that names a group.
    private mutating func receiveForGroup(
        _ input: EngineInput, in batch: inout Batch<Crypto>
    ) throws(StoreError) {
        switch input {
        case .append(let request, let group, let kind, let content, let expiry, let files):
            if let error = try refusal(ofAppending: content, files, to: group, in: batch.store) {
                return batch.fail(request, error)
            }
            if let index = mvds.index(of: group) {
                return try mvds.append(request, group: index, content, in: &batch)
            }
            try withReplica(group, request, in: &batch) { replica, batch throws(StoreError) in
                try replica.append(request, kind, content: content, expiry: expiry, files: files, in: &batch)
            }
        case .broadcast(let request, let group, let content):
            if let index = mvds.index(of: group) {
                guard content.count <= Limits.ephemeralContent else {
                    return batch.fail(request, .contentTooLarge(limit: Limits.ephemeralContent))
                }
                return mvds.broadcast(request, group: index, content, in: &batch)
            }
            try withReplica(group, request, in: &batch) { replica, batch throws(StoreError) in
                try replica.broadcast(request, content: content, in: &batch)
            }
        case .ingest(let request, let group, let messages, let horizon, let certificates):
            if let index = mvds.index(of: group) {
                return try mvds.ingest(request, group: index, messages, in: &batch)
            }
            try withReplica(group, request, in: &batch) { replica, batch throws(StoreError) in
                try replica.ingest(request, messages, horizon: horizon, certificates: certificates, in: &batch)
            }
        case .setRole(let request, let group, let member, let role):
            try withReplica(group, request, in: &batch) { replica, batch throws(StoreError) in
                try replica.setRole(request, of: member, to: role, in: &batch)
            }
        case .setState(let request, let group, let key, let value):
            try withReplica(group, request, in: &batch) { replica, batch throws(StoreError) in
                try replica.setState(request, key: key, value: value, in: &batch)
            }
        case .setRetention(let request, let group, let retention):
            try withReplica(group, request, in: &batch) { replica, batch throws(StoreError) in
                replica.setRetention(request, retention, in: &batch)
            }
        case .proposeCheckpoint(let request, let group):
            try withReplica(group, request, in: &batch) { replica, batch throws(StoreError) in
                try replica.proposeCheckpoint(request, in: &batch)
            }
        case .redact(let request, let group, let event, let reason):
            try withReplica(group, request, in: &batch) { replica, batch throws(StoreError) in
                try replica.redact(request, event, reason: reason, in: &batch)
            }
        case .post(let request, let removal, let group):
            try withReplica(group, request, in: &batch) { replica, batch throws(StoreError) in
                try replica.post(request, removal, in: &batch)
            }
        case .openBundle(let request, let group):
            try withReplica(group, request, in: &batch) { replica, batch throws(StoreError) in
                try replica.openBundle(request, in: &batch)
            }
        case .sealSecrets(let request, let group, let opening):
            try withReplica(group, request, in: &batch) { replica, batch throws(StoreError) in
                try replica.sealSecrets(request, to: opening, in: &batch)
            }
        case .takeSecrets(let request, let group, let secrets):
            try withReplica(group, request, in: &batch) { replica, batch throws(StoreError) in
                try replica.receiveSecrets(request, secrets, in: &batch)
            }
        default: break
        }
    }

    /// Why an event cannot be appended to any group; nil if it can.
    private func refusal(
        ofAppending content: [UInt8], _ files: [FileID], to group: GroupID, in store: any EventStore
    ) throws(StoreError) -> EngineError? {
        guard files.count <= Limits.filesPerEvent else {
            return .notAllowed("an event refers to at most \(Limits.filesPerEvent) files: send several events")
        }
        let limit = replicaIndex(group).map { replicas[$0.value].contentLimit } ?? Limits.content
        guard content.count <= limit else { return .contentTooLarge(limit: limit) }
        for file in files where try store.file(file) == nil {
            guard try store.isReferred(to: file) else { return .unknownFile(file) }
        }
        return nil
    }

    /// Calls a native group, and passes on what it changes. The request fails if there is no such group.
    private mutating func withReplica(
        _ group: GroupID, _ request: RequestID, in batch: inout Batch<Crypto>,
        _ body: (inout Replica, inout Batch<Crypto>) throws(StoreError) -> Void
    ) throws(StoreError) {
        guard let index = nativeGroup(group, request, in: &batch) else { return }
        try body(&replicas[index.value], &batch)
        try fanOut(from: index.value, in: &batch)
    }

    /// The index of a native group; nil, and the request has failed, if there is none.
    mutating func nativeGroup(
        _ group: GroupID, _ request: RequestID, in batch: inout Batch<Crypto>
    ) -> ReplicaIndex? {
        if let index = replicaIndex(group) { return index }
        batch.fail(request, mvds.index(of: group) == nil ? .unknownGroup(group) : .notNative(group))
        return nil
    }
}
