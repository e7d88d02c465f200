import Testing
import TomboloCrypto

@testable import TomboloCore

/// A machine for files over a store in memory, whose peers are the test itself.
struct FileBench {
    var bench: Workbench
    var files: FileSync
    var store: MemoryStore { bench.store }

    init(seed: UInt64) throws {
        bench = try Workbench(seed: seed)
        var generator = SeededGenerator(seed: seed)
        files = try FileSync(opening: bench.store, generator: &generator)
    }

    /// Opens sessions with the one group in common.
    mutating func open(_ sessions: UInt64..., isServed: Bool = true) {
        for session in sessions {
            files.open(SessionID(rawValue: session), windowLimit: nil)
            files.match(
                FileGroup(
                    place: 0, number: ReplicaIndex(value: 0), reference: 1, isServed: isServed, isRequested: true),
                in: SessionID(rawValue: session))
        }
    }

    /// Stores an event that refers to files.
    mutating func refer(to ids: [FileID]) throws {
        try bench.run { replica, batch in
            try replica.append(
                RequestID(1), .message, content: [1], expiry: nil, files: ids, in: &batch)
            try replica.advance(.saveLogs, in: &batch)
        }
    }

    /// Runs one batch up to its end: for each session what it wants and its advance, and then the saving.
    ///
    /// - Returns: the messages of each session, and the effects.
    @discardableResult
    mutating func run(
        _ body: (inout FileSync, inout Workbench.WorkBatch) throws -> Void = { _, _ in }
    ) throws -> (sent: [SessionID: [FileMessage]], effects: [EngineEffect]) {
        var files = files
        let effects = try bench.run { _, batch in
            try body(&files, &batch)
            let open = files.sessions.indices.filter { !files.sessions.values[$0].isClosed }.map {
                files.sessions.ids[$0]
            }
            for session in open {
                try files.requestWanted(over: session, in: &batch)
            }
            for session in files.sessions.ids { files.noteStall(session, at: batch.now) }
            for session in open {
                try files.advance(session, in: &batch)
            }
            try files.save(in: &batch)
        }.effects
        self.files = files
        var sent: [SessionID: [FileMessage]] = [:]
        for case .send(let session, let bytes) in effects {
            for group in try Payload(decoding: bytes[...]).groups {
                sent[session, default: []] += try group.files.map { try FileMessage(decoding: $0) }
            }
        }
        return (sent, effects)
    }

    /// Receives messages of one peer in one batch.
    @discardableResult
    mutating func receive(_ messages: FileMessage..., from session: UInt64) throws -> [FileMessage] {
        let session = SessionID(rawValue: session)
        return try run { files, batch in
            for message in messages {
                try files.receive(message, inGroup: ReplicaIndex(value: 0), from: session, in: &batch)
            }
        }.sent[session] ?? []
    }

    func requested(_ messages: [FileMessage]?) -> [Int] {
        (messages ?? []).flatMap { message -> [Int] in
            if case .request(_, let positions) = message { return Array(positions.ranges.joined()) }
            return []
        }
    }
}
