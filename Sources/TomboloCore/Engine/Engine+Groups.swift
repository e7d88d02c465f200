// What the application asks for: groups, invitations, events of its own.
extension Engine {
    mutating func createGroup(
        _ request: RequestID, name: String, _ policy: Policy, _ store: any EventStore
    ) throws(StoreError) {
        guard policy != .public || (1...Limits.groupName).contains(name.utf8.count) else {
            let why = "a public group's name has 1 to \(Limits.groupName) bytes"
            return effects.append(.failed(request, .notAllowed(why)))
        }
        effects.append(.created(request, try makeGroup(name: name, policy, store)))
    }

    mutating func makeGroup(name: String, _ policy: Policy, _ store: any EventStore) throws(StoreError) -> GroupID {
        let (statement, discovery) =
            policy == .public ? GroupStatement.public(named: name, using: cryptography) : newStatement(policy)
        let id = GroupStatement.groupID(of: statement.encoded, using: cryptography)
        try add(
            GroupRecord(id: id, dialect: .native, statement: statement.encoded, discovery: discovery, name: name),
            store)
        return id
    }

    /// Of a group of this member's, with the discovery secret that it commits to.
    private mutating func newStatement(_ policy: Policy) -> (GroupStatement, Bytes32) {
        let discovery = Bytes32.random(using: &generator)
        let statement = GroupStatement(
            policy: policy, owner: identity.member,
            discovery: GroupStatement.discoveryCommitment(discovery, using: cryptography),
            nonce: .random(16, using: &generator))
        return (statement, discovery)
    }

    mutating func add(_ record: GroupRecord, _ store: any EventStore) throws(StoreError) {
        guard groupIndex(record.id) == nil else { return }
        var record = record
        try store.put(&record)
        groups.append(try Self.open(record, for: identity.member, store, recentEvents: recentEvents))
        noteRemovalsMaySpread()
        let group = groups.count - 1
        let all = Array(sessions.indices)
        for (session, visibilities) in zip(all, visibilities(forSessions: all)) where visibilities[group] != .invisible
        {
            try introduce(group: group, visibilities[group], toSession: session, store)
        }
    }

    /// - Returns: what is kept of the peer now.
    @discardableResult
    mutating func addPeer(
        _ device: DeviceKey, of member: MemberKey? = nil, dialect: Dialect = .native, addresses: [String],
        _ store: any EventStore
    ) throws(StoreError) -> PeerRecord {
        let known = try store.peer(device)
        var peer = known ?? PeerRecord(device: device, dialect: dialect)
        if let member { peer.member = member }
        for address in addresses where !peer.addresses.contains(address) { peer.addresses.append(address) }
        if peer != known { try keep(peer, store) }
        return peer
    }

    mutating func keep(_ peer: PeerRecord, _ store: any EventStore) throws(StoreError) {
        try store.put(peer)
        for index in sessions.indices where sessions[index].link.peer == peer.device { sessions[index].peer = peer }
    }

    mutating func invite(
        _ request: RequestID, _ group: GroupID, addresses: [String], expiry: UInt64, _ role: Role, uses: Int,
        _ store: any EventStore
    ) throws(StoreError) {
        guard let index = nativeGroup(group, request) else { return }
        guard group != identity.ownGroup else {
            return effects.append(.failed(request, .notAllowed("this group is your devices' own: link one instead")))
        }
        if let why = whyNotInvite(as: role, group: index) {
            return effects.append(.failed(request, .notAllowed(why)))
        }
        guard (1...Limits.invitationUses).contains(uses) else {
            let why = "an invitation admits between 1 and \(Limits.invitationUses) devices, not \(uses)"
            return effects.append(.failed(request, .notAllowed(why)))
        }
        let invitation = try makeInvitation(
            to: group, addresses: addresses, expiry: expiry, role, uses: uses, isForDevice: false, store)
        effects.append(.invited(request, invitation))
    }

