/// What the first byte of `events` says (protocol §5.3).
enum WindowFlags {
    static let begins: UInt8 = 1 << 0
    static let ends: UInt8 = 1 << 1
    /// The events are whole messages.
    static let plain: UInt8 = 1 << 2
    static let all: UInt8 = 7
}

// Sending events: in windows, parents first, bounded by what the peer has processed (protocol §5.3).
extension Engine {
    /// New events go to everyone in the group who may lack them.
    mutating func passOn(_ events: [(log: Int, event: Event)], group: Int, except source: Int?) {
        for index in sessions.indices where !sessions[index].isClosed {
            for number in sessions[index].groups.indices where sessions[index].groups[number].group == group {
                guard sessions[index].groups[number].isMatched else { continue }
                let isOpen = sessions[index].groups[number].phase == .live || sessions[index].groups[number].hasFrontier
                guard isOpen else { continue }
                if index == source {
                    note(events, number, session: index)
                    continue
                }
                for (log, event) in events {
                    let sequence = event.sequence
                    let covered = sessions[index].groups[number].covered[log]
                    sessions[index].groups[number].covered.raise(log, to: sequence)
                    if sessions[index].groups[number].isLazyTowardsPeer {
                        sessions[index].groups[number].changedLogs.insert(log)
                        sessions[index].groups[number].mustAcknowledge = true
                    } else if sequence > covered || !groups[group].frontier.logs[log].isLinear {
                        sessions[index].groups[number].plan.add(log: log, sequence...sequence)
                    }
                }
            }
        }
    }

    /// The peer that sent these has them, and is told that they came.
    private mutating func note(_ events: [(log: Int, event: Event)], _ group: Int, session index: Int) {
        for (log, event) in events {
            sessions[index].groups[group].covered.raise(log, to: event.sequence)
            if event.sequence == sessions[index].groups[group].heldByPeer[log] + 1 {
                sessions[index].groups[group].heldByPeer[log] = event.sequence
            }
        }
        sessions[index].groups[group].changedLogs.formUnion(events.lazy.map(\.log))
    }

    /// Says what was processed and what is held now. Leaves after the commit, like every effect (law 1).
    mutating func acknowledge(_ group: Int, session index: Int) {
        guard sessions[index].groups[group].mustAcknowledge else { return }
        let number = sessions[index].groups[group].group
        var sync = GroupSync(number: number)
        sync.processed = sessions[index].groups[group].receivedBytes
        var have: [UInt8] = []
        var table = sessions[index].groups[group].outgoingLogs
        for log in sessions[index].groups[group].changedLogs.sorted() where have.count < Limits.payload - 8_192 {
            FrontierEntry.write(groups[number].frontier[log], fullIDs: false, table: &table, to: &have)
            sessions[index].groups[group].changedLogs.remove(log)
        }
        sessions[index].groups[group].outgoingLogs = table
        // What there was no room for is said with the next batch.
        sessions[index].groups[group].mustAcknowledge = !sessions[index].groups[group].changedLogs.isEmpty
        if !have.isEmpty { sync.have = have[...] }
        send(sync, to: index)
    }

    /// Sends windows as long as there is something to send and the peer keeps up.
    mutating func pump(_ group: Int, session index: Int, _ store: any EventStore) throws(StoreError) {
        // Whatever was planned, and whoever has asked for it.
        guard sessions[index].groups[group].visibility == .shared else {
            return sessions[index].groups[group].plan = SendPlan()
        }
        let limit = min(Limits.inFlight, sessions[index].windowLimit, sessions[index].link.windowLimit ?? .max)
        while !sessions[index].groups[group].plan.isEmpty, !sessions[index].isClosed,
            let size = sessions[index].groups[group].pacing.nextWindow(limit: limit)
        {
            var hasDropped = false
            let window = try nextWindow(group, session: index, bytes: size, &hasDropped, store)
            guard !window.events.isEmpty else {
                if hasDropped { continue }
                return
            }
            try shareSecrets(of: window, group, session: index, store)
            sendCertificates(of: window, group, session: index)
            sendWindow(window, group, session: index)
            sessions[index].groups[group].pacing.noteWindow(at: now)
        }
    }

