// Opening a session: who the peer is, which groups both have, whether they differ (protocol §5).
extension Engine {
    mutating func open(_ link: Link, _ store: any EventStore) throws(StoreError) {
        guard sessions.count < Limits.sessions else {
            return effects.append(.close(link.session, .tooManySessions))
        }
        let peer = link.isDialler ? try addPeer(link.peer, addresses: [], store) : try store.peer(link.peer)
        var session = Session(link, of: peer)
        if session.trust == .stranger { session.trustDeadline = now + Self.patienceWithStrangers }
        sessions.append(session)
        sessions.sort { $0.link.session < $1.link.session }
        guard let index = sessionIndex(link.session) else { return }
        if link.dialect == .native { sessions[index].groups = groupsToShow(session: index) }
        try restartRecords(index, store)
        if link.dialect == .native { try greet(index, store) }
    }

    /// Milliseconds that a stranger has to show that it knows a group, or has an invitation.
    private static var patienceWithStrangers: UInt64 { 10_000 }

    /// Strangers do not hold links for ever.
    mutating func closeStrangers() {
        for index in sessions.indices where !sessions[index].isClosed && sessions[index].trust == .stranger {
            if let deadline = sessions[index].trustDeadline, now >= deadline {
                close(index, "it has shown no group that is known here, and no invitation")
            }
        }
    }

    func sessionIndex(_ id: SessionID) -> Int? { sessions.firstIndex { $0.link.session == id } }

    /// Says hello, and shows the tags of our groups: to a stranger nothing, to a visitor those of public ones.
    private mutating func greet(_ index: Int, _ store: any EventStore) throws(StoreError) {
        guard sessions[index].greeted < sessions[index].trust else { return }
        sessions[index].greeted = sessions[index].trust
        var payload = Payload()
        payload.hello = hello(to: index)
        if let invitation = sessions[index].link.invitation {
            var join = Join()
            join.invitation = Invitation.id(ofSecret: invitation.secret, using: cryptography)[...]
            join.proof =
                Invitation.proof(
                    secret: invitation.secret, binding: sessions[index].link.binding, group: invitation.group,
                    using: cryptography
                ).bytes[...]
            if !invitation.isForDevice {
                join.member = identity.member.bytes[...]
                join.admission = identity.admission.encoded[...]
            }
            join.sharingKey = cryptography.sharingKey(seed: sharingSeed(of: invitation.group)).bytes[...]
            payload.join = join
        }
        for group in sessions[index].groups.indices where mayIntroduce(group, session: index) {
            payload.groups.append(try introduction(group, session: index, store))
        }
        payload.groups += introduceRecordGroups(index)
        send(payload, to: index)
    }

    /// Our hello, if it was not said yet: the first payload must carry it.
    private mutating func hello(to index: Int) -> Hello? {
        guard !sessions[index].hasSaidHello else { return nil }
        sessions[index].hasSaidHello = true
        var hello = Hello()
        hello.incarnation = incarnation[...]
        hello.windowLimit = UInt64(clamping: sessions[index].link.windowLimit ?? Limits.inFlight)
        return hello
    }

    private func mayIntroduce(_ groupSession: Int, session index: Int) -> Bool {
        guard !sessions[index].groups[groupSession].isIntroduced else { return false }
        return sessions[index].trust == .peer || groups[sessions[index].groups[groupSession].group].isPublic
    }

    private mutating func introduction(
        _ groupSession: Int, session index: Int, _ store: any EventStore
    ) throws(StoreError) -> GroupSync {
        let group = sessions[index].groups[groupSession].group
        sessions[index].groups[groupSession].isIntroduced = true
        var sync = GroupSync(number: group)
        sync.tag = tag(ofGroup: group, sessions[index].link, ofDialler: sessions[index].link.isDialler)
        let root = groups[group].frontier.root(using: cryptography)
        sync.root = ShownRoot(root, on: sessions[index].link, using: cryptography)
        let agreements = try store.agreements(
            with: sessions[index].link.peer, inGroup: groups[group].record.reference)
        sync.since = agreements.map(\.token)
        sessions[index].groups[groupSession].named = agreements
        if sync.since.first == root.prefix64 {
            // Nothing has changed here since the last agreement: one token says all, and it stands in the root.
            sync.isAgreed = true
            sync.since = []
            sessions[index].groups[groupSession].named = Array(agreements.prefix(1))
        }
        sessions[index].groups[groupSession].lastRootSent = root
        sessions[index].groups[groupSession].changesSaid = groups[group].frontier.changes
        let logs = groups[group].frontier.logs.count
        if logs >= Limits.codedLogs { sync.logs = UInt64(logs) }
        sessions[index].groups[groupSession].logsSaid = sync.logs
        sync.onlyTakes = sessions[index].groups[groupSession].visibility != .shared
        sync.horizon = groups[group].kept.horizon == 0 ? nil : groups[group].kept.horizon
        sessions[index].groups[groupSession].horizonSaid = groups[group].kept.horizon
        return sync
    }