    mutating func makeInvitation(
        to group: GroupID, addresses: [String], expiry: UInt64, _ role: Role, uses: Int, isForDevice: Bool,
        _ store: any EventStore
    ) throws(StoreError) -> Invitation {
        let invitation = Invitation(
            group: group, inviter: identity.device, secret: .random(16, using: &generator), expiry: expiry,
            addresses: addresses, isForDevice: isForDevice)
        let id = Invitation.id(ofSecret: invitation.secret, using: cryptography)
        try store.put(
            InvitationRecord(
                id: id, secret: invitation.secret, group: group, expiry: expiry, role: role, uses: uses))
        return invitation
    }

    mutating func revoke(
        _ request: RequestID, _ group: GroupID, _ invitation: [UInt8], _ store: any EventStore
    ) throws(StoreError) {
        guard try store.invitation(id: invitation)?.group == group else {
            let why = "there is no such invitation to the group on this device"
            return effects.append(.failed(request, .notAllowed(why)))
        }
        try store.removeInvitation(id: invitation)
        effects.append(.done(request))
    }

    // MARK: Writing

    mutating func append(
        _ request: RequestID, _ group: GroupID, _ kind: EventKind, _ content: [UInt8], _ expiry: UInt64?,
        _ files: [FileID], _ store: any EventStore
    ) throws(StoreError) {
        guard files.count <= Limits.filesPerEvent else {
            return effects.append(
                .failed(
                    request, .notAllowed("an event refers to \(Limits.filesPerEvent) files at most: say it in several"))
            )
        }
        let sealed = groupIndex(group).map { groups[$0].sealing != nil } ?? false
        let limit = Limits.content - (sealed ? Limits.seal : 0)
        guard content.count <= limit else { return effects.append(.failed(request, .contentTooLarge(limit: limit))) }
        for file in files where try store.file(file) == nil {
            guard try store.isReferred(to: file) else { return effects.append(.failed(request, .unknownFile(file))) }
        }
        if let index = mvdsIndex(group) { return try appendMessage(request, index, content, store) }
        guard let index = groupIndex(group) else { return effects.append(.failed(request, .unknownGroup(group))) }
        if let why = whyNotWrite(group: index) { return effects.append(.failed(request, .notAllowed(why))) }
        let expiry = [expiry, expiryOfGroup(index).map { now &+ $0 }].compactMap(\.self).min()
        if let expiry, expiry <= now || expiry >= Limits.integer {
            return effects.append(.failed(request, .notAllowed("it would go away before it is there, or never")))
        }
        try joinStateHeads(group: index, store)
        // One event names at most 16 heads: more are merged first, by events of their own. Where there are very many, somebody
        // has made them: some are left for later.
        var merges = 0
        while groups[index].heads.count > Limits.references + 1, merges < Limits.mergesPerAppend {
            guard try write(.merge, content: [], expiry: nil, group: index, store) != nil else { break }
            merges += 1
        }
        let rekey = content.isEmpty ? nil : try chooseRekey(group: index, store)
        guard sealed == false || content.isEmpty || rekey != nil,
            let id = try write(
                kind, content: content, under: rekey, expiry: expiry, files: files, group: index, store)
        else {
            return effects.append(.failed(request, .groupFull(group)))
        }
        effects.append(.appended(request, id))
    }

