import TomboloCore
import TomboloCrypto

extension Cluster {
    // MARK: Links

    @discardableResult
    func connect(
        _ dialler: some DeviceReference, _ listener: some DeviceReference, invitation: Invitation? = nil,
        windowLimit: Int? = nil
    ) throws -> SessionID {
        try devices.connect(
            dialler.index(in: self), listener.index(in: self), invitation: invitation, windowLimit: windowLimit)
    }

    func disconnect(_ session: SessionID) throws { try devices.disconnect(session) }

    /// Carries payloads until there are none. Time passes where engines wait for it.
    func settle(wakes: Int = 8) throws { try devices.settle(wakes: wakes) }

    /// Connects two devices until no more payloads are sent, and disconnects them.
    ///
    /// - Parameter invitation: what the first device, which dials, joins with.
    func sync(_ one: some DeviceReference, _ other: some DeviceReference, invitation: Invitation? = nil) throws {
        let session = try connect(one, other, invitation: invitation)
        try settle()
        try disconnect(session)
    }

    /// Lets a device meet others one after the other.
    func sync(_ one: some DeviceReference, with others: [Device], rounds: Int = 1) throws {
        for _ in 0..<rounds { for other in others { try sync(one, other) } }
    }

    /// Lets each pair of devices meet, in rounds.
    func syncAll(_ some: [Device]? = nil, rounds: Int = 1) throws {
        let some = some ?? all
        for _ in 0..<rounds {
            for one in some { for other in some where other.index > one.index { try sync(one, other) } }
        }
    }

    func hold(_ meetings: Meetings) throws {
        switch meetings {
        case .none: break
        case .withFirst(let rounds): try sync(0, with: others(than: 0), rounds: rounds)
        case .toFirst: for other in others(than: 0) { try sync(other, 0) }
        case .all(let rounds): try syncAll(rounds: rounds)
        }
    }

    // MARK: Joining

    /// Admits a device to the group, by an invitation of a member.
    func join(_ device: some DeviceReference, by member: some DeviceReference, role: Role = .member) throws {
        try self[member].invite(as: role)
        try sync(device, member, invitation: self[member].invitation)
    }

    /// Links a device to the member of another one, over a link that is then closed.
    func link(_ device: some DeviceReference, to other: some DeviceReference) throws {
        try devices.link(device.index(in: self), to: other.index(in: self))
    }

    /// Adds an empty device, links it to another one, and lets it sync the group.
    func link(_ name: String, seed: UInt64, to other: some DeviceReference) throws {
        try add(name, seed: seed)
        try link(name, to: other)
        try open(on: name, from: other)
        try sync(name, other)
    }

    /// Lets a device sync a group of another device of its member.
    func open(_ group: GroupID? = nil, on device: some DeviceReference, from other: some DeviceReference) throws {
        try devices.open(group ?? self.group, on: device.index(in: self), from: other.index(in: self))
    }

    // MARK: Payloads on their way

    /// A payload on its way from one device to another.
    struct Wire {
        let from: String
        let to: String
        let session: SessionID
        let bytes: [UInt8]
        var payload: Payload? { try? Payload(decoding: bytes[...]) }
    }

    /// Passes each payload through a function that can change it, drop it (nil) or keep it.
    func intercept(_ change: @escaping (Wire) -> [UInt8]?) {
        devices.intercept = { [unowned self] wire in
            change(Wire(from: names[wire.from], to: names[wire.to], session: wire.session, bytes: wire.bytes))
        }
    }

    func stopIntercepting() { devices.intercept = { $0.bytes } }

    /// Shows each payload to a function.
    func watch(_ see: @escaping (Wire) -> Void) {
        intercept { wire in
            see(wire)
            return wire.bytes
        }
    }

    /// Loses the payloads between two devices, or of one of them, for which a condition holds.
    func drop(
        from sender: String? = nil, to receiver: String? = nil, where isLost: @escaping (Payload) -> Bool
    ) {
        intercept { wire in
            guard sender ?? wire.from == wire.from, receiver ?? wire.to == wire.to, let payload = wire.payload else {
                return wire.bytes
            }
            return isLost(payload) ? nil : wire.bytes
        }
    }

    /// Rewrites the payloads between two devices, or all that one of them sends or receives.
    func rewrite(from sender: String? = nil, to receiver: String? = nil, _ change: @escaping (inout Payload) -> Void) {
        intercept { wire in
            guard sender ?? wire.from == wire.from, receiver ?? wire.to == wire.to, var payload = wire.payload else {
                return wire.bytes
            }
            change(&payload)
            return payload.encoded
        }
    }

    /// Rewrites what payloads say of groups.
    func rewriteGroups(
        from sender: String? = nil, to receiver: String? = nil, _ change: @escaping (inout GroupSync) -> Void
    ) {
        rewrite(from: sender, to: receiver) { payload in
            for index in payload.groups.indices { change(&payload.groups[index]) }
        }
    }

    /// Carries at most a number of payloads. No time passes.
    ///
    /// - Parameter then: a function that is called after each of them.
    func carry(most count: Int, then: () throws -> Void = {}) throws {
        for _ in 0..<count where !devices.queue.isEmpty {
            let wire = devices.queue.removeFirst()
            guard let bytes = devices.intercept(wire) else { continue }
            try devices.step(wire.to, [.payloadReceived(wire.session, bytes[...])])
            try then()
        }
    }

    /// Carries payloads one by one until `isDone` holds or there are none. No time passes.
    func carry(until isDone: () -> Bool) throws { try devices.carry(until: isDone) }

    /// Whether no payload is on its way.
    var isIdle: Bool { devices.queue.isEmpty }

    /// Carries the payloads of one link, whatever waits on others.
    func carry(only session: SessionID) throws { try devices.carry(only: session) }

    /// The bytes that are sent while something happens.
    ///
    /// - Parameter sender: the device that is meant; nil means all devices.
    func bytes(from sender: String? = nil, while happening: () throws -> Void) rethrows -> Int {
        func count() -> Int {
            devices.bytesSent.filter { sender == nil || names[$0.key] == sender }.values.reduce(0, +)
        }
        let before = count()
        try happening()
        return count() - before
    }

    /// Tells whether two devices in sync exchange no more than that fact.
    func isQuiet(_ one: some DeviceReference, _ other: some DeviceReference) throws -> Bool {
        try bytes { try sync(one, other) } < 400
    }
}