    /// Takes events from the plan until they make a window; each log's last one is signed (protocol §2.3).
    ///
    /// - Parameter hasDropped: set if a log is sent no more, whose events would take more than a window to vouch for.
    private mutating func nextWindow(
        _ group: Int, session index: Int, bytes target: Int, _ hasDropped: inout Bool, _ store: any EventStore
    ) throws(StoreError) -> Window {
        let frontier = groups[sessions[index].groups[group].group].frontier
        var plan = sessions[index].groups[group].plan
        sessions[index].groups[group].plan = SendPlan()
        defer { sessions[index].groups[group].plan = plan }
        var window = Window()
        // The events came here in windows too: where one of those ended, nothing is unsigned. Ending there keeps the order.
        while window.wireBytes < target || (window.wireBytes < 2 * target && window.unsignedLogs > 0),
            window.weight < Limits.window / 2, let planned = try plan.next(frontier, store)
        { window.append(planned) }
        for cursor in window.unsignedCursors {
            var isEnd = false
            while window.isUnsigned(cursor), window.weight < Limits.window - Limits.frame, !isEnd {
                if let planned = try plan.next(ofCursor: cursor, frontier, store) {
                    window.append(planned)
                } else {
                    isEnd = true
                }
            }
            // At an end of what the peer lacks, it holds the event above, which vouches for these.
            guard window.isUnsigned(cursor), !isEnd else { continue }
            // What there is no room to vouch for waits for the next window.
            let (tail, isSomeLeft) = window.removeUnsigned(of: cursor)
            if isSomeLeft || tail.allSatisfy(\.isLinear) {
                plan.putBack(tail)
            } else {
                plan.drop(cursor)
                hasDropped = true
            }
        }
        return window
    }

    private mutating func sendWindow(_ window: Window, _ group: Int, session index: Int) {
        let number = sessions[index].groups[group].group
        let isSigned = window.signaturesToSend()
        let frontier = groups[number].frontier
        let held = sessions[index].groups[group].heldByPeer
        let floors = sessions[index].groups[group].floorsOfPeer
        func receiverHolds(_ log: LogID, _ sequence: UInt64) -> Bool {
            guard let known = frontier.index(of: log), frontier.logs[known].isLinear else { return false }
            return sequence <= held[known] && sequence > max(frontier.logs[known].floor, floors[known])
        }
        var encoder = TransitEncoder()
        var table = sessions[index].groups[group].outgoingLogs
        var part: [UInt8] = []
        let isPlain = sessions[index].groups[group].sendsPlain
        let form = isPlain ? WindowFlags.plain : 0
        func begin(_ flags: UInt8) {
            part = []
            part.reserveCapacity(min(Limits.payload, 2 * window.wireBytes + 1_024))
            part.append(flags | form)
        }
        func flush(_ engine: inout Engine, last: Bool) {
            if last { part[0] |= WindowFlags.ends }
            var sync = GroupSync(number: number)
            sync.events = part[...]
            engine.sessions[index].groups[group].pacing.noteSent(part.count)
            engine.send(sync, to: index)
        }
        begin(WindowFlags.begins)
        var encoded: [UInt8] = []
        for (position, planned) in window.events.enumerated() {
            encoded.removeAll(keepingCapacity: true)
            let signature = isSigned[position] ? planned.event.signature : nil
            if isPlain {
                let message = planned.event.signed(with: signature).message(in: groups[number].id).encoded
                encoded.append(varint: message.count)
                encoded += message
            } else {
                encoder.encode(
                    planned.event, signature: signature, receiverHolds: receiverHolds, logs: &table, into: &encoded)
            }
            if part.count > 1, part.count + encoded.count > Limits.payload - 256 {
                flush(&self, last: false)
                begin(0)
            }
            part += encoded
        }
        flush(&self, last: true)
        sessions[index].groups[group].outgoingLogs = table
        // What was sent comes before the next window.
        for planned in window.events
        where planned.event.sequence == sessions[index].groups[group].heldByPeer[planned.log] + 1 {
            sessions[index].groups[group].heldByPeer[planned.log] = planned.event.sequence
        }
    }

    /// Of logs whose beginnings are forgotten here, whose they are; once.
    private mutating func sendCertificates(of window: Window, _ group: Int, session index: Int) {
        let number = sessions[index].groups[group].group
        var sync = GroupSync(number: number)
        func flush(_ engine: inout Engine) {
            if !sync.certificates.isEmpty { engine.send(sync, to: index) }
            sync.certificates = []
        }
        for place in Set(window.events.lazy.map(\.log)).sorted() {
            let log = groups[number].frontier.logs[place]
            // A peer that holds something of the log has its certificate.
            guard log.floor > 0, let certificate = log.certificate,
                sessions[index].groups[group].heldByPeer[place] <= log.floor,
                sessions[index].groups[group].certificatesSaid.insert(place).inserted
            else { continue }
            sync.certificates.append(certificate.encoded[...])
            if sync.weight > Limits.payload - 8_192 { flush(&self) }
        }
        flush(&self)
    }

    mutating func passOnEphemeral(_ message: Message, group: Int, except source: Int?) {
        let bytes = message.encoded
        var framed: [UInt8] = []
        framed.append(varint: bytes.count)
        framed += bytes
        for index in sessions.indices where index != source && !sessions[index].isClosed {
            for session in sessions[index].groups where session.group == group && session.isMatched {
                guard !session.isLazyTowardsPeer, session.visibility == .shared else { continue }
                var sync = GroupSync(number: group)
                sync.ephemeral = framed[...]
                send(sync, to: index)
            }
        }
    }
}
