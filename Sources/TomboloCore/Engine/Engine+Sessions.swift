// Opening and closing sessions.
extension Engine {
    func sessionIndex(_ id: SessionID) -> Int? {
        let place = sessions.partitionPoint { $0.link.session >= id }
        return place < sessions.count && sessions[place].link.session == id ? place : nil
    }

    mutating func open(_ link: PeerLink, in batch: inout Batch<Crypto>) throws(StoreError) {
        let peer =
            link.isDialler ? try addPeer(link.peer, addresses: [], in: &batch) : try batch.store.peer(link.peer)
        guard makeRoom(for: link, isKnown: peer != nil, in: &batch) else {
            return batch.effects.append(.close(link.session, .tooManySessions))
        }
        let index = sessions.partitionPoint { $0.link.session > link.session }
        sessions.insert(Session(link, of: peer, now: batch.now), at: index)
        files.open(link.session, windowLimit: link.windowLimit)
        if link.dialect == .native { sessions[index].groups = groupsToShow(session: index, batch.identity) }
        try mvds.open(link, in: &batch)
        if link.dialect == .native { try greet(index, in: &batch) }
    }

    /// Sends `hello`, and shows the tags of groups: none to a stranger, those of public groups to a visitor.
    mutating func greet(_ index: Int, in batch: inout Batch<Crypto>) throws(StoreError) {
        guard sessions[index].beginGreeting() else { return }
        let link = sessions[index].link
        var payload = Payload()
        payload.hello = sessions[index].hello(incarnation: incarnation)
        payload.join = link.invitation.map { Join(by: $0, over: link, in: batch) }
        for group in sessions[index].groupsToIntroduce(replicas) {
            payload.groups.append(try sessions[index].introduction(of: group, &replicas, in: &batch))
        }
        payload.groups += mvds.introductions(over: link.session, using: batch.cryptography)
        batch.send(payload, over: link.session)
        if sessions[index].isReady { mvds.noteReady(link.session) }
    }

    /// Shows a group that was made, joined or no longer hidden while the session was open.
    mutating func introduce(
        _ replica: ReplicaIndex, _ visibility: VisibilityLevel, toSession index: Int, in batch: inout Batch<Crypto>
    ) throws(StoreError) {
        guard sessions[index].link.dialect == .native, sessions[index].groups.count < Limits.groupsPerSession else {
            return
        }
        sessions[index].groups.append(GroupSession(replica, visibility))
        sessions[index].isConcerned = true
        let group = SessionGroupIndex(value: sessions[index].groups.count - 1)
        guard sessions[index].hasGreeted, sessions[index].groupsToIntroduce(replicas).contains(group) else { return }
        var payload = Payload()
        payload.groups = [try sessions[index].introduction(of: group, &replicas, in: &batch)]
        send(payload, toSession: index, in: &batch)
        // The peer may have shown the group before it could be recognised here.
        let waiting = sessions[index].unmatched
        guard !waiting.isEmpty else { return }
        sessions[index].unmatched = []
        do {
            for introduction in waiting { try match(introduction, index, in: &batch) }
        } catch let error as StoreError {
            throw error
        } catch {
            close(index, .protocolViolation("\(error)"), in: &batch)
        }
        announceReadiness(index, in: &batch)
    }

    func send(_ payload: Payload, toSession index: Int, in batch: inout Batch<Crypto>) {
        guard !sessions[index].isClosed else { return }
        batch.send(payload, over: sessions[index].link.session)
    }

    /// Tells the application which groups both sides have, as far as both have shown.
    func announceReadiness(_ index: Int, in batch: inout Batch<Crypto>) {
        let link = sessions[index].link
        let matched = sessions[index].groups.filter(\.isMatched).map { replicas[$0.replica.value].id }
        batch.effects.append(
            .peerReady(link.session, link.peer, groups: matched + mvds.commonGroups(of: link.session)))
    }

    // MARK: Closing

    /// Disconnects strangers that have shown nothing in time, and silent visitors: they must not hold links for ever.
    mutating func disconnectStrangers(in batch: inout Batch<Crypto>) {
        for index in sessions.indices where !sessions[index].isClosed {
            guard let deadline = sessions[index].deadline, batch.now >= deadline else { continue }
            let isVisitor = sessions[index].trust == .visitor
            let reason = "it showed no group that this device knows, and no invitation"
            close(index, isVisitor ? .visitorIdle : .protocolViolation(reason), in: &batch)
        }
    }

    /// Closes a session for a reason.
    mutating func close(_ index: Int, _ error: EngineError, in batch: inout Batch<Crypto>) {
        sessions[index].close()
        noteConcern(ofClosing: index)
        files.close(sessions[index].link.session)
        mvds.close(sessions[index].link.session)
        batch.effects.append(.close(sessions[index].link.session, error))
    }

    func mvdsFailure(_ index: Int) -> EngineError? {
        sessions[index].isClosed ? nil : mvds.failure(of: sessions[index].link.session)
    }

    mutating func closeIfMVDSFailed(_ index: Int, in batch: inout Batch<Crypto>) {
        if let failure = mvdsFailure(index) { close(index, failure, in: &batch) }
    }

    /// Ends the session of a link that has closed.
    mutating func linkClosed(_ id: SessionID, in batch: inout Batch<Crypto>) throws(StoreError) {
        guard let index = sessionIndex(id) else { return }
        noteConcern(ofClosing: index)
        // The peer's last words may have come in the same batch: an agreement must not be lost with the link.
        try advance(index, in: &batch)
        sessions[index].close()
        files.close(id)
        mvds.close(id)
        for group in sessions[index].groups {
            group.secrets.close(&replicas[group.replica.value])
        }
        let context = sessions[index].context
        for group in sessions[index].groups.indices {
            let replica = sessions[index].groups[group].replica.value
            try sessions[index].groups[group].close(over: context, &replicas[replica], in: &batch)
            try fanOut(from: replica, in: &batch)
        }
    }

    /// Notes that other sessions may take up what a closed one leaves behind.
    private mutating func noteConcern(ofClosing index: Int) {
        resting.concernsAll =
            resting.concernsAll || !files.isUnused(sessions[index].link.session)
            || sessions[index].groups.contains { !$0.inbox.isIdle || !$0.awaitsNothing }
    }

    mutating func removeClosedSessions() {
        for index in sessions.indices.reversed() where sessions[index].isClosed {
            let session = sessions.remove(at: index)
            files.remove(session.link.session)
            mvds.remove(session.link.session)
            for group in session.groups { replicas[group.replica.value].forget(session.link.session) }
        }
    }
}

extension Replica {
    /// Forgets what was kept for a session that has ended.
    mutating func forget(_ session: SessionID) {
        secrets?.early.remove(from: session)
        noteRestoration(over: session, until: nil)
    }
}
