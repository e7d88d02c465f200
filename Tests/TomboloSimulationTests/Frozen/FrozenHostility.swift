import TomboloCore
@testable import TomboloSimulation

/// The behaviour of a hostile device. Its engine is a real one; its payloads are altered on their way.
enum FrozenHostility: String, CaseIterable, Sendable {
    /// It falsifies fields that a peer must believe.
    case lies
    /// It damages events, and sends windows that no engine sends.
    case spoils
    /// It sends parts that no device has asked for, or that may come only once.
    case intrudes
    /// It sends payloads of the link again, its own and those of the peer.
    case replays
    /// It sends bytes without meaning, and the same payload many times.
    case floods
    /// It sends no events.
    case withholds
    /// It accepts no events.
    case clings
}

/// The end of a link at a hostile device. A generator of its own makes it independent of other links.
struct FrozenAttack {
    private let hostility: FrozenHostility
    private var generator: SeededGenerator
    /// Payloads that were sent or received over the link.
    private var recorded: [[UInt8]] = []
    private(set) var counts = FrozenCounts()

    init(_ hostility: FrozenHostility, seed: UInt64) {
        self.hostility = hostility
        generator = SeededGenerator(seed: seed)
    }

    /// The payloads that leave instead of one.
    mutating func payloads(for bytes: [UInt8]) -> [[UInt8]] {
        record(bytes)
        switch hostility {
        case .lies: return [changed(bytes, chance: 0.3) { $0.lie(in: &$1) }]
        case .spoils: return [changed(bytes, chance: 0.5) { $0.spoil(&$1) }]
        case .withholds: return [changed(bytes, chance: 1) { $1.events = nil }]
        case .clings: return [bytes]
        case .intrudes:
            guard generator.chance(0.15), var payload = try? Payload(decoding: bytes[...]) else { return [bytes] }
            intrude(&payload)
            counts.add("attack.intrudes")
            return [payload.encoded]
        case .replays:
            guard generator.chance(0.3), let old = recorded.randomElement(using: &generator) else { return [bytes] }
            counts.add("attack.replays")
            return [bytes, old]
        case .floods:
            guard generator.chance(0.1) else { return [bytes] }
            counts.add("attack.floods")
            return [bytes] + flood()
        }
    }

    /// The payload that arrives instead of one.
    mutating func payload(received bytes: [UInt8]) -> [UInt8] {
        record(bytes)
        return hostility == .clings ? changed(bytes, chance: 1) { $1.events = nil } : bytes
    }

    private mutating func record(_ bytes: [UInt8]) {
        if recorded.count < 64 { recorded.append(bytes) } else { recorded[Int(generator.any(0...63))] = bytes }
    }

    /// Changes the parts of a payload that concern groups, each with a chance.
    private mutating func changed(
        _ bytes: [UInt8], chance: Double, _ change: (inout FrozenAttack, inout GroupSync) -> Void
    ) -> [UInt8] {
        guard var payload = try? Payload(decoding: bytes[...]) else { return bytes }
        for index in payload.groups.indices where generator.chance(chance) {
            let before = payload.groups[index]
            change(&self, &payload.groups[index])
            if payload.groups[index] != before { counts.add("attack.\(hostility)") }
        }
        return payload.encoded
    }

    // MARK: Lies

    private mutating func lie(in sync: inout GroupSync) {
        switch generator.any(0...9) {
        case 0: if sync.root != nil { sync.root = ShownRoot(generator.bytes(16)) }
        case 1, 2: sync.processed = generator.any(0...1 << 40)
        case 3: sync.have = nil
        case 4: sync.since = sync.since.map { _ in generator.next() }
        case 5: sync.push = generator.any(0...2)
        case 6: sync.frontier = flipped(sync.frontier)
        case 7: sync.horizon = generator.any(0...1 << 40)
        case 8: sync.hasSentAll.toggle()
        default: sync.have = flipped(sync.have)
        }
    }

    /// Bytes of which one bit is another one.
    private mutating func flipped(_ bytes: Bytes?) -> Bytes? {
        guard let bytes, !bytes.isEmpty else { return bytes }
        var flipped = Array(bytes)
        flipped[Int(generator.any(0...UInt64(bytes.count - 1)))] ^= 1 << UInt8(generator.any(0...7))
        return flipped[...]
    }

    // MARK: Events

    private mutating func spoil(_ sync: inout GroupSync) {
        /// A window of whole messages that begins and ends in this part.
        let whole: UInt8 = 7
        sync.share = flipped(sync.share)
        guard let events = sync.events, let flags = events.first else { return }
        switch generator.any(0...5) {
        case 0: sync.events = events.dropLast(Int(generator.any(1...UInt64(events.count))))
        case 1: sync.events = [flags ^ 1 << UInt8(generator.any(0...7))] + events.dropFirst()
        case 2:
            // A message that is no event.
            let message = Message(
                groupID: generator.bytes(32)[...], timestamp: 1, body: generator.bytes(Int(generator.any(1...64)))[...]
            ).encoded
            sync.events = [whole, UInt8(message.count)] + message[...]
        case 3:
            // An ephemeral event has no place in a window.
            let payloads = recorded.compactMap { try? Payload(decoding: $0[...]) }
            let heard = payloads.flatMap(\.groups).compactMap(\.ephemeral)
            if let ephemeral = heard.last { sync.events = [whole] + ephemeral }
        default: sync.events = flipped(events)
        }
    }

    // MARK: Parts without a question

    private mutating func intrude(_ payload: inout Payload) {
        var sync = payload.groups.popLast() ?? GroupSync(number: 0)
        let noise = generator.bytes(Int(generator.any(1...96)))[...]
        switch generator.any(0...11) {
        case 0: payload.hello = Hello()
        case 1:
            payload.join = Join()
            payload.join?.invitation = noise
        case 2: payload.welcome = Welcome()
        case 3: sync.number = 7
        case 4: (sync.tag, sync.root) = (generator.bytes(16)[...], ShownRoot(generator.bytes(16)))
        case 5: sync.share = noise
        case 6: sync.secretsWanted = noise
        case 7: sync.want = noise
        case 8: sync.coded = noise
        case 9: sync.certificates.append(noise)
        case 10: sync.files = FrozenFile.all.prefix(1).map { FileMessage.chunk($0.id, 0, noise).encoded[...] }
        default: sync.reconcile = noise
        }
        payload.groups.append(sync)
    }

    // MARK: Floods

    private mutating func flood() -> [[UInt8]] {
        switch generator.any(0...2) {
        case 0: [generator.bytes(Int(generator.any(1...70_000)))]
        case 1: [[UInt8](repeating: 0, count: 200_000)]
        default: recorded.randomElement(using: &generator).map { [[UInt8]](repeating: $0, count: 20) } ?? []
        }
    }
}
