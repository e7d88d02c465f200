internal import SetReconciliation

/// The first byte of `coded` (protocol 5.2-11).
private enum CodedKind {
    static let hint: UInt8 = 0
    static let cells: UInt8 = 1
    static let more: UInt8 = 2
    static let whole: UInt8 = 3
}

// Coded symbols compare frontiers of many logs between peers that remember no agreement. So the cost follows the logs
// that differ. The listener sends its cells. The dialler finds the differences and states them.
extension FrontierExchange {
    /// The parts of the session that a step of the comparison needs.
    struct CodedContext {
        let number: Int
        let link: PeerLink
    }

    mutating func beginCoded(
        _ replica: inout Replica, number: Int, over link: PeerLink, _ report: inout ReconciliationReport,
        in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        noteSent()
        guard link.isDialler else { return }
        var coded = try Self.makeCoded(&replica, over: link, in: batch)
        let message = [CodedKind.hint] + coded.hint()
        self.coded = coded
        Self.send(message, .init(number: number, link: link), &report, in: &batch)
    }

    private static func makeCoded(
        _ replica: inout Replica, over link: PeerLink, in batch: Batch<some Cryptography>
    ) throws(StoreError) -> CodedFrontier {
        let hashKey = batch.cryptography.sipHashKey(
            from: replica.record.discovery, Array("tombolo-map-1".utf8) + link.binding.bytes)
        return CodedFrontier(
            &replica.frontier, ordinal: try batch.store.lastOrdinal(), hashKey: hashKey, decodes: link.isDialler,
            using: batch.cryptography)
    }

    private static func send(
        _ bytes: [UInt8], _ context: CodedContext, _ report: inout ReconciliationReport,
        in batch: inout Batch<some Cryptography>
    ) {
        var sync = GroupSync(number: context.number)
        sync.coded = bytes[...]
        report.noteSent(sync)
        batch.send(sync, over: context.link.session)
    }

    /// Receives a message of the comparison.
    ///
    /// - Returns: false if coded symbols are given up: then both sides tell their whole frontiers.
    mutating func receive(
        coded bytes: Bytes, _ replica: inout Replica, number: Int, over link: PeerLink,
        _ report: inout ReconciliationReport, in batch: inout Batch<some Cryptography>
    ) throws -> Bool {
        let context = CodedContext(number: number, link: link)
        var reader = WireReader(bytes)
        let kind = try reader.byte()
        if kind == CodedKind.hint {
            // Once, since making cells costs all logs.
            guard !link.isDialler, !hasReceivedHint else {
                throw EngineError.protocolViolation("it sent a hint out of turn")
            }
            hasReceivedHint = true
            // Events from elsewhere may have made the roots equal here after the dialler saw another root.
            restartForHint()
            coded = try Self.makeCoded(&replica, over: link, in: batch)
        }
        // Taken out: two references would cost a copy.
        guard var coded = coded.take() else { throw EngineError.protocolViolation("it sent coded symbols out of turn") }
        if kind == CodedKind.whole { return false }
        switch (kind, link.isDialler) {
        case (CodedKind.hint, false):
            guard try answer(hint: reader.rest(), &coded, context, &report, in: &batch) else {
                return giveUp(context, &report, in: &batch)
            }
        case (CodedKind.more, false):
            let (first, end) = (try reader.varint(), try reader.varint(atMost: Limits.codedCells, "cells"))
            // No cell is given twice.
            guard first == UInt64(coded.sentCells), first < UInt64(end) else {
                throw WireError.invalid("a range of cells", offset: reader.offset)
            }
            Self.sendCells(Int(first)..<end, &coded, context, &report, in: &batch)
        case (CodedKind.cells, true):
            switch try receiveCells(&reader, &coded, context, &report, in: &batch) {
            case .needsMore: break
            case .complete:
                try tellDifference(&coded, replica.frontier, context, &report, in: &batch)
                return true
            case .hopeless: return giveUp(context, &report, in: &batch)
            }
        default: throw EngineError.protocolViolation("it sent coded symbols out of turn")
        }
        self.coded = coded
        return true
    }

    private mutating func giveUp(
        _ context: CodedContext, _ report: inout ReconciliationReport, in batch: inout Batch<some Cryptography>
    ) -> Bool {
        Self.send([CodedKind.whole], context, &report, in: &batch)
        return false
    }