    /// Shows a group that was made or joined while the session was open.
    mutating func introduce(
        group: Int, _ visibility: Visibility, toSession index: Int, _ store: any EventStore
    ) throws(StoreError) {
        guard sessions[index].link.dialect == .native, sessions[index].groups.count < Limits.groupsPerSession else {
            return
        }
        sessions[index].groups.append(GroupSession(group: group, visibility))
        sessions[index].isConcerned = true
        guard sessions[index].hasGreeted, mayIntroduce(sessions[index].groups.count - 1, session: index) else {
            return
        }
        var payload = Payload()
        payload.groups = [try introduction(sessions[index].groups.count - 1, session: index, store)]
        send(payload, to: index)
        // The peer may have shown the group before it could be recognised here.
        let waiting = sessions[index].unmatched
        guard !waiting.isEmpty else { return }
        sessions[index].unmatched = []
        do {
            for entry in waiting { try match(entry, index, store) }
        } catch let error as StoreError {
            throw error
        } catch {
            close(index, "\(error)")
        }
        announceReadiness(index)
    }

    private func tag(ofGroup group: Int, _ link: Link, ofDialler: Bool) -> Bytes {
        tag(keyedBy: groups[group].record.discovery, link, ofDialler: ofDialler)
    }

    /// By which a side of a link shows a group that both know the secret of.
    func tag(keyedBy secret: Bytes32, _ link: Link, ofDialler: Bool) -> Bytes {
        let role: UInt8 = ofDialler ? 0 : 1
        let text = Array("tombolo-tag-1".utf8) + link.binding.bytes + [role]
        return cryptography.hmac(key: secret, text).bytes[..<16]
    }

    // MARK: Receiving

    mutating func receive(_ bytes: Bytes, from id: SessionID, _ store: any EventStore) throws(StoreError) {
        guard let index = sessionIndex(id), !sessions[index].isClosed else { return }
        do {
            var payload = try Payload(decoding: bytes)
            for group in payload.groups.indices { payload.groups[group].unpinEvents(from: bytes.count) }
            try receive(payload, index, store)
        } catch let error as StoreError {
            throw error
        } catch let error as WireError {
            close(index, "\(error)")
        } catch let error as EngineError {
            close(index, error)
        } catch {
            close(index, "\(error)")
        }
    }

    mutating func close(_ index: Int, _ why: String) { close(index, .protocolViolation(why)) }

    mutating func close(_ index: Int, _ error: EngineError) {
        sessions[index].isClosed = true
        noteConcern(ofClosing: index)
        releaseChunks(session: index)
        effects.append(.close(sessions[index].link.session, error))
    }

    private mutating func receive(_ payload: Payload, _ index: Int, _ store: any EventStore) throws {
        sessions[index].isConcerned = true
        noteConcern(of: payload)
        if sessions[index].link.dialect == .mvds { return try receiveRecords(payload, session: index, store) }
        if !sessions[index].hasHeardHello {
            guard let hello = payload.hello, hello.version == 1, hello.incarnation.count == 16 else {
                throw EngineError.protocolViolation("it does not begin with a hello of version 1")
            }
            sessions[index].hasHeardHello = true
            sessions[index].windowLimit = Int(clamping: max(hello.windowLimit, UInt64(Limits.smallestWindow)))
            try noteIncarnation(Array(hello.incarnation), session: index, store)
        }
        if let join = payload.join {
            guard !sessions[index].hasJoined else { throw EngineError.protocolViolation("it joins twice") }
            sessions[index].hasJoined = true
            try answer(join, index, store)
        }
        if let welcome = payload.welcome { try take(welcome, index, store) }
        try greet(index, store)
        for sync in payload.groups {
            if sync.tag != nil { try match(sync, index, store) }
        }
        for sync in payload.groups {
            if let group = sessions[index].recordGroups.firstIndex(where: { $0.theirNumber == sync.number }) {
                if sync.tag == nil, let root = sync.root { receiveRecordRoot(root, group, session: index) }
                if let message = sync.reconcile { try receiveSetMessage(message, group, session: index, store) }
                continue
            }
            guard let group = sessions[index].groups.firstIndex(where: { $0.theirNumber == sync.number }) else {
                continue
            }
            try receive(sync, group, session: index, store)
        }
        // Who has nothing to show says hello all the same.
        if payload.hello != nil || payload.groups.contains(where: { $0.tag != nil }) { announceReadiness(index) }
        if sessions[index].trust == .peer { try receiveRecords(payload, session: index, store) }
    }

