/// The chain of signatures that makes a device a member's (protocol 2.2-3).
///
/// The member's key admits the first device. Each device admits the next one. The member's key signs once and is then
/// discarded, so a thief of any device does not obtain its power.
public struct DeviceAdmission: Hashable, Sendable {
    /// The devices from the member's first to the admitted one, at most ``Limits/admissions``.
    public let devices: [DeviceKey]
    /// The signature by which each device was admitted: the first by the member's key, each other by the device before.
    let signatures: [[UInt8]]

    /// The admitted device.
    public var device: DeviceKey { devices[devices.count - 1] }

    static let signatureLength = 64

    /// The admission of a member's first device.
    package init(of device: DeviceKey, signature: [UInt8]) {
        devices = [device]
        signatures = [signature]
    }

    /// The admission of a further device by this one.
    package func admitting(_ device: DeviceKey, signature: [UInt8]) -> DeviceAdmission {
        DeviceAdmission(devices: devices + [device], signatures: signatures + [signature])
    }

    private init(devices: [DeviceKey], signatures: [[UInt8]]) {
        self.devices = devices
        self.signatures = signatures
    }

    /// Decodes what ``encoded`` makes.
    ///
    /// - Parameters:
    ///   - bytes: the admitted device's signature, then the devices before it with theirs, to the end.
    ///   - device: the admitted device, which the bytes do not name.
    /// - Throws: `WireError` if the bytes are cut, name more than ``Limits/admissions`` devices, or name one twice.
    package init(decoding bytes: Bytes, of device: DeviceKey) throws(WireError) {
        var reader = WireReader(bytes)
        var devices = [device]
        var signatures = [Array(try reader.take(Self.signatureLength))]
        while !reader.isAtEnd {
            guard devices.count < Limits.admissions else { throw .tooLarge("admissions", limit: Limits.admissions) }
            devices.append(DeviceKey(try reader.bytes32()))
            signatures.append(Array(try reader.take(Self.signatureLength)))
        }
        guard Set(devices).count == devices.count else { throw .invalid("a device that admits itself", offset: 0) }
        self.init(devices: devices.reversed(), signatures: signatures.reversed())
    }

    /// The signature over the admitted device. The devices before it follow, the nearest first: device (32) ‖ signature
    /// (64).
    package var encoded: [UInt8] { (signatures.last ?? []) + encodedPredecessors }

    var encodedPredecessors: [UInt8] {
        zip(devices, signatures).dropLast().reversed().flatMap { $0.bytes + $1 }
    }

    /// Whether all signatures are valid.
    package func isValid(of member: MemberKey, using cryptography: some Cryptography) -> Bool {
        var key = member.value
        for (device, signature) in zip(devices, signatures) {
            let statement = Self.statement(member: member, device: device)
            guard cryptography.isValid(signature[...], over: statement, by: key) else { return false }
            key = device.value
        }
        return true
    }

    /// The bytes that an admitting key signs (protocol 2.2-3).
    package static func statement(member: MemberKey, device: DeviceKey) -> [UInt8] {
        Array("tombolo-device-1".utf8) + member.bytes + device.bytes
    }
}
