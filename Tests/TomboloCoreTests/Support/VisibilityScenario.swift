import Testing
import TomboloCore
import TomboloCrypto

/// Devices of a group that the first one hides from the second.
protocol VisibilityScenario: FileScenario {}

extension VisibilityScenario {
    func makeGroup(_ count: Int = 3, _ policy: Policy = .open, seed: UInt64) throws -> (Devices, GroupID) {
        let devices = try Devices(count, seed: seed)
        let group = try devices.makeGroup(policy)
        for device in 0..<count { try devices.say(device, "\(device)", in: group) }
        for _ in 0..<2 { for one in 0..<count { for other in 0..<one { try devices.meet(one, other) } } }
        for device in 0..<count { #expect(Set(said(device, devices, group)).count == count) }
        return (devices, group)
    }

    /// Creates the same group, in which one device has then sent a large file. The first device only receives from the
    /// second.
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
        devices.delivered(device, in: group).filter { $0.header.kind == .message }.map {
            devices.text(of: $0, on: device, in: group) ?? "-"
        }
    }

    func member(_ device: Int, _ devices: Devices) -> Contact { .member(devices.devices[device].engine.member) }
    func device(_ device: Int, _ devices: Devices) -> Contact { .device(devices.devices[device].engine.device) }

    func set(
        _ visibility: VisibilityLevel, to contact: Contact, on device: Int = 0, _ devices: Devices, _ group: GroupID
    ) throws -> EngineError? {
        devices.devices[device].effects = []
        try devices.step(device, [.setVisibility(77, group: group, to: contact, visibility)])
        for case .failed(77, let error) in devices.devices[device].effects { return error }
        return nil
    }

    /// The groups that two devices share, as one of them sees it after a meeting, and the bytes of the meeting.
    func meeting(_ one: Int, _ other: Int, _ devices: Devices) throws -> (groups: [[GroupID]], bytes: Int) {
        devices.devices[one].effects = []
        let before = devices.bytesSent.values.reduce(0, +)
        try devices.meet(one, other)
        let groups = devices.devices[one].effects.compactMap { effect in
            if case .peerReady(_, _, let groups) = effect { groups } else { nil }
        }
        return (groups, devices.bytesSent.values.reduce(0, +) - before)
    }

    func hasExchanged(_ device: Int, _ devices: Devices) -> Int {
        devices.devices[device].effects.count { if case .exchanged = $0 { true } else { false } }
    }
}