    /// - Parameters:
    ///   - rekey: what the content is sealed under, as it was chosen last.
    ///   - clear: how many bytes of it are not sealed.
    /// - Returns: nil if it was not taken, for a bound on the group.
    @discardableResult
    mutating func write(
        _ kind: EventKind, content: [UInt8], under rekey: EventReference? = nil, clear: Int = 0, expiry: UInt64?,
        files: [FileID] = [], group index: Int, _ store: any EventStore
    ) throws(StoreError) -> EventID? {
        let own = try kind.isState ? ownStateLog(group: index, store) : ownLog(group: index, store)
        let (key, log, certificate) = (own.key, own.id, own.certificate)
        let end = groups[index].frontier.index(of: log).flatMap { groups[index].frontier.logs[$0].ends.last }
        let previous = end.map { Backlink(id: $0.id, lamport: $0.lamport) }
        var parents: [EventReference] = []
        if !kind.isState {
            parents = groups[index].heads.values.lazy.map(\.place).filter { $0.id != previous?.id && $0.log != log }
                .sorted()
        }
        let stateHeads = groups[index].state.heads.filter { $0.id != previous?.id && $0.id != rekey?.id }
        // State stays: there is nothing to erase.
        let salt = kind.isState ? [] : [UInt8].random(16, using: &generator)
        let sequence = (end?.sequence ?? 0) + 1
        var content = content
        if rekey != nil {
            let nonce = kind.isState ? .random(12, using: &generator) : Array(salt.prefix(12))
            let text = Array(content[clear...])
            let sealed = seal(text, kind, for: log, sequence: sequence, nonce: nonce[...], group: index)
            guard let sealed else { return nil }
            content = content[..<clear] + (kind.isState ? nonce : []) + sealed
        }
        let header = EventHeader(
            kind: kind, isSalted: !salt.isEmpty, log: log, sequence: sequence, previous: previous,
            parents: Array(parents.prefix(Limits.references)),
            stateHeads: Array(stateHeads.prefix(Limits.references)), rekeys: rekey.map { [$0] } ?? [], expiry: expiry,
            contentLength: content.count,
            commitment: groups[index].hashing.commitment(
                salt: salt[...], content: content[...], using: cryptography),
            extensions: ((end == nil ? certificate.headerExtension : []) + EventHeader.filesExtension(files))[...])
        guard header.lamport < Limits.integer else { return nil }
        let bytes = header.encoded[...]
        let timestamp = Int64(min(now, Limits.integer - 1))
        let event = Event(
            id: groups[index].hashing.id(timestamp: timestamp, header: bytes, using: cryptography),
            timestamp: timestamp, header: header,
            headerBytes: bytes, content: content[...], salt: salt.isEmpty ? nil : salt[...],
            signature: groups[index].hashing.sign(timestamp: timestamp, header: bytes, with: key, using: cryptography)[
                ...])
        groups[index].receiptDue = nil
        let result = try admit([event], group: index, from: nil, isOwn: true, store)
        return result.accepted == 1 ? event.id : nil
    }

    /// This device's log in the group, begun if there is none yet.
    private mutating func ownLog(
        group index: Int, _ store: any EventStore
    ) throws(StoreError) -> OwnLog<Crypto> {
        var record = groups[index].record
        let seed = record.ownSeed ?? .random(using: &generator)
        let key = ownKeys[record.id] ?? cryptography.signingKey(seed: seed)
        ownKeys[record.id] = key
        if let log = record.ownLog, let known = groups[index].frontier.index(of: log),
            let certificate = groups[index].frontier.logs[known].certificate
        {
            return OwnLog(key: key, id: log, certificate: certificate)
        }
        let certificate = Certificate(
            ofLogWithKey: key, in: record.id, member: identity.member, admission: identity.admission,
            signedBy: identity.deviceKey, using: cryptography)
        let log = certificate.logID(in: record.id, using: cryptography)
        record.ownSeed = seed
        record.ownLog = log
        try store.put(&record)
        groups[index].record = record
        return OwnLog(key: key, id: log, certificate: certificate)
    }

    /// This device's log of state events in the group; its key comes from the same seed as the other log's.
    private mutating func ownStateLog(
        group index: Int, _ store: any EventStore
    ) throws(StoreError) -> OwnLog<Crypto> {
        _ = try ownLog(group: index, store)
        return ownStateLog(of: groups[index].record)
    }

