internal import SetReconciliation

/// What the first byte of `coded` says (protocol §5.2).
private enum CodedKind {
    static let hint: UInt8 = 0
    static let cells: UInt8 = 1
    static let more: UInt8 = 2
    static let whole: UInt8 = 3
}

// Frontiers of many logs, between peers that remember no agreement: by coded symbols, so that the cost follows the logs that
// differ. The dialler finds the difference and tells it; the listener gives its cells.
extension Engine {
    /// Both sides come to the same answer, from what both have said.
    func usesCodedFrontier(_ group: Int, session index: Int) -> Bool {
        let session = sessions[index].groups[group]
        guard session.base == nil, let ours = session.logsSaid, let theirs = session.logsOfPeer,
            ours >= Limits.codedLogs, theirs >= Limits.codedLogs
        else { return false }
        // Where one side lacks most of the logs, naming them costs more than the frontier of the one that has few.
        return min(ours, theirs) >= max(ours, theirs) / 2
    }

    mutating func beginCodedFrontier(_ group: Int, session index: Int, _ store: any EventStore) throws(StoreError) {
        sessions[index].groups[group].isFrontierSent = true
        sessions[index].groups[group].reconciliation.strategy = .codedFrontier
        guard sessions[index].link.isDialler else { return }
        var coded = try makeCodedFrontier(group, session: index, store)
        let message = [CodedKind.hint] + coded.hint()
        sessions[index].groups[group].coded = coded
        sendCoded(message, group, session: index)
    }

    private mutating func makeCodedFrontier(
        _ group: Int, session index: Int, _ store: any EventStore
    ) throws(StoreError) -> CodedFrontier {
        let number = sessions[index].groups[group].group
        let hashKey = cryptography.sipHashKey(
            from: groups[number].record.discovery,
            Array("tombolo-map-1".utf8) + sessions[index].link.binding.bytes)
        return CodedFrontier(
            &groups[number].frontier, ordinal: try store.lastOrdinal(),
            hashKey: hashKey, decodes: sessions[index].link.isDialler, using: cryptography)
    }

    private mutating func sendCoded(_ bytes: [UInt8], _ group: Int, session index: Int) {
        var sync = GroupSync(number: sessions[index].groups[group].group)
        sync.coded = bytes[...]
        send(sync, to: index)
    }

    mutating func receiveCoded(_ bytes: Bytes, _ group: Int, session index: Int, _ store: any EventStore) throws {
        var reader = WireReader(bytes)
        let kind = try reader.byte()
        if kind == CodedKind.hint {
            // Once: making cells costs all logs.
            guard !sessions[index].link.isDialler, !sessions[index].groups[group].hasHeardHint else {
                throw EngineError.protocolViolation("a hint that nobody can use")
            }
            sessions[index].groups[group].hasHeardHint = true
            // Events from elsewhere may have made the roots equal here after this side had said the root that the dialler saw.
            sessions[index].groups[group].phase = .exchanging
            sessions[index].groups[group].isFrontierSent = true
            sessions[index].groups[group].coded = try makeCodedFrontier(group, session: index, store)
        }
        guard var coded = sessions[index].groups[group].coded else {
            throw EngineError.protocolViolation("coded symbols out of turn")
        }
        // Nothing of it is shared while it is changed.
        sessions[index].groups[group].coded = nil
        if kind == CodedKind.whole { return try tellWhole(group, session: index, store) }
        switch (kind, sessions[index].link.isDialler) {
        case (CodedKind.hint, false):
            guard try answer(hint: reader.rest(), &coded, group, session: index, store) else { return }
        case (CodedKind.more, false):
            let (first, end) = (try reader.varint(), try reader.varint(atMost: Limits.codedCells, "cells"))
            // None is given twice.
            guard first == UInt64(coded.sentCells), first < UInt64(end) else {
                throw WireError.invalid("a range of cells", offset: reader.offset)
            }
            sendCells(Int(first)..<end, &coded, group, session: index)
        case (CodedKind.cells, true):
            guard try takeCells(&reader, &coded, group, session: index, store) else { return }
        default: throw EngineError.protocolViolation("coded symbols out of turn")
        }
        sessions[index].groups[group].coded = coded
    }

    /// Gives up coded symbols: both sides tell their whole frontiers.
    private mutating func askWhole(_ group: Int, session index: Int, _ store: any EventStore) throws(StoreError) {
        sendCoded([CodedKind.whole], group, session: index)
        try tellWhole(group, session: index, store)
    }

    private mutating func tellWhole(_ group: Int, session index: Int, _ store: any EventStore) throws(StoreError) {
        sessions[index].groups[group].reconciliation.strategy = .frontier
        sessions[index].groups[group].phase = .exchanging
        try sendFrontier(group, session: index, store)
    }

