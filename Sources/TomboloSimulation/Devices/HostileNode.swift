import TomboloCore

/// A hostile member: the real engine, whose payloads are altered before they leave.
final class HostileNode<Crypto: Cryptography>: JoiningNode {
    private let inner: EngineNode<Crypto>
    private let hostility: Scenario.Hostility
    private var generator: SeededGenerator
    /// The second half of a device that forks: the same keys, another store.
    private var twin: EngineNode<Crypto>?
    private var linksOfTwin: Set<UInt64> = []
    private var links: Set<UInt64> = []
    /// Payloads that were sent or received, to be replayed.
    private var recorded: [[UInt8]] = []
    private var batches = 0
    /// The number of devices whose members it promotes, demotes and removes.
    private let targets: Int

    /// - Parameter targets: the number of devices whose roles it tries to change; 0 for none.
    init(_ inner: EngineNode<Crypto>, _ hostility: Scenario.Hostility, actingOn targets: Int, seed: UInt64) {
        (self.inner, self.hostility, self.targets) = (inner, hostility, targets)
        generator = SeededGenerator(seed: seed &+ 1)
    }

    var hasJoined: Bool { inner.hasJoined }
    var holdsGroup: Bool { inner.holdsGroup }
    var nextWake: UInt64? { [inner.nextWake, twin?.nextWake].compactMap(\.self).min() }
    var held: Int { inner.held }
    func takeChanges() -> [ViewChange] { inner.takeChanges() }
    func status(of number: Int) -> EventStatus? { inner.status(of: number) }
    func restart(after stop: Stop, now: UInt64) throws { try inner.restart(after: stop, now: now) }

    func process(_ inputs: [NodeInput], now: UInt64) throws -> [NodeEffect] {
        batches += 1
        if hostility == .forks, twin == nil, inner.hasJoined { twin = try inner.clone() }
        var (own, others): ([NodeInput], [NodeInput]) = ([], [])
        for input in inputs {
            switch input {
            case .linkOpened(let link, let peer, _, _):
                links.insert(link)
                if twin != nil, !peer.isMultiple(of: 2) { linksOfTwin.insert(link) }
                if linksOfTwin.contains(link) { others.append(input) } else { own.append(input) }
            case .linkClosed(let link):
                links.remove(link)
                if linksOfTwin.contains(link) { others.append(input) } else { own.append(input) }
            case .received(let link, let bytes):
                record(Array(bytes))
                if hostility == .clings, inner.hasJoined {
                    own.append(.received(link: link, changed(Array(bytes)) { $0.events = nil }[...]))
                    continue
                }
                if linksOfTwin.contains(link) { others.append(input) } else { own.append(input) }
            default:
                own.append(input)
                others.append(input)
            }
        }
        // A hostile member also sends messages of its own.
        if inner.hasJoined, batches.isMultiple(of: 40) {
            own.append(.says(0, Array("one thing \(batches)".utf8)))
            others.append(.says(0, Array("another thing \(batches)".utf8)))
            if targets > 0 {
                own.append(.acts(.any(on: targets, otherDevice: nil, using: &generator)))
                others.append(.acts(.any(on: targets, otherDevice: nil, using: &generator)))
            }
        }
        var effects = try inner.process(own, now: now)
        if let twin { effects += try twin.process(others, now: now) }
        return effects.flatMap(twist)
    }

    private func record(_ bytes: [UInt8]) {
        guard hostility == .replays || hostility == .floods else { return }
        if recorded.count < 256 { recorded.append(bytes) } else { recorded[Int(generator.any(0...255))] = bytes }
    }

    private func twist(_ effect: NodeEffect) -> [NodeEffect] {
        guard case .send(let link, let bytes) = effect, inner.hasJoined else { return [effect] }
        record(bytes)
        switch hostility {
        case .forks, .clings: return [effect]
        case .withholds: return [.send(link: link, changed(bytes) { $0.events = nil })]
        case .lies: return [.send(link: link, changed(bytes, lie))]
        case .replays:
            guard generator.chance(0.3), let old = recorded.randomElement(using: &generator) else { return [effect] }
            return [effect, .send(link: link, old)]
        case .floods: return [effect] + flood(link)
        }
    }

    private func flood(_ link: UInt64) -> [NodeEffect] {
        guard generator.chance(0.2) else { return [] }
        switch generator.any(0...2) {
        case 0: return [.send(link: link, generator.bytes(Int(generator.any(1...70_000))))]
        case 1: return [.send(link: link, [UInt8](repeating: 0, count: 200_000))]
        default:
            guard let old = recorded.randomElement(using: &generator) else { return [] }
            return (0..<200).map { _ in .send(link: link, old) }
        }
    }

    private func changed(_ bytes: [UInt8], _ change: (inout GroupSync) -> Void) -> [UInt8] {
        guard var payload = try? Payload(decoding: bytes[...]) else { return bytes }
        for index in payload.groups.indices { change(&payload.groups[index]) }
        return payload.encoded
    }

    /// Falsifies one of the fields that a peer must trust.
    private func lie(_ sync: inout GroupSync) {
        guard generator.chance(0.5) else { return }
        switch generator.any(0...6) {
        case 0: if sync.root != nil { sync.root = ShownRoot(generator.bytes(16)) }
        case 1: sync.processed = generator.any(0...1 << 40)
        case 2: sync.have = nil
        case 3: sync.since = sync.since.map { _ in generator.next() }
        case 4: sync.push = generator.any(1...2)
        case 5:
            if var frontier = sync.frontier.map({ Array($0) }), frontier.count > 12 {
                frontier[Int.random(in: 1..<frontier.count, using: &generator)] ^= 1 << UInt8(generator.any(0...7))
                sync.frontier = frontier[...]
            }
        default:
            if var have = sync.have.map({ Array($0) }), !have.isEmpty {
                have[Int.random(in: have.indices, using: &generator)] ^= 1 << UInt8(generator.any(0...7))
                sync.have = have[...]
            }
        }
    }
}
