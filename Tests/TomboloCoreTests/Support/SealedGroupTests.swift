import TomboloCore
import TomboloCrypto

/// The common parts of tests of private groups.
protocol SealedGroupTests {}

extension SealedGroupTests {
    func makeGroup(
        _ count: Int, seed: UInt64, roles: (Int) -> Role = { _ in .admin }
    ) throws -> (Devices, GroupID) {
        let devices = try Devices(count, seed: seed)
        let group = try devices.makeGroup(.private, roles: roles)
        for _ in 0..<2 { for index in 1..<count { try devices.meet(0, index) } }
        return (devices, group)
    }

    func member(_ device: Int, _ devices: Devices) -> MemberKey { devices.devices[device].engine.member }

    func remove(_ other: Int, by device: Int, _ devices: Devices, _ group: GroupID) throws {
        devices.now += 1
        try devices.step(device, [.setRole(7, group: group, of: member(other, devices), to: .none)])
    }

    func events(_ device: Int, _ devices: Devices) -> [StoredEvent] {
        let store = devices.devices[device].store
        return store.events(ordinals: Array(1...max(1, store.lastOrdinal())))
    }

    /// The texts that a device can decrypt among all events that it holds, delivered or not, like a client that ignores
    /// the rules.
    func readable(_ device: Int, _ devices: Devices, _ group: GroupID) -> Set<String> {
        Set(
            events(device, devices).filter { $0.event.header.kind == .message }
                .compactMap { devices.text(of: $0.event, on: device, in: group) })
    }

    /// The texts that were delivered to its application.
    func said(_ device: Int, _ devices: Devices, _ group: GroupID) -> [String] {
        devices.delivered(device, in: group).filter { $0.header.kind == .message }
            .map { devices.text(of: $0, on: device, in: group) ?? "" }
    }

    func rekeys(_ device: Int, _ devices: Devices) -> [Event] {
        events(device, devices).map(\.event).filter { $0.header.kind == .rekey }
    }

    func secrets(_ device: Int, _ devices: Devices) -> [EventID: [UInt8]] {
        let store = devices.devices[device].store
        let ids = store.secrets(inGroup: 1)
        return Dictionary(uniqueKeysWithValues: ids.map { ($0.rekey, store.secret(of: $0.rekey, inGroup: 1) ?? []) })
    }
}
