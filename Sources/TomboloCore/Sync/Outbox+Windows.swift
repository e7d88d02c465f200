/// The first byte of `events` (protocol 5.3-1).
enum WindowFlags {
    static let begins: UInt8 = 1 << 0
    static let ends: UInt8 = 1 << 1
    /// The events are whole messages.
    static let plain: UInt8 = 1 << 2
    static let all: UInt8 = 7
}

// Making windows and sending them.
extension Outbox {
    /// The next window that may be sent now; nil if the plan is empty, or the peer has not processed enough.
    ///
    /// - Parameter limit: bytes that may be on their way at once.
    mutating func nextWindow(
        limit: Int, _ frontier: Frontier, in store: any EventStore
    ) throws(StoreError) -> Window? {
        while !plan.isEmpty, let size = pacing.nextWindow(limit: limit) {
            let (window, hasDropped) = try makeWindow(bytes: size, frontier, in: store)
            if !window.events.isEmpty { return window }
            if !hasDropped { return nil }
        }
        return nil
    }

    /// Takes events from the plan until they make a window. Each log's last event in it is signed (protocol 5.3-5).
    ///
    /// - Returns: the window, and whether a log is sent no more whose events would take more than a window to
    ///   authenticate.
    private mutating func makeWindow(
        bytes target: Int, _ frontier: Frontier, in store: any EventStore
    ) throws(StoreError) -> (Window, hasDropped: Bool) {
        var window = Window()
        var hasDropped = false
        // The events came in windows too: where one of those ended, nothing is unsigned. A window that ends there keeps
        // the order.
        while window.wireBytes < target || (window.wireBytes < 2 * target && window.unsignedLogs > 0),
            window.weight < Limits.window / 2, let planned = try plan.next(frontier, in: store)
        { window.append(planned) }
        for cursor in window.unsignedCursors {
            var isEnd = false
            while window.isUnsigned(cursor), window.weight < Limits.window - Limits.frame, !isEnd {
                if let planned = try plan.next(ofCursor: cursor, frontier, in: store) {
                    window.append(planned)
                } else {
                    isEnd = true
                }
            }
            // At an end of what the peer lacks, it holds the event above, which authenticates these.
            guard window.isUnsigned(cursor), !isEnd else { continue }
            // Events without room for their signature wait for the next window.
            let (tail, isSomeLeft) = window.removeUnsigned(of: cursor)
            if isSomeLeft || tail.allSatisfy(\.isLinear) {
                plan.putBack(tail)
            } else {
                plan.drop(cursor)
                hasDropped = true
            }
        }
        return (window, hasDropped)
    }

    /// Sends a window, after the certificates of logs whose beginnings are forgotten here.
    mutating func send(
        _ window: Window, of replica: Replica, number: Int, _ logs: inout LogTable, over link: PeerLink,
        in batch: inout Batch<some Cryptography>
    ) {
        sendCertificates(of: window, replica.frontier, number: number, over: link, in: &batch)
        sendEvents(of: window, replica, number: number, &logs, over: link, in: &batch)
        pacing.noteWindow(at: batch.now)
    }

    private mutating func sendEvents(
        of window: Window, _ replica: Replica, number: Int, _ logs: inout LogTable, over link: PeerLink,
        in batch: inout Batch<some Cryptography>
    ) {
        let isSigned = window.signaturesToSend()
        let (frontier, held, floors) = (replica.frontier, heldByPeer, floorsOfPeer)
        func receiverHolds(_ log: LogID, _ sequence: UInt64) -> Bool {
            guard let known = frontier.index(of: log), frontier.logs[known].isLinear else { return false }
            return sequence <= held[known] && sequence > max(frontier.logs[known].floor, floors[known])
        }
        var encoder = TransitEncoder()
        var part = WindowPart(flags: WindowFlags.begins, isPlain: isPlain, capacity: 2 * window.wireBytes + 1_024)
        var encoded: [UInt8] = []
        for (position, planned) in window.events.enumerated() {
            encoded.removeAll(keepingCapacity: true)
            let signature = isSigned[position] ? planned.event.signature : nil
            if isPlain {
                let message = planned.event.signed(with: signature).message(in: replica.id).encoded
                encoded.append(varint: message.count)
                encoded += message
            } else {
                encoder.encode(
                    planned.event, signature: signature, receiverHolds: receiverHolds, logs: &logs, into: &encoded)
            }
            if !part.isEmpty, part.bytes.count + encoded.count > Limits.payload - 256 {
                send(part, number: number, over: link, in: &batch)
                part = WindowPart(flags: 0, isPlain: isPlain, capacity: 2 * window.wireBytes + 1_024)
            }
            part.bytes += encoded
        }
        part.bytes[0] |= WindowFlags.ends
        send(part, number: number, over: link, in: &batch)
        // These events reach the peer before the next window does.
        for planned in window.events where planned.event.sequence == heldByPeer[planned.log] + 1 {
            heldByPeer[planned.log] = planned.event.sequence
        }
    }

    private mutating func send(
        _ part: WindowPart, number: Int, over link: PeerLink, in batch: inout Batch<some Cryptography>
    ) {
        var sync = GroupSync(number: number)
        sync.events = part.bytes[...]
        pacing.noteSent(part.bytes.count)
        batch.send(sync, over: link.session)
    }

    /// Sends, once, the certificates of logs whose beginnings are forgotten here.
    private mutating func sendCertificates(
        of window: Window, _ frontier: Frontier, number: Int, over link: PeerLink,
        in batch: inout Batch<some Cryptography>
    ) {
        var sync = GroupSync(number: number)
        for place in Set(window.events.lazy.map(\.log)).sorted() {
            let log = frontier.logs[place]
            // A peer that holds something of the log has its certificate.
            guard log.floor > 0, let certificate = log.certificate, heldByPeer[place] <= log.floor,
                certificatesSent.insert(place).inserted
            else { continue }
            sync.certificates.append(certificate.encoded[...])
            if sync.weight > Limits.payload - 8_192 {
                batch.send(sync, over: link.session)
                sync.certificates = []
            }
        }
        if !sync.certificates.isEmpty { batch.send(sync, over: link.session) }
    }
}

/// The bytes of one `events` field.
private struct WindowPart {
    var bytes: [UInt8] = []

    init(flags: UInt8, isPlain: Bool, capacity: Int) {
        bytes.reserveCapacity(min(Limits.payload, capacity))
        bytes.append(flags | (isPlain ? WindowFlags.plain : 0))
    }

    var isEmpty: Bool { bytes.count <= 1 }
}
