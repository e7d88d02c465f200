// State actions of this device.
extension Replica {
    /// Gives a member a role: by a grant or a demotion, whichever the role asks for.
    mutating func setRole(
        _ request: RequestID, of member: MemberKey, to role: Role, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        let old = state.standing(of: member).role
        // A member that has left may still have devices that write: a demotion ends their logs.
        guard role != old || role == .none && state.mayWriteAfterLeaving(member) else {
            return batch.refuse(
                request,
                role == .none
                    ? "that key has no role in this group" : "that member is \(role.withArticle) already")
        }
        try apply(request, role > old ? grant(to: member, role) : demotion(of: member, to: role), in: &batch)
    }

    mutating func setState(
        _ request: RequestID, key: String, value: [UInt8]?, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        guard (1...Limits.stateKey).contains(key.utf8.count) else {
            return batch.refuse(request, "a key has 1 to \(Limits.stateKey) bytes")
        }
        let action = StateAction.set(key: key, value: value)
        let isSealed = secrets != nil && action.isSealable
        let limit = Limits.stateValue - (isSealed ? Limits.sealWithNonce : 0)
        guard value?.count ?? 0 <= limit else { return batch.fail(request, .contentTooLarge(limit: limit)) }
        try apply(request, action, in: &batch)
    }

    /// Writes a state event for the application, if this device's member has the right to it.
    mutating func apply(
        _ request: RequestID, _ action: StateAction, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        if let reason = refusal(of: action, batch.identity) { return batch.refuse(request, reason) }
        guard let id = try write(action, in: &batch) else { return batch.fail(request, .groupFull(self.id)) }
        batch.effects.append(.appended(request, id))
    }

    /// Gives a member the role that its invitation promises, if this device's member may.
    ///
    /// An invitation does not overrule a demotion that this device knows, and ends with the inviter's removal.
    /// - Returns: whether the member now has the role, or a higher one.
    mutating func admit(
        _ member: MemberKey, as role: Role, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) -> Bool {
        let inviter = batch.identity.member
        guard state.standing(of: inviter).role > .none || !state.isDemotedByAnother(inviter) else { return false }
        guard state.standing(of: member).role < role else { return true }
        guard !state.isDemotedByAnother(member) else { return false }
        let action = grant(to: member, role)
        guard refusal(of: action, batch.identity) == nil else { return false }
        return try write(action, in: &batch) != nil
    }

    /// Writes a state event. The value of a key is sealed in groups whose contents are.
    ///
    /// - Returns: nil if the event was not taken, for a bound on the group.
    mutating func write(
        _ action: StateAction, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) -> EventID? {
        try joinStateHeads(in: &batch)
        var naming: [EventReference] = []
        if case .set(let key, _) = action { naming = state.settings(of: key).map(\.reference) }
        guard secrets != nil, action.isSealable, case .set(_, let value?) = action else {
            return try write(action.kind, content: action.encoded, expiry: nil, naming: naming, in: &batch)
        }
        guard let rekey = try chooseRekey(in: &batch) else { return nil }
        let content = action.encoded
        return try write(
            action.kind, content: content, under: rekey, clear: content.count - value.count, expiry: nil,
            naming: naming, in: &batch)
    }

    /// Joins state heads until one event can name the rest.
    mutating func joinStateHeads(in batch: inout Batch<some Cryptography>) throws(StoreError) {
        var joins = 0
        while state.heads.count > Limits.references, joins < Limits.mergesPerAppend {
            guard try write(.setting, content: [], expiry: nil, in: &batch) != nil else { return }
            joins += 1
        }
    }

    /// A grant that supersedes the member's demotions and adopts the words that are held of it.
    private func grant(to member: MemberKey, _ role: Role) -> StateAction {
        let demotions = state.demotions(of: member).map(\.reference.id).prefix(Limits.supersededDemotions)
        let adopted =
            role < .member
            ? []
            : lastEvents { log, certificate in
                certificate.member == member && !certificate.isStateLog && isCut(log)
            }
        return .grant(member, role, superseding: demotions.sorted(), adopting: adopted)
    }

    private func isCut(_ log: LogState) -> Bool {
        guard let certificate = log.certificate else { return false }
        return state.wantedPart(ofLog: log.id, by: certificate.author) != .everything
    }

    /// A demotion that keeps the held part of the member's logs.
    private func demotion(of member: MemberKey, to role: Role) -> StateAction {
        .demote(member, to: role, kept: lastEvents { $1.member == member })
    }

    /// The last held events of logs, as many as an event can name: state first, which other members' rights rest on,
    /// then the longest logs.
    func lastEvents(where isIncluded: (LogState, Certificate) -> Bool) -> [LogPosition] {
        var last: [(isState: Int, position: LogPosition)] = []
        for log in frontier.logs {
            guard let certificate = log.certificate, isIncluded(log, certificate) else { continue }
            last += log.ends.suffix(Limits.keptBranches).map { end in
                let position = LogPosition(log: log.id, sequence: end.sequence, id: end.id)
                return (certificate.isStateLog ? 1 : 0, position)
            }
        }
        last.sort { one, other in
            let (left, right) = (one.position, other.position)
            return (one.isState, left.sequence, left.id) > (other.isState, right.sequence, right.id)
        }
        return last.prefix(Limits.keptLogs).map(\.position)
    }

    // MARK: Refusals

    /// The reason why this device's member may not take a state action; nil if it may.
    func refusal(of action: StateAction, _ identity: Identity<some Cryptography>) -> String? {
        if let reason = refusalOfDevice(identity) { return reason }
        if let removal = action.deviceRemoval,
            !state.removals(of: removal.signer.devices, of: removal.member).isEmpty
        {
            return "the device that signed the removal was removed itself, so its removals do not count here"
        }
        let own = state.standing(of: identity.member).right
        guard action.isAllowed(to: own?.role ?? .none, of: identity.member) else {
            let role = own?.role ?? .none
            return "you are \(role.withArticle) of this group, and may not do this: ask an admin or owner"
        }
        guard let own, let (member, role) = action.roleChange else { return nil }
        return state.isEffective(action, on: member, role, by: identity.member, under: own)
            ? nil : "this member joined before you, or has a higher role: only a member that ranks above it can do this"
    }

    /// The reason why this device's member may not write; nil if it may.
    func refusalToWrite(_ identity: Identity<some Cryptography>) -> String? {
        if let reason = refusalOfDevice(identity) { return reason }
        return switch state.standing(of: identity.member).role {
        case .member, .admin, .owner: nil
        case .reader: "you are a reader of this group and may not write: an admin can make you a member"
        case .none: "you are not a member of this group, or no longer one: an admin can admit you"
        }
    }

    /// The reason why this device's member may not invite; nil if it may.
    func refusalToInvite(as role: Role, _ identity: Identity<some Cryptography>) -> String? {
        // A member that needs no state event for its role can be invited by anyone.
        if role <= state.defaultRole { return nil }
        return refusal(of: .grant(MemberKey(.zero), role, superseding: [], adopting: []), identity)
    }

    /// The reason why this device may do nothing in the group any more; nil if it may.
    func refusalOfDevice(_ identity: Identity<some Cryptography>) -> String? {
        let removals = state.removals(of: identity.admission.devices, of: identity.member)
        return removals.isEmpty
            ? nil
            : "this device was removed by another one of yours: make a new device in another directory, and link it"
    }
}

extension Role {
    fileprivate var withArticle: String {
        switch self {
        case .none: "not a member"
        case .reader: "a reader"
        case .member: "a member"
        case .admin: "an admin"
        case .owner: "an owner"
        }
    }
}
