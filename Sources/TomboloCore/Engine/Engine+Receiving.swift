// Receiving what a peer says about a group.
extension Engine {
    mutating func receive(
        _ sync: GroupSync, _ group: Int, session index: Int, _ store: any EventStore
    ) throws {
        if sync.tag == nil, let root = sync.root {
            hear(root, group, session: index)
        }
        sessions[index].groups[group].hasHeardSinceRoot = true
        sessions[index].groups[group].reconciliation.noteReceived(sync)
        if sync.hasSentAll { sessions[index].groups[group].peerHasSentAll = true }
        if let horizon = sync.horizon { hear(horizon, group, session: index) }
        if let coded = sync.coded { try receiveCoded(coded, group, session: index, store) }
        if let frontier = sync.frontier { try receiveFrontier(frontier, group, session: index, store) }
        if let have = sync.have { try receiveHave(have, group, session: index, store) }
        if let push = sync.push { sessions[index].groups[group].isLazyTowardsPeer = push == 1 }
        if let wanted = sync.secretsWanted { try receiveSecretsWanted(wanted, group, session: index) }
        if let want = sync.want { try receiveWant(want, group, session: index) }
        try receiveCertificates(sync.certificates, group, session: index)
        if let events = sync.events { try receiveWindow(events, group, session: index, store) }
        if let share = sync.share { try receiveShare(share, group, session: index, store) }
        if let processed = sync.processed {
            guard processed <= sessions[index].groups[group].pacing.sentBytes else {
                throw EngineError.protocolViolation("it processed more than it was sent")
            }
            sessions[index].groups[group].pacing.noteProcessed(processed, at: now)
        }
        for bytes in sync.files {
            try receive(try FileMessage(decoding: bytes), group, session: index, store)
        }
        if let ephemeral = sync.ephemeral { try receiveEphemeral(ephemeral, group, session: index, store) }
    }

    private mutating func receiveHave(
        _ bytes: Bytes, _ group: Int, session index: Int, _ store: any EventStore
    ) throws {
        let frontier = groups[sessions[index].groups[group].group].frontier
        var reader = WireReader(bytes)
        var acknowledged: [(log: Int64, sequence: UInt64)] = []
        while !reader.isAtEnd {
            let (id, entry) = try FrontierEntry.read(
                &reader, fullIDs: false, table: &sessions[index].groups[group].incomingLogs)
            let log = frontier.index(of: id)
            if let log { sessions[index].groups[group].floorsOfPeer.raise(log, to: entry.floor) }
            guard let end = entry.ranges.map(\.end).max() else { continue }
            let held = log.map { frontier.logs[$0].lastSequence } ?? 0
            if let log, frontier.logs[log].isLinear, end <= held || entry.ranges.count == 1 {
                let sequence = min(end, held)
                sessions[index].groups[group].covered.raise(log, to: sequence)
                acknowledged.append((frontier.logs[log].reference, sequence))
            }
            if end > held, !sessions[index].groups[group].peerOnlyTakes {
                sessions[index].groups[group].announced[id] = end
                sessions[index].groups[group].announceDeadline =
                    sessions[index].groups[group].announceDeadline ?? now + Self.announceDelay
            }
        }
        if !acknowledged.isEmpty, sessions[index].peer != nil {
            try store.acknowledge(acknowledged, by: sessions[index].link.peer)
        }
    }

    private mutating func receiveWant(_ bytes: Bytes, _ group: Int, session index: Int) throws {
        var reader = WireReader(bytes)
        let form = try reader.byte()
        guard form <= 1 else { throw WireError.invalid("the form of a want", offset: 0) }
        if form == 1 {
            sessions[index].groups[group].sendsPlain = true
            sessions[index].groups[group].certificatesSaid = []
        }
        let frontier = groups[sessions[index].groups[group].group].frontier
        var count = 0
        while !reader.isAtEnd {
            count += 1
            guard count <= Limits.wantedRanges else { throw WireError.tooLarge("want", limit: Limits.wantedRanges) }
            let id = try sessions[index].groups[group].incomingLogs.read(&reader)
            let (first, last) = (try reader.integer(), try reader.integer())
            guard first >= 1, first <= last else { throw WireError.invalid("a wanted range", offset: reader.offset) }
            guard let log = frontier.index(of: id), first <= frontier.logs[log].lastSequence else { continue }
            sessions[index].groups[group].plan.add(
                log: log, first...min(last, frontier.logs[log].lastSequence), isAskedFor: true)
        }
    }

