/// Requests missing contents from a peer: of events that wait for them, and of events whose contents this device has
/// dropped and wants back (protocol 2.7-7, 2.10-5).
struct ContentExchange: Sendable {
    /// The Lamport time up to which the peer does not keep all contents.
    private(set) var peerHorizon: UInt64 = 0
    /// The Lamport time up to which this device does not keep all contents, as it has last stated.
    private var sentHorizon: UInt64 = 0
    /// Waiting events whose contents the peer was asked for.
    private var asked: Set<EventID> = []
    /// The events of the last request that the peer has not sent, with or without contents.
    private var awaited: Set<EventID> = []
    /// The time until which this device waits for them.
    private var deadline: UInt64 = 0
    /// The number of noted events when all of them were asked for.
    private var askedCount = 0
    private var restoration = Restoration()

    /// Milliseconds after which this device does not wait for requested contents.
    private static let patience: UInt64 = 10_000

    /// The progress of a session in bringing back dropped contents.
    private struct Restoration: Sendable {
        /// The state when it began.
        var asking = KeptContents.Asked()
        /// The last event that was looked at.
        var after: Int64 = 0
        /// Events that the peer was asked for and has not sent.
        var awaited: Set<EventID> = []
        var deadline: UInt64 = 0
        /// The highest Lamport time of an event that came without its content again; 0 for none.
        var left: UInt64 = 0
        /// Whether the peer has not answered in time. It is not asked again in this session.
        var isGivenUp = false
    }

    @inline(__always) var isAwaiting: Bool { !awaited.isEmpty || !restoration.awaited.isEmpty }

    // MARK: Horizons

    mutating func noteIntroduction(horizon: UInt64) { peerHorizon = horizon }
    mutating func noteHorizonSent(_ horizon: UInt64) { sentHorizon = horizon }

    mutating func receive(horizon: UInt64) {
        if horizon > peerHorizon {
            // The peer may no longer keep what it withheld.
            asked = []
            askedCount = 0
        }
        peerHorizon = horizon
    }

    /// Sends the peer this device's horizon, where it has changed (protocol 2.10-2).
    mutating func sendHorizon(
        _ horizon: UInt64, number: Int, over link: PeerLink, in batch: inout Batch<some Cryptography>
    ) {
        guard sentHorizon != horizon else { return }
        sentHorizon = horizon
        var sync = GroupSync(number: number)
        sync.horizon = horizon
        batch.send(sync, over: link.session)
    }

    // MARK: Contents of waiting events

    /// Waits for requested contents.
    ///
    /// - Returns: when this side waits no longer; nil if it waits for none.
    mutating func awaitedUntil(at now: UInt64) -> UInt64? {
        guard !awaited.isEmpty else { return nil }
        if now < deadline { return deadline }
        awaited = []
        return nil
    }

    /// The waiting events whose contents the peer is to be asked for, once in a session.
    mutating func nextWaiting(_ replica: Replica, at now: UInt64) -> [EventReference] {
        guard replica.contentlessNoted > askedCount else { return [] }
        let known = asked.filter { replica.contentless[$0] != nil }
        let left = replica.contentless.values.filter { !known.contains($0.id) }.sorted {
            ($0.log, $0.sequence, $0.id) < ($1.log, $1.sequence, $1.id)
        }
        let wanted = left.prefix(Limits.wantedRanges)
        if left.count == wanted.count { askedCount = replica.contentlessNoted }
        guard !wanted.isEmpty else { return [] }
        asked = known.union(wanted.map(\.id))
        awaited = Set(wanted.map(\.id))
        deadline = now + Self.patience
        return Array(wanted)
    }

    /// When this side stops waiting for the request that was made last.
    var requestDeadline: UInt64 { deadline }

    // MARK: Dropped contents

    /// The next step in bringing back dropped contents.
    enum Step {
        case nothing
        case wait(until: UInt64)
        case request([StoredHeader])
    }

    /// The next step of bringing back dropped contents from a peer that knows the same. One peer is asked at a time.
    mutating func nextDropped(
        _ replica: inout Replica, requests: Bool, over link: PeerLink, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) -> Step {
        let kept = replica.kept
        let asking = KeptContents.Asked(theirs: peerHorizon, missed: kept.missed)
        guard kept.retention == .everything, kept.horizon > 0, requests else { return .nothing }
        if let asked = kept.asked[link.peer], asked.missed == asking.missed, asked.theirs <= asking.theirs {
            return .nothing
        }
        defer { tell(&replica, over: link) }
        if restoration.asking != asking { restoration = Restoration(asking: asking) }
        guard !restoration.isGivenUp else { return .nothing }
        if !restoration.awaited.isEmpty {
            guard batch.now >= restoration.deadline else { return .wait(until: restoration.deadline) }
            // Another time, perhaps.
            restoration = Restoration(asking: asking, isGivenUp: true)
            return .nothing
        }
        if let busy = replica.restoration, busy.session != link.session {
            return .wait(until: max(batch.now + SettleDelay.milliseconds, busy.deadline))
        }
        while true {
            guard
                let (events, last) = try replica.nextDropped(
                    after: restoration.after, now: batch.now, in: batch.store)
            else {
                replica.noteRestored(from: link.peer, asking, left: restoration.left)
                return .nothing
            }
            restoration.after = last
            restoration.awaited = Set(events.map(\.id))
            restoration.deadline = batch.now + Self.patience
            if !events.isEmpty { return .request(events) }
        }
    }

    /// Lets other sessions know whether this one is bringing contents back.
    private func tell(_ replica: inout Replica, over link: PeerLink) {
        replica.noteRestoration(
            over: link.session, until: restoration.awaited.isEmpty ? nil : restoration.deadline)
    }

    /// Notes the events that a peer has sent, with or without their contents.
    mutating func noteReceived(
        _ window: [Event], _ replica: inout Replica, over link: PeerLink, at now: UInt64
    ) {
        awaited.subtract(window.lazy.map(\.id))
        guard !restoration.awaited.isEmpty else { return }
        for event in window where restoration.awaited.remove(event.id) != nil {
            restoration.deadline = now + Self.patience
            guard event.content == nil, let log = replica.index(of: event),
                !replica.isGone(event.reference, event.header, log: log, now: now)
            else { continue }
            restoration.left = max(restoration.left, event.header.lamport)
        }
        tell(&replica, over: link)
    }
}
