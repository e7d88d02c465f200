import TomboloCore
import TomboloCrypto

extension Cluster {
    /// Creates a private group, in which each device has met the first one twice.
    static func sealed(
        _ names: String..., seed: UInt64, role: Role = .admin, roles: [String: Role] = [:]
    ) throws -> Cluster {
        try Cluster(
            names: names, policy: .private, seed: seed, role: role, roles: roles, meetings: .withFirst(rounds: 2))
    }
}

extension Cluster.Device {
    /// Removes a device's member from the group, a millisecond later.
    func remove(_ other: some DeviceReference) throws {
        cluster.advance(by: 1)
        try setRole(of: other, to: .none)
    }

    /// The device's secrets, by their rekey events.
    var secrets: [EventID: [UInt8]] {
        let reference = groupReference
        let ids = store.secrets(inGroup: reference).map(\.rekey)
        return Dictionary(uniqueKeysWithValues: ids.map { ($0, store.secret(of: $0, inGroup: reference) ?? []) })
    }

    /// The rekey events that the device holds.
    var rekeys: [Event] { events.map(\.event).filter { $0.header.kind == .rekey } }
}

/// The common parts of tests of private groups whose devices are numbered.
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

    private func cluster(_ devices: Devices) -> Cluster {
        Cluster(devices, group: devices.devices.first?.store.groups().first?.id ?? GroupID(.zero))
    }

    func member(_ device: Int, _ devices: Devices) -> MemberKey { cluster(devices)[device].member }

    func remove(_ other: Int, by device: Int, _ devices: Devices, _ group: GroupID) throws {
        try Cluster(devices, group: group)[device].remove(other)
    }

    func events(_ device: Int, _ devices: Devices) -> [StoredEvent] { cluster(devices)[device].events }

    /// The texts that a device can decrypt among all events that it holds, delivered or not, like a client that ignores
    /// the rules.
    func readable(_ device: Int, _ devices: Devices, _ group: GroupID) -> Set<String> {
        Set(Cluster(devices, group: group)[device].readable)
    }

    /// The texts that were delivered to its application.
    func said(_ device: Int, _ devices: Devices, _ group: GroupID) -> [String] {
        Cluster(devices, group: group)[device].said
    }

    func rekeys(_ device: Int, _ devices: Devices) -> [Event] { cluster(devices)[device].rekeys }

    func secrets(_ device: Int, _ devices: Devices) -> [EventID: [UInt8]] { cluster(devices)[device].secrets }
}
