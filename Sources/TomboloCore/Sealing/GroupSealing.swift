/// What an engine keeps in memory of how a group's contents are sealed (protocol §2.8).
struct GroupSealing: Sendable {
    /// Rekey events whose secrets are here, and proven: they are sealed under.
    var held: Set<EventID>
    /// Those of whose secrets something is here that is not proven.
    var unproven: Set<EventID>
    /// Peers that have handed what is not proven of a secret, since something last came to wait for it: they are not asked again.
    var handers: [EventID: Set<DeviceKey>] = [:]
    /// Those of whose secrets the values key is here and no more.
    var valuesOnly: Set<EventID>
    /// Those begun by somebody to whom this device's member was none, where history is not shared: what is sealed under them is passed over.
    var closed: Set<EventID> = []
    /// Those whose secrets are not held, in the order in which they came, and which of them something waits for.
    var missing: [EventID] = []
    var waitedFor: Set<EventID> = []
    /// Events of this batch that a secret opens which is not proven.
    var readable: Set<EventID> = []
    /// Those of which something has just lost its key with another content of its log, so that it need not wait.
    var keyless: Set<EventID> = []
    /// The secret that was read last.
    var latest: (rekey: EventID, keys: ContentKeys)?
    /// Before when nobody is asked for a missing secret again, in milliseconds since 1970.
    var nextAsk: [EventID: UInt64] = [:]
    /// What shares for a device are sealed to: what it said last.
    var recipients: [DeviceKey: Recipient] = [:]
    /// What shares for this device are to be sealed to; nil until it was made.
    var ownKey: Bytes32?
    /// What this device seals under, as it was chosen last.
    var current: Current?

    /// Whether there is a part of each secret here.
    var hasSomethingOfAll: Bool { missing.allSatisfy { unproven.contains($0) || valuesOnly.contains($0) } }

    struct Recipient: Sendable {
        let member: MemberKey
        /// What the device was admitted by, itself last.
        let devices: [DeviceKey]
        let key: Bytes32
        let place: Seniority
    }

    struct Current: Sendable {
        let rekey: EventReference
        /// When it was begun, by its author's clock.
        let timestamp: Int64
        /// How many state events there were when it was chosen.
        let states: Int
        var keys: ContentKeys
    }
}
