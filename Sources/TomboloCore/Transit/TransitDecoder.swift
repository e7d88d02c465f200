/// The reason why a window cannot be read.
enum TransitError: Error, Hashable {
    /// The bytes are malformed: the peer breaks the protocol.
    case malformed(WireError)
    case store(StoreError)
}

/// Rebuilds the events of one window from their transit form (protocol 5.3-9).
struct TransitDecoder: Sendable {
    private typealias Flags = TransitEncoder.Flags

    /// Whether an event could not be rebuilt, since it relies on one that this device does not hold, or on another one.
    ///
    /// From then on only the logs that the window declares are read, since the sender refers to them later
    /// (protocol 5.3-20).
    private(set) var isStuck: Bool
    /// The number of events and references in the window's list.
    var listed: Int { list.count }

    private var list: [EventReference] = []
    private var latestOfLog = LatestOfLogs()
    private var timestamp: Int64 = 0
    /// The extras of the window so far, without those that have extensions (protocol 5.3-16).
    private var extras: [Extra] = []

    fileprivate struct Extra: Sendable {
        let version: UInt8
        let kind: EventKind
        let unknownFlags: UInt8
        let stateHeads: [EventReference]
        let rekeys: [EventReference]
        let extensions: Bytes
    }

    /// - Parameter isStuck: whether only the logs that the window declares are read.
    init(isStuck: Bool = false) { self.isStuck = isStuck }

    /// Decodes all events of one `events` field. From an event that cannot be rebuilt on, it appends none.
    ///
    /// - Parameter held: finds the event of a log at a sequence; nil unless this device holds exactly one there.
    /// - Throws: ``TransitError`` if the bytes are malformed, or if the store fails.
    mutating func decode(
        _ reader: inout WireReader, logs: inout LogTable, hashing: inout EventHashing,
        using cryptography: some Cryptography,
        held: (LogID, UInt64) throws(StoreError) -> Backlink?, into events: inout [Event]
    ) throws(TransitError) {
        while !reader.isAtEnd {
            let event = try decodeOne(&reader, logs: &logs, hashing: &hashing, using: cryptography, held: held)
            if let event { events.append(event) }
        }
    }

    private mutating func decodeOne(
        _ reader: inout WireReader, logs: inout LogTable, hashing: inout EventHashing,
        using cryptography: some Cryptography,
        held: (LogID, UInt64) throws(StoreError) -> Backlink?
    ) throws(TransitError) -> Event? {
        let flags: UInt64
        var header: EventHeader
        let latest: EventReference?
        let number: Int
        do throws(WireError) {
            flags = try reader.varint()
            guard flags & ~Flags.all == 0 else { throw .invalid("flags of an event", offset: reader.offset) }
            number = try logs.readNumber(&reader)
            latest = latestOfLog[number]
            header = EventHeader(
                kind: .message, isSalted: flags & Flags.salted != 0, log: logs[number], sequence: 1, previous: nil,
                contentLength: 0, commitment: .zero)
            header.sequence =
                if flags & Flags.sequenceGiven != 0 { try reader.integer() } else if let latest {
                    latest.sequence + 1
                } else { throw .invalid("an omitted sequence", offset: reader.offset) }
            if flags & Flags.previousGiven != 0 {
                header.previous = Backlink(id: EventID(try reader.bytes32()), lamport: try reader.integer())
            }
        } catch { throw .malformed(error) }

        if header.previous == nil, header.sequence > 1 {
            if let latest, latest.sequence + 1 == header.sequence {
                header.previous = Backlink(id: latest.id, lamport: latest.lamport)
            } else {
                let own: Backlink?
                do throws(StoreError) { own = try held(header.log, header.sequence - 1) } catch { throw .store(error) }
                if own == nil { isStuck = true }
                header.previous = own
            }
        }

        let parents: Int
        do throws(WireError) { parents = try reader.varint(atMost: Limits.references, "parents") } catch {
            throw .malformed(error)
        }
        for _ in 0..<parents { header.parents.append(try reference(&reader, logs: &logs, held: held)) }

        let isErased = flags & Flags.erased != 0
        var content: Bytes?
        var (salt, signature): (Bytes?, Bytes?)
        do throws(WireError) {
            timestamp &+= try reader.zigzag()
            if flags & Flags.extraGiven != 0 {
                guard flags & Flags.extraListed == 0 else {
                    throw .invalid("extra both given and listed", offset: reader.offset)
                }
                let extra = try Extra(reading: reader.take(reader.varint(atMost: Limits.header, "extra")))
                if extra.extensions.isEmpty { extras.append(extra) }
                extra.fill(&header)
            } else if flags & Flags.extraListed != 0 {
                let back = try reader.varint()
                guard back < UInt64(extras.count) else { throw .invalid("extra", offset: reader.offset) }
                extras[extras.count - 1 - Int(back)].fill(&header)
            }
            if flags & Flags.expires != 0 {
                let expiry = try reader.zigzag() &+ timestamp
                guard expiry >= 0, expiry < Int64(Limits.integer) else {
                    throw .tooLarge("an expiry", limit: Int(Limits.integer) - 1)
                }
                header.expiry = UInt64(expiry)
            }
            header.contentLength = try reader.varint(atMost: Limits.content, "content")
            if isErased {
                header.commitment = try reader.bytes32()
            } else {
                content = try reader.take(header.contentLength)
                if flags & Flags.salted != 0 { salt = try reader.take(16) }
            }
            if flags & Flags.signed != 0 { signature = try reader.take(64) }
        } catch { throw .malformed(error) }

        guard !isStuck, let event = rebuilt(&header, content, salt, signature, &hashing, using: cryptography) else {
            isStuck = true
            note(EventReference(id: EventID(.zero), log: header.log, sequence: header.sequence, lamport: 0), number)
            return nil
        }
        note(event.reference, number)
        return event
    }