    // MARK: Events

    private mutating func receiveWindow(
        _ bytes: Bytes, _ group: Int, session index: Int, _ store: any EventStore
    ) throws {
        let number = sessions[index].groups[group].group
        var reader = WireReader(bytes)
        let flags = try reader.byte()
        guard flags & ~WindowFlags.all == 0 else { throw WireError.invalid("flags of a window", offset: 0) }
        let isPlain = flags & WindowFlags.plain != 0
        sessions[index].groups[group].receivedBytes += UInt64(bytes.count)
        sessions[index].groups[group].mismatchDeadline = nil
        if flags & WindowFlags.begins != 0 {
            // Before the peer knows that it was asked for plain form, nothing is taken but the logs that it declares.
            let isStuck = sessions[index].groups[group].askedPlain && !isPlain
            sessions[index].groups[group].decoder = TransitDecoder(isStuck: isStuck)
            sessions[index].groups[group].window = []
            sessions[index].groups[group].windowBytes = 0
        }
        guard var decoder = sessions[index].groups[group].decoder else {
            sessions[index].groups[group].mustAcknowledge = true
            return
        }
        sessions[index].groups[group].decoder = nil
        var window = sessions[index].groups[group].window
        sessions[index].groups[group].window = []
        let frontier = groups[number].frontier
        let (before, listedBefore, wasStuck) = (window.count, decoder.listed, decoder.isStuck)
        if isPlain {
            while !reader.isAtEnd {
                let (_, event) = try readMessage(&reader, group: number)
                guard !event.header.kind.isEphemeral else {
                    throw EngineError.protocolViolation("an ephemeral event in a window")
                }
                window.append(event)
            }
        }
        do throws(TransitError) {
            try decoder.decode(
                &reader, logs: &sessions[index].groups[group].incomingLogs, hashing: &groups[number].hashing,
                using: cryptography,
                held: { (log, sequence) throws(StoreError) in
                    guard let known = frontier.index(of: log), frontier.logs[known].reference != 0 else { return nil }
                    if let end = frontier.logs[known].ends.last, end.sequence == sequence, frontier.logs[known].isLinear
                    {
                        return Backlink(id: end.id, lamport: end.lamport)
                    }
                    let found = try store.headers(
                        ofLog: frontier.logs[known].reference, in: sequence...sequence, limit: 2)
                    guard found.count == 1, let event = found.first else { return nil }
                    return Backlink(id: event.id, lamport: event.header.lamport)
                }, into: &window)
        } catch {
            switch error {
            case .store(let error): throw error
            case .malformed(let error): throw error
            }
        }
        // What a few bytes rebuild to is bounded as well as the bytes.
        sessions[index].groups[group].windowBytes +=
            decoder.isStuck
            ? bytes.count + 64 * (decoder.listed - listedBefore)
            : window[before...].reduce(bytes.count) { $0 + $1.rebuiltSize }
        guard sessions[index].groups[group].windowBytes <= Limits.window else {
            throw EngineError.protocolViolation("a window larger than \(Limits.window) bytes")
        }
        if decoder.isStuck {
            if flags & WindowFlags.ends == 0 { sessions[index].groups[group].decoder = decoder }
            sessions[index].groups[group].mustAcknowledge = true
            // It may rely on events that this side has others of.
            return wasStuck ? () : try askPlain(group, session: index, store)
        }
        guard flags & WindowFlags.ends != 0 else {
            sessions[index].groups[group].decoder = decoder
            sessions[index].groups[group].window = window
            return
        }
        try finish(window, group, session: index, store)
    }

    private mutating func finish(
        _ window: [Event], _ group: Int, session index: Int, _ store: any EventStore
    ) throws {
        let number = sessions[index].groups[group].group
        let result = try take(window, group, session: index, store)
        sessions[index].groups[group].mustAcknowledge = true
        if result.accepted > 0 { sessions[index].groups[group].repairs = 0 }
        if let refused = result.refused {
            guard !sessions[index].groups[group].askedPlain else { throw EngineError.protocolViolation(refused) }
            return try askPlain(group, session: index, store)
        }
        if result.accepted == 0, result.alreadyHeld > 0, othersInGroup(number, than: index) {
            var sync = GroupSync(number: number)
            sync.push = 1
            send(sync, to: index)
        }
    }

