/// A secret on its way to a device in something that is carried by hand: sealed to that device, as a peer would hand it over (protocol §6).
public struct CarriedSecret: Hashable, Sendable {
    public let device: DeviceKey
    /// The rekey event that began it.
    package let rekey: EventID
    /// Sealed.
    package let parts: [[UInt8]]

    package init(device: DeviceKey, rekey: EventID, parts: [[UInt8]]) {
        (self.device, self.rekey, self.parts) = (device, rekey, parts)
    }

    /// device key (32) ‖ rekey event's id (32) ‖ for each part varint length ‖ part.
    package var encoded: [UInt8] {
        var bytes = device.bytes + rekey.bytes
        for part in parts {
            bytes.append(varint: part.count)
            bytes += part
        }
        return bytes
    }

    package init(decoding bytes: Bytes) throws(WireError) {
        var reader = WireReader(bytes)
        let (device, rekey) = (DeviceKey(try reader.bytes32()), EventID(try reader.bytes32()))
        var parts: [[UInt8]] = []
        while !reader.isAtEnd {
            parts.append(Array(try reader.take(try reader.varint(atMost: Limits.payload, "a part of a secret"))))
        }
        self.init(device: device, rekey: rekey, parts: parts)
    }
}
