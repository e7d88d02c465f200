// Several devices of one member. One admits the next, and a lost one is removed in all groups (protocol 2.6-24 to
// 2.6-27, 5.5-10 to 5.5-12).
extension Engine {
    // MARK: Linking

    /// Invites one device to be another one of this member's.
    mutating func linkDevice(
        _ request: RequestID, addresses: [String], expiry: UInt64, in batch: inout Batch<Crypto>
    ) throws(StoreError) {
        guard batch.identity.admission.devices.count < Limits.admissions else {
            let reason = "this device was linked through a chain of \(Limits.admissions - 1) others: "
            return batch.refuse(request, reason + "link the new device from one of those")
        }
        let own: GroupID
        if let known = batch.identity.ownGroup {
            own = known
        } else {
            own = try makeGroup(name: "", .private, in: &batch)
            batch.identity.ownGroup = own
            try batch.store.setValue(own.bytes, forKey: IdentityKeys.ownGroup)
        }
        guard let index = nativeGroup(own, request, in: &batch) else { return }
        if let reason = replicas[index.value].refusalOfDevice(batch.identity) { return batch.refuse(request, reason) }
        let invitation = try makeInvitation(
            to: own, addresses: addresses, expiry: expiry, .owner, uses: 1, isForDevice: true, in: &batch)
        batch.effects.append(.invited(request, invitation))
    }

    /// The admission of a device that has proved such an invitation.
    func admission(ofDevice device: DeviceKey, in batch: Batch<Crypto>) -> DeviceAdmission {
        let statement = DeviceAdmission.statement(member: batch.identity.member, device: device)
        return batch.identity.admission.admitting(
            device, signature: batch.cryptography.sign(statement, with: batch.identity.deviceKey))
    }

    /// Makes this device one of the member that a welcome names.
    mutating func adopt(_ welcome: Welcome, ownGroup: GroupID, in batch: inout Batch<Crypto>) throws {
        guard replicas.isEmpty, mvds.isEmpty else {
            throw EngineError.invitationRefused("this device has groups of its own: link a device that has none")
        }
        let statement = try? GroupStatement(decoding: welcome.statement)
        guard let member = MemberKey(welcome.member), statement?.owner == member, statement?.policy == .private,
            let admission = try? DeviceAdmission(decoding: welcome.admission, of: batch.identity.device),
            admission.isValid(of: member, using: batch.cryptography)
        else { throw EngineError.invitationRefused("the inviter's answer does not admit this device") }
        batch.identity.member = member
        batch.identity.admission = admission
        batch.identity.ownGroup = ownGroup
        try batch.identity.save(in: batch.store)
    }

    // MARK: Removing

    /// This member's devices, each with the devices by which it was admitted, itself last.
    ///
    /// These are the devices that have written any held event, and those with a stated admission.
    func knownDevices(_ identity: Identity<Crypto>) -> [DeviceKey: [DeviceKey]] {
        var known = [identity.device: identity.admission.devices]
        if let own = identity.ownGroup.flatMap({ replicaIndex($0) }) {
            for admitted in AdmittedDevice.all(in: replicas[own.value].state, of: identity.member) {
                known[admitted[admitted.count - 1]] = admitted
            }
        }
        for replica in replicas {
            for log in replica.frontier.logs {
                guard let certificate = log.certificate, certificate.member == identity.member else { continue }
                known[certificate.device] = certificate.admission.devices
            }
        }
        return known
    }

    /// Signs that a device is lost, and posts it in each group where this device can.
    mutating func removeDevice(
        _ request: RequestID, _ device: DeviceKey, in batch: inout Batch<Crypto>
    ) throws(StoreError) {
        let (identity, known) = (batch.identity, knownDevices(batch.identity))
        guard let admitted = known[device], let own = identity.ownGroup.flatMap({ replicaIndex($0) }),
            // A device's own word on its removal may keep too much of what it did.
            replicas[own.value].state.removals(of: admitted, of: identity.member).allSatisfy({
                $0.signer.device == device
            })
        else {
            return batch.refuse(
                request, "there is no such device of yours, or it was removed: `device list` shows them")
        }
        if let reason = replicas[own.value].refusalOfDevice(identity) { return batch.refuse(request, reason) }
        let others = known.filter {
            $0.key != device && DeviceRemoval.covers($0.value, removing: device, remaining: [])
        }
        // Devices that it has admitted remain: this one before all others.
        let remaining = others.keys.sorted { ($0 == identity.device ? 0 : 1, $0) < ($1 == identity.device ? 0 : 1, $1) }
            .prefix(Limits.remainingDevices).sorted()
        let removal = DeviceRemoval(
            of: device, of: identity.member, remaining: remaining,
            kept: lastEvents(removing: device, remaining: remaining, of: identity.member), by: identity.admission,
            signedBy: identity.deviceKey, using: batch.cryptography)
        let posted = try replicas[own.value].post(removal, in: &batch)
        try fanOut(from: own.value, in: &batch)
        guard posted != nil else { return batch.fail(request, .groupFull(replicas[own.value].id)) }
        mayPostRemovals = true
        try postRemovals(in: &batch)
        batch.effects.append(.removed(request, removal))
    }

    /// The last events of the logs of removed devices, in all groups, as many as a removal can name: state first, which
    /// other members' rights rest on, then the longest logs.
    private func lastEvents(
        removing device: DeviceKey, remaining: [DeviceKey], of member: MemberKey
    ) -> [LogPosition] {
        var kept: [(isState: Int, position: LogPosition)] = []
        for replica in replicas {
            for log in replica.frontier.logs {
                guard let certificate = log.certificate, certificate.member == member,
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

    /// Posts the removals of this member's devices in each group that lacks them and in which this device or the
    /// removed one has written.
    mutating func postRemovals(in batch: inout Batch<Crypto>) throws(StoreError) {
        guard mayPostRemovals else { return }
        mayPostRemovals = false
        let removals = batch.identity.removals.map { ($0, $0.encoded) }
            .sorted { $0.1.lexicographicallyPrecedes($1.1) }.map(\.0)
        for index in replicas.indices {
            try replicas[index].post(missing: removals, in: &batch)
            try fanOut(from: index, in: &batch)
        }
    }
}
