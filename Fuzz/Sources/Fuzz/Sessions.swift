import TomboloCore
import TomboloCrypto

/// The generator SplitMix64 (Steele, Lea, Flood 2014).
struct Generator: RandomNumberGenerator, Sendable {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

/// An engine with a store in memory and a clock of its own.
final class Device {
    private var engine: Engine<SwiftCryptography>
    private let store = MemoryStore()
    private var now: UInt64 = 1_700_000_000_000

    init(seed: UInt64) {
        do {
            engine = try Engine(
                opening: store, cryptography: SwiftCryptography(), generator: Generator(state: seed),
                beginsIncarnation: false)
        } catch {
            preconditionFailure("\(error)")
        }
    }

    var key: DeviceKey { engine.device }

    @discardableResult
    func take(_ inputs: [EngineInput], after milliseconds: UInt64 = 1) -> [EngineEffect] {
        now += milliseconds
        do { return try engine.process(inputs, now: now, in: store) } catch { preconditionFailure("\(error)") }
    }

    func payloads(_ inputs: [EngineInput]) -> [[UInt8]] {
        take(inputs).compactMap { if case .send(_, let bytes) = $0 { bytes } else { nil } }
    }
}

/// Splits the input into payloads. Each is preceded by its length in two bytes.
func split(_ bytes: [UInt8]) -> [[UInt8]] {
    var (payloads, rest): ([[UInt8]], ArraySlice<UInt8>) = ([], bytes[...])
    while rest.count > 2, payloads.count < 32 {
        let count = Int(rest[rest.startIndex]) | Int(rest[rest.startIndex + 1]) << 8
        rest = rest.dropFirst(2)
        payloads.append(Array(rest.prefix(count)))
        rest = rest.dropFirst(count)
    }
    return payloads
}

/// A member of a native group that sends a correct hello and then arbitrary bytes.
final class NativeSession {
    nonisolated(unsafe) static let shared = NativeSession()  // libFuzzer runs one input at a time
    private let victim = Device(seed: 1)
    private let member = Device(seed: 2)
    private var session: UInt64 = 0

    private init() {
        var group: GroupID?
        for effect in victim.take([.createGroup(1, name: "crew")]) {
            if case .created(_, let id) = effect { group = id }
        }
        guard let group else { preconditionFailure("there is no group") }
        for effect in victim.take([.invite(1, group: group, addresses: [], expiry: .max >> 12)]) {
            guard case .invited(_, let invitation) = effect else { continue }
            meet(joining: invitation)
        }
        for number in 0..<50 {
            let content = Array("\(number)".utf8)
            (number.isMultiple(of: 2) ? victim : member)
                .take([.append(1, group: group, kind: .message, content: content, expiry: nil)])
        }
    }

    private func open(joining invitation: Invitation? = nil) -> SessionID {
        session += 1
        let id = SessionID(rawValue: session)
        victim.take([.linkOpened(PeerLink(session: id, peer: member.key, isDialler: false, binding: .zero))])
        return id
    }

    private func meet(joining invitation: Invitation) {
        let id = open()
        var queue = member.payloads([
            .linkOpened(
                PeerLink(session: id, peer: victim.key, isDialler: true, binding: .zero, invitation: invitation))
        ])
        var toVictim = true
        while !queue.isEmpty {
            let receiver = toVictim ? victim : member
            queue = receiver.payloads(queue.map { .payloadReceived(id, $0[...]) })
            toVictim.toggle()
        }
        for device in [victim, member] { device.take([.linkClosed(id)]) }
    }

    func attack(_ bytes: [UInt8]) -> CInt {
        let id = open()
        let hello = member.payloads([
            .linkOpened(PeerLink(session: id, peer: victim.key, isDialler: true, binding: .zero))
        ])
        for payload in hello { victim.take([.payloadReceived(id, payload[...])]) }
        for payload in split(bytes) { victim.take([.payloadReceived(id, payload[...])]) }
        victim.take([.timePassed], after: 5_000)
        for device in [victim, member] { device.take([.linkClosed(id)]) }
        return 0
    }
}

/// A peer of a group of the mvds dialect that sends arbitrary bytes.
final class RecordSession {
    nonisolated(unsafe) static let shared = RecordSession()  // libFuzzer runs one input at a time
    private let victim = Device(seed: 3)
    private let peer = DeviceKey(Bytes32.zero)
    private var session: UInt64 = 0

    private init() {
        let group = GroupID(Bytes32.zero)
        victim.take([
            .createMVDSGroup(1, group, name: "talk"), .addPeer(peer, dialect: .mvds, addresses: []),
            .share(2, group: group, with: peer),
        ])
        for number in 0..<20 {
            victim.take([
                .append(1, group: group, kind: .message, content: Array("\(number)".utf8), expiry: nil)
            ])
        }
    }

    func attack(_ bytes: [UInt8]) -> CInt {
        session += 1
        let id = SessionID(rawValue: session)
        victim.take([
            .linkOpened(PeerLink(session: id, peer: peer, isDialler: true, binding: .zero, dialect: .mvds))
        ])
        for payload in split(bytes) { victim.take([.payloadReceived(id, payload[...])]) }
        victim.take([.timePassed], after: 20_000)
        victim.take([.linkClosed(id)])
        return 0
    }
}
