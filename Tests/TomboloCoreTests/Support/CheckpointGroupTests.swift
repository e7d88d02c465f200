import TomboloCore
import TomboloCrypto

/// The common parts of tests of checkpoints.
protocol CheckpointGroupTests {}

extension CheckpointGroupTests {
    /// A time longer than devices let pass while they settle.
    static var day: UInt64 { 86_400_000 }
}

extension Cluster.Device {
    /// The conversation's events that the device holds, in the order of arrival.
    var conversation: [StoredEvent] { events.filter { !$0.event.header.kind.isState } }

    /// The texts that were delivered and whose contents the device still has, in alphabetical order.
    var kept: [String] {
        conversation.filter { $0.status == .delivered && $0.event.content?.isEmpty == false }
            .map { text(of: $0.event) ?? "-" }.sorted()
    }

    /// The sequences up to which the conversation's logs are forgotten.
    var floors: [UInt64] {
        store.logs(inGroup: groupReference).filter { $0.certificate?.isStateLog != true }
            .sorted { $0.id < $1.id }.map(\.floor)
    }
}

/// The same for tests that number their devices.
extension CheckpointGroupTests {
    func makeGroup(
        _ count: Int, _ policy: Policy = .open, seed: UInt64, roles: (Int) -> Role = { _ in .member }
    ) throws -> (Devices, GroupID) {
        let devices = try Devices(count, seed: seed)
        let group = try devices.makeGroup(policy, roles: roles)
        try meetAll(devices)
        return (devices, group)
    }

    private func cluster(_ devices: Devices, _ group: GroupID = GroupID(.zero)) -> Cluster {
        Cluster(devices, group: group)
    }

    func meetAll(_ devices: Devices, _ some: [Int]? = nil) throws {
        let cluster = cluster(devices)
        try cluster.syncAll(some.map { $0.map { cluster[$0] } }, rounds: 2)
    }

    /// Sends a message that expires after a day, or after another time.
    func say(
        _ device: Int, _ text: String, for time: UInt64? = 86_400_000, _ devices: Devices, _ group: GroupID
    ) throws {
        try cluster(devices, group)[device].send(text, expiring: time)
    }

    func pass(_ milliseconds: UInt64, _ devices: Devices) throws {
        try cluster(devices).pass(milliseconds, rounds: 3)
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
    func conversation(_ device: Int, _ devices: Devices) -> [StoredEvent] { cluster(devices)[device].conversation }

    func texts(_ device: Int, _ devices: Devices, _ group: GroupID) -> [String] {
        cluster(devices, group)[device].kept
    }

    func floors(_ device: Int, _ devices: Devices, _ group: GroupID) -> [UInt64] {
        cluster(devices, group)[device].floors
    }

    func roots(_ devices: Devices, _ group: GroupID) -> Set<Bytes32?> { cluster(devices, group).roots }

    func isQuiet(_ one: Int, _ other: Int, _ devices: Devices) throws -> Bool {
        try cluster(devices).isQuiet(one, other)
    }

    /// Proposes a hand-made checkpoint, which an honest device would not write.
    func propose(
        _ floors: [Checkpoint.LogFloor], to members: [MemberKey] = [], by device: Int, _ devices: Devices,
        _ group: GroupID
    ) throws {
        try cluster(devices, group)[device].propose(floors, to: members)
    }

    func failures(_ device: Int, _ devices: Devices) -> Int { cluster(devices)[device].refusals.count }
}

extension Bytes32 {
    /// Creates a value. The order of values is that of the numbers.
    init(word: UInt64) {
        var bytes = [UInt8](repeating: 0, count: 32)
        for index in 0..<8 { bytes[index] = UInt8(truncatingIfNeeded: word >> (56 - 8 * UInt64(index))) }
        self = Bytes32(bytes) ?? .zero
    }
}
