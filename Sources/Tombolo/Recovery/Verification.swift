import TomboloCore
import TomboloCrypto
import TomboloSQLite

enum GroupDigest {
    /// The Merkle root over the frontier (protocol §3).
    static func root(of logs: [LogState]) -> Bytes32 {
        var frontier = Frontier(logs)
        return frontier.root(using: SwiftCryptography())
    }
}

extension SyncGroup {
    /// Verifies every held event: its id, content, backlink and certificates, that a valid signature covers it, and
    /// that it was delivered after its causes.
    ///
    /// - Returns: a sentence for each defect, at most 100; empty if there is none.
    /// - Throws: ``TomboloError`` of the store; `CancellationError`.
    public func verify() async throws -> [String] {
        if dialect == .mvds { return try verifyMessages() }
        var problems = try convertingErrors { try node.storage.integrityProblems() }
        var verifier = StoreVerifier(group: id, holdsBack: try !policy.sharesHistory)
        try node.read { reader in
            for log in try reader.logs(of: record) where log.floor > 0 { verifier.noteForgotten(log) }
            var after: Int64 = 0
            while true {
                let events = try reader.events(of: record, after: after, limit: 1_024)
                guard let last = events.last else { break }
                for stored in events { verifier.check(stored) }
                after = last.ordinal
            }
            verifier.checkSignatures()
            var number: Int64 = 0
            while true {
                let changes = try reader.changes(after: number, of: record, limit: 1_024)
                guard let last = changes.last else { break }
                for case (_, .event(let kind, let stored)) in changes { verifier.checkOrder(stored.event, kind) }
                number = last.number
            }
            verifier.checkFrontier(try reader.logs(of: record))
        }
        problems += verifier.problems
        return Array(problems.prefix(100))
    }
}

/// A verifier that recomputes all claims of a store.
private struct StoreVerifier {
    private struct Seen {
        let log: LogID
        let sequence: UInt64
        let previous: EventID?
        var isVouchedFor: Bool
    }

    var problems: [String] = []
    private let cryptography = SwiftCryptography()
    private var hashing: EventHashing
    private let group: GroupID
    private var seen: [EventID: Seen] = [:]
    private var keys: [LogID: Bytes32] = [:]
    /// The floors of logs.
    private var floors: [LogID: UInt64] = [:]
    private var signed: [(EventID, Int64, [UInt8], [UInt8], LogID)] = []
    private var delivered: Set<EventID> = []
    /// Tells whether some events count as causes without being delivered: events from before a joining, or unwanted
    /// ones.
    private var holdsBack: Bool

    init(group: GroupID, holdsBack: Bool) {
        self.group = group
        self.holdsBack = holdsBack
        hashing = EventHashing(group: group)
    }

    /// Checks the certificate of a log with a floor, which is stored with the log.
    mutating func noteForgotten(_ log: LogState) {
        floors[log.id] = log.floor
        guard let certificate = log.certificate else { return }
        guard certificate.isValid(in: group, using: cryptography),
            certificate.logID(in: group, using: cryptography) == log.id
        else { return problems.append("log \(log.id): its certificate does not verify") }
        keys[log.id] = certificate.key
    }

    mutating func check(_ stored: StoredEvent) {
        let event = stored.event
        if hashing.id(timestamp: event.timestamp, header: event.headerBytes, using: cryptography) != event.id {
            problems.append("event \(event.id): its id does not match its header")
        }
        do throws(EventError) { try event.checkContent(hashing: &hashing, using: cryptography) } catch {
            problems.append("event \(event.id): \(error)")
        }
        if let certificate = event.header.certificate {
            if certificate.isValid(in: group, using: cryptography),
                certificate.logID(in: group, using: cryptography) == event.header.log
            {
                keys[event.header.log] = certificate.key
            } else {
                problems.append("event \(event.id): its certificate does not verify")
            }
        }
        if event.header.kind.isState,
            let action = try? StateAction(decoding: event.content ?? [], kind: event.header.kind), action.takesAway
        {
            holdsBack = true
        }
        seen[event.id] = Seen(
            log: event.header.log, sequence: event.header.sequence, previous: event.header.previous?.id,
            isVouchedFor: false)
        if let signature = event.signature {
            signed.append((event.id, event.timestamp, Array(event.headerBytes), Array(signature), event.header.log))
        }
    }

    mutating func checkSignatures() {
        for (id, timestamp, header, signature, log) in signed {
            guard let key = keys[log],
                hashing.isValid(
                    signature[...], timestamp: timestamp, header: header[...], key: key, using: cryptography)
            else {
                problems.append("event \(id): its signature does not verify")
                continue
            }
            var next: EventID? = id
            while let current = next, var event = seen[current], !event.isVouchedFor {
                event.isVouchedFor = true
                seen[current] = event
                guard let previous = event.previous, let before = seen[previous] else { break }
                if before.log != event.log || before.sequence + 1 != event.sequence {
                    problems.append("event \(current): its backlink does not lead to its predecessor")
                    break
                }
                next = previous
            }
        }
        for (id, event) in seen where !event.isVouchedFor {
            problems.append("event \(id): no signature covers it")
        }
    }

    mutating func checkOrder(_ event: Event, _ kind: ChangeKind) {
        // An event that was already erased when it arrived is reported by this change alone.
        let isFirst = kind == .delivered || (kind == .erased && !delivered.contains(event.id))
        guard isFirst else {
            if !delivered.contains(event.id) {
                problems.append("event \(event.id): it was \(kind) without having been delivered")
            }
            return
        }
        for cause in event.header.ancestry {
            guard !delivered.contains(cause.id), cause.sequence > floors[cause.log] ?? 0 else { continue }
            if holdsBack, seen[cause.id] != nil { continue }
            problems.append("event \(event.id): it was delivered before \(cause.id), which it names")
        }
        if !delivered.insert(event.id).inserted { problems.append("event \(event.id): it was delivered twice") }
    }

    /// Checks that the ends that the logs claim are those of the stored events.
    mutating func checkFrontier(_ logs: [LogState]) {
        let named = Set(seen.values.compactMap(\.previous))
        var ends: [LogID: Set<EventID>] = [:]
        for (id, event) in seen where !named.contains(id) { ends[event.log, default: []].insert(id) }
        for log in logs where Set(log.ends.map(\.id)) != ends[log.id] ?? [] {
            problems.append("log \(log.id): its frontier does not match its events")
        }
    }
}