    private mutating func noteIncarnation(
        _ incarnation: [UInt8], session index: Int, _ store: any EventStore
    ) throws(StoreError) {
        guard var peer = sessions[index].peer, peer.incarnation != incarnation else { return }
        // What it was known to hold may be gone: it is asked anew, and served in full.
        if !peer.incarnation.isEmpty { try store.forgetPeer(peer.device) }
        peer.incarnation = incarnation
        try keep(peer, store)
    }

    /// Finds the group that a tag names.
    private mutating func match(_ sync: GroupSync, _ index: Int, _ store: any EventStore) throws {
        guard let tag = sync.tag, tag.count == 16, let root = sync.root else {
            throw EngineError.protocolViolation("a group without its tag or root")
        }
        if matchRecordGroup(sync, tag, root, index) { return }
        let link = sessions[index].link
        let known = sessions[index].expectedTags.count
        for group in sessions[index].groups.indices.dropFirst(known) {
            let expected = self.tag(ofGroup: sessions[index].groups[group].group, link, ofDialler: !link.isDialler)
            sessions[index].expectedTags.append(expected)
        }
        let found = sessions[index].expectedTags.firstIndex(of: tag)
        guard let found, sessions[index].groups[found].theirNumber == nil else {
            guard sessions[index].unmatched.count < Limits.groupsPerSession else {
                throw EngineError.protocolViolation("it shows more than \(Limits.groupsPerSession) groups")
            }
            sessions[index].unmatched.append(sync.introduction)
            return
        }
        if sessions[index].trust != .peer {
            // It knows the group's secret: that makes it a peer, but where anyone may.
            let isPublic = groups[sessions[index].groups[found].group].isPublic
            sessions[index].trust = isPublic ? .visitor : .peer
            if !isPublic { try addPeer(link.peer, addresses: [], store) }
            try greet(index, store)
        }
        sessions[index].groups[found].theirNumber = sync.number
        sessions[index].groups[found].peerRoot = root
        sessions[index].groups[found].logsOfPeer = sync.logs
        sessions[index].groups[found].peerHorizon = sync.horizon ?? 0
        sessions[index].groups[found].peerOnlyTakes = sync.onlyTakes
        sessions[index].groups[found].since = (sync.isAgreed ? [root.token] : []) + sync.since
    }

    private mutating func announceReadiness(_ index: Int) {
        let matched = sessions[index].groups.indices.filter { sessions[index].groups[$0].isMatched }
        let common =
            matched.map { groups[sessions[index].groups[$0].group].id }
            + sessions[index].recordGroups.filter { $0.theirNumber != nil }.map { mvdsGroups[$0.group].id }
        effects.append(.peerReady(sessions[index].link.session, sessions[index].link.peer, groups: common))
    }

    // MARK: Joining

    private mutating func answer(_ join: Join, _ index: Int, _ store: any EventStore) throws(StoreError) {
        var welcome = Welcome()
        let peer = sessions[index].link.peer
        noteClaim(MemberKey(join.member), session: index)
        let found = try store.invitation(id: Array(join.invitation))
        if var found, let group = groupIndex(found.group),
            visibilities(session: index)[group] != .invisible,
            Invitation.proof(
                secret: found.secret, binding: sessions[index].link.binding, group: found.group, using: cryptography
            ).bytes[...] == join.proof
        {
            let isInTime = found.expiry >= now && (found.users.count < found.uses || found.users.contains(peer))
            let joiner = isInTime ? try admit(join, of: peer, as: found.role, group: group, store) : nil
            if found.expiry < now {
                welcome.status = Welcome.Status.expired.rawValue
            } else if found.users.count >= found.uses, !found.users.contains(peer) {
                welcome.status = Welcome.Status.used.rawValue
            } else if joiner == nil {
                welcome.status = Welcome.Status.notAllowed.rawValue
            } else {
                if !found.users.contains(peer) { found.users.append(peer) }
                try store.put(found)
                try addPeer(peer, of: joiner?.0, addresses: [], store)
                sessions[index].trust = .peer
                if let (member, admission) = joiner, let key = Bytes32(join.sharingKey) {
                    let recipient = GroupSealing.Recipient(
                        member: member, devices: admission.devices, key: key, place: .never)
                    sessions[index].joiner = (groups[group].id, recipient)
                }
                if found.group == identity.ownGroup, let (member, admission) = joiner {
                    welcome.member = member.bytes[...]
                    welcome.admission = admission.encoded[...]
                }
                welcome.statement = groups[group].record.statement[...]
                welcome.discovery = groups[group].record.discovery.bytes[...]
                welcome.name = Array(groups[group].record.name.utf8)[...]
            }
        } else {
            welcome.status = Welcome.Status.unknown.rawValue
        }
        try greet(index, store)
        var payload = Payload()
        payload.hello = hello(to: index)
        payload.welcome = welcome
        send(payload, to: index)
    }

