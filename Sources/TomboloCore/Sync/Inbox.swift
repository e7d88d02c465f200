/// Receives windows of events from a peer, and acknowledges them (protocol 5.3).
struct Inbox: Sendable {
    private var decoder: TransitDecoder?
    /// The events of the window that is not complete, and about how many bytes they take.
    private var window: [Event] = []
    private var windowBytes = 0
    /// Certificates of logs in the next window whose beginnings the peer has forgotten.
    private var certificates: [LogID: Certificate] = [:]
    private var receivedBytes: UInt64 = 0
    /// Whether the peer was asked to send whole messages.
    private(set) var askedPlain = false
    /// Logs that the peer is informed of at the end of the batch.
    private var changedLogs: Set<Int> = []
    /// Whether the peer must be sent an acknowledgement.
    private(set) var mustAcknowledge = false
    /// Logs that the peer has announced beyond what this device holds, and when they are requested if they do not
    /// arrive.
    private var announced: [LogID: UInt64] = [:]
    private(set) var announceDeadline: UInt64?

    /// Milliseconds in which an announced event should come by itself.
    private static let announceDelay: UInt64 = 1_000

    @inline(__always) var isIdle: Bool { window.isEmpty }

    // MARK: Windows

    /// The outcome of a part of a window.
    enum Outcome {
        /// The window continues in further parts, or the part was skipped.
        case incomplete
        case complete([Event])
        /// An event relies on one of which this side has none, or another one.
        case stuck
    }

    /// Receives a part of a window.
    mutating func receive(
        _ bytes: Bytes, _ replica: inout Replica, _ logs: inout LogTable, in batch: inout Batch<some Cryptography>
    ) throws -> Outcome {
        var reader = WireReader(bytes)
        let flags = try reader.byte()
        guard flags & ~WindowFlags.all == 0 else { throw WireError.invalid("flags of a window", offset: 0) }
        let isPlain = flags & WindowFlags.plain != 0
        receivedBytes += UInt64(bytes.count)
        if flags & WindowFlags.begins != 0 {
            // Until the peer knows that it was asked for plain form, only the logs that it declares are read.
            decoder = TransitDecoder(isStuck: askedPlain && !isPlain)
            window = []
            windowBytes = 0
        }
        // Taken out: two references would cost a copy.
        guard var decoder = decoder.take() else {
            mustAcknowledge = true
            return .incomplete
        }
        var window = takeWindow()
        let (before, listedBefore, wasStuck) = (window.count, decoder.listed, decoder.isStuck)
        if isPlain {
            while !reader.isAtEnd {
                let (_, event) = try replica.readMessage(&reader, using: batch.cryptography)
                guard !event.header.kind.isEphemeral else {
                    throw EngineError.protocolViolation("it sent an ephemeral event in a window")
                }
                window.append(event)
            }
        }
        try replica.decode(&reader, by: &decoder, logs: &logs, into: &window, in: &batch)
        // A few bytes can rebuild to many. The bound covers both.
        windowBytes +=
            decoder.isStuck
            ? bytes.count + 64 * (decoder.listed - listedBefore)
            : window[before...].reduce(bytes.count) { $0 + $1.rebuiltSize }
        guard windowBytes <= Limits.window else {
            throw EngineError.protocolViolation("it sent a window larger than \(Limits.window) bytes")
        }
        let isEnd = flags & WindowFlags.ends != 0
        if decoder.isStuck {
            if !isEnd { self.decoder = decoder }
            mustAcknowledge = true
            return wasStuck ? .incomplete : .stuck
        }
        guard isEnd else {
            self.decoder = decoder
            self.window = window
            return .incomplete
        }
        return .complete(window)
    }

    /// The authenticated or not yet authenticated events of a window that is not complete.
    mutating func takeWindow() -> [Event] {
        defer { window = [] }
        return window
    }

    mutating func noteAskedPlain() {
        askedPlain = true
        mustAcknowledge = true
    }

    // MARK: Certificates

