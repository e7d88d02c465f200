/// What an engine keeps in memory of how a group's contents are sealed (protocol §2.8).
struct GroupSealing: Sendable {
    /// Rekey events whose secrets are here, and proven: they are sealed under.
    var held: Set<EventID>
    /// Those of whose secrets something is here that is not proven.
    var unproven: Set<EventID>
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

/// A secret, or a part of one, as it is handed to a device (protocol §2.8).
package enum SecretShare {
    /// What shares of a secret are sealed for.
    package static func info(_ rekey: EventID, in group: GroupID) -> [UInt8] {
        Array("tombolo-share-1".utf8) + group.bytes + rekey.bytes
    }

    /// SHA-256("tombolo-rekey-1" ‖ secret), which the rekey event says.
    package static func commitment(to secret: Bytes32, using cryptography: some Cryptography) -> Bytes32 {
        cryptography.sha256(Array("tombolo-rekey-1".utf8) + secret.bytes)
    }

    /// For each part u8 1 if it is the last one, else 0 ‖ nodes.
    package static func parts(of key: PuncturableKey) -> [[UInt8]] {
        stride(from: 0, to: key.nodes.count, by: Limits.shareNodes).map { first in
            let end = min(first + Limits.shareNodes, key.nodes.count)
            return [end == key.nodes.count ? 1 : 0] + PuncturableKey.encode(key.nodes[first..<end])
        }
    }
}
