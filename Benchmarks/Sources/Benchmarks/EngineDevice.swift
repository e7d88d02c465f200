import TomboloCore
import TomboloCrypto

/// An engine with a store in memory.
final class EngineDevice {
    private var engine: Engine<SwiftCryptography>
    private let store = MemoryStore()
    private var request: UInt64 = 0
    nonisolated(unsafe) private static var sessions: UInt64 = 0  // only one thread uses it
    /// The time in milliseconds since 1970.
    static let now: UInt64 = 1_760_000_000_000

    init(_ generator: inout SplitMix) throws {
        engine = try Engine(
            opening: store, cryptography: SwiftCryptography(), generator: SplitMix(seed: generator.next()),
            beginsIncarnation: false)
    }

    private func process(_ inputs: [EngineInput]) throws -> [EngineEffect] {
        try engine.process(inputs, now: Self.now, in: store)
    }

    var member: MemberKey { engine.member }

    func createGroup(_ policy: Policy = .open) throws -> GroupID {
        for case .created(_, let group) in try process([.createGroup(0, name: "crowd", policy: policy)]) {
            return group
        }
        throw BenchmarkError("no group was made")
    }

    func join(_ group: GroupID, of other: EngineDevice, as role: Role = .member) throws {
        for case .invited(_, let invitation) in try other.process([
            .invite(0, group: group, addresses: [], expiry: Self.now + 1_000, role: role)
        ]) {
            _ = try meet(other, joining: invitation)
            return
        }
        throw BenchmarkError("the engine made no invitation")
    }

    /// Writes a message and returns it, with any further events of the batch, so that another device can ingest it.
    func say(_ text: String, in group: GroupID) throws -> [Message] {
        try write(.append(0, group: group, kind: .message, content: Array(text.utf8), expiry: nil), group)
    }

    /// Writes a message without returning it. ``messages(of:after:)`` returns many at once later.
    func append(_ text: String, in group: GroupID, expiry: UInt64?) throws {
        let effects = try process([
            .append(0, group: group, kind: .message, content: Array(text.utf8), expiry: expiry)
        ])
        for case .failed(_, let error) in effects { throw error }
    }

    func redact(_ message: Message, in group: GroupID) throws -> [Message] {
        let header = try EventHeader(decoding: message.body)
        let cryptography = SwiftCryptography()
        let event = EventReference(
            id: message.id(using: cryptography), log: header.log, sequence: header.sequence, lamport: header.lamport)
        return try write(.redact(0, group: group, event, reason: "a mistake"), group)
    }

    func setRole(of member: MemberKey, to role: Role, in group: GroupID) throws -> [Message] {
        try write(.setRole(0, group: group, of: member, to: role), group)
    }

    func setState(_ key: String, in group: GroupID) throws -> [Message] {
        try write(.setState(0, group: group, key: key, value: Array("some words".utf8)), group)
    }

    func role(of member: MemberKey, in group: GroupID) -> Role { engine.role(of: member, in: group) ?? .none }

    /// - Returns: the written messages; empty if the input was not allowed.
    private func write(_ input: EngineInput, _ group: GroupID) throws -> [Message] {
        let before = store.lastOrdinal()
        _ = try process([input])
        return messages(of: group, after: before)
    }

    /// The messages that the device holds of its only group, after an ordinal.
    func messages(of group: GroupID, after ordinal: Int64 = 0) -> [Message] {
        guard store.lastOrdinal() > ordinal else { return [] }
        return store.events(ordinals: Array(ordinal + 1...store.lastOrdinal())).map { stored in
            Message(
                groupID: group.bytes[...], timestamp: stored.event.timestamp, body: stored.event.headerBytes,
                content: stored.event.content, signature: stored.event.signature, salt: stored.event.salt)
        }
    }

    func record(of group: GroupID) throws -> GroupRecord {
        guard let record = store.groups().first(where: { $0.id == group }) else {
            throw BenchmarkError("the device does not have the group")
        }
        return record
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

    /// Carries payloads both ways until there are none, and closes the link. The first payload of each side is its
    /// introduction.
    func meet(_ other: EngineDevice, joining invitation: Invitation? = nil) throws -> Outcome {
        Self.sessions += 1
        let id = SessionID(rawValue: Self.sessions)
        let binding = SwiftCryptography().sha256Bytes("link \(Self.sessions)")
        func link(_ peer: EngineDevice, isDialler: Bool) -> EngineInput {
            .linkOpened(
                PeerLink(
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
    func sha256Bytes(_ text: String) -> Bytes32 { Array(text.utf8).withUnsafeBytes { sha256($0) } }
}
