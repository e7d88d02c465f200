import TomboloCore
import TomboloCrypto

/// The random generator of the tests: SplitMix64 (Steele, Lea, Flood 2014). The same seed gives the same numbers.
struct SeededGenerator: RandomNumberGenerator, Sendable {
    var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

/// Engines with stores in memory, and links that carry payloads at once, in one thread.
final class Devices {
    final class Device {
        var engine: Engine<SwiftCryptography>
        let store: MemoryStore
        var effects: [EngineEffect] = []

        init(seed: UInt64, store: MemoryStore = MemoryStore()) throws {
            self.store = store
            engine = try Engine(
                opening: store, cryptography: SwiftCryptography(), generator: SeededGenerator(seed: seed),
                beginsIncarnation: false)
        }
    }

    struct Wire {
        var from: Int
        var to: Int
        var session: SessionID
        var bytes: [UInt8]
    }

    var devices: [Device] = []
    private var links: [SessionID: (Int, Int)] = [:]
    private var nextSession: UInt64 = 1
    private var nextRequest: UInt64 = 1
    var now: UInt64 = 1_700_000_000_000
    /// The payloads in flight.
    var queue: [Wire] = []
    /// The bytes carried so far, by sending device.
    var bytesSent: [Int: Int] = [:]
    /// A function that can change, drop (nil) or keep a payload.
    var intercept: (Wire) -> [UInt8]? = { $0.bytes }

    init(_ count: Int, seed: UInt64) throws {
        for index in 0..<count { devices.append(try Device(seed: seed &+ UInt64(index) &* 1_000)) }
    }

    func step(_ device: Int, _ inputs: [EngineInput]) throws {
        let effects = try devices[device].engine.process(inputs, now: now, in: devices[device].store)
        devices[device].effects += effects
        for effect in effects {
            if case .send(let session, let bytes) = effect, let (a, b) = links[session] {
                queue.append(Wire(from: device, to: device == a ? b : a, session: session, bytes: bytes))
            }
        }
    }

    @discardableResult
    func connect(
        _ dialler: Int, _ listener: Int, invitation: Invitation? = nil, windowLimit: Int? = nil
    ) throws -> SessionID {
        let session = SessionID(rawValue: nextSession)
        nextSession += 1
        links[session] = (dialler, listener)
        let binding = SwiftCryptography().sha256(Array("link \(session.rawValue)".utf8))
        let keys = (devices[dialler].engine.device, devices[listener].engine.device)
        try step(
            listener,
            [
                .linkOpened(
                    PeerLink(
                        session: session, peer: keys.0, isDialler: false, binding: binding, windowLimit: windowLimit))
            ])
        try step(
            dialler,
            [
                .linkOpened(
                    PeerLink(
                        session: session, peer: keys.1, isDialler: true, binding: binding, invitation: invitation,
                        windowLimit: windowLimit))
            ])
        return session
    }

    /// Carries the payloads of one link, whatever waits on others.
    func carry(only session: SessionID) throws {
        while let place = queue.firstIndex(where: { $0.session == session }) {
            let wire = queue.remove(at: place)
            try step(wire.to, [.payloadReceived(wire.session, wire.bytes[...])])
        }
    }

    /// Carries payloads one by one until `isDone` holds or there are none. No time passes.
    func carry(until isDone: () -> Bool) throws {
        while !isDone(), !queue.isEmpty {
            let wire = queue.removeFirst()
            try step(wire.to, [.payloadReceived(wire.session, wire.bytes[...])])
        }
    }

    func disconnect(_ session: SessionID) throws {
        guard let (a, b) = links.removeValue(forKey: session) else { return }
        queue.removeAll { $0.session == session }
        try step(a, [.linkClosed(session)])
        try step(b, [.linkClosed(session)])
    }

    /// Carries payloads until there are none. Time passes where engines wait for it, but never more than an hour at
    /// once.
    func settle(wakes: Int = 8) throws {
        for _ in 0...wakes {
            while !queue.isEmpty {
                let wire = queue.removeFirst()
                bytesSent[wire.from, default: 0] += wire.bytes.count
                guard links[wire.session] != nil, let bytes = intercept(wire) else { continue }
                try step(wire.to, [.payloadReceived(wire.session, bytes[...])])
            }
            guard let wake = devices.compactMap({ $0.engine.nextWake }).min(), wake <= now + 3_600_000 else { return }
            now = max(now, wake)
            for index in devices.indices { try step(index, [.timePassed]) }
        }
    }