    /// Receives certificates that go ahead of a window.
    mutating func receive(
        certificates received: [Bytes], _ replica: Replica, using cryptography: some Cryptography
    ) throws {
        guard !received.isEmpty else { return }
        guard certificates.count + received.count <= Limits.windowCertificates else {
            throw EngineError.protocolViolation("it sent more certificates than a window has events")
        }
        for bytes in received {
            let certificate = try Certificate(decoding: bytes)
            let log = certificate.logID(in: replica.id, using: cryptography)
            guard replica.isValid(certificate, ofLog: log, using: cryptography) else {
                throw EngineError.protocolViolation("the certificate of log \(log) does not verify")
            }
            certificates[log] = certificate
        }
    }

    mutating func takeCertificates() -> [LogID: Certificate] {
        defer { certificates = [:] }
        return certificates
    }

    // MARK: Acknowledging

    /// Notes that a window was processed.
    mutating func noteProcessed() { mustAcknowledge = true }

    /// Notes logs that the peer is informed of with the next acknowledgement.
    mutating func noteChanged(_ logs: some Sequence<Int>) { changedLogs.formUnion(logs) }

    /// Tells the peer of logs at the end of the batch.
    mutating func announce(_ logs: some Sequence<Int>) {
        changedLogs.formUnion(logs)
        mustAcknowledge = true
    }

    /// Tells the peer what was processed and what is held now. It leaves after the commit, like every effect (law 1).
    mutating func acknowledge(
        _ frontier: Frontier, number: Int, _ table: inout LogTable, over link: PeerLink,
        in batch: inout Batch<some Cryptography>
    ) {
        guard mustAcknowledge else { return }
        var sync = GroupSync(number: number)
        sync.processed = receivedBytes
        var have: [UInt8] = []
        for log in changedLogs.sorted() where have.count < Limits.payload - 8_192 {
            FrontierEntry.write(frontier[log], fullIDs: false, table: &table, to: &have)
            changedLogs.remove(log)
        }
        // Logs without room go with the next batch.
        mustAcknowledge = !changedLogs.isEmpty
        if !have.isEmpty { sync.have = have[...] }
        batch.send(sync, over: link.session)
    }

    // MARK: Announcements

    /// Notes that the peer holds more of a log than this device.
    mutating func noteAnnounced(_ log: LogID, to sequence: UInt64, at now: UInt64) {
        announced[log] = sequence
        announceDeadline = announceDeadline ?? now + Self.announceDelay
    }

    /// The parts of logs that were announced and have not come, at most ``Limits/wantedRanges``.
    mutating func takeAnnounced(_ frontier: Frontier) -> [(log: LogID, sequences: ClosedRange<UInt64>)] {
        var wanted: [(LogID, ClosedRange<UInt64>)] = []
        for (log, sequence) in announced.sorted(by: { $0.key < $1.key }) {
            let held = frontier.index(of: log).map { frontier.logs[$0].lastSequence } ?? 0
            if sequence > held, wanted.count < Limits.wantedRanges { wanted.append((log, held + 1...sequence)) }
        }
        (announced, announceDeadline) = ([:], nil)
        return wanted
    }
}

extension Replica {
    /// Reads an event as a whole message behind its length, and checks it by itself.
    mutating func readMessage(
        _ reader: inout WireReader, using cryptography: some Cryptography
    ) throws -> (Message, Event) {
        let message = try Message(decoding: reader.take(reader.varint()))
        do throws(EventError) {
            return (message, try Event(checking: message, hashing: &hashing, using: cryptography))
        } catch {
            throw EngineError.invalidEvent(error)
        }
    }

    /// Rebuilds the events of a part of a window.
    mutating func decode(
        _ reader: inout WireReader, by decoder: inout TransitDecoder, logs: inout LogTable, into window: inout [Event],
        in batch: inout Batch<some Cryptography>
    ) throws {
        let (frontier, store) = (frontier, batch.store)
        do throws(TransitError) {
            try decoder.decode(
                &reader, logs: &logs, hashing: &hashing, using: batch.cryptography,
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
    }
}
