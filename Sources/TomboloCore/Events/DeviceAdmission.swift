/// How a device came to be a member's: the member's key admitted the first one, each of the next was admitted by the one before
/// (protocol §2.2).
///
/// The member's key signs once and is then thrown away: what it could do, no device that is stolen can.
public struct DeviceAdmission: Hashable, Sendable {
    /// From the member's first device to the one in question, at most ``Limits/admissions``.
    public let devices: [DeviceKey]
    /// For each of them the signature of who admitted it.
    let signatures: [[UInt8]]

    /// The device in question.
    public var device: DeviceKey { devices[devices.count - 1] }

    static let signatureLength = 64

    /// A member's first device.
    package init(of device: DeviceKey, signature: [UInt8]) {
        devices = [device]
        signatures = [signature]
    }

    /// The admission of a device by the one in question.
    package func admitting(_ device: DeviceKey, signature: [UInt8]) -> DeviceAdmission {
        DeviceAdmission(devices: devices + [device], signatures: signatures + [signature])
    }

    private init(devices: [DeviceKey], signatures: [[UInt8]]) {
        self.devices = devices
        self.signatures = signatures
    }

    /// - Parameters:
    ///   - bytes: the signature, and what is below, to the end.
    ///   - device: the device in question, which the bytes do not name.
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

    /// The signature over the device in question, then for each that comes before it, the nearest first: device (32) ‖ signature (64).
    package var encoded: [UInt8] { (signatures.last ?? []) + encodedPredecessors }

    var encodedPredecessors: [UInt8] {
        zip(devices, signatures).dropLast().reversed().flatMap { $0.bytes + $1 }
    }

    /// Whether all signatures stand.
    package func isValid(of member: MemberKey, using cryptography: some Cryptography) -> Bool {
        var key = member.value
        for (device, signature) in zip(devices, signatures) {
            let statement = Self.statement(member: member, device: device)
            guard cryptography.isValid(signature[...], over: statement, by: key) else { return false }
            key = device.value
        }
        return true
    }

    /// What is signed to admit a device.
    package static func statement(member: MemberKey, device: DeviceKey) -> [UInt8] {
        Array("tombolo-device-1".utf8) + member.bytes + device.bytes
    }
}
