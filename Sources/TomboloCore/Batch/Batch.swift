/// The context of one call of ``Engine/process(_:now:in:)``, which every machine receives as `inout`.
///
/// Machines read the time and the store from it, draw randomness from it, and append effects to it. No machine keeps
/// it.
struct Batch<Crypto: Cryptography> {
    /// The transaction that carries the batch.
    let store: any EventStore
    /// Milliseconds since 1970.
    let now: UInt64
    /// The actions that the caller carries out after the commit, in this order.
    var effects: [EngineEffect] = []
    var generator: any RandomNumberGenerator & Sendable
    // Last, since their sizes depend on the cryptography: the offsets of the fields above do not.
    let cryptography: Crypto
    var identity: Identity<Crypto>

    init(
        in store: any EventStore, now: UInt64, generator: any RandomNumberGenerator & Sendable, cryptography: Crypto,
        identity: Identity<Crypto>
    ) {
        self.store = store
        self.now = now
        self.generator = generator
        self.cryptography = cryptography
        self.identity = identity
    }

    /// Answers a request of the application with an error.
    mutating func fail(_ request: RequestID, _ error: EngineError) { effects.append(.failed(request, error)) }

    /// Answers a request that the device's member has no right to, or that makes no sense.
    ///
    /// - Parameter reason: a sentence for the user, with a way out.
    mutating func refuse(_ request: RequestID, _ reason: String) { fail(request, .notAllowed(reason)) }

    /// Tells the application that a group's change log has grown.
    mutating func noteChanged(_ group: GroupID) {
        if case .changed(group)? = effects.last { return }
        effects.append(.changed(group))
    }

    /// Sends a payload over a session that is open.
    mutating func send(_ payload: Payload, over session: SessionID) {
        guard !payload.isEmpty else { return }
        effects.append(.send(session, payload.encoded))
    }

    /// Sends what concerns one group, in a payload of its own.
    mutating func send(_ sync: GroupSync, over session: SessionID) {
        var payload = Payload()
        payload.groups = [sync]
        send(payload, over: session)
    }
}
