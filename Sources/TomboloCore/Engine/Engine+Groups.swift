// Groups and invitations that the application asks for.
extension Engine {
    mutating func createGroup(
        _ request: RequestID, name: String, _ policy: Policy, in batch: inout Batch<Crypto>
    ) throws(StoreError) {
        guard policy != .public || (1...Limits.groupName).contains(name.utf8.count) else {
            return batch.refuse(request, "a public group's name has 1 to \(Limits.groupName) bytes")
        }
        batch.effects.append(.created(request, try makeGroup(name: name, policy, in: &batch)))
    }

    mutating func makeGroup(
        name: String, _ policy: Policy, in batch: inout Batch<Crypto>
    ) throws(StoreError) -> GroupID {
        let (statement, discovery) =
            policy == .public
            ? GroupStatement.public(named: name, using: batch.cryptography) : Self.newStatement(policy, in: &batch)
        let id = GroupStatement.groupID(of: statement.encoded, using: batch.cryptography)
        try add(
            GroupRecord(id: id, dialect: .native, statement: statement.encoded, discovery: discovery, name: name),
            in: &batch)
        return id
    }

    /// The statement of a new group of this member, and the discovery secret that it commits to.
    private static func newStatement(
        _ policy: Policy, in batch: inout Batch<Crypto>
    ) -> (GroupStatement, Bytes32) {
        let discovery = Bytes32.random(using: &batch.generator)
        let statement = GroupStatement(
            policy: policy, owner: batch.identity.member,
            discovery: GroupStatement.discoveryCommitment(discovery, using: batch.cryptography),
            nonce: .random(16, using: &batch.generator))
        return (statement, discovery)
    }

    mutating func createMVDSGroup(
        _ request: RequestID, _ id: GroupID?, name: String, in batch: inout Batch<Crypto>
    ) throws(StoreError) {
        let id = id ?? GroupID(.random(using: &batch.generator))
        guard mvds.index(of: id) == nil, replicaIndex(id) == nil else {
            return batch.fail(request, .groupExists(id))
        }
        try mvds.create(request, id, name: name, in: &batch)
    }

    /// Shares a group of the mvds dialect with a peer.
    mutating func share(
        _ request: RequestID, _ group: GroupID, with peer: DeviceKey, in batch: inout Batch<Crypto>
    ) throws(StoreError) {
        guard let index = mvds.index(of: group) else {
            return batch.fail(request, replicaIndex(group) == nil ? .unknownGroup(group) : .notMVDS(group))
        }
        try addPeer(peer, addresses: [], in: &batch)
        try mvds.share(request, group: index, with: peer, in: &batch)
    }

    // MARK: Invitations

    mutating func invite(
        _ request: RequestID, _ group: GroupID, addresses: [String], expiry: UInt64, _ role: Role, uses: Int,
        in batch: inout Batch<Crypto>
    ) throws(StoreError) {
        guard let index = nativeGroup(group, request, in: &batch) else { return }
        guard group != batch.identity.ownGroup else {
            return batch.refuse(request, "this group is for your own devices: link one instead")
        }
        if let reason = replicas[index.value].refusalToInvite(as: role, batch.identity) {
            return batch.refuse(request, reason)
        }
        guard (1...Limits.invitationUses).contains(uses) else {
            return batch.refuse(
                request, "an invitation admits between 1 and \(Limits.invitationUses) devices, not \(uses)")
        }
        let invitation = try makeInvitation(
            to: group, addresses: addresses, expiry: expiry, role, uses: uses, isForDevice: false, in: &batch)
        batch.effects.append(.invited(request, invitation))
    }

    mutating func makeInvitation(
        to group: GroupID, addresses: [String], expiry: UInt64, _ role: Role, uses: Int, isForDevice: Bool,
        in batch: inout Batch<Crypto>
    ) throws(StoreError) -> Invitation {
        let invitation = Invitation(
            group: group, inviter: batch.identity.device, secret: .random(16, using: &batch.generator),
            expiry: expiry, addresses: addresses, isForDevice: isForDevice)
        let id = Invitation.id(ofSecret: invitation.secret, using: batch.cryptography)
        try batch.store.put(
            InvitationRecord(
                id: id, secret: invitation.secret, group: group, expiry: expiry, role: role, mostUses: uses))
        return invitation
    }

    mutating func revoke(
        _ request: RequestID, _ group: GroupID, _ invitation: [UInt8], in batch: inout Batch<Crypto>
    ) throws(StoreError) {
        guard try batch.store.invitation(id: invitation)?.group == group else {
            return batch.refuse(request, "there is no such invitation to the group on this device")
        }
        try batch.store.removeInvitation(id: invitation)
        batch.effects.append(.done(request))
    }
}
