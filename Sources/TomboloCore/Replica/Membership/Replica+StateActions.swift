// State actions of this device.
extension Replica {
    /// Promotes or demotes a member, whichever the role asks for.
    mutating func setRole(
        _ request: RequestID, of member: MemberKey, to role: Role, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        let old = state.standing(of: member).role
        guard role != old else {
            return batch.refuse(
                request,
                role == .none
                    ? "that key has no role in this group" : "that member is \(role.withArticle) already")
        }
        try apply(request, role > old ? .promote(member, to: role) : demotion(of: member, to: role), in: &batch)
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
        let action = StateAction.promote(member, to: role)
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
        guard secrets != nil, action.isSealable, case .set(_, let value?) = action else {
            return try write(action.kind, content: action.encoded, expiry: nil, in: &batch)
        }
        guard let rekey = try chooseRekey(in: &batch) else { return nil }
        let content = action.encoded
        return try write(
            action.kind, content: content, under: rekey, clear: content.count - value.count, expiry: nil, in: &batch)
    }

    /// Joins state heads until one event can name the rest.
    mutating func joinStateHeads(in batch: inout Batch<some Cryptography>) throws(StoreError) {
        var joins = 0
        while state.heads.count > Limits.references, joins < Limits.mergesPerAppend {
            guard try write(.setting, content: [], expiry: nil, in: &batch) != nil else { return }
            joins += 1
        }
    }

    /// A demotion that keeps the held part of the member's logs.
    private func demotion(of member: MemberKey, to role: Role) -> StateAction {
        var kept: [LogPosition] = []
        for log in frontier.logs where log.certificate?.member == member {
            guard log.certificate?.isStateLog == false, let end = log.ends.last else { continue }
            kept.append(LogPosition(log: log.id, sequence: end.sequence, id: end.id))
        }
        kept.sort { $0.sequence > $1.sequence }
        return .demote(member, to: role, kept: Array(kept.prefix(Limits.keptLogs)))
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
        let own = state.standing(of: identity.member)
        let author = Strength(standing: own, member: identity.member)
        let target = action.target.map { state.standing(of: $0) }
        guard !action.isAllowed(to: author, on: target) else { return nil }
        guard action.isAllowed(to: own.role, of: identity.member) else {
            return "you are \(own.role.withArticle) of this group, and may not do this: ask an admin or owner"
        }
        return "this member joined before you, or has a higher role: only a member that ranks above it can do this"
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
        return refusal(of: .promote(MemberKey(.zero), to: role), identity)
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
