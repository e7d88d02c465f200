import TomboloCore
import TomboloCrypto

/// Named devices of one group: engines with stores in memory, and links that carry payloads at once.
///
/// A device is referred to by its name, by its number or by its handle: `cluster["ann"]`, `cluster[0]`.
final class Cluster {
    /// The meetings of the devices once all have joined.
    enum Meetings {
        case none
        /// The first device dials each of the others.
        case withFirst(rounds: Int = 1)
        /// Each of the others dials the first device.
        case toFirst
        /// Each device dials each later one.
        case all(rounds: Int = 1)
    }

    let devices: Devices
    private(set) var names: [String]
    /// The group that is meant where a test names none.
    var group = GroupID(.zero)

    private static let usualNames = ["ann", "bob", "cat", "dan", "eve", "fay", "gus", "hal", "ida", "jim"]

    /// Creates devices that share no group. A test sets `group` to one that they create or open.
    init(strangers names: String..., seed: UInt64) throws {
        self.names = names
        devices = try Devices(names.count, seed: seed)
    }

    /// Creates a group on the first device. The others join it over links that are then closed.
    ///
    /// - Parameters:
    ///   - role: the role with which the others are invited.
    ///   - roles: other roles, by name.
    init(
        names: [String], policy: Policy = .open, seed: UInt64, role: Role = .member, roles: [String: Role] = [:],
        meetings: Meetings = .none
    ) throws {
        self.names = names
        devices = try Devices(names.count, seed: seed)
        group = try devices.makeGroup(policy) { roles[names[$0]] ?? role }
        try hold(meetings)
    }

    convenience init(
        _ names: String..., policy: Policy = .open, seed: UInt64, role: Role = .member, roles: [String: Role] = [:],
        meetings: Meetings = .none
    ) throws {
        try self.init(names: names, policy: policy, seed: seed, role: role, roles: roles, meetings: meetings)
    }

    /// Creates a group of some devices, which are named ann, bob, cat and so on.
    convenience init(
        _ count: Int, policy: Policy = .open, seed: UInt64, role: Role = .member, roles: [String: Role] = [:],
        meetings: Meetings = .none
    ) throws {
        let names = Self.names(count)
        try self.init(names: names, policy: policy, seed: seed, role: role, roles: roles, meetings: meetings)
    }

    /// Gives the usual names to devices that exist.
    init(_ devices: Devices, group: GroupID) {
        self.devices = devices
        self.group = group
        names = Self.names(devices.devices.count)
    }

    private static func names(_ count: Int) -> [String] {
        (0..<count).map { $0 < usualNames.count ? usualNames[$0] : "device \($0)" }
    }

    // MARK: Devices

    subscript(_ device: some DeviceReference) -> Device { Device(cluster: self, index: device.index(in: self)) }

    subscript(_ one: String, _ other: String, _ more: String...) -> [Device] { ([one, other] + more).map { self[$0] } }

    subscript(_ range: Range<Int>) -> [Device] { range.map { self[$0] } }

    var all: [Device] { self[devices.devices.indices] }

    func others(than device: some DeviceReference) -> [Device] {
        let index = device.index(in: self)
        return all.filter { $0.index != index }
    }

    /// Adds an empty device that shares nothing with the others.
    @discardableResult
    func add(_ name: String, seed: UInt64) throws -> Device {
        devices.devices.append(try Devices.Device(seed: seed))
        names.append(name)
        return self[name]
    }

    // MARK: Time

    /// Milliseconds since 1970.
    var now: UInt64 {
        get { devices.now }
        set { devices.now = newValue }
    }

    /// Lets time pass without calling an engine.
    func advance(by milliseconds: UInt64) { devices.now += milliseconds }

    /// The earliest time at which an engine wants to be called.
    var nextWake: UInt64? { all.compactMap(\.nextWake).min() }

    /// Calls each engine with the time alone.
    func wakeAll(_ some: [Device]? = nil) throws { for device in some ?? all { try device.wake() } }

    /// Lets time pass, and then calls each engine several times.
    func pass(_ milliseconds: UInt64, rounds: Int = 1) throws {
        advance(by: milliseconds)
        for _ in 0..<rounds { try wakeAll() }
    }
}

/// A name, a number or a handle of a device.
protocol DeviceReference {
    func index(in cluster: Cluster) -> Int
}

extension Int: DeviceReference {
    func index(in cluster: Cluster) -> Int { self }
}

extension String: DeviceReference {
    func index(in cluster: Cluster) -> Int {
        guard let index = cluster.names.firstIndex(of: self) else { fatalError("no device is named \(self)") }
        return index
    }
}