    private mutating func note(_ event: EventReference, _ log: Int) {
        latestOfLog[log] = event
        list.append(event)
    }

    /// Rebuilds an event; nil if the result breaks a rule of protocol 2.4-1.
    private func rebuilt(
        _ header: inout EventHeader, _ content: Bytes?, _ salt: Bytes?, _ signature: Bytes?,
        _ hashing: inout EventHashing, using cryptography: some Cryptography
    ) -> Event? {
        header.lamport = header.kind.isEphemeral ? 0 : header.lamportOfReferences + 1
        if let content {
            header.commitment = hashing.commitment(salt: salt ?? [], content: content, using: cryptography)
        }
        let bytes = header.encoded[...]
        guard bytes.count <= Limits.header, timestamp >= 0, timestamp < Int64(Limits.integer),
            !header.kind.isEphemeral, content != nil || header.isErasable, (try? header.check()) != nil
        else { return nil }
        let id = hashing.id(timestamp: timestamp, header: bytes, using: cryptography)
        return Event(
            id: id, timestamp: timestamp, header: header, headerBytes: bytes, content: content, salt: salt,
            signature: signature)
    }

    private mutating func reference(
        _ reader: inout WireReader, logs: inout LogTable, held: (LogID, UInt64) throws(StoreError) -> Backlink?
    ) throws(TransitError) -> EventReference {
        let reference: EventReference
        do throws(WireError) {
            let form = try reader.varint(atMost: list.count + TransitEncoder.listed, "a reference")
            if form > TransitEncoder.listed { return list[list.count - (form - TransitEncoder.listed)] }
            let isInFull = form == TransitEncoder.inFull
            let id = isInFull ? EventID(try reader.bytes32()) : EventID(.zero)
            let log = try logs.read(&reader)
            let sequence = try reader.integer()
            reference = EventReference(
                id: id, log: log, sequence: sequence, lamport: isInFull ? try reader.integer() : 0)
            if isInFull {
                list.append(reference)
                return reference
            }
        } catch { throw .malformed(error) }
        let found: Backlink?
        do throws(StoreError) { found = try held(reference.log, reference.sequence) } catch { throw .store(error) }
        if found == nil { isStuck = true }
        list.append(
            EventReference(
                id: found?.id ?? EventID(.zero), log: reference.log, sequence: reference.sequence,
                lamport: found?.lamport ?? 0))
        return list[list.count - 1]
    }
}

extension TransitDecoder.Extra {
    init(reading bytes: Bytes) throws(WireError) {
        var reader = WireReader(bytes)
        version = try reader.byte()
        kind = EventKind(rawValue: try reader.byte())
        unknownFlags = try reader.byte()
        guard unknownFlags & EventHeader.knownFlags == 0 else {
            throw .invalid("flags in extra", offset: reader.offset)
        }
        stateHeads = try EventHeader.references(&reader)
        rekeys = try EventHeader.references(&reader)
        extensions = reader.rest()
    }

    func fill(_ header: inout EventHeader) {
        header.version = version
        header.kind = kind
        header.unknownFlags = unknownFlags
        header.stateHeads = stateHeads
        header.rekeys = rekeys
        header.extensions = extensions
    }
}
