import TomboloCrypto

@testable import TomboloCore

/// One replica over a store in memory, and the parts of a batch, for machines that are tested by themselves.
struct Workbench {
    typealias WorkBatch = Batch<SwiftCryptography>

    let store = MemoryStore()
    var now: UInt64 = 1_700_000_000_000
    var replica: Replica
    private(set) var identity: Identity<SwiftCryptography>
    private var generator: any RandomNumberGenerator & Sendable

    init(seed: UInt64, _ policy: Policy = .open) throws {
        generator = SeededGenerator(seed: seed)
        let cryptography = SwiftCryptography()
        identity = try Identity(in: store, cryptography: cryptography, generator: &generator)
        let discovery = Bytes32.random(using: &generator)
        let statement = GroupStatement(
            policy: policy, owner: identity.member,
            discovery: GroupStatement.discoveryCommitment(discovery, using: cryptography),
            nonce: .random(16, using: &generator))
        var record = GroupRecord(
            id: GroupStatement.groupID(of: statement.encoded, using: cryptography), dialect: .native,
            statement: statement.encoded, discovery: discovery, name: "bench")
        store.put(&record)
        replica = try Replica(opening: record, for: identity.member, recentEvents: 1_000, in: store)
    }

    /// The same group on another device.
    init(seed: UInt64, joining record: GroupRecord) throws {
        generator = SeededGenerator(seed: seed)
        identity = try Identity(in: store, cryptography: SwiftCryptography(), generator: &generator)
        var record = record.forAnotherStore
        store.put(&record)
        replica = try Replica(opening: record, for: identity.member, recentEvents: 1_000, in: store)
    }

    /// Runs one batch. Time passes only if the test sets it.
    ///
    /// - Returns: the result, and what the batch sends of its groups.
    @discardableResult
    mutating func run<Result>(
        _ body: (inout Replica, inout WorkBatch) throws -> Result
    ) throws -> (result: Result, sent: [GroupSync], effects: [EngineEffect]) {
        var batch = WorkBatch(
            in: store, now: now, generator: generator, cryptography: SwiftCryptography(), identity: identity)
        let result = try body(&replica, &batch)
        (generator, identity) = (batch.generator, batch.identity)
        return (result, try Self.syncs(in: batch.effects), batch.effects)
    }

    static func syncs(in effects: [EngineEffect]) throws -> [GroupSync] {
        try effects.flatMap { effect in
            guard case .send(_, let bytes) = effect else { return [GroupSync]() }
            return try Payload(decoding: bytes[...]).groups
        }
    }

    @discardableResult
    mutating func ingest(_ events: [Event]) throws -> Ingestion {
        try run { replica, batch in
            let result = try replica.ingest(events, from: nil, horizon: 0, certificates: [:], in: &batch)
            try replica.advance(.saveLogs, in: &batch)
            return result
        }.result
    }

    static func link(_ session: UInt64, peer: UInt8 = 9, isDialler: Bool = true) -> PeerLink {
        PeerLink(
            session: SessionID(rawValue: session), peer: DeviceKey(SwiftCryptography().sha256([peer])),
            isDialler: isDialler, binding: SwiftCryptography().sha256([UInt8(truncatingIfNeeded: session)]))
    }

    static func eventID(_ number: Int) -> EventID {
        EventID(SwiftCryptography().sha256(Array("event \(number)".utf8)))
    }
}