    // MARK: The listener

    /// - Returns: whether coded symbols are of use.
    private mutating func answer(
        hint: Bytes, _ coded: inout CodedFrontier, _ context: CodedContext, _ report: inout ReconciliationReport,
        in batch: inout Batch<some Cryptography>
    ) throws -> Bool {
        guard let difference = coded.estimatedDifference(fromHint: hint) else {
            throw WireError.invalid("a hint", offset: 1)
        }
        // Coded symbols cost 27 bytes a difference, whole frontiers 43 a log, each way.
        guard difference <= 3 * coded.count else { return false }
        // A hint is off by a fifth, and cells tell better. Where many are needed, cells in vain cost more than a round
        // trip.
        let likely = MapDecoder.cells(for: max(1, difference))
        Self.sendCells(0..<(likely < 256 ? likely : likely * 7 / 10), &coded, context, &report, in: &batch)
        return true
    }

    private static func sendCells(
        _ range: Range<Int>, _ coded: inout CodedFrontier, _ context: CodedContext,
        _ report: inout ReconciliationReport, in batch: inout Batch<some Cryptography>
    ) {
        let cells = coded.cells(range.upperBound)
        coded.sentCells = range.upperBound
        let perPayload = (Limits.payload - 1_024) / CodedEntries.byteCount
        for first in stride(from: range.lowerBound, to: range.upperBound, by: perPayload) {
            var message = [CodedKind.cells]
            message.append(varint: first)
            message.append(varint: range.upperBound)
            for cell in cells[first..<min(range.upperBound, first + perPayload)] { cell.append(to: &message) }
            send(message, context, &report, in: &batch)
        }
    }

    // MARK: The dialler

    private enum Decoding { case needsMore, complete, hopeless }

    private mutating func receiveCells(
        _ reader: inout WireReader, _ coded: inout CodedFrontier, _ context: CodedContext,
        _ report: inout ReconciliationReport, in batch: inout Batch<some Cryptography>
    ) throws -> Decoding {
        let (first, end) = (try reader.varint(), try reader.varint(atMost: Limits.codedCells, "cells"))
        let count = reader.remaining / CodedEntries.byteCount
        guard first == UInt64(coded.decoder.cellCount), count > 0, coded.decoder.cellCount + count <= end else {
            throw WireError.invalid("a range of cells", offset: reader.offset)
        }
        let own = coded.cells(coded.decoder.cellCount + count)
        do {
            for place in Int(first)..<Int(first) + count {
                let cell = try CodedEntries(try reader.take(CodedEntries.byteCount))
                guard !coded.decoder.isComplete else { break }
                try coded.decoder.append(cell, own[place])
            }
        } catch is ReconciliationError {
            return .hopeless
        }
        if coded.decoder.isComplete { return .complete }
        let taken = coded.decoder.cellCount
        guard taken == end else { return .needsMore }
        let needed = max(MapDecoder.cells(for: coded.decoder.estimatedDifference), taken + taken / 12 + 8)
        // If so many cells are not enough, they are of no two frontiers.
        guard needed <= min(Limits.codedCells, 4 * coded.count + 256) else { return .hopeless }
        var message = [CodedKind.more]
        message.append(varint: taken)
        message.append(varint: needed)
        Self.send(message, context, &report, in: &batch)
        return .needsMore
    }

    /// States what this device holds of the differing logs, where the peer cannot know it or must be asked for its own
    /// part.
    ///
    /// Events that the peer is known to lack are planned.
    private mutating func tellDifference(
        _ coded: inout CodedFrontier, _ frontier: Frontier, _ context: CodedContext,
        _ report: inout ReconciliationReport, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        var peer = PeerFrontier(basis: .differing(coded.ordinal), entries: [:])
        var listed: [[UInt8]] = []
        for difference in coded.decoder.differences.sorted(by: { $0.key < $1.key }) {
            guard let log = coded.log(difference.key) else {
                listed.append(DifferingEntry.bytes(of: nil, key: difference.key, asks: false))
                continue
            }
            let state = frontier[log]
            if difference.theirs == 0 {
                peer.entries[state.id] = FrontierEntry(ranges: [])
                continue
            }
            let summary = LogSummary(value: difference.theirs)
            let last = summary.lastSequence(near: state.lastSequence)
            if summary.isGapless, state.isGapless, last > state.lastSequence {
                // The peer is ahead, as far as one can tell. It will find what to send.
                peer.entries[state.id] = FrontierEntry(ranges: [.init(start: 1, end: last, id: .short(0))])
                listed.append(DifferingEntry.bytes(of: state, key: difference.key, asks: false))
            } else if let id = try Self.behind(summary, state, coded.hashKey, in: batch) {
                peer.entries[state.id] = FrontierEntry(ranges: [.init(start: 1, end: last, id: .full(id))])
            } else {
                peer.untold.insert(log)
                listed.append(DifferingEntry.bytes(of: state, key: difference.key, asks: true))
            }
        }
        report.logs = coded.decoder.differences.count
        Self.sendParts(of: listed, flags: FrontierFlags.differing, context, &report, in: &batch)
        noteDecoded(peer)
    }

