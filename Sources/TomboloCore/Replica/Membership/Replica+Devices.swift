// Devices of members: admitted by each other, and removed (protocol 2.2-3, 2.6-24 to 2.6-27).
extension Replica {
    /// Whether a device was removed: by this group's state, or for a device of this device's own member by any group's.
    ///
    /// - Parameter devices: the devices that admitted it, itself last.
    func isRemoved(
        _ devices: [DeviceKey], of member: MemberKey, _ identity: Identity<some Cryptography>
    ) -> Bool {
        if !state.removals(of: devices, of: member).isEmpty { return true }
        return member == identity.member && identity.isRemoved(devices)
    }

    mutating func noteRemoval(_ removal: DeviceRemoval, in batch: inout Batch<some Cryptography>) {
        batch.identity.note(removal)
        if removal.member == batch.identity.member { note(.removalsMaySpread) }
    }

    /// States in the group of the member's devices that one was admitted, so that it can be removed although it never
    /// writes.
    mutating func noteAdmission(
        of device: DeviceKey, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        let key = AdmittedDevice.key(of: device)
        guard state.settings(of: key).isEmpty else { return }
        _ = try write(.set(key: key, value: []), in: &batch)
    }

    /// Posts a removal that a member has signed elsewhere.
    mutating func post(
        _ request: RequestID, _ removal: DeviceRemoval, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        guard removal.isValid(using: batch.cryptography) else {
            return batch.refuse(request, "the removal's signature does not verify: copy the whole link")
        }
        if state.deviceRemovals(of: removal.member).contains(removal) {
            return batch.effects.append(.done(request))
        }
        try apply(request, postOf(removal), in: &batch)
    }

    /// Posts a removal that this device has signed.
    mutating func post(
        _ removal: DeviceRemoval, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) -> EventID? {
        try write(postOf(removal), in: &batch)
    }

    private func postOf(_ removal: DeviceRemoval) -> StateAction {
        let kept = lastEvents { removal.covers($1.admission.devices, of: $1.member) }
        return .removeDevice(removal, kept: kept)
    }

    /// Posts removals of the member's devices that this group lacks, if this device or the removed one has written
    /// here.
    mutating func post(
        missing removals: [DeviceRemoval], in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        let (member, own) = (batch.identity.member, batch.identity.device)
        for removal in removals where refusal(of: .removeDevice(removal, kept: []), batch.identity) == nil {
            // A removal that the device has signed itself may keep too much.
            let isPosted = state.deviceRemovals(of: member).contains {
                $0 == removal
                    || $0.device == removal.device
                        && ($0.signer.device != $0.device || removal.signer.device == $0.device)
            }
            guard !isPosted else { continue }
            let isConcerned = frontier.logs.contains { log in
                guard let certificate = log.certificate, certificate.member == member else { return false }
                return certificate.device == own || removal.covers(certificate.admission.devices, of: member)
            }
            if isConcerned { _ = try post(removal, in: &batch) }
        }
    }
}

/// A device whose admission is stated in the group of its member's devices, by the device that admitted it.
package enum AdmittedDevice {
    private static let prefix = "device "

    static func key(of device: DeviceKey) -> String { prefix + device.description }

    /// All of them: for each the devices that admitted it, itself last.
    package static func all(in state: StateGraph, of member: MemberKey) -> [[DeviceKey]] {
        state.keys.filter { $0.hasPrefix(prefix) }.compactMap { key in
            guard let device = DeviceKey(hex: String(key.dropFirst(prefix.count))),
                let node = state.settings(of: key).first(where: { $0.author == member && !$0.devices.isEmpty })
            else { return nil }
            return node.devices + [device]
        }
    }
}
