import Testing
import TomboloCore
import TomboloCrypto

/// Devices of a group that the first one hides from the second.
protocol VisibilityScenario: FileScenario {}

extension VisibilityScenario {
    /// Creates a group in which each device has sent a message that all have.
    func makeCluster(_ names: String..., policy: Policy = .open, seed: UInt64) throws -> Cluster {
        let cluster = try Cluster(names: names, policy: policy, seed: seed)
        for device in cluster.all { try device.send("\(device.index)") }
        for _ in 0..<2 {
            for one in cluster.all { for other in cluster.all.prefix(one.index) { try cluster.sync(one, other) } }
        }
        for device in cluster.all { #expect(Set(device.said).count == names.count) }
        return cluster
    }

    /// Creates the same group, in which one device has then sent a large file. Ann only receives from Bob.
    func makeCluster(withFileOf device: String, seed: UInt64) throws -> (Cluster, MadeFile) {
        let cluster = try makeCluster("ann", "bob", "cat", seed: seed)
        let file = try MadeFile(bytes: large, seed: seed + 1)
        try cluster[device].add(file)
        try cluster[device].send(files: [file.id])
        try cluster.sync("cat", "ann")
        try cluster.sync("cat", "bob")
        #expect(try cluster["ann"].setVisibility(.visible, to: "bob") == nil)
        return (cluster, file)
    }
}

extension Cluster.Device {
    var contact: Contact { .member(member) }

    /// Sets how much a member sees of the group, and forgets the effects before.
    func setVisibility(_ visibility: VisibilityLevel, to other: some DeviceReference) throws -> EngineError? {
        try setVisibility(visibility, to: cluster[other].contact)
    }

    /// Sets how much one device sees of the group, and forgets the effects before.
    func setVisibility(_ visibility: VisibilityLevel, toDevice other: some DeviceReference) throws -> EngineError? {
        try setVisibility(visibility, to: .device(cluster[other].key))
    }

    func setVisibility(_ visibility: VisibilityLevel, to contact: Contact) throws -> EngineError? {
        effects = []
        return try request(.setVisibility(1, group: cluster.group, to: contact, visibility))
    }

    /// The groups that two devices share, as this one sees it after a meeting.
    func groupsSeen(meeting other: some DeviceReference) throws -> [[GroupID]] {
        effects = []
        try cluster.sync(index, other)
        return effects.compactMap { if case .peerReady(_, _, let groups) = $0 { groups } else { nil } }
    }

    /// The number of sessions in which both sides have sent all that they may.
    var exchanges: Int { effects.count { if case .exchanged = $0 { true } else { false } } }
}

/// The same for tests that number their devices.
extension VisibilityScenario {
    func makeGroup(_ count: Int = 3, _ policy: Policy = .open, seed: UInt64) throws -> (Devices, GroupID) {
        let devices = try Devices(count, seed: seed)
        let group = try devices.makeGroup(policy)
        for device in 0..<count { try devices.say(device, "\(device)", in: group) }
        for _ in 0..<2 { for one in 0..<count { for other in 0..<one { try devices.meet(one, other) } } }
        for device in 0..<count { #expect(Set(said(device, devices, group)).count == count) }
        return (devices, group)
    }

    func makeGroup(withFileOf device: Int, seed: UInt64) throws -> (Devices, GroupID, MadeFile) {
        let (devices, group) = try makeGroup(seed: seed)
        let file = try MadeFile(bytes: large, seed: seed + 1)
        try add(file, to: device, devices)
        try say([file.id], device, devices, group)
        try devices.meet(2, 0)
        try devices.meet(2, 1)
        #expect(try set(.visible, to: member(1, devices), devices, group) == nil)
        return (devices, group, file)
    }

    func said(_ device: Int, _ devices: Devices, _ group: GroupID) -> [String] {
        Cluster(devices, group: group)[device].said
    }

    func member(_ device: Int, _ devices: Devices) -> Contact { .member(devices.devices[device].engine.member) }
    func device(_ device: Int, _ devices: Devices) -> Contact { .device(devices.devices[device].engine.device) }

    func set(
        _ visibility: VisibilityLevel, to contact: Contact, on device: Int = 0, _ devices: Devices, _ group: GroupID
    ) throws -> EngineError? {
        try Cluster(devices, group: group)[device].setVisibility(visibility, to: contact)
    }

    /// The groups that two devices share, as one of them sees it after a meeting, and the bytes of the meeting.
    func meeting(_ one: Int, _ other: Int, _ devices: Devices) throws -> (groups: [[GroupID]], bytes: Int) {
        let cluster = Cluster(devices, group: GroupID(.zero))
        var groups: [[GroupID]] = []
        let bytes = try cluster.bytes { groups = try cluster[one].groupsSeen(meeting: other) }
        return (groups, bytes)
    }

    func hasExchanged(_ device: Int, _ devices: Devices) -> Int {
        Cluster(devices, group: GroupID(.zero))[device].exchanges
    }
}
