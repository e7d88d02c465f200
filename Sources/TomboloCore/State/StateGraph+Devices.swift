// The devices of members that were removed (protocol 2.6-24 to 2.6-29).
extension StateGraph {
    /// The held removals that cover a device.
    ///
    /// - Parameter devices: the devices by which it was admitted, itself last.
    package func removals(of devices: [DeviceKey], of member: MemberKey) -> [DeviceRemoval] {
        deviceRemovals(of: member).filter { $0.covers(devices, of: member) }
    }

    /// The removals of a member's devices, in the order of their arrival.
    package func deviceRemovals(of member: MemberKey) -> [DeviceRemoval] {
        guard !deviceRemovals.isEmpty, let removals = deviceRemovals[member] else { return [] }
        return removals.sorted { $0.value < $1.value }.map(\.key)
    }

    /// For each device removal that covers a log's device: the last events of the log that it keeps.
    ///
    /// The removal's signer names them for all groups. Of a log that it did not know, the event that posts the removal
    /// does.
    func removalCuts(ofLog log: LogID, by author: LogAuthor) -> [[LogPosition]] {
        guard !deviceRemovals.isEmpty, let removals = deviceRemovals[author.member] else { return [] }
        return removals.filter { $0.key.covers(author.devices, of: author.member) }.sorted { $0.value < $1.value }.map {
            let signed = $0.key.kept(ofLog: log)
            guard signed.isEmpty, case .removeDevice(_, let kept) = nodes[$0.value].action else { return signed }
            return kept.filter { $0.log == log }
        }
    }
}
