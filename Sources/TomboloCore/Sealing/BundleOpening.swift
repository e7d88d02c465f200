/// The opening of a bundle: the device that writes it, and the key to which an answer encrypts secrets (protocol 6-6).
public struct BundleOpening: Hashable, Sendable {
    public let device: DeviceKey
    /// The time of the device's clock, in milliseconds since 1970.
    public let time: UInt64
    /// An X25519 key that was made for this bundle alone.
    ///
    /// The device forgets its private half once answers have brought the missing secrets. So a later thief of the
    /// device decrypts nothing with it (protocol 6-13, 6-14).
    package let answerKey: Bytes32
    package let signature: [UInt8]

    package init(device: DeviceKey, time: UInt64, answerKey: Bytes32, signature: [UInt8]) {
        (self.device, self.time, self.answerKey, self.signature) = (device, time, answerKey, signature)
    }

    /// The bytes that the device signs, so that nobody obtains an answer in its name (protocol 6-7).
    static func statement(_ group: GroupID, time: UInt64, answerKey: Bytes32) -> [UInt8] {
        var statement = Array("tombolo-opening-1".utf8) + group.bytes
        statement.append(fixed64: time)
        return statement + answerKey.bytes
    }

    package func isValid(in group: GroupID, using cryptography: some Cryptography) -> Bool {
        cryptography.isValid(
            signature[...], over: Self.statement(group, time: time, answerKey: answerKey), by: device.value)
    }

    /// The encoded opening: device key (32) ‖ u64 time ‖ answer key (32) ‖ signature (64).
    package var encoded: [UInt8] {
        var bytes = device.bytes
        bytes.append(fixed64: time)
        return bytes + answerKey.bytes + signature
    }

    package init(reading reader: inout WireReader) throws(WireError) {
        self.init(
            device: DeviceKey(try reader.bytes32()), time: try reader.fixed64(), answerKey: try reader.bytes32(),
            signature: Array(try reader.take(64)))
    }
}
