import TomboloCore
@testable import TomboloSimulation

/// Links between devices in virtual time. Each direction of each link has a generator of its own, so that no payload's time depends
/// on the order in which an engine sends over different links.
final class FrozenNetwork {
    private struct Wire {
        let time: UInt64
        let link: Int
        /// The end that receives it: 0 for the dialler, 1 for the listener.
        let end: Int
        let sequence: Int
        /// Nil where the sender has closed the link.
        let bytes: [UInt8]?

        var place: (UInt64, Int, Int, Int) { (time, link, end, sequence) }
    }

    /// One direction of a link.
    fileprivate struct Line {
        var generator: SeededGenerator
        var last: UInt64 = 0
        var sent = 0
        var digest = FrozenDigest()
        /// The sender's behaviour if it is hostile.
        var attack: FrozenAttack?
    }

    struct Connection {
        let devices: [Int]
        let dialect: Dialect
        fileprivate let delay: UInt64
        fileprivate let lies: Bool
        fileprivate let damages: Bool
        fileprivate(set) var isOpen = [true, true]
        fileprivate var lines: [Line]

        var isUp: Bool { isOpen[0] && isOpen[1] }
    }

    let devices: [FrozenDevice]
    private(set) var connections: [Connection] = []
    private(set) var counts = FrozenCounts()
    private(set) var now: UInt64 = 1_700_000_000_000
    private let seeds: SeededGenerator
    private let faults: FrozenFaults
    /// The behaviour of hostile devices, by number. On links over which a device joins they are honest.
    private let hostile: [Int: FrozenHostility]
    private var wires: [Wire] = []

    init(
        _ count: Int, seed: UInt64, recordMode: RecordMode, faults: FrozenFaults, hostile: [Int: FrozenHostility]
    ) throws {
        seeds = SeededGenerator(seed: seed)
        (self.faults, self.hostile) = (faults, hostile)
        devices = try (0..<count).map { number in
            try FrozenDevice(
                number: number, seed: seed &* 1_009 &+ UInt64(number), recordMode: recordMode,
                mayLosePower: number == Int(seed % UInt64(count - 1)))
        }
    }

    // MARK: Links

    /// Opens a link; both devices learn of it with the next tick.
    @discardableResult
    func connect(
        _ dialler: Int, _ listener: Int, dialect: Dialect = .native, invitation: Invitation? = nil
    ) -> Int {
        let link = connections.count
        var generator = SeededGenerator(seed: seeds.seed(of: UInt64(link)))
        let isFair = invitation != nil
        connections.append(
            Connection(
                devices: [dialler, listener], dialect: dialect, delay: 20 * generator.any(0...4),
                lies: !isFair && generator.chance(faults.lies), damages: !isFair && generator.chance(faults.damages),
                lines: (0..<2).map { Line(generator: SeededGenerator(seed: generator.seed(of: $0))) }))
        let windowLimit: Int? = generator.chance(0.2) ? 200_000 : nil
        let session = SessionID(rawValue: UInt64(link) + 1)
        let binding = StandInCryptography().sha256(Array("link \(link)".utf8))
        for end in 0..<2 {
            let peer = end == 0 ? listener : dialler
            let key = dialect == .mvds ? FrozenDevice.address(of: peer) : devices[peer].engine.device
            devices[end == 0 ? dialler : listener].inbox.append(
                .linkOpened(
                    PeerLink(
                        session: session, peer: key, isDialler: end == 0, binding: binding, dialect: dialect,
                        invitation: end == 0 ? invitation : nil, windowLimit: windowLimit)))
        }
        for (end, device) in [dialler, listener].enumerated() where !isFair {
            guard let hostility = hostile[device] else { continue }
            connections[link].lines[end].attack = FrozenAttack(hostility, seed: generator.seed(of: 2 + UInt64(end)))
        }
        counts.add("link.\(dialect)")
        return link
    }

    /// Breaks a link: all that is on its way is lost.
    func cut(_ link: Int) {
        wires.removeAll { $0.link == link }
        for end in 0..<2 where connections[link].isOpen[end] {
            connections[link].isOpen[end] = false
            devices[connections[link].devices[end]].inbox.append(.linkClosed(SessionID(rawValue: UInt64(link) + 1)))
        }
    }

    /// Links that both ends have open.
    var openLinks: [Int] { connections.indices.filter { connections[$0].isUp } }

