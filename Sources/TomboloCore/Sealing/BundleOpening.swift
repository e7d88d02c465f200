/// What a bundle begins with: who has written it, and what secrets for that device are to be sealed to in an answer (protocol §6).
public struct BundleOpening: Hashable, Sendable {
    public let device: DeviceKey
    /// By the device's clock, in milliseconds since 1970.
    public let time: UInt64
    /// Made for this bundle alone, and forgotten once answers have brought what was lacking: who takes the device later opens none with it.
    package let answerKey: Bytes32
    package let signature: [UInt8]

    package init(device: DeviceKey, time: UInt64, answerKey: Bytes32, signature: [UInt8]) {
        (self.device, self.time, self.answerKey, self.signature) = (device, time, answerKey, signature)
    }

    /// What the device signs: nobody else is to be answered in its name.
    static func statement(_ group: GroupID, time: UInt64, answerKey: Bytes32) -> [UInt8] {
        var statement = Array("tombolo-opening-1".utf8) + group.bytes
        statement.append(fixed64: time)
        return statement + answerKey.bytes
    }

    package func isValid(in group: GroupID, using cryptography: some Cryptography) -> Bool {
        cryptography.isValid(
            signature[...], over: Self.statement(group, time: time, answerKey: answerKey), by: device.value)
    }

    /// device key (32) ‖ u64 time ‖ answer key (32) ‖ signature (64).
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