    /// Makes the member whose device joins what its invitation promises; in the group of this member's devices, makes the device one of them.
    ///
    /// - Returns: who the device belongs to from now on; nil if it did not say who it is, or the inviter has not the right.
    private mutating func admit(
        _ join: Join, of peer: DeviceKey, as role: Role, group: Int, _ store: any EventStore
    ) throws(StoreError) -> (MemberKey, DeviceAdmission)? {
        if groups[group].id == identity.ownGroup {
            guard whyRemoved(group: group) == nil else { return nil }
            let admission = admission(ofDevice: peer)
            guard !isRemoved(admission.devices, of: identity.member, group: group) else { return nil }
            try noteAdmission(of: peer, group: group, store)
            return (identity.member, admission)
        }
        guard let member = MemberKey(join.member),
            let admission = try? DeviceAdmission(decoding: join.admission, of: peer),
            admission.isValid(of: member, using: cryptography),
            !isRemoved(admission.devices, of: member, group: group),
            try admit(member, as: role, group: group, store)
        else { return nil }
        return (member, admission)
    }

    private mutating func take(_ welcome: Welcome, _ index: Int, _ store: any EventStore) throws {
        guard let invitation = sessions[index].link.invitation else {
            throw EngineError.protocolViolation("a welcome that nobody asked for")
        }
        switch Welcome.Status(rawValue: welcome.status) {
        case .welcome: break
        case .expired: throw EngineError.invitationRefused("it has expired; ask for another one")
        case .notAllowed:
            throw EngineError.invitationRefused(
                "the inviter may not admit you (any more); ask an admin for another one")
        case .used:
            throw EngineError.invitationRefused("it was used by as many devices as it admits; ask for another one")
        case .unknown, nil:
            throw EngineError.invitationRefused("the inviter does not know it (any more); ask for another one")
        }
        let statement = Array(welcome.statement)
        let id = GroupStatement.groupID(of: statement, using: cryptography)
        guard id == invitation.group, let discovery = Bytes32(welcome.discovery),
            let known = try? GroupStatement(decoding: welcome.statement),
            known.discovery == GroupStatement.discoveryCommitment(discovery, using: cryptography)
        else { throw EngineError.invitationRefused("what the inviter sent is not the group of the link") }
        let name = String(decoding: welcome.name.prefix(Limits.groupName), as: UTF8.self)
        guard known.policy != .public || known == GroupStatement.public(named: name, using: cryptography).statement
        else {
            throw EngineError.invitationRefused("what the inviter sent is not the public group of that name")
        }
        if invitation.isForDevice, identity.ownGroup != id { try adopt(welcome, ownGroup: id, store) }
        try add(
            GroupRecord(
                id: id, dialect: .native, statement: statement, discovery: discovery,
                name: name), store)
        effects.append(.joined(sessions[index].link.session, id))
    }

    mutating func send(_ payload: Payload, to index: Int) {
        guard !payload.isEmpty, !sessions[index].isClosed else { return }
        effects.append(.send(sessions[index].link.session, payload.encoded))
    }

    mutating func linkClosed(_ id: SessionID, _ store: any EventStore) throws(StoreError) {
        guard let index = sessionIndex(id) else { return }
        noteConcern(ofClosing: index)
        // The peer's last words may have come in the same batch: an agreement is not lost with the link.
        try advance(index, store)
        sessions[index].isClosed = true
        releaseChunks(session: index)
        for group in sessions[index].groups where !group.awaitedSecrets.isEmpty {
            askOthersForSecrets(group.awaitedSecrets, group: group.group)
        }
        // What is vouched for of an unfinished window is kept.
        for group in sessions[index].groups.indices where !sessions[index].groups[group].window.isEmpty {
            let events = sessions[index].groups[group].window
            sessions[index].groups[group].window = []
            _ = try take(events, group, session: index, store)
        }
    }
}
