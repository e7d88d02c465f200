// Several devices of one member: one admits the next, a lost one is removed (protocol §2.6, §5.5).
extension Engine {
    /// The group of this member's devices, which nobody else is in; nil while there was no need for one.
    public var ownGroup: GroupID? { identity.ownGroup }

    /// Whether another device of this one's member has removed it, as far as a group says.
    public func isRemoved(from group: GroupID) -> Bool { groupIndex(group).flatMap { whyRemoved(group: $0) } != nil }

    // MARK: Linking

    /// Invites one device to be another one of this member's.
    mutating func linkDevice(
        _ request: RequestID, addresses: [String], expiry: UInt64, _ store: any EventStore
    ) throws(StoreError) {
        guard identity.admission.devices.count < Limits.admissions else {
            let why = "this device was admitted by way of \(Limits.admissions - 1) others, one by the other: "
            return effects.append(.failed(request, .notAllowed(why + "link the new one from one of those")))
        }
        let own: GroupID
        if let known = identity.ownGroup {
            own = known
        } else {
            own = try makeGroup(name: "", .private, store)
            identity.ownGroup = own
            try store.setValue(own.bytes, forKey: IdentityKeys.ownGroup)
        }
        guard let index = nativeGroup(own, request) else { return }
        if let why = whyRemoved(group: index) { return effects.append(.failed(request, .notAllowed(why))) }
        let invitation = try makeInvitation(
            to: own, addresses: addresses, expiry: expiry, .owner, uses: 1, isForDevice: true, store)
        effects.append(.invited(request, invitation))
    }

    /// Admits a device that has shown that it knows the secret of such an invitation.
    func admission(ofDevice device: DeviceKey) -> DeviceAdmission {
        let statement = DeviceAdmission.statement(member: identity.member, device: device)
        return identity.admission.admitting(
            device, signature: cryptography.sign(statement, with: identity.deviceKey))
    }

    /// Makes this device the one of the member that a welcome names.
    mutating func adopt(_ welcome: Welcome, ownGroup: GroupID, _ store: any EventStore) throws {
        guard groups.isEmpty, mvdsGroups.isEmpty else {
            throw EngineError.invitationRefused("this device has groups of its own: link one that has none")
        }
        let statement = try? GroupStatement(decoding: welcome.statement)
        guard let member = MemberKey(welcome.member), statement?.owner == member, statement?.policy == .private,
            let admission = try? DeviceAdmission(decoding: welcome.admission, of: identity.device),
            admission.isValid(of: member, using: cryptography)
        else { throw EngineError.invitationRefused("what came does not make this device one of the inviter's") }
        (identity.member, identity.admission, identity.ownGroup) = (member, admission, ownGroup)
        try identity.save(in: store)
    }

    // MARK: Removing

    /// This member's devices, as far as they have written anything that is here, by their keys.
    private var knownDevices: [DeviceKey: DeviceAdmission] {
        var known = [identity.device: identity.admission]
        for group in groups {
            for log in group.frontier.logs {
                guard let certificate = log.certificate, certificate.member == identity.member else { continue }
                known[certificate.device] = certificate.admission
            }
        }
        return known
    }

    /// Signs that a device is lost, and posts it wherever that device has written.
    mutating func removeDevice(
        _ request: RequestID, _ device: DeviceKey, _ store: any EventStore
    ) throws(StoreError) {
        let known = knownDevices.filter { _, admission in
            !groups.contains { !$0.state.removals(of: admission.devices, of: identity.member).isEmpty }
        }
        guard known[device] != nil, let own = identity.ownGroup.flatMap({ groupIndex($0) }) else {
            let why = "there is no such device of yours, or it was removed: `device list` shows them"
            return effects.append(.failed(request, .notAllowed(why)))
        }
        if let why = whyRemoved(group: own) { return effects.append(.failed(request, .notAllowed(why))) }
        let remaining = known.keys.filter { $0 != device }.sorted().prefix(Limits.remainingDevices)
        var removal = DeviceRemoval(
            of: device, of: identity.member, remaining: Array(remaining), kept: [], by: identity.admission,
            signedBy: identity.deviceKey, using: cryptography)
        removal = DeviceRemoval(
            of: device, of: identity.member, remaining: Array(remaining), kept: lastEvents(of: removal),
            by: identity.admission, signedBy: identity.deviceKey, using: cryptography)
        guard try write(.removeDevice(removal), group: own, store) != nil else {
            return effects.append(.failed(request, .groupFull(groups[own].id)))
        }
        try spreadRemovals(store)
        effects.append(.removed(request, removal))
    }

    /// What is here of the logs of what is removed, in all groups: the longest first, as many as a removal can name.
    private func lastEvents(of removal: DeviceRemoval) -> [LogPosition] {
        var kept: [LogPosition] = []
        for group in groups {
            for log in group.frontier.logs {
                guard let certificate = log.certificate, let end = log.ends.last,
                    removal.covers(certificate.admission.devices, of: certificate.member)
                else { continue }
                kept.append(LogPosition(log: log.id, sequence: end.sequence, id: end.id))
            }
        }
        kept.sort { ($0.sequence, $0.log) > ($1.sequence, $1.log) }
        return Array(kept.prefix(Limits.keptLogs))
    }

    /// Posts what a member has signed elsewhere.
    mutating func post(
        _ request: RequestID, _ removal: DeviceRemoval, in group: GroupID, _ store: any EventStore
    ) throws(StoreError) {
        guard let index = nativeGroup(group, request) else { return }
        guard removal.isValid(using: cryptography) else {
            return effects.append(.failed(request, .notAllowed("its signature does not verify: copy all of it")))
        }
        if groups[index].state.deviceRemovals(of: removal.member).contains(removal) {
            return effects.append(.done(request))
        }
        try act(request, .removeDevice(removal), index, store)
    }

    mutating func noteRemoval(_ removal: DeviceRemoval, group: Int) {
        groups[group].bereftMembers.insert(removal.member)
        if removal.member == identity.member { maySpreadRemovals = true }
    }

    /// To be called where there may be a group, or a log of this member's, that removals were not posted for.
    mutating func noteRemovalsMaySpread() {
        let member = identity.member
        if groups.contains(where: { !$0.state.deviceRemovals(of: member).isEmpty }) { maySpreadRemovals = true }
    }

    /// What was signed of this member's devices is posted in each of its groups in which they have written.
    mutating func spreadRemovals(_ store: any EventStore) throws(StoreError) {
        maySpreadRemovals = false
        let member = identity.member
        let known = Set(groups.flatMap { $0.state.deviceRemovals(of: member) }).sorted { $0.device < $1.device }
        for index in groups.indices {
            for removal in known where whyNot(.removeDevice(removal), index) == nil {
                let isOpen = groups[index].frontier.logs.contains { log in
                    guard let certificate = log.certificate else { return false }
                    let devices = certificate.admission.devices
                    return removal.covers(devices, of: certificate.member)
                        && groups[index].state.removals(of: devices, of: certificate.member).isEmpty
                }
                if isOpen { _ = try write(.removeDevice(removal), group: index, store) }
            }
        }
    }

    /// Why this device may do nothing in a group any more; nil if it may.
    func whyRemoved(group index: Int) -> String? {
        let removals = groups[index].state.removals(of: identity.admission.devices, of: identity.member)
        return removals.isEmpty
            ? nil
            : "this device was removed by another one of yours: begin as a new one in another directory, and link that"
    }
}