    // MARK: The listener

    /// - Returns: whether coded symbols are of use.
    private mutating func answer(
        hint: Bytes, _ coded: inout CodedFrontier, _ group: Int, session index: Int, _ store: any EventStore
    ) throws -> Bool {
        guard let difference = coded.estimatedDifference(fromHint: hint) else {
            throw WireError.invalid("a hint", offset: 1)
        }
        // Coded symbols cost 27 bytes a difference, whole frontiers 43 a log, each way.
        guard difference <= 3 * coded.count else {
            try askWhole(group, session: index, store)
            return false
        }
        // A hint is off by a fifth, cells themselves tell better: where many are needed, what is sent in vain is dearer than a
        // round trip.
        let likely = MapDecoder.cells(for: max(1, difference))
        sendCells(0..<(likely < 256 ? likely : likely * 7 / 10), &coded, group, session: index)
        return true
    }

    private mutating func sendCells(
        _ range: Range<Int>, _ coded: inout CodedFrontier, _ group: Int, session index: Int
    ) {
        let cells = coded.cells(range.upperBound)
        coded.sentCells = range.upperBound
        let perPayload = (Limits.payload - 1_024) / CodedEntries.byteCount
        for first in stride(from: range.lowerBound, to: range.upperBound, by: perPayload) {
            var message = [CodedKind.cells]
            message.append(varint: first)
            message.append(varint: range.upperBound)
            for cell in cells[first..<min(range.upperBound, first + perPayload)] { cell.append(to: &message) }
            sendCoded(message, group, session: index)
        }
    }

    // MARK: The dialler

    /// - Returns: whether further cells are awaited.
    private mutating func takeCells(
        _ reader: inout WireReader, _ coded: inout CodedFrontier, _ group: Int, session index: Int,
        _ store: any EventStore
    ) throws -> Bool {
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
            try askWhole(group, session: index, store)
            return false
        }
        if coded.decoder.isComplete {
            try tellDifference(&coded, group, session: index, store)
            return false
        }
        let taken = coded.decoder.cellCount
        guard taken == end else { return true }
        let needed = max(MapDecoder.cells(for: coded.decoder.estimatedDifference), taken + taken / 12 + 8)
        // Cells that should long have been enough are of no two frontiers.
        guard needed <= min(Limits.codedCells, 4 * coded.count + 256) else {
            try askWhole(group, session: index, store)
            return false
        }
        var message = [CodedKind.more]
        message.append(varint: taken)
        message.append(varint: needed)
        sendCoded(message, group, session: index)
        return true
    }

    /// Tells of the logs that differ what is held here, where the peer cannot know or must be asked; plans what it is known to lack.
    private mutating func tellDifference(
        _ coded: inout CodedFrontier, _ group: Int, session index: Int, _ store: any EventStore
    ) throws(StoreError) {
        let frontier = groups[sessions[index].groups[group].group].frontier
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
                // It is ahead, as far as one can tell: it will find out what to send.
                peer.entries[state.id] = FrontierEntry(ranges: [.init(start: 1, end: last, id: .short(0))])
                listed.append(DifferingEntry.bytes(of: state, key: difference.key, asks: false))
            } else if let id = try behind(summary, state, coded.hashKey, store) {
                peer.entries[state.id] = FrontierEntry(ranges: [.init(start: 1, end: last, id: .full(id))])
            } else {
                peer.untold.insert(log)
                listed.append(DifferingEntry.bytes(of: state, key: difference.key, asks: true))
            }
        }
        sessions[index].groups[group].reconciliation.logs = coded.decoder.differences.count
        sendParts(of: listed, flags: FrontierFlags.differing, group, session: index)
        sessions[index].groups[group].hasFrontier = true
        sessions[index].groups[group].awaitsAnswers = !peer.untold.isEmpty
        sessions[index].groups[group].unplanned = peer
    }

    /// The end of the peer's part of our log, if its summary is that of a beginning of it.
    private func behind(
        _ summary: LogSummary, _ log: LogState, _ hashKey: SipHashKey, _ store: any EventStore
    ) throws(StoreError) -> EventID? {
        let last = summary.lastSequence(near: log.lastSequence)
        guard summary.isGapless, log.isGapless, last >= 1, last < log.lastSequence,
            let end = try store.headers(ofLog: log.reference, in: last...last, limit: 1).first
        else { return nil }
        let leaf = LogState.leaf(
            of: log.id, floor: 0, starts: [(1, log.starts[0].id)], ends: [(last, end.id)], using: cryptography)
        return LogSummary(isGapless: true, sequence: last, leaf: leaf, hashKey: hashKey) == summary ? end.id : nil
    }

    private mutating func sendParts(of entries: [[UInt8]], flags: UInt8, _ group: Int, session index: Int) {
        var left = entries[...]
        repeat {
            var part: [UInt8] = [flags]
            while let entry = left.first, part.count < Limits.payload - 8_192 {
                part += entry
                left.removeFirst()
            }
            if !left.isEmpty { part[0] |= FrontierFlags.more }
            var sync = GroupSync(number: sessions[index].groups[group].group)
            sync.frontier = part[...]
            send(sync, to: index)
        } while !left.isEmpty
    }

    // MARK: Frontiers of the logs that differ

    mutating func receiveDiffering(
        _ flags: UInt8, _ reader: inout WireReader, _ group: Int, session index: Int
    ) throws {
        let isAnswer = flags & FrontierFlags.answers != 0
        let frontier = groups[sessions[index].groups[group].group].frontier
        var basis = PeerFrontier.Basis.answers
        if isAnswer {
            while !reader.isAtEnd {
                let (log, entry) = try FrontierEntry.read(
                    &reader, fullIDs: false, table: &sessions[index].groups[group].incomingLogs)
                sessions[index].groups[group].partialFrontier[log] = entry
            }
        } else {
            guard !sessions[index].link.isDialler, let ordinal = sessions[index].groups[group].coded?.ordinal,
                let logs = sessions[index].groups[group].coded?.logsByPrefix()
            else {
                throw EngineError.protocolViolation("a frontier of what differs without coded symbols")
            }
            basis = .differing(ordinal)
            while !reader.isAtEnd {
                let (prefix, entry, asks) = try DifferingEntry.read(&reader)
                // What is no log of ours, or may be two, is left to the comparison of roots.
                guard let log = logs[prefix] else { continue }
                sessions[index].groups[group].partialFrontier[frontier[log].id] = entry
                if asks { sessions[index].groups[group].asked.insert(log) }
            }
        }
        guard flags & FrontierFlags.more == 0 else { return }
        let entries = sessions[index].groups[group].partialFrontier
        sessions[index].groups[group].partialFrontier = [:]
        sessions[index].groups[group].frontierBytes = 0
        sessions[index].groups[group].unplanned = PeerFrontier(basis: basis, entries: entries)
        guard !isAnswer else { return sessions[index].groups[group].awaitsAnswers = false }
        sessions[index].groups[group].reconciliation.logs = entries.count
        sessions[index].groups[group].hasFrontier = true
        sessions[index].groups[group].phase = .exchanging
        sessions[index].groups[group].coded = nil
        let asked = sessions[index].groups[group].asked.sorted()
        guard !asked.isEmpty else { return }
        sessions[index].groups[group].asked = []
        var table = sessions[index].groups[group].outgoingLogs
        let answers = asked.map { log in
            var bytes: [UInt8] = []
            FrontierEntry.write(frontier[log], fullIDs: false, table: &table, to: &bytes)
            return bytes
        }
        sessions[index].groups[group].outgoingLogs = table
        sendParts(of: answers, flags: FrontierFlags.answers, group, session: index)
    }
}

