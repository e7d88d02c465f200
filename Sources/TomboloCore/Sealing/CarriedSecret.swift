/// A secret in an answer to a bundle, encrypted to the bundle's answer key (protocol 6-9).
public struct CarriedSecret: Hashable, Sendable {
    /// The answer key of the ``BundleOpening``.
    package let answerKey: Bytes32
    /// The rekey event that began the secret.
    package let rekey: EventID
    /// The encrypted parts of the secret.
    package let parts: [[UInt8]]

    package init(answerKey: Bytes32, rekey: EventID, parts: [[UInt8]]) {
        (self.answerKey, self.rekey, self.parts) = (answerKey, rekey, parts)
    }

    /// The encoded secret: answer key (32) ‖ rekey event's id (32) ‖ for each part varint length ‖ part.
    package var encoded: [UInt8] {
        var bytes = answerKey.bytes + rekey.bytes
        for part in parts {
            bytes.append(varint: part.count)
            bytes += part
        }
        return bytes
    }

    package init(decoding bytes: Bytes) throws(WireError) {
        var reader = WireReader(bytes)
        let (answerKey, rekey) = (try reader.bytes32(), EventID(try reader.bytes32()))
        var parts: [[UInt8]] = []
        while !reader.isAtEnd {
            parts.append(Array(try reader.take(try reader.varint(atMost: Limits.payload, "a part of a secret"))))
        }
        self.init(answerKey: answerKey, rekey: rekey, parts: parts)
    }
}
