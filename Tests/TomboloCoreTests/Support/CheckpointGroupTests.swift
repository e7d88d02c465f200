import TomboloCore
import TomboloCrypto

/// The common parts of tests of checkpoints.
protocol CheckpointGroupTests {}

extension CheckpointGroupTests {
    /// A time longer than devices let pass while they settle.
    static var day: UInt64 { 86_400_000 }

    func makeGroup(
        _ count: Int, _ policy: Policy = .open, seed: UInt64, roles: (Int) -> Role = { _ in .member }
    ) throws -> (Devices, GroupID) {
        let devices = try Devices(count, seed: seed)
        let group = try devices.makeGroup(policy, roles: roles)
        try meetAll(devices)
        return (devices, group)
    }

    func meetAll(_ devices: Devices, _ some: [Int]? = nil) throws {
        let some = some ?? Array(devices.devices.indices)
        for _ in 0..<2 {
            for one in some { for other in some where other > one { try devices.meet(one, other) } }
        }
    }

    /// Sends a message that expires after a day, or after another time.
    func say(
        _ device: Int, _ text: String, for time: UInt64? = 86_400_000, _ devices: Devices, _ group: GroupID
    ) throws {
        devices.now += 1
        try devices.step(
            device,
            [
                .append(
                    7, group: group, kind: .message, content: Array(text.utf8), expiry: time.map { devices.now + $0 })
            ])
    }

    func pass(_ milliseconds: UInt64, _ devices: Devices) throws {
        devices.now += milliseconds
        for _ in 0..<3 { for device in devices.devices.indices { try devices.step(device, [.timePassed]) } }
    }

    func propose(_ device: Int, _ devices: Devices, _ group: GroupID) throws {
        try devices.step(device, [.proposeCheckpoint(9, group: group)])
    }

    func failure(_ device: Int, _ devices: Devices) -> String? {
        for effect in devices.devices[device].effects.reversed() {
            if case .failed(9, let error) = effect { return error.description }
            if case .appended(9, _) = effect { return nil }
        }
        return nil
    }

    /// The conversation's events that a device holds, in the order of arrival.
    func conversation(_ device: Int, _ devices: Devices) -> [StoredEvent] {
        let store = devices.devices[device].store
        return store.events(ordinals: Array(1...max(1, store.lastOrdinal()))).filter { !$0.event.header.kind.isState }
    }

    func texts(_ device: Int, _ devices: Devices, _ group: GroupID) -> [String] {
        conversation(device, devices).filter { $0.status == .delivered && $0.event.content?.isEmpty == false }
            .map { devices.text(of: $0.event, on: device, in: group) ?? "-" }.sorted()
    }

    func floors(_ device: Int, _ devices: Devices, _ group: GroupID) -> [UInt64] {
        devices.devices[device].store.logs(inGroup: 1).filter { $0.certificate?.isStateLog != true }
            .sorted { $0.id < $1.id }.map(\.floor)
    }

    func roots(_ devices: Devices, _ group: GroupID) -> Set<Bytes32?> {
        Set(devices.devices.indices.map { devices.devices[$0].engine.root(of: group) })
    }

    func isQuiet(_ one: Int, _ other: Int, _ devices: Devices) throws -> Bool {
        let before = devices.bytesSent.values.reduce(0, +)
        try devices.meet(one, other)
        return devices.bytesSent.values.reduce(0, +) - before < 400
    }

    /// Proposes a hand-made checkpoint, which an honest device would not write.
    func propose(
        _ floors: [Checkpoint.LogFloor], to members: [MemberKey] = [], by device: Int, _ devices: Devices,
        _ group: GroupID
    ) throws {
        let action = StateAction.checkpoint(Checkpoint(floors: floors, members: members))
        try devices.step(device, [.append(5, group: group, kind: .checkpoint, content: action.encoded, expiry: nil)])
    }

    func failures(_ device: Int, _ devices: Devices) -> Int {
        devices.devices[device].effects.count { if case .failed = $0 { true } else { false } }
    }
}

extension Bytes32 {
    /// Creates a value. The order of values is that of the numbers.
    init(word: UInt64) {
        var bytes = [UInt8](repeating: 0, count: 32)
        for index in 0..<8 { bytes[index] = UInt8(truncatingIfNeeded: word >> (56 - 8 * UInt64(index))) }
        self = Bytes32(bytes) ?? .zero
    }
}
