/// Encodes the events of one window without their ids, and with numbers for what the window already holds
/// (protocol 5.3-9).
struct TransitEncoder {
    private var numberOfID: [EventID: Int] = [:]
    private var count = 0
    private var latestOfLog = LatestOfLogs()
    private var timestamp: Int64 = 0
    private var extra: [UInt8] = []
    /// The numbers of the window's extras so far, without those that have extensions (protocol 5.3-16).
    private var numberOfExtra: [[UInt8]: Int] = [:]
    /// The extra that was used last, and its number.
    private var latestExtra: (bytes: [UInt8], number: Int) = ([], 0)

    enum Flags {
        static let sequenceGiven: UInt64 = 1 << 0
        static let previousGiven: UInt64 = 1 << 1
        static let signed: UInt64 = 1 << 2
        static let extraGiven: UInt64 = 1 << 3
        static let salted: UInt64 = 1 << 4
        static let erased: UInt64 = 1 << 5
        static let extraListed: UInt64 = 1 << 6
        static let expires: UInt64 = 1 << 7
        static let all: UInt64 = 255
    }

    /// - Parameters:
    ///   - signature: the signature to send; nil where a later event of the run authenticates this one.
    ///   - receiverHolds: whether the receiver is known to hold one event of a log at a sequence, so that it can find
    ///     the id.
    mutating func encode(
        _ event: Event, signature: Bytes?, receiverHolds: (LogID, UInt64) -> Bool, logs: inout LogTable,
        into buffer: inout [UInt8]
    ) {
        let header = event.header
        let known = logs.number(of: header.log)
        let latest = known.flatMap { latestOfLog[$0] }
        let followsLatest = latest.map { $0.sequence + 1 == header.sequence && $0.id == header.previous?.id } ?? false
        let isNext = latest.map { $0.sequence + 1 == header.sequence } ?? false
        let isFound = latest == nil && header.sequence > 1 && receiverHolds(header.log, header.sequence - 1)
        let needsPrevious = header.previous != nil && !followsLatest && !isFound
        fillExtra(header)
        let listed = extra.isEmpty ? nil : numberOfKnownExtra()

        var flags: UInt64 = 0
        if !isNext { flags |= Flags.sequenceGiven }
        if needsPrevious { flags |= Flags.previousGiven }
        if signature != nil { flags |= Flags.signed }
        if !extra.isEmpty { flags |= listed == nil ? Flags.extraGiven : Flags.extraListed }
        if header.expiry != nil { flags |= Flags.expires }
        if header.isSalted { flags |= Flags.salted }
        if event.content == nil { flags |= Flags.erased }

        buffer.append(varint: flags)
        if let known { buffer.append(varint: known) }
        let number = known ?? logs.write(header.log, to: &buffer)
        if !isNext { buffer.append(varint: header.sequence) }
        if needsPrevious, let previous = header.previous {
            buffer.append(previous.id)
            buffer.append(varint: previous.lamport)
        }
        buffer.append(varint: header.parents.count)
        for parent in header.parents {
            encode(parent, isFound: receiverHolds(parent.log, parent.sequence), logs: &logs, into: &buffer)
        }
        buffer.append(zigzag: event.timestamp - timestamp)
        if let listed {
            buffer.append(varint: numberOfExtra.count - 1 - listed)
        } else if !extra.isEmpty {
            buffer.append(varint: extra.count)
            buffer += extra
            if header.extensions.isEmpty {
                latestExtra = (extra, numberOfExtra.count)
                numberOfExtra[extra] = latestExtra.number
            }
        }
        if let expiry = header.expiry { buffer.append(zigzag: Int64(expiry) - event.timestamp) }
        buffer.append(varint: header.contentLength)
        if let content = event.content { buffer += content } else { header.commitment.append(to: &buffer) }
        if let salt = event.salt { buffer += salt }
        if let signature { buffer += signature }

        timestamp = event.timestamp
        latestOfLog[number] = event.reference
        remember(event.id)
    }

    private mutating func encode(
        _ reference: EventReference, isFound: Bool, logs: inout LogTable, into buffer: inout [UInt8]
    ) {
        if let number = numberOfID[reference.id] {
            buffer.append(varint: count - number + Self.listed)
            return
        }
        buffer.append(varint: isFound ? Self.byPlace : Self.inFull)
        if !isFound { buffer.append(reference.id) }
        logs.write(reference.log, to: &buffer)
        buffer.append(varint: reference.sequence)
        if !isFound { buffer.append(varint: reference.lamport) }
        remember(reference.id)
    }

    // The forms of a parent (protocol 5.3-12): in full, by its place, or, above these, by its distance back in the
    // list.
    static let inFull = 0
    static let byPlace = 1
    static let listed = 1

    private mutating func remember(_ id: EventID) {
        numberOfID[id] = count
        count += 1
    }

    /// The number of the current extra, if the window already holds it.
    private mutating func numberOfKnownExtra() -> Int? {
        if extra == latestExtra.bytes { return latestExtra.number }
        guard let number = numberOfExtra[extra] else { return nil }
        latestExtra = (extra, number)
        return number
    }

    private mutating func fillExtra(_ header: EventHeader) {
        extra.removeAll(keepingCapacity: true)
        let isPlain = header.version == 1 && header.kind == .message && header.unknownFlags == 0
        guard
            !isPlain || !header.extensions.isEmpty || !header.stateHeads.isEmpty || !header.rekeys.isEmpty
        else { return }
        extra.append(header.version)
        extra.append(header.kind.rawValue)
        extra.append(header.unknownFlags)
        EventHeader.append(header.stateHeads, to: &extra)
        EventHeader.append(header.rekeys, to: &extra)
        extra += header.extensions
    }
}
