/// The beginning of a secret that contents are encrypted under (protocol 2.6-11).
package struct Rekey: Hashable, Sendable {
    /// The commitment to the secret.
    package var commitment: Bytes32
    /// The digest of the exclusions that the author knew: it tells whether removed members may know the secret.
    package var exclusions: Bytes32
    /// Where history is not shared: the last events that the author knew of the state logs that contain grants. Members
    /// that joined by later grants are not given the secret.
    package var known: [LogPosition]

    package init(commitment: Bytes32, exclusions: Bytes32, known: [LogPosition] = []) {
        (self.commitment, self.exclusions, self.known) = (commitment, exclusions, known)
    }

    init(reading reader: inout WireReader) throws(WireError) {
        self.init(
            commitment: try reader.bytes32(), exclusions: try reader.bytes32(),
            known: try LogPosition.list(reading: &reader, atMost: Limits.keptLogs))
    }

    var encoded: [UInt8] {
        var buffer = commitment.bytes + exclusions.bytes
        for position in known { buffer.append(position) }
        return buffer
    }

    /// Whether the author knew an event.
    func covers(_ event: EventReference) -> Bool {
        known.contains { $0.log == event.log && event.sequence <= $0.sequence }
    }
}