    private mutating func ownStateLog(of record: GroupRecord) -> OwnLog<Crypto> {
        if let known = ownStateLogs[record.id] { return known }
        let seed = cryptography.hmac(key: record.ownSeed ?? .zero, Array("tombolo-state-log-1".utf8))
        let key = cryptography.signingKey(seed: seed)
        let certificate = Certificate(
            ofLogWithKey: key, isStateLog: true, in: record.id, member: identity.member,
            admission: identity.admission, signedBy: identity.deviceKey, using: cryptography)
        let made = OwnLog<Crypto>(
            key: key, id: certificate.logID(in: record.id, using: cryptography), certificate: certificate)
        ownStateLogs[record.id] = made
        return made
    }

    /// The logs that this device writes to, as far as it has begun them.
    mutating func ownLogs(inGroup index: Int) -> [LogID] {
        let record = groups[index].record
        guard let log = record.ownLog else { return [] }
        return [log, ownStateLog(of: record).id]
    }

    mutating func ingest(
        _ request: RequestID, _ group: GroupID, _ messages: [Message], _ horizon: UInt64,
        _ certificates: [Certificate], _ store: any EventStore
    ) throws(StoreError) {
        if let index = mvdsIndex(group) { return try ingestMessages(request, index, messages, store) }
        guard let index = groupIndex(group) else { return effects.append(.failed(request, .unknownGroup(group))) }
        var events: [Event] = []
        events.reserveCapacity(messages.count)
        for message in messages {
            do throws(EventError) {
                events.append(try Event(checking: message, hashing: &groups[index].hashing, using: cryptography))
            } catch {
                return effects.append(.failed(request, .invalidEvent(error)))
            }
        }
        let result = try take(
            events, group: index, from: nil, horizon: horizon,
            certificates: verified(certificates, for: events, group: index), store)
        effects.append(.ingested(request, accepted: result.accepted, held: result.alreadyHeld))
    }

    mutating func broadcast(
        _ request: RequestID, _ group: GroupID, _ content: [UInt8], _ store: any EventStore
    ) throws(StoreError) {
        let sealed = groupIndex(group).map { groups[$0].sealing != nil } ?? false
        let limit = Limits.ephemeralContent - (sealed ? Limits.sealWithNonce : 0)
        guard content.count <= limit else { return effects.append(.failed(request, .contentTooLarge(limit: limit))) }
        if let index = mvdsIndex(group) { return broadcastMessage(request, index, content) }
        guard let index = groupIndex(group) else { return effects.append(.failed(request, .unknownGroup(group))) }
        // Receivers know the key by the log's first event: an empty merge begins a log that has none.
        if let why = whyNotWrite(group: index) { return effects.append(.failed(request, .notAllowed(why))) }
        let own = try ownLog(group: index, store)
        let (key, log) = (own.key, own.id)
        if groups[index].frontier.index(of: log) == nil {
            try write(.merge, content: [], expiry: nil, group: index, store)
        }
        let last = groups[index].ephemeralTimes[log] ?? 0
        let timestamp = max(Int64(min(now, Limits.integer - 1)), last + 1)
        var content = content
        let rekey = content.isEmpty ? nil : try chooseRekey(group: index, store)
        if sealed, !content.isEmpty {
            guard rekey != nil, let made = sealEphemeral(content, from: log, at: timestamp, group: index) else {
                return effects.append(.failed(request, .groupFull(group)))
            }
            content = made
        }
        let header = EventHeader(
            kind: .ephemeral, isSalted: false, log: log, sequence: 0, previous: nil, rekeys: rekey.map { [$0] } ?? [],
            contentLength: content.count,
            commitment: groups[index].hashing.commitment(salt: [], content: content[...], using: cryptography))
        let bytes = header.encoded[...]
        groups[index].ephemeralTimes[log] = timestamp
        let signature = groups[index].hashing.sign(timestamp: timestamp, header: bytes, with: key, using: cryptography)
        passOnEphemeral(
            Message(
                groupID: group.bytes[...], timestamp: timestamp, body: bytes, content: content[...],
                signature: signature[...]),
            group: index, except: nil)
        effects.append(
            .appended(request, groups[index].hashing.id(timestamp: timestamp, header: bytes, using: cryptography)))
    }
}