    func restart(_ device: Int, _ stop: FrozenDevice.Stop) throws {
        for link in connections.indices where connections[link].devices.contains(device) { cut(link) }
        try devices[device].restart(stop)
    }

    // MARK: Time

    /// Lets time pass, with everything that happens in it.
    func run(for milliseconds: UInt64) throws {
        let end = now + milliseconds
        while let next = nextTime(), next <= end {
            now = next
            try tick()
        }
        now = end
    }

    private func nextTime() -> UInt64? {
        var next = wires.map(\.time).min()
        for device in devices {
            let wake = device.inbox.isEmpty ? device.engine.nextWake : now
            if let wake { next = min(next ?? .max, wake) }
        }
        // Devices are a little late, so that wakes meet payloads in batches.
        return next.map { (max($0, now + 1) + 19) / 20 * 20 }
    }

    /// Has each device take what is due for it by now, in one batch.
    func tick() throws {
        let due = wires.filter { $0.time <= now }.sorted { $0.place < $1.place }
        wires.removeAll { $0.time <= now }
        for wire in due where connections[wire.link].isOpen[wire.end] {
            let session = SessionID(rawValue: UInt64(wire.link) + 1)
            let device = devices[connections[wire.link].devices[wire.end]]
            if let bytes = wire.bytes {
                let taken = connections[wire.link].lines[wire.end].attack?.payload(received: bytes) ?? bytes
                device.inbox.append(.payloadReceived(session, taken[...]))
            } else {
                connections[wire.link].isOpen[wire.end] = false
                device.inbox.append(.linkClosed(session))
            }
        }
        for device in devices where !device.inbox.isEmpty || device.engine.nextWake ?? .max <= now {
            var closed: [SessionID] = []
            for effect in try device.process(now: now) {
                switch effect {
                case .send(let session, let bytes): send(bytes, session, from: device)
                case .close(let session, _):
                    send(nil, session, from: device)
                    closed.append(session)
                default: break
                }
            }
            device.inbox += closed.sorted().map { .linkClosed($0) }
        }
    }

    private func send(_ bytes: [UInt8]?, _ session: SessionID, from device: FrozenDevice) {
        let link = Int(session.rawValue) - 1
        guard let end = connections[link].devices.firstIndex(of: device.number), connections[link].isOpen[end]
        else { return }
        if bytes == nil { connections[link].isOpen[end] = false }
        var line = connections[link].lines[end]
        defer { connections[link].lines[end] = line }
        var carried: [[UInt8]?] = [bytes]
        line.digest.add(now)
        if var bytes {
            line.digest.add(bytes.count)
            line.digest.add(StandInCryptography().sha256(bytes).prefix64)
            let hasChunk = counts.add(payload: bytes)
            if hasChunk, connections[link].lies, line.generator.chance(0.5) {
                if line.generator.chance(0.3) {
                    // The sender was never asked, for all that the receiver knows.
                    counts.add("fault.swallow")
                    line.sent += 1
                    return
                }
                bytes[bytes.count - 3] ^= 1
                counts.add("fault.lie")
            } else if connections[link].damages, line.generator.chance(0.05) {
                bytes[Int(line.generator.any(0...UInt64(bytes.count - 1)))] ^= UInt8(line.generator.any(1...255))
                counts.add("fault.damage")
            }
            carried = line.attack?.payloads(for: bytes) ?? [bytes]
        }
        // Times are round, so that payloads meet in batches.
        for bytes in carried {
            let arrival = (now + 1 + connections[link].delay + line.generator.any(0...30) + 19) / 20 * 20
            line.last = max(line.last, arrival)
            line.sent += 1
            wires.append(Wire(time: line.last, link: link, end: 1 - end, sequence: line.sent, bytes: bytes))
        }
    }

    // MARK: Digest

    /// Adds all payloads, by link and direction, and the state of every device.
    func add(to digest: inout FrozenDigest) throws {
        for connection in connections {
            for line in connection.lines {
                digest.add(line.sent)
                digest.add(line.digest.value)
                if let attack = line.attack { counts.add(attack.counts) }
            }
        }
        let members = Set(devices.map { $0.engine.member }).sorted()
        for device in devices { try device.add(to: &digest, members: members) }
    }
}

/// How often a link does what it must not.
struct FrozenFaults {
    /// The share of links that spoil every other chunk of a file, or swallow it.
    var lies = 0.0
    /// The share of links that change a byte of one payload in twenty.
    var damages = 0.0
}
