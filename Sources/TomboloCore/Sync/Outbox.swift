/// Sends events to a peer: in windows, parents first, bounded by what the peer has processed (protocol 5.2-21, 5.3).
struct Outbox: Sendable {
    /// The events that the peer is still to be sent.
    var plan = SendPlan()
    /// The sequence up to which the peer holds each log, or was sent it, or will be sent it.
    var covered = SequenceTable()
    /// The sequence up to which the peer surely holds each log from its beginning: by its frontier, or by an earlier
    /// window.
    var heldByPeer = SequenceTable()
    /// The sequences below which the peer has forgotten each log.
    var floorsOfPeer = SequenceTable()
    /// Logs whose certificates the peer was sent.
    var certificatesSent: Set<Int> = []
    var pacing = WindowPacing()
    /// Whether events are sent as whole messages, since the peer could not rebuild some.
    var isPlain = false
    /// Whether the peer has asked for announcements of new events in place of the events (protocol 5.4-2).
    private(set) var isPeerLazy = false

    @inline(__always) var isIdle: Bool { pacing.inFlight == 0 && plan.isEmpty }

    /// Whether something may be left to send.
    @inline(__always) var hasPlan: Bool { !plan.isEmpty }

    mutating func setPeerLazy(_ isLazy: Bool) { isPeerLazy = isLazy }

    /// Drops everything that was planned.
    mutating func clear() { plan = SendPlan() }

    /// Sends planned events without these contents.
    mutating func erase(_ contents: Set<EventID>) { plan.erase(contents) }

    /// Notes that the peer knows the same of the group.
    mutating func notePeerHoldsAll(of frontier: Frontier) { heldByPeer = frontier.linearEnds }

    /// Notes events that came from the peer.
    mutating func noteReceived(_ events: [(log: Int, event: Event)]) {
        for (log, event) in events {
            covered.raise(log, to: event.sequence)
            if event.sequence == heldByPeer[log] + 1 { heldByPeer[log] = event.sequence }
        }
    }

    /// Plans to send events that are newly held.
    ///
    /// - Returns: the logs of events that are only announced to the peer.
    mutating func enqueue(_ events: [(log: Int, event: Event)], _ frontier: Frontier) -> [Int] {
        var announced: [Int] = []
        for (log, event) in events {
            let sequence = event.sequence
            let known = covered[log]
            covered.raise(log, to: sequence)
            if isPeerLazy {
                announced.append(log)
            } else if sequence > known || !frontier.logs[log].isLinear {
                plan.add(log: log, sequence...sequence)
            }
        }
        return announced
    }

    /// Notes up to where the peer holds a log.
    mutating func note(_ log: Int, heldTo sequence: UInt64) { covered.raise(log, to: sequence) }

    mutating func note(_ log: Int, forgottenTo floor: UInt64) { floorsOfPeer.raise(log, to: floor) }

    /// Receives the peer's word that it has processed windows.
    mutating func noteProcessed(_ bytes: UInt64, at now: UInt64) throws(EngineError) {
        guard bytes <= pacing.sentBytes else { throw .protocolViolation("it acknowledged more bytes than it was sent") }
        pacing.noteProcessed(bytes, at: now)
    }

    /// Receives a request for parts of logs (protocol 5.2-22, 5.4-3).
    mutating func receive(want bytes: Bytes, _ frontier: Frontier, _ logs: inout LogTable) throws(WireError) {
        var reader = WireReader(bytes)
        let form = try reader.byte()
        guard form <= 1 else { throw WireError.invalid("the form of a want", offset: 0) }
        if form == 1 {
            isPlain = true
            certificatesSent = []
        }
        var count = 0
        while !reader.isAtEnd {
            count += 1
            guard count <= Limits.wantedRanges else { throw WireError.tooLarge("want", limit: Limits.wantedRanges) }
            let id = try logs.read(&reader)
            let (first, last) = (try reader.integer(), try reader.integer())
            guard first >= 1, first <= last else { throw WireError.invalid("a wanted range", offset: reader.offset) }
            guard let log = frontier.index(of: id), first <= frontier.logs[log].lastSequence else { continue }
            plan.add(log: log, first...min(last, frontier.logs[log].lastSequence), isAskedFor: true)
        }
    }
}
