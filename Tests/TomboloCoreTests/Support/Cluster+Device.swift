import TomboloCore
import TomboloCrypto

extension Cluster {
    /// A handle of one device.
    struct Device: DeviceReference, Equatable, CustomStringConvertible {
        let cluster: Cluster
        let index: Int

        var name: String { cluster.names[index] }
        var description: String { name }
        func index(in cluster: Cluster) -> Int { index }
        static func == (one: Device, other: Device) -> Bool { one.index == other.index }

        /// The engine and its store, which a test can exchange.
        var state: Devices.Device {
            get { cluster.devices.devices[index] }
            nonmutating set { cluster.devices.devices[index] = newValue }
        }
        var store: MemoryStore { state.store }
        var engine: Engine<SwiftCryptography> {
            _read { yield state.engine }
            nonmutating _modify { yield &state.engine }
        }
        /// The effects so far, or since a test has emptied them.
        var effects: [EngineEffect] {
            get { state.effects }
            nonmutating set { state.effects = newValue }
        }

        /// The time at which the engine wants to be called.
        var nextWake: UInt64? { state.engine.nextWake }
        var member: MemberKey { state.engine.member }
        var key: DeviceKey { state.engine.device }
    }
}

extension Cluster.Device {
    private var devices: Devices { cluster.devices }

    // MARK: Inputs

    /// Lets the engine process inputs in one batch.
    ///
    /// - Returns: the effects of the batch.
    @discardableResult
    func step(_ inputs: EngineInput...) throws -> [EngineEffect] { try step(inputs) }

    @discardableResult
    func step(_ inputs: [EngineInput]) throws -> [EngineEffect] {
        let before = effects.count
        try devices.step(index, inputs)
        return Array(effects[before...])
    }

    /// Makes a request.
    ///
    /// - Returns: the reason of the refusal; nil if the request was accepted.
    @discardableResult
    func request(_ input: EngineInput) throws -> EngineError? {
        for case .failed(_, let error) in try step(input) { return error }
        return nil
    }

    /// Tells whether the store must be synced to disk after inputs.
    func mustSync(_ inputs: EngineInput...) -> Bool { engine.mustBeSynced(inputs) }

    /// Calls the engine with the time alone.
    func wake() throws { try step(.timePassed) }

    /// Starts the device again, on its own store or on another one.
    func restart(seed: UInt64, from store: MemoryStore? = nil) throws {
        devices.devices[index] = try Devices.Device(seed: seed, store: store ?? self.store)
    }

    /// Copies the store, as a backup does.
    func backup() -> MemoryStore { MemoryStore(copying: store) }

    // MARK: Messages

    /// Sends a message, a millisecond later.
    ///
    /// - Parameter lifetime: the milliseconds after which the content expires.
    /// - Returns: the message's id; nil if the message was refused.
    @discardableResult
    func send(_ text: String, expiring lifetime: UInt64? = nil, in group: GroupID? = nil) throws -> EventID? {
        cluster.advance(by: 1)
        return try append(Array(text.utf8), expiry: lifetime.map { cluster.now + $0 }, in: group)
    }

    /// Appends an event of the application.
    ///
    /// - Parameter expiry: the time at which the content expires.
    @discardableResult
    func append(
        _ content: [UInt8], kind: EventKind = .message, expiry: UInt64? = nil, files: [FileID] = [],
        in group: GroupID? = nil
    ) throws -> EventID? {
        let group = group ?? cluster.group
        let effects = try step(
            .append(1, group: group, kind: kind, content: content, expiry: expiry, files: files))
        for case .appended(_, let id) in effects { return id }
        return nil
    }

    /// Sends an ephemeral event, which no device stores.
    func broadcast(_ text: String) throws { try broadcast(Array(text.utf8)) }

    func broadcast(_ content: [UInt8]) throws { try step(.broadcast(1, group: cluster.group, content: content)) }

    @discardableResult
    func redact(_ event: EventReference, reason: String = "") throws -> EngineError? {
        try request(.redact(1, group: cluster.group, event, reason: reason))
    }

    /// Ingests events that did not come over a link.
    @discardableResult
    func ingest(_ events: [Event], horizon: UInt64 = 0, certificates: [Certificate] = []) throws -> [EngineEffect] {
        let group = cluster.group
        let messages = events.map { $0.message(in: group) }
        return try step(.ingest(1, group: group, messages, horizon: horizon, certificates: certificates))
    }

    // MARK: The group

    /// Creates a group.
    ///
    /// - Returns: the id; nil if the group was refused.
    @discardableResult
    func createGroup(_ policy: Policy = .open, name: String = "crew") throws -> GroupID? {
        for case .created(_, let id) in try step(.createGroup(1, name: name, policy: policy)) { return id }
        return nil
    }

    @discardableResult
    func invite(
        as role: Role = .member, uses: Int = 1, expiring lifetime: UInt64 = 1_000_000, in group: GroupID? = nil
    ) throws -> EngineError? {
        let (group, expiry) = (group ?? cluster.group, cluster.now + lifetime)
        return try request(.invite(1, group: group, addresses: [], expiry: expiry, role: role, uses: uses))
    }

    /// The last invitation that the device has made.
    var invitation: Invitation { devices.invitation(by: index) }

    @discardableResult
    func setRole(of other: some DeviceReference, to role: Role) throws -> EngineError? {
        try setRole(of: cluster[other].member, to: role)
    }

    @discardableResult
    func setRole(of member: MemberKey, to role: Role) throws -> EngineError? {
        try request(.setRole(1, group: cluster.group, of: member, to: role))
    }

    /// Sets a key of the group's state; nil removes it.
    @discardableResult
    func set(_ key: String, to value: String?) throws -> EngineError? {
        try set(key, to: value.map { Array($0.utf8) })
    }

    @discardableResult
    func set(_ key: String, to value: [UInt8]?) throws -> EngineError? {
        try request(.setState(1, group: cluster.group, key: key, value: value))
    }

    /// Sets the contents that the device keeps.
    func keep(_ retention: Retention) throws { try step(.setRetention(1, group: cluster.group, retention)) }

    @discardableResult
    func proposeCheckpoint() throws -> EngineError? {
        try request(.proposeCheckpoint(1, group: cluster.group))
    }

    /// Proposes a hand-made checkpoint, which an honest device would not write.
    func propose(_ floors: [Checkpoint.LogFloor], to members: [MemberKey] = []) throws {
        let action = StateAction.checkpoint(Checkpoint(floors: floors, members: members))
        try append(action.encoded, kind: .checkpoint)
    }

    /// Removes a device of this device's member.
    @discardableResult
    func removeDevice(_ other: some DeviceReference) throws -> EngineError? {
        try request(.removeDevice(1, cluster[other].key))
    }
}
