/// Requests missing secrets from a peer, and shares secrets with it (protocol 5.7).
struct SecretExchange: Sendable {
    /// Rekey events whose secrets the peer was asked for.
    private var asked: Set<EventID> = []
    /// Rekey events of these requests that the peer has not answered.
    private var awaited: Set<EventID> = []
    /// The time until which this device waits for answers, in milliseconds since 1970.
    private var deadline: UInt64 = 0
    /// The number of times that no answer came.
    private var unanswered = 0
    /// When the peer is asked for secrets that another one was asked for, in milliseconds since 1970.
    private(set) var nextRequest: UInt64?
    /// Rekey events whose secrets the peer has requested and was not sent.
    private(set) var wanted: Set<EventID> = []
    /// Rekey events whose secrets the peer was sent in this session.
    private var given: Set<EventID> = []
    /// Rekey events whose secrets this device has declined to send now.
    private var declined: Set<EventID> = []
    /// A secret of which further parts follow.
    private var partial: (rekey: EventID, secret: RekeySecret)?

    /// Secrets that one payload asks for.
    private static let atOnce = 256
    /// 2 s, doubled so often, before a request is repeated: 32 s.
    private static let patienceDoublings = 4
    /// Milliseconds before another peer is asked for what one was asked for.
    private static let patience: UInt64 = 1_000

    var isAwaiting: Bool { !awaited.isEmpty }

    // MARK: Requesting

    /// Requests missing secrets: from one peer at a time, and each once in a session.
    ///
    /// - Parameter requests: whether this side may ask the peer for something.
    mutating func request(
        _ replica: inout Replica, requests: Bool, number: Int, over link: PeerLink,
        in batch: inout Batch<some Cryptography>
    ) {
        nextRequest = nil
        repeatRequest(&replica, at: batch.now)
        guard let secrets = replica.secrets, !secrets.missing.isEmpty,
            replica.hasStatedKey(of: batch.identity.device), requests
        else { return }
        let wasAwaiting = isAwaiting
        var wanted: [UInt8] = []
        // The latest: a member that begins secrets without end must not keep others from agreeing.
        let latest = secrets.missing.suffix(Self.atOnce)
        let waitedFor = secrets.waitedFor.subtracting(latest).sorted().prefix(Limits.wantedSecrets / 2)
        for rekey in latest + waitedFor where !asked.contains(rekey) {
            if secrets.contributors[rekey]?.contains(link.peer) == true { continue }
            guard wanted.count < 32 * Self.atOnce, asked.count < Limits.wantedSecrets else { break }
            let time = secrets.nextRequest[rekey] ?? 0
            guard batch.now >= time else {
                nextRequest = min(nextRequest ?? time, time)
                continue
            }
            replica.secrets?.nextRequest[rekey] = batch.now + Self.patience
            asked.insert(rekey)
            awaited.insert(rekey)
            wanted += rekey.bytes
        }
        guard !wanted.isEmpty else { return }
        let deadline =
            batch.now + RepairDelay.milliseconds(afterRepairs: Self.patienceDoublings + unanswered)
        if !wasAwaiting { self.deadline = deadline }
        nextRequest = min(nextRequest ?? deadline, deadline)
        var sync = GroupSync(number: number)
        sync.secretsWanted = wanted[...]
        batch.send(sync, over: link.session)
    }

    /// Allows a request to be repeated that the peer has not answered for 32 s, each time after twice as long: the peer
    /// may never have received it.
    private mutating func repeatRequest(_ replica: inout Replica, at now: UInt64) {
        guard isAwaiting else { return }
        guard now >= deadline else { return nextRequest = deadline }
        let awaited = awaited
        self.awaited = []
        asked.subtract(awaited)
        unanswered += 1
        replica.requestElsewhere(awaited)
    }

    /// Lets other peers be asked for what this peer has not answered.
    func close(_ replica: inout Replica) { replica.requestElsewhere(awaited) }