    /// The end of the peer's part of a log, if its summary is that of a beginning of this side's.
    private static func behind(
        _ summary: LogSummary, _ log: LogState, _ hashKey: SipHashKey, in batch: Batch<some Cryptography>
    ) throws(StoreError) -> EventID? {
        let last = summary.lastSequence(near: log.lastSequence)
        guard summary.isGapless, log.isGapless, last >= 1, last < log.lastSequence,
            let end = try batch.store.headers(ofLog: log.reference, in: last...last, limit: 1).first
        else { return nil }
        let leaf = LogState.leaf(
            of: log.id, floor: 0, starts: [(1, log.starts[0].id)], ends: [(last, end.id)], using: batch.cryptography)
        return LogSummary(isGapless: true, sequence: last, leaf: leaf, hashKey: hashKey) == summary ? end.id : nil
    }

    private static func sendParts(
        of entries: [[UInt8]], flags: UInt8, _ context: CodedContext, _ report: inout ReconciliationReport,
        in batch: inout Batch<some Cryptography>
    ) {
        var left = entries[...]
        repeat {
            var part: [UInt8] = [flags]
            while let entry = left.first, part.count < Limits.payload - 8_192 {
                part += entry
                left.removeFirst()
            }
            if !left.isEmpty { part[0] |= FrontierFlags.more }
            var sync = GroupSync(number: context.number)
            sync.frontier = part[...]
            report.noteSent(sync)
            batch.send(sync, over: context.link.session)
        } while !left.isEmpty
    }

    // MARK: Frontiers of the logs that differ

    /// Receives entries of the logs that differ, or the answers that were asked for.
    mutating func receiveDiffering(
        _ flags: UInt8, _ reader: inout WireReader, _ frontier: Frontier, number: Int, _ logs: inout LogTables,
        over link: PeerLink, _ report: inout ReconciliationReport, in batch: inout Batch<some Cryptography>
    ) throws {
        if flags & FrontierFlags.answers != 0 {
            while !reader.isAtEnd {
                let (log, entry) = try FrontierEntry.read(&reader, fullIDs: false, table: &logs.incoming)
                partial[log] = entry
            }
            guard flags & FrontierFlags.more == 0 else { return }
            note(PeerFrontier(basis: .answers, entries: takePartial()), isExchanging: false)
            untold = []
            return
        }
        guard !link.isDialler, let ordinal = coded?.ordinal, let logsByPrefix = coded?.logsByPrefix() else {
            throw EngineError.protocolViolation("it sent a frontier of differing logs without coded symbols")
        }
        while !reader.isAtEnd {
            let (prefix, entry, asks) = try DifferingEntry.read(&reader)
            // A prefix of no log here, or of two, is left to the comparison of roots.
            guard let log = logsByPrefix[prefix] else { continue }
            partial[frontier[log].id] = entry
            if asks { asked.insert(log) }
        }
        guard flags & FrontierFlags.more == 0 else { return }
        let entries = takePartial()
        report.logs = entries.count
        note(PeerFrontier(basis: .differing(ordinal), entries: entries), isExchanging: true)
        coded = nil
        guard !asked.isEmpty else { return }
        let answers = asked.sorted().map { log in
            var bytes: [UInt8] = []
            FrontierEntry.write(frontier[log], fullIDs: false, table: &logs.outgoing, to: &bytes)
            return bytes
        }
        asked = []
        Self.sendParts(
            of: answers, flags: FrontierFlags.answers, .init(number: number, link: link), &report, in: &batch)
    }
}
