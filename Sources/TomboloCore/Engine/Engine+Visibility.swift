/// The times at which sessions are compared with the visibility of groups.
struct VisibilityReview: Sendable {
    /// Whether a setting has changed, or a peer has claimed to belong to a member.
    var mustReview = false
    /// The number of logs and state events at the last review: they show which member a device belongs to.
    var reviewedCount = 0
}

// The visibility of groups for contacts (protocol 5.10, decision 0025).
extension Engine {
    mutating func setVisibility(
        _ request: RequestID, _ group: GroupID, _ contact: Contact, _ new: VisibilityLevel,
        in batch: inout Batch<Crypto>
    ) throws(StoreError) {
        guard let index = nativeGroup(group, request, in: &batch)?.value else { return }
        let known = replicas[index].visibility[contact]
        guard known != new else { return batch.effects.append(.done(request)) }
        if new != .shared, let reason = refusalToHide(from: contact, group: index, batch.identity) {
            return batch.refuse(request, reason)
        }
        replicas[index].visibility[contact] = new
        try batch.store.setValue(replicas[index].visibility.encoded, forKey: GroupVisibility.key(of: group))
        // At once: nothing else of the same batch may go by the old setting.
        visibility.mustReview = true
        try reviewVisibility(in: &batch)
        batch.effects.append(.done(request))
    }

    private func refusalToHide(
        from contact: Contact, group: Int, _ identity: Identity<Crypto>
    ) -> String? {
        let isOwn =
            switch contact {
            case .member(let member): member == identity.member
            case .device(let device): ownDevices(identity).contains(device)
            }
        if isOwn || replicas[group].id == identity.ownGroup { return "your own devices share all groups" }
        let visibility = replicas[group].visibility
        guard visibility[contact] != .shared || visibility.settings.count < Limits.hiddenFrom else {
            return "a group can be hidden from at most \(Limits.hiddenFrom) members and devices"
        }
        return nil
    }

    // MARK: Which member a peer belongs to

    /// This member's devices, without those that were removed.
    private func ownDevices(_ identity: Identity<Crypto>) -> Set<DeviceKey> {
        var own: Set<DeviceKey> = []
        for (device, admitted) in knownDevices(identity) where !identity.isRemoved(admitted) { own.insert(device) }
        return own
    }

    /// The members to whom the peers of some sessions belong.
    ///
    /// The peers proved this when they joined, or by events that they, or devices that they admitted, have written in
    /// any group.
    private func members(ofPeersOf indices: [Int]) -> [DeviceKey: Set<MemberKey>] {
        var members: [DeviceKey: Set<MemberKey>] = [:]
        for index in indices { members[sessions[index].link.peer] = sessions[index].peer?.member.map { [$0] } ?? [] }
        let devices = Set(members.keys)
        for replica in replicas {
            for log in replica.frontier.logs {
                guard let certificate = log.certificate else { continue }
                for device in certificate.admission.devices where devices.contains(device) {
                    members[device, default: []].insert(certificate.member)
                }
            }
        }
        return members
    }

    private var hidesGroups: Bool { replicas.indices.contains { !replicas[$0].visibility.isEmpty } }

    /// The visibility of each group for the peer of each of some sessions.
    func visibilities(forSessions indices: [Int], _ identity: Identity<Crypto>) -> [[VisibilityLevel]] {
        let all = Array(repeating: VisibilityLevel.shared, count: replicas.count)
        guard hidesGroups, !indices.isEmpty else { return Array(repeating: all, count: indices.count) }
        let own = ownDevices(identity)
        let members = members(ofPeersOf: indices)
        return indices.map { index in
            let peer = sessions[index].link.peer
            if own.contains(peer) { return all }
            // A peer's claim hides more from it, and never less.
            let known = (members[peer] ?? []).union(sessions[index].claimedMember.map { [$0] } ?? [])
            return replicas.map { $0.visibility.level(of: peer, of: known) }
        }
    }

    /// The visibility of each group for the peer of a session.
    func visibilities(session index: Int, _ identity: Identity<Crypto>) -> [VisibilityLevel] {
        visibilities(forSessions: [index], identity).first ?? []
    }

    /// The groups that a session is about.
    func groupsToShow(session index: Int, _ identity: Identity<Crypto>) -> [GroupSession] {
        let shown = visibilities(session: index, identity).enumerated().filter { $0.element != .invisible }
        return shown.prefix(Limits.groupsPerSession).map { GroupSession(ReplicaIndex(value: $0.offset), $0.element) }
    }

    // MARK: Reviewing

    /// Closes links on which a group is shared in another way than is set now, so that the next link follows the
    /// setting. It also shows groups that are no longer hidden.
    mutating func reviewVisibility(in batch: inout Batch<Crypto>) throws(StoreError) {
        guard visibility.mustReview || hidesGroups else { return }
        let count = replicas.indices.reduce(0) {
            $0 + replicas[$1].frontier.logs.count + replicas[$1].state.nodes.count
        }
        guard visibility.mustReview || count != visibility.reviewedCount else { return }
        visibility = VisibilityReview(reviewedCount: count)
        let native = sessions.indices.filter { !sessions[$0].isClosed && sessions[$0].link.dialect == .native }
        for (index, visibilities) in zip(native, visibilities(forSessions: native, batch.identity)) {
            let isRight = sessions[index].groups.allSatisfy { $0.policy.visibility == visibilities[$0.replica.value] }
            guard isRight else {
                close(index, .visibilityChanged, in: &batch)
                continue
            }
            let known = Set(sessions[index].groups.map(\.replica.value))
            for group in visibilities.indices where visibilities[group] != .invisible && !known.contains(group) {
                try introduce(ReplicaIndex(value: group), visibilities[group], toSession: index, in: &batch)
            }
        }
    }
}
