/// Milliseconds after the last event before two sides that are both done compare roots again.
enum SettleDelay {
    static let milliseconds: UInt64 = 1_000
}

/// Compares roots with a peer, and tells it once everything was sent where one of the two sends nothing.
struct RootExchange: Sendable {
    private(set) var lastSent: Bytes32?
    /// The frontier's count of changes when it was last compared with ``lastSent``, and was the same.
    private var comparedChanges: UInt64?
    private(set) var peerRoot: ShownRoot?
    /// Whether the peer has sent anything of the group since this side's root was sent.
    private(set) var hasHeardSince = false
    /// The number of times that this side's root was sent again since the peer last sent anything.
    private var probes = 0
    /// The root of the latest agreement in this session.
    private(set) var agreed: Bytes32?
    /// Whole exchanges that were made because roots differed in the end, since the last agreement.
    private(set) var repairs = 0
    private var settleDeadline: UInt64?
    private var mismatchDeadline: UInt64?

    // Where one of the two sends nothing (protocol 5.10-3):
    /// Whether the peer has reported that it has sent everything.
    private var peerHasSentAll = false
    /// Whether this side has reported the same, and whether the application was informed.
    private var hasSentAll = false
    private var hasToldExchanged = false

    func peerShows(_ root: Bytes32, on link: PeerLink, using cryptography: some Cryptography) -> Bool {
        peerRoot?.shows(root, on: link, using: cryptography) == true
    }

    // MARK: Receiving

    mutating func noteIntroduction(_ root: ShownRoot) { peerRoot = root }

    /// Receives a root of the peer. The same root again asks for this side's.
    mutating func receive(_ root: ShownRoot, at now: UInt64) {
        let isProbing = probes > 0
        if !isProbing, peerRoot == root {
            lastSent = nil
            comparedChanges = nil
            settleDeadline = now
        }
        peerRoot = root
        probes = 0
        mismatchDeadline = isProbing ? now : nil
    }

    mutating func noteHeard() { hasHeardSince = true }
    mutating func notePeerHasSentAll() { peerHasSentAll = true }
    /// Notes that events came: the roots may be equal soon.
    mutating func noteWindow() { mismatchDeadline = nil }
    mutating func noteProgress() { repairs = 0 }

    // MARK: Sending

    mutating func noteSent(_ root: Bytes32, changes: UInt64) {
        lastSent = root
        comparedChanges = changes
    }

    /// Tells the peer this side's root: at once after an exchange; while people talk, a second after the last event.
    ///
    /// - Returns: when it is time, if the peer does not know the root yet.
    mutating func send(
        _ replica: inout Replica, isLive: Bool, number: Int, over link: PeerLink,
        in batch: inout Batch<some Cryptography>
    ) -> UInt64? {
        guard comparedChanges != replica.frontier.changes else { return nil }
        mismatchDeadline = nil
        if isLive {
            let deadline = settleDeadline ?? batch.now + SettleDelay.milliseconds
            if batch.now < deadline {
                settleDeadline = deadline
                return deadline
            }
        }
        settleDeadline = nil
        let root = replica.root(using: batch.cryptography)
        comparedChanges = replica.frontier.changes
        if lastSent != root { send(root, number: number, over: link, in: &batch) }
        return nil
    }

    private mutating func send(
        _ root: Bytes32, number: Int, over link: PeerLink, in batch: inout Batch<some Cryptography>
    ) {
        lastSent = root
        hasHeardSince = false
        var sync = GroupSync(number: number)
        sync.root = ShownRoot(root, on: link, using: batch.cryptography)
        batch.send(sync, over: link.session)
    }

    // MARK: Settling

    /// Notes that both sides know the same.
    mutating func noteAgreed(_ root: Bytes32) {
        agreed = root
        settleDeadline = nil
        mismatchDeadline = nil
        repairs = 0
    }

    /// The next step while roots differ although both sides are done.
    enum Step {
        case wait(until: UInt64)
        /// Send the whole frontier again with whole ids, and compare roots again at this time.
        case repair(next: UInt64)
    }

    /// The next step while roots differ: after a while a repair. Each time that a repair does not help, the next wait
    /// is longer.
    mutating func nextRepair(
        number: Int, over link: PeerLink, in batch: inout Batch<some Cryptography>
    ) -> Step {
        let deadline = mismatchDeadline ?? batch.now + RepairDelay.milliseconds(afterRepairs: repairs)
        guard batch.now >= deadline else {
            mismatchDeadline = deadline
            return .wait(until: deadline)
        }
        guard hasHeardSince else { return .wait(until: probe(number: number, over: link, in: &batch)) }
        repairs += 1
        let next = batch.now + RepairDelay.milliseconds(afterRepairs: repairs)
        mismatchDeadline = next
        hasHeardSince = false
        return .repair(next: next)
    }

    /// Sends this side's root again (protocol 5-21).
    ///
    /// If nothing has arrived since it was sent, the peer has more likely gone unnoticed than come to differ. A peer
    /// that is still connected answers with its own root.
    ///
    /// - Returns: when to look again.
    private mutating func probe(
        number: Int, over link: PeerLink, in batch: inout Batch<some Cryptography>
    ) -> UInt64 {
        probes += 1
        let next = batch.now + RepairDelay.milliseconds(afterRepairs: probes)
        mismatchDeadline = next
        if let root = lastSent { send(root, number: number, over: link, in: &batch) }
        return next
    }

    /// Ends the exchange where one of the two sides sends nothing, in place of comparing roots (protocol 5.10-3).
    ///
    /// It reports once to the peer that everything was sent, or that nothing more is requested.
    ///
    /// - Parameter mayEnd: whether nothing is requested or awaited.
    /// - Returns: whether both sides have reported this, the first time.
    mutating func settleOneSided(
        _ policy: SendPolicy, mayEnd: Bool, number: Int, over link: PeerLink, in batch: inout Batch<some Cryptography>
    ) -> Bool {
        // Events that come may lead to requests.
        let hasCome = policy.sends || policy.isPeerSilent || peerHasSentAll
        if !hasSentAll, hasCome, mayEnd {
            hasSentAll = true
            var sync = GroupSync(number: number)
            sync.hasSentAll = true
            batch.send(sync, over: link.session)
        }
        guard hasSentAll, peerHasSentAll, !hasToldExchanged else { return false }
        hasToldExchanged = true
        return true
    }
}
