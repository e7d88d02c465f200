extension EventHeader {
    private static let saltedFlag: UInt8 = 1 << 0
    private static let expiresFlag: UInt8 = 1 << 1
    static let knownFlags = saltedFlag | expiresFlag

    /// Appends the header's bytes, exactly as its id covers them.
    public func encode(into buffer: inout [UInt8]) {
        buffer.append(version)
        buffer.append(kind.rawValue)
        buffer.append(flags)
        buffer.append(log)
        buffer.append(varint: sequence)
        if let previous {
            buffer.append(previous.id)
            buffer.append(varint: previous.lamport)
        }
        buffer.append(varint: lamport)
        Self.append(parents, to: &buffer)
        Self.append(stateHeads, to: &buffer)
        Self.append(rekeys, to: &buffer)
        if let expiry { buffer.append(varint: expiry) }
        buffer.append(varint: contentLength)
        commitment.append(to: &buffer)
        buffer += extensions
    }

    public var encoded: [UInt8] {
        var buffer: [UInt8] = []
        buffer.reserveCapacity(192 + 72 * parents.count)
        encode(into: &buffer)
        return buffer
    }

    package var flags: UInt8 {
        unknownFlags | (isSalted ? Self.saltedFlag : 0) | (expiry == nil ? 0 : Self.expiresFlag)
    }

    package static func append(_ references: [EventReference], to buffer: inout [UInt8]) {
        buffer.append(UInt8(references.count))
        for reference in references {
            buffer.append(reference.id)
            buffer.append(reference.log)
            buffer.append(varint: reference.sequence)
            buffer.append(varint: reference.lamport)
        }
    }

    /// Decodes a header and validates it by the rules that need nothing but its bytes (protocol 2.4-1).
    ///
    /// - Throws: ``EventError`` if a rule of protocol 2.1 or 2.2 about the layout is broken.
    public init(decoding bytes: Bytes) throws(EventError) {
        do throws(WireError) {
            guard bytes.count <= Limits.header else { throw .tooLarge("a header", limit: Limits.header) }
            var reader = WireReader(bytes)
            try self.init(reading: &reader)
        } catch {
            throw .malformed(error)
        }
        try check()
    }

    private init(reading reader: inout WireReader) throws(WireError) {
        let version = try reader.byte()
        let kind = EventKind(rawValue: try reader.byte())
        let flags = try reader.byte()
        let log = LogID(try reader.bytes32())
        let sequence = try reader.integer()
        var previous: Backlink?
        if sequence > 1 { previous = Backlink(id: EventID(try reader.bytes32()), lamport: try reader.integer()) }
        let lamport = try reader.integer()
        let parents = try Self.references(&reader)
        let stateHeads = try Self.references(&reader)
        let rekeys = try Self.references(&reader)
        let expiry = flags & Self.expiresFlag != 0 ? try reader.integer() : nil
        let contentLength = try reader.varint(atMost: Limits.content, "content")
        let commitment = try reader.bytes32()
        self.init(
            kind: kind, isSalted: flags & Self.saltedFlag != 0, log: log, sequence: sequence, previous: previous,
            parents: parents, stateHeads: stateHeads, rekeys: rekeys, expiry: expiry, contentLength: contentLength,
            commitment: commitment, extensions: reader.rest())
        self.version = version
        self.unknownFlags = flags & ~Self.knownFlags
        self.lamport = lamport
    }

    package static func references(_ reader: inout WireReader) throws(WireError) -> [EventReference] {
        let count = Int(try reader.byte())
        guard count <= Limits.references else { throw .tooLarge("references", limit: Limits.references) }
        var references: [EventReference] = []
        references.reserveCapacity(count)
        for _ in 0..<count {
            references.append(
                EventReference(
                    id: EventID(try reader.bytes32()), log: LogID(try reader.bytes32()),
                    sequence: try reader.integer(), lamport: try reader.integer()))
        }
        return references
    }

    /// Validates a header by the rules of protocol 2.1 and 2.2 that concern it alone.
    package func check() throws(EventError) {
        func require(_ condition: Bool, _ message: @autoclosure () -> String) throws(EventError) {
            if !condition { throw .invalid(message()) }
        }
        try require(version >= 1, "version 0 does not exist")
        try require(kind.isEphemeral == (sequence == 0), "only ephemeral events have no sequence")
        try require(sequence < Limits.integer && lamport < Limits.integer, "the sequence or Lamport time is too large")
        try require(expiry ?? 0 < Limits.integer, "the expiry is too large")
        try require((previous != nil) == (sequence > 1), "previous is present if and only if the sequence is above 1")
        if kind.isEphemeral {
            try require(lamport == 0 && parents.isEmpty, "an ephemeral event has parents or a Lamport time")
            try require(contentLength <= Limits.ephemeralContent, "the content of an ephemeral event is too large")
        } else {
            try require(!kind.isState || parents.isEmpty, "a state event has parents beside state events")
            try require(
                lamport == lamportOfReferences + 1, "the Lamport time is not one above that of the named events")
        }
        try require((previous?.lamport ?? 0) + 1 >= sequence, "the Lamport time of previous is below its sequence")
        for references in [parents, stateHeads] where !references.isEmpty { try check(references, besides: previous) }
        // `rekeys` may name `previous` again: a state event may be encrypted under the rekey event before it.
        try check(rekeys, besides: nil)
        try checkExtensions()
    }

    private func check(_ references: [EventReference], besides previous: Backlink?) throws(EventError) {
        var last: EventID?
        for reference in references {
            guard reference.sequence >= 1, reference.sequence < Limits.integer, reference.lamport < Limits.integer,
                reference.lamport >= reference.sequence
            else { throw .invalid("a reference's sequence or Lamport time is out of range") }
            if let last, last >= reference.id { throw .invalid("references are not in ascending order") }
            if reference.id == previous?.id { throw .invalid("previous is named again") }
            last = reference.id
        }
    }

    private func checkExtensions() throws(EventError) {
        let types: [UInt64]
        do throws(WireError) { types = try extensionTypes() } catch { throw .malformed(error) }
        guard types.contains(Certificate.extensionType) == (sequence == 1) else {
            throw .invalid("a log's first event carries its certificate, and no other does")
        }
    }
}

// Extensions: (type, length, bytes), types ascending (protocol 2.1-7).
extension EventHeader {
    private func extensionTypes() throws(WireError) -> [UInt64] {
        var reader = WireReader(extensions)
        var types: [UInt64] = []
        while !reader.isAtEnd {
            let type = try reader.varint()
            if let last = types.last, last >= type { throw .invalid("the order of extensions", offset: reader.offset) }
            _ = try reader.take(try reader.varint())
            types.append(type)
        }
        return types
    }

    var hasUnknownCriticalExtension: Bool {
        guard !extensions.isEmpty else { return false }
        let types = (try? extensionTypes()) ?? []
        return types.contains { $0.isMultiple(of: 2) }
    }

    /// The value of the extension `type`, if there is one.
    package func extensionValue(_ type: UInt64) -> Bytes? {
        var reader = WireReader(extensions)
        while !reader.isAtEnd {
            guard let found = try? reader.varint(), let length = try? reader.varint(),
                let value = try? reader.take(length)
            else { return nil }
            if found == type { return value }
        }
        return nil
    }

    static func encodeExtension(_ type: UInt64, _ value: [UInt8]) -> [UInt8] {
        var buffer: [UInt8] = []
        buffer.append(varint: type)
        buffer.append(varint: value.count)
        return buffer + value
    }
}
