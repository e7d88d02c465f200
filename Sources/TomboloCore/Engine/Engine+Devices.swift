// Several devices of one member: one admits the next, a lost one is removed (protocol §2.6, §5.5).
extension Engine {
    /// The group of this member's devices, which nobody else is in; nil while there was no need for one.
    public var ownGroup: GroupID? { identity.ownGroup }

    /// Whether another device of this one's member has removed it, as far as a group says.
    public func isRemoved(from group: GroupID) -> Bool { groupIndex(group).flatMap { whyRemoved(group: $0) } != nil }

    /// What this device was admitted by, itself last.
    package var admittedBy: [DeviceKey] { identity.admission.devices }

    /// Whether this device may let a member's device into a group.
    ///
    /// - Parameter devices: what it was admitted by, itself last.
    package func mayAdmit(_ devices: [DeviceKey], of member: MemberKey, to group: GroupID) -> Bool {
        guard let index = groupIndex(group) else { return false }
        return whyNotInvite(as: .member, group: index) == nil && !isRemoved(devices, of: member, group: index)
    }

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

    /// Says that a device was admitted, so that it can be removed also if it never says anything itself.
    mutating func noteAdmission(of device: DeviceKey, group: Int, _ store: any EventStore) throws(StoreError) {
        let key = AdmittedDevice.key(of: device)
        guard groups[group].state.settings(of: key).isEmpty else { return }
        _ = try write(.set(key: key, value: []), group: group, store)
    }

    /// This member's devices, each with what it was admitted by, itself last: those that have written anything that is here, or whose
    /// admission was noted.
    var knownDevices: [DeviceKey: [DeviceKey]] {
        var known = [identity.device: identity.admission.devices]
        if let own = identity.ownGroup.flatMap({ groupIndex($0) }) {
            for admitted in AdmittedDevice.all(in: groups[own].state, of: identity.member) {
                known[admitted[admitted.count - 1]] = admitted
            }
        }
        for group in groups {
            for log in group.frontier.logs {
                guard let certificate = log.certificate, certificate.member == identity.member else { continue }
                known[certificate.device] = certificate.admission.devices
            }
        }
        return known
    }

    /// Whether a device was removed: as far as a group says, and of this member's own as far as any says.
    func isRemoved(_ devices: [DeviceKey], of member: MemberKey, group index: Int) -> Bool {
        if !groups[index].state.removals(of: devices, of: member).isEmpty { return true }
        return member == identity.member && groups.contains { !$0.state.removals(of: devices, of: member).isEmpty }
    }

    /// Signs that a device is lost, and posts it wherever this one can.
    mutating func removeDevice(
        _ request: RequestID, _ device: DeviceKey, _ store: any EventStore
    ) throws(StoreError) {
        let known = knownDevices
        guard let admitted = known[device], let own = identity.ownGroup.flatMap({ groupIndex($0) }),
            // What a device says of itself may keep too much of what it did.
            groups[own].state.removals(of: admitted, of: identity.member).allSatisfy({ $0.signer.device == device })
        else {
            let why = "there is no such device of yours, or it was removed: `device list` shows them"
            return effects.append(.failed(request, .notAllowed(why)))
        }
        if let why = whyRemoved(group: own) { return effects.append(.failed(request, .notAllowed(why))) }
        let others = known.filter {
            $0.key != device && DeviceRemoval.covers($0.value, removing: device, remaining: [])
        }
        // Of those that it has admitted, this one goes on if no other does.
        let remaining = others.keys.sorted { ($0 == identity.device ? 0 : 1, $0) < ($1 == identity.device ? 0 : 1, $1) }
            .prefix(Limits.remainingDevices).sorted()
        let signed = DeviceRemoval(
            of: device, of: identity.member, remaining: remaining,
            kept: lastEvents(removing: device, remaining: remaining), by: identity.admission,
            signedBy: identity.deviceKey, using: cryptography)
        guard try write(.removeDevice(signed), group: own, store) != nil else {
            return effects.append(.failed(request, .groupFull(groups[own].id)))
        }
        try spreadRemovals(store)
        effects.append(.removed(request, signed))
    }

    /// What is here of the logs of what is removed, in all groups, as many as a removal can name: state first, on which others' rights rest,
    /// then the longest.
    private func lastEvents(removing device: DeviceKey, remaining: [DeviceKey]) -> [LogPosition] {
        var kept: [(isState: Int, position: LogPosition)] = []
        for group in groups {
            for log in group.frontier.logs {
                guard let certificate = log.certificate, certificate.member == identity.member,
                    DeviceRemoval.covers(certificate.admission.devices, removing: device, remaining: remaining)
                else { continue }
                kept += log.ends.map { end in
                    let position = LogPosition(log: log.id, sequence: end.sequence, id: end.id)
                    return (certificate.isStateLog ? 1 : 0, position)
                }
            }
        }
        kept.sort { one, other in
            let (left, right) = (one.position, other.position)
            return (one.isState, left.sequence, left.id) > (other.isState, right.sequence, right.id)
        }
        return kept.prefix(Limits.keptLogs).map(\.position)
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

    /// What was signed of this member's devices is posted in each of its groups in which this device or the removed one has written.
    mutating func spreadRemovals(_ store: any EventStore) throws(StoreError) {
        maySpreadRemovals = false
        let member = identity.member
        let known = Set(groups.flatMap { $0.state.deviceRemovals(of: member) })
            .map { ($0, $0.encoded) }.sorted { $0.1.lexicographicallyPrecedes($1.1) }.map(\.0)
        for index in groups.indices {
            for removal in known where whyNot(.removeDevice(removal), index) == nil {
                // One that the device has signed itself may keep too much.
                let isPosted = groups[index].state.deviceRemovals(of: member).contains {
                    $0 == removal
                        || $0.device == removal.device
                            && ($0.signer.device != $0.device || removal.signer.device == $0.device)
                }
                guard !isPosted else { continue }
                let isConcerned = groups[index].frontier.logs.contains { log in
                    guard let certificate = log.certificate, certificate.member == member else { return false }
                    return certificate.device == identity.device
                        || removal.covers(certificate.admission.devices, of: member)
                }
                if isConcerned { _ = try write(.removeDevice(removal), group: index, store) }
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

/// A device whose admission was noted in the group of its member's devices, by the one that admitted it.
package enum AdmittedDevice {
    private static let prefix = "device "

    static func key(of device: DeviceKey) -> String { prefix + device.description }

    /// For each, what it was admitted by, itself last.
    package static func all(in state: StateGraph, of member: MemberKey) -> [[DeviceKey]] {
        state.keys.filter { $0.hasPrefix(prefix) }.compactMap { key in
            guard let device = DeviceKey(hex: String(key.dropFirst(prefix.count))),
                let node = state.settings(of: key).first(where: { $0.author == member && !$0.devices.isEmpty })
            else { return nil }
            return node.devices + [device]
        }
    }
}
