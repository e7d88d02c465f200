// How far groups are shared with whom (decision 0025, protocol §5.10).
extension Engine {
    mutating func setVisibility(
        _ request: RequestID, _ group: GroupID, _ contact: Contact, _ visibility: Visibility, _ store: any EventStore
    ) throws(StoreError) {
        guard let index = nativeGroup(group, request) else { return }
        let known = groups[index].visibility[contact]
        guard known != visibility else { return effects.append(.done(request)) }
        if visibility != .shared, let why = whyNotHide(from: contact, group: index) {
            return effects.append(.failed(request, .notAllowed(why)))
        }
        groups[index].visibility[contact] = visibility
        try store.setValue(groups[index].visibility.encoded, forKey: GroupVisibility.key(of: group))
        // Nothing else of the same batch is to go by what held before.
        mustReviewVisibility = true
        try reviewVisibility(store)
        effects.append(.done(request))
    }

    private func whyNotHide(from contact: Contact, group: Int) -> String? {
        let isOwn =
            switch contact {
            case .member(let member): member == identity.member
            case .device(let device): ownDevices.contains(device)
            }
        if isOwn || groups[group].id == identity.ownGroup { return "your own devices have all groups in common" }
        let visibility = groups[group].visibility
        guard visibility[contact] != .shared || visibility.settings.count < Limits.hiddenFrom else {
            return "a group is hidden from \(Limits.hiddenFrom) members and devices at most"
        }
        return nil
    }

    // MARK: Who is who

    /// This member's devices, without those that were removed.
    private var ownDevices: Set<DeviceKey> {
        var own: Set<DeviceKey> = []
        for (device, admitted) in knownDevices
        where groups.allSatisfy({ $0.state.removals(of: admitted, of: identity.member).isEmpty }) { own.insert(device) }
        return own
    }

    /// Whose some devices have shown to be, when they joined, or by what they, or devices that they have admitted, have written anywhere.
    private func members(ofPeersOf indices: [Int]) -> [DeviceKey: Set<MemberKey>] {
        var members: [DeviceKey: Set<MemberKey>] = [:]
        for index in indices { members[sessions[index].link.peer] = sessions[index].peer?.member.map { [$0] } ?? [] }
        let devices = Set(members.keys)
        for group in groups {
            for log in group.frontier.logs {
                guard let certificate = log.certificate else { continue }
                for device in certificate.admission.devices where devices.contains(device) {
                    members[device, default: []].insert(certificate.member)
                }
            }
        }
        return members
    }

    private var hidesSomething: Bool { groups.indices.contains { !groups[$0].visibility.isEmpty } }

    /// How far each group is shared with the peer of each of some sessions.
    func visibilities(forSessions indices: [Int]) -> [[Visibility]] {
        let all = Array(repeating: Visibility.shared, count: groups.count)
        guard hidesSomething, !indices.isEmpty else { return Array(repeating: all, count: indices.count) }
        let own = ownDevices
        let members = members(ofPeersOf: indices)
        return indices.map { index in
            let peer = sessions[index].link.peer
            if own.contains(peer) { return all }
            // What it has said to be hides more from it, and never less.
            let known = (members[peer] ?? []).union(sessions[index].claimedMember.map { [$0] } ?? [])
            return groups.map { $0.visibility.level(of: peer, of: known) }
        }
    }

    /// How far each group is shared with the peer of a session.
    func visibilities(session index: Int) -> [Visibility] { visibilities(forSessions: [index]).first ?? [] }

    /// The groups that a session is about.
    func groupsToShow(session index: Int) -> [GroupSession] {
        let shown = visibilities(session: index).enumerated().filter { $0.element != .invisible }
        return shown.prefix(Limits.groupsPerSession).map { GroupSession(group: $0.offset, $0.element) }
    }

    /// The peer says whose device it is.
    mutating func noteClaim(_ member: MemberKey?, session index: Int) {
        sessions[index].claimedMember = member
        mustReviewVisibility = true
        guard !sessions[index].hasGreeted else { return }
        // It was shown nothing yet.
        sessions[index].groups = groupsToShow(session: index)
        sessions[index].expectedTags = []
    }

    /// Closes links on which a group is shared otherwise than it is to be by now, so that the next one goes by that; shows groups that are not
    /// hidden any more. So it is where a setting has changed, and where a device has shown whose it is.
    mutating func reviewVisibility(_ store: any EventStore) throws(StoreError) {
        guard mustReviewVisibility || hidesSomething else { return }
        // By logs and state events shows whose device somebody is, and who was removed.
        let count = groups.indices.reduce(0) { $0 + groups[$1].frontier.logs.count + groups[$1].state.nodes.count }
        guard mustReviewVisibility || count != reviewedCount else { return }
        (mustReviewVisibility, reviewedCount) = (false, count)
        let native = sessions.indices.filter { !sessions[$0].isClosed && sessions[$0].link.dialect == .native }
        for (index, visibilities) in zip(native, visibilities(forSessions: native)) {
            let isRight = sessions[index].groups.allSatisfy { $0.visibility == visibilities[$0.group] }
            guard isRight else {
                close(index, .visibilityChanged)
                continue
            }
            let known = Set(sessions[index].groups.map(\.group))
            for group in visibilities.indices where visibilities[group] != .invisible && !known.contains(group) {
                try introduce(group: group, visibilities[group], toSession: index, store)
            }
        }
    }

    // MARK: Where one of the two sends nothing

    /// In place of comparing roots again, where they differ: tells the peer once that everything was sent, and who only takes, after that, that
    /// nothing more is asked for; and who runs the engine once that both have said so.
    mutating func settleOneSided(_ group: Int, session index: Int) {
        let number = sessions[index].groups[group].group
        let session = sessions[index].groups[group]
        // What comes may have to be asked for.
        let hasCome = session.visibility == .shared || session.peerOnlyTakes || session.peerHasSentAll
        if !session.hasSaidAll, hasCome, session.awaitsNothing, !session.awaitsAnswers {
            sessions[index].groups[group].hasSaidAll = true
            var sync = GroupSync(number: number)
            sync.hasSentAll = true
            send(sync, to: index)
        }
        guard sessions[index].groups[group].hasSaidAll, session.peerHasSentAll, !session.hasToldExchanged else {
            return
        }
        sessions[index].groups[group].hasToldExchanged = true
        sessions[index].groups[group].phase = .live
        effects.append(.exchanged(sessions[index].link.session, groups[number].id))
    }
}