    /// Takes what a peer has sent: events, and contents that were missing.
    mutating func take(
        _ window: [Event], _ group: Int, session index: Int, _ store: any EventStore
    ) throws(StoreError) -> Admission {
        let number = sessions[index].groups[group].group
        noteAnswered(window, group, session: index)
        let horizon = sessions[index].groups[group].peerHorizon
        let certificates = sessions[index].groups[group].certificates
        sessions[index].groups[group].certificates = [:]
        return try take(
            window, group: number, from: index, horizon: horizon, certificates: certificates, store)
    }

    /// The same, whoever has brought it.
    ///
    /// - Parameters:
    ///   - horizon: up to which Lamport time whoever brings it does not keep all contents.
    ///   - certificates: of logs whose beginnings are forgotten there.
    mutating func take(
        _ events: [Event], group: Int, from session: Int?, horizon: UInt64, certificates: [LogID: Certificate],
        _ store: any EventStore
    ) throws(StoreError) -> Admission {
        let restored = try restoreContents(of: events, group: group, store)
        var result = try admit(
            events, group: group, from: session, isOwn: false, horizon: horizon, certificates: certificates, store)
        result.accepted += restored
        try acceptWithoutContents(events, upTo: horizon, group: group, store)
        return result
    }

    private func othersInGroup(_ group: Int, than index: Int) -> Bool {
        sessions.indices.contains { other in
            other != index && sessions[other].groups.contains { $0.group == group && $0.isMatched }
        }
    }

    /// Before a peer is blamed, everything that is lacking is asked again in plain form.
    private mutating func askPlain(_ group: Int, session index: Int, _ store: any EventStore) throws {
        guard !sessions[index].groups[group].askedPlain else {
            throw EngineError.protocolViolation("events that do not verify, in plain form too")
        }
        sessions[index].groups[group].askedPlain = true
        sessions[index].groups[group].mustAcknowledge = true
        sessions[index].groups[group].base = nil
        sessions[index].groups[group].isFrontierSent = false
        sessions[index].groups[group].phase = .exchanging
        var sync = GroupSync(number: sessions[index].groups[group].group)
        sync.want = [1]
        send(sync, to: index)
    }

    /// An event as a whole message behind its length, checked for itself.
    private mutating func readMessage(
        _ reader: inout WireReader, group number: Int
    ) throws -> (Message, Event) {
        let message = try Message(decoding: reader.take(reader.varint()))
        do throws(EventError) {
            return (message, try Event(checking: message, hashing: &groups[number].hashing, using: cryptography))
        } catch {
            throw EngineError.invalidEvent(error)
        }
    }

    private mutating func receiveEphemeral(
        _ bytes: Bytes, _ group: Int, session index: Int, _ store: any EventStore
    ) throws {
        let number = sessions[index].groups[group].group
        var reader = WireReader(bytes)
        while !reader.isAtEnd {
            let (message, event) = try readMessage(&reader, group: number)
            let log = event.log
            guard event.header.kind.isEphemeral, let known = groups[number].frontier.index(of: log),
                let certificate = groups[number].frontier.logs[known].certificate, let signature = event.signature,
                groups[number].state.standing(of: certificate.member).role >= .member,
                groups[number].state.removals(of: certificate.admission.devices, of: certificate.member).isEmpty
            else { continue }
            // Later than the last one of its log, or it is a replay.
            guard event.timestamp > groups[number].ephemeralTimes[log] ?? 0,
                groups[number].hashing.isValid(
                    signature, timestamp: event.timestamp, header: event.headerBytes, key: certificate.key,
                    using: cryptography)
            else { continue }
            groups[number].ephemeralTimes[log] = event.timestamp
            if event.header.isUnderstood, let content = try contentOfEphemeral(event, group: number, store) {
                effects.append(
                    .receivedEphemeral(groups[number].id, from: log, timestamp: event.timestamp, content: content))
            }
            passOnEphemeral(message, group: number, except: index)
        }
    }
}