/// An entry of a frontier of the logs that differ, which names its log by the first five bytes of its key (protocol §5.2).
enum DifferingEntry {
    private static let isOdd: UInt64 = 1
    private static let asks: UInt64 = 2

    /// - Parameters:
    ///   - log: nil if nothing is held of it.
    ///   - key: what stands for the log.
    ///   - asks: whether the receiver is to tell what it holds.
    static func bytes(of log: LogState?, key: UInt64, asks: Bool) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(prefix: CodedFrontier.prefix(of: key))
        let flags = asks ? Self.asks : 0
        guard let log else {
            bytes.append(varint: flags)
            return bytes
        }
        if log.isGapless, let end = log.ends.first {
            bytes.append(varint: end.sequence << 2 | flags)
            bytes += end.id.bytes[..<8]
        } else {
            bytes.append(varint: log.floor << 2 | flags | isOdd)
            FrontierEntry.write(rangesOf: log, fullIDs: false, to: &bytes)
        }
        return bytes
    }

    static func read(_ reader: inout WireReader) throws(WireError) -> (prefix: UInt64, FrontierEntry, asks: Bool) {
        let prefix = try reader.prefix()
        let head = try reader.varint()
        let number = head >> 2
        guard number < Limits.integer else { throw .invalid("a frontier's entry", offset: reader.offset) }
        var entry = FrontierEntry(ranges: [])
        if head & isOdd != 0 {
            entry.floor = number
            entry.ranges = try FrontierEntry.readRanges(&reader, fullIDs: false)
        } else if number > 0 {
            entry.ranges = [.init(start: 1, end: number, id: try FrontierEntry.readID(&reader, fullIDs: false))]
        }
        return (prefix, entry, head & asks != 0)
    }
}
