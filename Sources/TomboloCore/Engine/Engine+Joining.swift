// Joining a group by an invitation (protocol 5.5).
extension Engine {
    /// Answers a peer that proves an invitation of this device.
    mutating func answer(_ join: Join, _ index: Int, in batch: inout Batch<Crypto>) throws(StoreError) {
        if sessions[index].noteClaim(MemberKey(join.member)) {
            sessions[index].groups = groupsToShow(session: index, batch.identity)
        }
        visibility.mustReview = true
        let welcome = try welcome(for: join, index, in: &batch)
        try greet(index, in: &batch)
        var payload = Payload()
        payload.hello = sessions[index].hello(incarnation: incarnation)
        payload.welcome = welcome
        send(payload, toSession: index, in: &batch)
    }

    private mutating func welcome(
        for join: Join, _ index: Int, in batch: inout Batch<Crypto>
    ) throws(StoreError) -> Welcome {
        let link = sessions[index].link
        var welcome = Welcome()
        guard var invitation = try batch.store.invitation(id: Array(join.invitation)),
            let replica = replicaIndex(invitation.group),
            let member = claimedMember(join, in: invitation.group, batch.identity),
            visibilities(session: index, batch.identity)[replica.value] != .invisible,
            Invitation.proof(
                secret: invitation.secret, binding: link.binding, group: invitation.group, using: batch.cryptography
            ).bytes[...] == join.proof
        else {
            welcome.status = Welcome.Status.unknown.rawValue
            return welcome
        }
        let use = InvitationUse(device: link.peer, member: member)
        let isKnown = invitation.uses.contains(use)
        let isUsedUp = invitation.uses.count >= invitation.mostUses && !isKnown
        let isInTime = invitation.expiry >= batch.now && !isUsedUp
        let joiner =
            isInTime
            ? try admit(join, of: member, on: link.peer, as: invitation.role, to: replica, in: &batch) : nil
        guard let admission = joiner else {
            let status: Welcome.Status =
                invitation.expiry < batch.now ? .expired : isUsedUp ? .used : .notAllowed
            welcome.status = status.rawValue
            return welcome
        }
        if !isKnown { invitation.uses.append(use) }
        try batch.store.put(invitation)
        try addPeer(link.peer, of: member, addresses: [], in: &batch)
        sessions[index].raiseTrust(to: .peer)
        let record = replicas[replica.value].record
        if let key = Bytes32(join.sharingKey) {
            sessions[index].joiner = (
                record.id,
                GroupSecrets.Recipient(member: member, devices: admission.devices, key: key, place: .never)
            )
        }
        if record.id == batch.identity.ownGroup {
            welcome.member = member.bytes[...]
            welcome.admission = admission.encoded[...]
        }
        welcome.statement = record.statement[...]
        welcome.discovery = record.discovery.bytes[...]
        welcome.name = Array(record.name.utf8)[...]
        return welcome
    }

    /// Gives a joining member the role that the invitation promises. In the group of this member's devices, the joining
    /// device becomes one of them.
    ///
    /// - Returns: the device's admission. Nil if the device has not proved it, or if this device's member has no right to
    ///   admit the joiner.
    private mutating func admit(
        _ join: Join, of member: MemberKey, on peer: DeviceKey, as role: Role, to replica: ReplicaIndex,
        in batch: inout Batch<Crypto>
    ) throws(StoreError) -> DeviceAdmission? {
        let index = replica.value
        if replicas[index].id == batch.identity.ownGroup {
            guard replicas[index].refusalOfDevice(batch.identity) == nil else { return nil }
            let admission = admission(ofDevice: peer, in: batch)
            guard !replicas[index].isRemoved(admission.devices, of: batch.identity.member, batch.identity) else {
                return nil
            }
            try replicas[index].noteAdmission(of: peer, in: &batch)
            try fanOut(from: index, in: &batch)
            return admission
        }
        guard let admission = try? DeviceAdmission(decoding: join.admission, of: peer),
            admission.isValid(of: member, using: batch.cryptography),
            !replicas[index].isRemoved(admission.devices, of: member, batch.identity)
        else { return nil }
        let isAdmitted = try replicas[index].admit(member, as: role, in: &batch)
        try fanOut(from: index, in: &batch)
        return isAdmitted ? admission : nil
    }

    /// The member that a joiner claims to belong to. In the group of this member's devices, it is this member.
    private func claimedMember(_ join: Join, in group: GroupID, _ identity: Identity<Crypto>) -> MemberKey? {
        group == identity.ownGroup ? identity.member : MemberKey(join.member)
    }

    /// Receives the inviter's answer, and begins to sync the group.
    mutating func receive(_ welcome: Welcome, _ index: Int, in batch: inout Batch<Crypto>) throws {
        guard let invitation = sessions[index].link.invitation else {
            throw EngineError.protocolViolation("it sent a welcome without a request")
        }
        if let refusal = Welcome.Status(rawValue: welcome.status).refusal {
            throw EngineError.invitationRefused(refusal)
        }
        let statement = Array(welcome.statement)
        let id = GroupStatement.groupID(of: statement, using: batch.cryptography)
        guard id == invitation.group, let discovery = Bytes32(welcome.discovery),
            let known = try? GroupStatement(decoding: welcome.statement),
            known.discovery == GroupStatement.discoveryCommitment(discovery, using: batch.cryptography)
        else { throw EngineError.invitationRefused("the inviter's answer is not for the group of the link") }
        let name = String(decoding: welcome.name.prefix(Limits.groupName), as: UTF8.self)
        guard
            known.policy != .public
                || known == GroupStatement.public(named: name, using: batch.cryptography).statement
        else {
            throw EngineError.invitationRefused("the inviter's answer is not for the public group of that name")
        }
        if invitation.isForDevice, batch.identity.ownGroup != id { try adopt(welcome, ownGroup: id, in: &batch) }
        try add(
            GroupRecord(id: id, dialect: .native, statement: statement, discovery: discovery, name: name),
            in: &batch)
        batch.effects.append(.joined(sessions[index].link.session, id))
    }
}

extension Optional<Welcome.Status> {
    /// The reason why an inviter refuses, in words for the user; nil if it does not.
    fileprivate var refusal: String? {
        switch self {
        case .welcome: nil
        case .expired: "it has expired; ask for another one"
        case .notAllowed: "the inviter may not admit you, or an admin has removed you; ask an admin"
        case .used: "as many devices as it admits have used it; ask for another one"
        case .unknown, nil: "the inviter does not know it (any more); ask for another one"
        }
    }
}

extension Join {
    /// The proof of an invitation, for the link that it is sent over.
    init(by invitation: Invitation, over link: PeerLink, in batch: Batch<some Cryptography>) {
        self.init()
        let cryptography = batch.cryptography
        self.invitation = Invitation.id(ofSecret: invitation.secret, using: cryptography)[...]
        proof =
            Invitation.proof(
                secret: invitation.secret, binding: link.binding, group: invitation.group, using: cryptography
            ).bytes[...]
        if !invitation.isForDevice {
            member = batch.identity.member.bytes[...]
            admission = batch.identity.admission.encoded[...]
        }
        sharingKey = cryptography.sharingKey(seed: batch.sharingSeed(of: invitation.group)).bytes[...]
    }
}
