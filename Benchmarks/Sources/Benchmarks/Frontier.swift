import ArgumentParser
import Foundation
import TomboloCore
import TomboloCrypto

/// What finding the difference costs in a native group of very many authors.
struct Frontier: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Finds what two devices differ in, in a group of many authors, as sessions do; engines in one process.",
        discussion: """
            In each row the given number of logs have gone on since, half of them on each device. `remembered`: the two have known the \
            same before; `unknown`: they never met. Bytes are those of the reconciliation, both ways, before TLS and deflate; \
            introductions (root, tag, agreement) and the events themselves are apart.
            """)
    @Option(help: "Authors, each with a log.") var authors = 10_000
    @Option(help: "Logs that changed.") var changed = [0, 1, 10, 100, 1_000]
    @Option(help: "Seed of the keys.") var seed: UInt64 = 1

    func run() throws {
        note("making \(authors) authors…")
        var generator = SplitMix(seed: seed)
        let founder = try EngineDevice(&generator)
        let group = try founder.createGroup()
        let writers = try (0..<authors).map { _ in
            let writer = try EngineDevice(&generator)
            try writer.join(group, of: founder)
            return writer
        }
        var events: [Message] = []
        for writer in writers { events += try writer.say("the first word", in: group) }
        printRow([
            "\(authors) logs, changed", "peer", "strategy", "bytes", "bytes a changed log", "round trips",
            "introductions, bytes",
            "CPU ms, both sides",
        ])
        printRow(["---:", "---", "---", "---:", "---:", "---:", "---:", "---:"])
        for count in changed where count <= authors {
            for isRemembered in [true, false] {
                let (a, b) = (try EngineDevice(&generator), try EngineDevice(&generator))
                for device in [a, b] { try device.join(group, of: founder) }
                for device in [a, b] { try device.ingest(events, into: group) }
                if isRemembered { _ = try a.meet(b) }
                for (number, writer) in writers.prefix(count).enumerated() {
                    let more = try writer.say("one more", in: group)
                    try (number.isMultiple(of: 2) ? a : b).ingest(more, into: group)
                    events += more
                }
                let meeting = try b.meet(a)
                guard let report = meeting.report, try a.digest(of: group) == b.digest(of: group) else {
                    throw BenchmarkError("the two do not agree")
                }
                let bytes = report.bytesSent + report.bytesReceived
                printRow([
                    "\(count)", isRemembered ? "remembered" : "unknown", report.strategy.name, "\(bytes)",
                    count > 0 ? (Double(bytes) / Double(count)).rounded(to: 1) : "", "\(report.roundTrips)",
                    "\(meeting.introductionBytes)", (1_000 * meeting.seconds).rounded(to: 1),
                ])
            }
        }
    }
}

/// An engine over a store in memory.
private final class EngineDevice {
    private var engine: Engine<SwiftCryptography>
    private let store = MemoryStore()
    private var request: UInt64 = 0
    nonisolated(unsafe) private static var sessions: UInt64 = 0  // one thread
    private static let now: UInt64 = 1_760_000_000_000

    init(_ generator: inout SplitMix) throws {
        engine = try Engine(
            opening: store, cryptography: SwiftCryptography(), generator: SplitMix(seed: generator.next()),
            beginsIncarnation: false)
    }

    private func process(_ inputs: [EngineInput]) throws -> [EngineEffect] {
        try engine.process(inputs, now: Self.now, in: store)
    }

    func createGroup() throws -> GroupID {
        for case .created(_, let group) in try process([.createGroup(0, name: "crowd")]) { return group }
        throw BenchmarkError("no group was made")
    }

    func join(_ group: GroupID, of other: EngineDevice) throws {
        for case .invited(_, let invitation) in try other.process([
            .invite(0, group: group, addresses: [], expiry: Self.now + 1_000)
        ]) {
            _ = try meet(other, joining: invitation)
            return
        }
        throw BenchmarkError("nobody was invited")
    }

    /// What it says as messages that can be taken elsewhere.
    func say(_ text: String, in group: GroupID) throws -> [Message] {
        let before = store.delivered(in: group).count
        _ = try process([.append(0, group: group, kind: .message, content: Array(text.utf8), expiry: nil)])
        return store.delivered(in: group).dropFirst(before).map { stored in
            Message(
                groupID: group.bytes[...], timestamp: stored.event.timestamp, body: stored.event.headerBytes,
                content: stored.event.content, signature: stored.event.signature, salt: stored.event.salt)
        }
    }

    func ingest(_ messages: [Message], into group: GroupID) throws {
        for case .failed(_, let error) in try process([.ingest(0, group: group, messages)]) { throw error }
    }

    func digest(of group: GroupID) throws -> Int { Set(store.delivered(in: group).map(\.event.id)).hashValue }

    struct Outcome {
        var report: ReconciliationReport?
        var introductionBytes = 0
        var seconds = 0.0
    }

    /// Carries payloads both ways until there are none, and hangs up. The first payload each way introduces.
    func meet(_ other: EngineDevice, joining invitation: Invitation? = nil) throws -> Outcome {
        Self.sessions += 1
        let id = SessionID(rawValue: Self.sessions)
        let binding = SwiftCryptography().sha256Bytes("link \(Self.sessions)")
        func link(_ peer: EngineDevice, isDialler: Bool) -> EngineInput {
            .linkOpened(
                Link(
                    session: id, peer: peer.engine.device, isDialler: isDialler, binding: binding,
                    invitation: isDialler ? invitation : nil))
        }
        var outcome = Outcome()
        var queue: [(to: EngineDevice, bytes: [UInt8])] = []
        var introduced: Set<ObjectIdentifier> = []
        func carryOut(_ effects: [EngineEffect], from device: EngineDevice) {
            for effect in effects {
                switch effect {
                case .send(_, let bytes):
                    if introduced.insert(ObjectIdentifier(device)).inserted { outcome.introductionBytes += bytes.count }
                    queue.append((device === self ? other : self, bytes))
                case .agreed(_, _, let report) where device === self: outcome.report = outcome.report ?? report
                default: break
                }
            }
        }
        let start = ContinuousClock.now
        carryOut(try other.process([link(self, isDialler: false)]), from: other)
        carryOut(try process([link(other, isDialler: true)]), from: self)
        while !queue.isEmpty {
            let next = queue.removeFirst()
            carryOut(try next.to.process([.payloadReceived(id, next.bytes[...])]), from: next.to)
        }
        outcome.seconds = (ContinuousClock.now - start).inSeconds
        _ = try process([.linkClosed(id)])
        _ = try other.process([.linkClosed(id)])
        return outcome
    }
}

extension SwiftCryptography {
    fileprivate func sha256Bytes(_ text: String) -> Bytes32 { Array(text.utf8).withUnsafeBytes { sha256($0) } }
}