    /// Receives a part of a secret, or the peer's answer that it does not send one.
    mutating func receive(
        _ bytes: Bytes, _ replica: inout Replica, over link: PeerLink, in batch: inout Batch<some Cryptography>
    ) throws {
        var reader = WireReader(bytes)
        let rekey = EventID(try reader.bytes32())
        if reader.isAtEnd {
            awaited.remove(rekey)
            return replica.requestElsewhere([rekey])
        }
        guard replica.secrets?.held.contains(rekey) == false else {
            // Another peer was faster.
            awaited.remove(rekey)
            return
        }
        let part = try replica.openShare(
            reader.rest(), of: rekey, seed: batch.sharingSeed(of: replica.id), using: batch.cryptography)
        let begun = partial.take().flatMap { $0.rekey == rekey ? $0.secret : nil }
        // A secret that was punctured is received only if it was requested, even if the peer had declined at first.
        let isAsked = asked.contains(rekey)
        guard isAsked || begun != nil || part.isOnlyPart else { return }
        let secret = try RekeySecret(part, after: begun, using: batch.cryptography)
        guard isAsked || secret.extent != .unproven else { return }
        guard part.isLast else {
            partial = (rekey, secret)
            return
        }
        awaited.remove(rekey)
        try replica.receive(secret, of: rekey, from: link.peer, over: link.session, in: &batch)
    }

    // MARK: Handing over

    /// Receives a request for secrets. Each is sent once in a session. Requests beyond a bound are ignored.
    mutating func receive(wanted bytes: Bytes) throws(WireError) {
        var reader = WireReader(bytes)
        while !reader.isAtEnd {
            let rekey = EventID(try reader.bytes32())
            guard wanted.count < Limits.wantedSecrets, !given.contains(rekey) else { continue }
            wanted.insert(rekey)
            // A peer that asks again has not heard that it was declined.
            declined.remove(rekey)
        }
    }

    /// Sends requested secrets, as soon as the store has them and the peer is known to be a member's device.
    mutating func answer(
        to recipient: GroupSecrets.Recipient, _ replica: inout Replica, number: Int, over link: PeerLink,
        in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        guard let secrets = replica.secrets else { return }
        // An unproven secret decrypts the same contents on the peer. No device that had it whole may be left.
        var here = secrets.held.union(secrets.unproven)
        // A values key alone is sent to members that must have no more.
        for rekey in wanted.intersection(secrets.valuesOnly)
        where !replica.state.isOpen(rekey, to: recipient.member) { here.insert(rekey) }
        let ready = wanted.sorted().filter { here.contains($0) }
        wanted.subtract(here)
        declined.subtract(here)
        for rekey in ready {
            guard let secret = try replica.secret(of: rekey, in: batch.store) else { continue }
            given.insert(rekey)
            Self.send(secret, of: rekey, to: recipient, &replica, number: number, over: link, in: &batch)
        }
    }

    /// Sends the secrets of rekey events that are about to be sent, so that contents encrypted under them need not
    /// wait.
    func send(
        secretsOf window: Window, to recipient: GroupSecrets.Recipient, _ replica: inout Replica, number: Int,
        over link: PeerLink, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        for planned in window.events where planned.event.kind == .rekey {
            // A secret that was punctured is received only by a peer that has requested it.
            guard replica.secrets?.held.contains(planned.event.id) == true,
                let secret = try replica.secret(of: planned.event.id, in: batch.store),
                secret.contents.first?.root != nil
            else { continue }
            Self.send(secret, of: planned.event.id, to: recipient, &replica, number: number, over: link, in: &batch)
        }
    }

    private static func send(
        _ secret: RekeySecret, of rekey: EventID, to recipient: GroupSecrets.Recipient, _ replica: inout Replica,
        number: Int, over link: PeerLink, in batch: inout Batch<some Cryptography>
    ) {
        let parts = replica.seal(
            secret, of: rekey, to: recipient.member, key: recipient.key, using: batch.cryptography)
        for part in parts {
            var sync = GroupSync(number: number)
            sync.share = (rekey.bytes + part)[...]
            batch.send(sync, over: link.session)
        }
    }

    /// Declines the secrets that this device cannot send, once it has received everything that the peer has sent. The
    /// peer may ask others.
    mutating func decline(number: Int, over link: PeerLink, in batch: inout Batch<some Cryptography>) {
        for rekey in wanted.sorted() where declined.insert(rekey).inserted {
            var sync = GroupSync(number: number)
            sync.share = rekey.bytes[...]
            batch.send(sync, over: link.session)
        }
    }
}