    /// Creates a group on the first device. All others join it over links that are then closed.
    ///
    /// - Parameter roles: the role with which each of the others is invited.
    func makeGroup(_ policy: Policy = .open, roles: (Int) -> Role = { _ in .member }) throws -> GroupID {
        try step(0, [.createGroup(1, name: "crew", policy: policy)])
        let made = devices[0].effects.compactMap { if case .created(_, let group) = $0 { group } else { nil } }
        guard let group = made.last else { fatalError("no group was made") }
        for index in devices.indices.dropFirst() {
            try step(
                0, [.invite(2, group: group, addresses: [], expiry: now + 1_000_000, role: roles(index))])
            let session = try connect(index, 0, invitation: invitation(by: 0))
            try settle()
            try disconnect(session)
        }
        return group
    }

    /// The last invitation that a device has created.
    func invitation(by device: Int) -> Invitation {
        let made = devices[device].effects.compactMap { if case .invited(_, let link) = $0 { link } else { nil } }
        guard let invitation = made.last else { fatalError("no invitation") }
        return invitation
    }

    /// Links a device to the member of another one, over a link that is then closed.
    func link(_ device: Int, to other: Int) throws {
        try step(other, [.linkDevice(1, addresses: [], expiry: now + 1_000_000)])
        let session = try connect(device, other, invitation: invitation(by: other))
        try settle()
        try disconnect(session)
    }

    /// Adds an empty device, links it to an existing one over a link that is then closed, and lets it sync a group.
    func link(_ device: Device, to other: Int, in group: GroupID) throws {
        devices.append(device)
        try link(devices.count - 1, to: other)
        try open(group, on: devices.count - 1, from: other)
        try meet(devices.count - 1, other)
    }

    /// Lets a device sync a group of another device.
    func open(_ group: GroupID, on device: Int, from other: Int) throws {
        guard let record = devices[other].store.groups().first(where: { $0.id == group }) else {
            fatalError("there is no such group")
        }
        try step(device, [.openGroup(1, record.forAnotherStore)])
    }

    @discardableResult
    func say(_ device: Int, _ text: String, in group: GroupID) throws -> EventID? {
        now += 1
        try step(
            device,
            [.append(nextRequest, group: group, kind: .message, content: Array(text.utf8), expiry: nil)])
        nextRequest += 1
        for effect in devices[device].effects.reversed() {
            if case .appended(_, let id) = effect { return id }
        }
        return nil
    }

    func delivered(_ device: Int, in group: GroupID) -> [Event] {
        devices[device].store.delivered(in: group).map(\.event)
    }

    func texts(_ device: Int, in group: GroupID) -> [String] {
        delivered(device, in: group).map { text(of: $0, on: device, in: group) ?? "" }
    }

    /// The text of an event as a device can read it; nil if it cannot.
    func text(of event: Event, on device: Int, in group: GroupID) -> String? {
        let store = devices[device].store
        guard let reference = store.groups().first(where: { $0.id == group })?.reference else { return nil }
        var opener = ContentOpener(using: SwiftCryptography()) { store.secret(of: $0, inGroup: reference) }
        return (try? opener.content(of: event)).flatMap(\.self).map { String(decoding: $0, as: UTF8.self) }
    }

    func errors(_ device: Int) -> [String] {
        devices[device].effects.compactMap {
            if case .close(_, let error) = $0 { return error.description }
            return nil
        }
    }
}

/// Tells whether every event comes after all events that it names.
func isCausal(_ events: [Event]) -> Bool {
    var seen: Set<EventID> = []
    for event in events {
        guard event.header.ancestors.allSatisfy({ seen.contains($0) }) else { return false }
        seen.insert(event.id)
    }
    return true
}

extension RandomAccessCollection where Element == UInt8 {
    func contains(_ text: String) -> Bool {
        let wanted = Array(text.utf8)
        return indices.contains { self[$0...].starts(with: wanted) }
    }
}
