/// The secrets of a group with encrypted contents: which of them the store has, and which are missing (protocol 2.8).
///
/// The secrets themselves are in the store.
///
/// A secret is named by the rekey event that begins it. It is *proven* if it is what the rekey event commits to; a
/// secret of which parts were erased cannot be proven any more.
struct GroupSecrets: Sendable {
    /// Rekey events with a proven secret in the store. This device encrypts under them.
    var held: Set<EventID>
    /// Rekey events of which the store has a secret that is not proven.
    var unproven: Set<EventID>
    /// For each such rekey event, the peers that have sent its unproven secret since an event last began to wait for
    /// it. They are not asked again.
    var contributors: [EventID: Set<DeviceKey>] = [:]
    /// Rekey events of which the store has the values key alone.
    var valuesOnly: Set<EventID>
    /// Rekey events with a secret that is closed to this device's member, which joined later (protocol 2.8-15).
    var closed: Set<EventID> = []
    /// The number of role changes of this device's member by which ``closed`` was found last.
    var reviewed = 0
    /// Rekey events whose secrets are not held, in the order in which they came, and those that an event waits for.
    var missing: [EventID] = []
    var waitedFor: Set<EventID> = []
    /// Events of this batch that an unproven secret opens.
    var readable: Set<EventID> = []
    /// Rekey events under which the key of an event was just punctured with another content at the same place of its
    /// log.
    var keyless: Set<EventID> = []
    /// The keys of the secret that was read last.
    var latest: (rekey: EventID, keys: ContentKeys)?
    /// When a missing secret may be requested from a further peer, in milliseconds since 1970.
    var nextRequest: [EventID: UInt64] = [:]
    /// The key that each device last stated for secrets that are sealed to it.
    var recipients: [DeviceKey: Recipient] = [:]
    /// The key for secrets that are sealed to this device; nil until it was made.
    var ownKey: Bytes32?
    /// The secret that this device seals under, as it was chosen last.
    var current: Current?
    /// Secrets that came before their rekey events, by the sessions that they came over.
    var early = EarlySecrets()

    /// A device that secrets may be sealed to.
    struct Recipient: Sendable {
        let member: MemberKey
        /// The devices that admitted it, itself last.
        let devices: [DeviceKey]
        let key: Bytes32
        let place: Seniority
    }

    struct Current: Sendable {
        let rekey: EventReference
        /// When the secret was begun, by its author's clock.
        let timestamp: Int64
        /// The number of state events when it was chosen.
        let states: Int
        var keys: ContentKeys
    }

    /// Reads from the store the secrets that it has, and from the state those that exist.
    init(
        opening record: GroupRecord, state: StateGraph, frontier: Frontier, for member: MemberKey,
        in store: any EventStore
    ) throws(StoreError) {
        let stored = Dictionary(grouping: try store.secrets(inGroup: record.reference)) { $0.extent }
        func rekeys(_ extent: SecretExtent) -> Set<EventID> { Set((stored[extent] ?? []).map(\.rekey)) }
        held = rekeys(.proven)
        unproven = rekeys(.unproven)
        valuesOnly = rekeys(.values)
        for node in state.nodes { note(node, of: frontier) }
        closed = Set(state.rekeyEvents.filter { !state.isOpen($0, to: member) })
        let whole = closed.intersection(valuesOnly)
        missing.removeAll { whole.contains($0) }
    }

    /// Whether the store has a part of each secret.
    var hasSomethingOfAll: Bool { missing.allSatisfy { unproven.contains($0) || valuesOnly.contains($0) } }

    /// Notes a state event: a rekey event begins a secret, and a device event states a key.
    mutating func note(_ node: StateNode, of frontier: Frontier) {
        switch node.action {
        case .rekey:
            if !held.contains(node.reference.id) { missing.append(node.reference.id) }
        case .device(let key):
            guard let log = frontier.index(of: node.reference.log),
                let admission = frontier.logs[log].certificate?.admission
            else { return }
            let device = admission.device
            let place = Seniority(lamport: node.reference.lamport, id: node.reference.id)
            if let known = recipients[device], known.place > place { return }
            recipients[device] = Recipient(
                member: node.author, devices: admission.devices, key: key, place: place)
        default: break
        }
    }

    /// Notes that a secret is stored now.
    mutating func note(stored extent: SecretExtent, of rekey: EventID) {
        if latest?.rekey == rekey { latest = nil }
        valuesOnly.remove(rekey)
        switch extent {
        case .values:
            valuesOnly.insert(rekey)
            // There is nothing more to have.
            if closed.contains(rekey) { missing.removeAll { $0 == rekey } }
        case .unproven: unproven.insert(rekey)
        case .proven:
            unproven.remove(rekey)
            waitedFor.remove(rekey)
            contributors[rekey] = nil
            held.insert(rekey)
            missing.removeAll { $0 == rekey }
            nextRequest[rekey] = nil
        }
    }

    mutating func takeKeyless() -> Set<EventID> {
        defer { keyless = [] }
        return keyless
    }
}

/// Secrets that came before their rekey events, which say whether they are right. Each session has a share of its own.
struct EarlySecrets: Sendable {
    private var sessions = SessionTable<[EventID: RekeySecret]>()

    /// Keeps a secret, unless the session has used up its share.
    mutating func insert(_ secret: RekeySecret, of rekey: EventID, from session: SessionID) {
        if sessions.index(of: session) == nil { sessions.insert([:], for: session) }
        guard let index = sessions.index(of: session), sessions.values[index].count < Limits.earlySecrets else {
            return
        }
        sessions.values[index][rekey] = secret
    }

    /// Removes and returns all candidates for a secret, in the order of the sessions.
    mutating func remove(_ rekey: EventID) -> [RekeySecret] {
        sessions.indices.compactMap { sessions.values[$0].removeValue(forKey: rekey) }
    }

    mutating func remove(from session: SessionID) { sessions.remove(session) }
}
