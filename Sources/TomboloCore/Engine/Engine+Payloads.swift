// Receiving payloads.
extension Engine {
    mutating func receive(
        _ bytes: Bytes, from id: SessionID, in batch: inout Batch<Crypto>
    ) throws(StoreError) {
        guard let index = sessionIndex(id), !sessions[index].isClosed else { return }
        do {
            var payload = try Payload(decoding: bytes)
            for group in payload.groups.indices { payload.groups[group].unpinEvents(from: bytes.count) }
            try receive(payload, index, in: &batch)
        } catch let error as StoreError {
            throw error
        } catch let error as EngineError {
            close(index, error, in: &batch)
        } catch {
            close(index, .protocolViolation("\(error)"), in: &batch)
        }
    }

    private mutating func receive(_ payload: Payload, _ index: Int, in batch: inout Batch<Crypto>) throws {
        sessions[index].isConcerned = true
        sessions[index].noteReceived(at: batch.now)
        resting.note(payload)
        let link = sessions[index].link
        if link.dialect == .mvds { return try mvds.receive(payload, from: link.session, in: &batch) }
        if let incarnation = try sessions[index].receive(payload.hello) {
            if sessions[index].isReady { mvds.noteReady(link.session) }
            try noteIncarnation(incarnation, session: index, in: &batch)
        }
        if let join = payload.join {
            try sessions[index].beginJoining()
            try answer(join, index, in: &batch)
        }
        if let welcome = payload.welcome { try receive(welcome, index, in: &batch) }
        try greet(index, in: &batch)
        for sync in payload.groups where sync.tag != nil { try match(sync, index, in: &batch) }
        for sync in payload.groups { try receive(sync, index, in: &batch) }
        // A peer without a group to show sends `hello` all the same.
        if payload.hello != nil || payload.groups.contains(where: { $0.tag != nil }) {
            announceReadiness(index, in: &batch)
        }
        if sessions[index].trust == .peer { try mvds.receive(payload, from: link.session, in: &batch) }
        closeIfMVDSFailed(index, in: &batch)
    }

    /// Receives one group's part of a payload.
    private mutating func receive(_ sync: GroupSync, _ index: Int, in batch: inout Batch<Crypto>) throws {
        let id = sessions[index].link.session
        if try mvds.receive(sync, from: id, in: &batch) { return }
        guard let group = sessions[index].index(ofTheirNumber: sync.number) else { return }
        let context = sessions[index].context
        let replica = sessions[index].groups[group.value].replica
        let isRedundant: Bool
        do {
            isRedundant = try sessions[index].groups[group.value].receive(
                sync, over: context, &replicas[replica.value], in: &batch)
        } catch {
            // Everything that was received before the error counts.
            try fanOut(from: replica.value, in: &batch)
            throw error
        }
        try fanOut(from: replica.value, in: &batch)
        if isRedundant, hasOtherSession(of: replica, than: index) {
            sessions[index].groups[group.value].askForAnnouncements(over: context, in: &batch)
        }
        for bytes in sync.files {
            try files.receive(try FileMessage(decoding: bytes), inGroup: replica, from: id, in: &batch)
        }
        if let ephemeral = sync.ephemeral { try receiveEphemeral(ephemeral, of: replica, from: id, in: &batch) }
    }

    private func hasOtherSession(of replica: ReplicaIndex, than index: Int) -> Bool {
        sessions.indices.contains { other in
            guard other != index, let group = sessions[other].index(of: replica) else { return false }
            return sessions[other].groups[group.value].isMatched
        }
    }

    private mutating func receiveEphemeral(
        _ bytes: Bytes, of replica: ReplicaIndex, from session: SessionID, in batch: inout Batch<Crypto>
    ) throws {
        var reader = WireReader(bytes)
        while !reader.isAtEnd {
            let (message, event) = try replicas[replica.value].readMessage(&reader, using: batch.cryptography)
            try replicas[replica.value].receiveEphemeral(event, message, from: session, in: &batch)
            try fanOut(from: replica.value, in: &batch)
        }
    }

    /// Matches a group that the peer has introduced.
    mutating func match(_ sync: GroupSync, _ index: Int, in batch: inout Batch<Crypto>) throws {
        guard let tag = sync.tag, tag.count == 16, let root = sync.root else {
            throw EngineError.protocolViolation("it sent a group without its tag or root")
        }
        let link = sessions[index].link
        if mvds.match(sync, over: link.session, using: batch.cryptography) { return }
        guard let group = try sessions[index].match(sync, replicas, using: batch.cryptography) else { return }
        let replica = sessions[index].groups[group.value].replica
        if sessions[index].trust != .peer {
            // The peer knows the group's secret. That makes it a peer, unless the group is public.
            let isPublic = replicas[replica.value].isPublic
            sessions[index].raiseTrust(to: isPublic ? .visitor : .peer)
            if !isPublic { try addPeer(link.peer, addresses: [], in: &batch) }
            try greet(index, in: &batch)
        }
        sessions[index].groups[group.value].match(sync, root: root)
        let policy = sessions[index].groups[group.value].policy
        files.match(
            FileGroup(
                place: group.value, number: replica, reference: replicas[replica.value].record.reference,
                isServed: policy.sends, isRequested: policy.requests),
            in: link.session)
    }
}
