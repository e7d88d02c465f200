/// A statement that one of a member's devices is removed, signed by another device of the member or by the removed one.
///
/// It is valid in every group in which any member posts it (protocol 2.6-24 to 2.6-27).
public struct DeviceRemoval: Hashable, Sendable {
    public let member: MemberKey
    /// The removed device. Devices that were admitted by way of it are removed too, unless they remain
    /// (protocol 2.6-26).
    public let device: DeviceKey
    /// Devices that remain although they were admitted by way of the removed one. Ascending, at most
    /// ``Limits/remainingDevices``.
    public let remaining: [DeviceKey]
    /// The last events that are kept of the removed devices' logs, in all groups: those that the signer had seen.
    package let kept: [LogPosition]
    /// The admission of the device that signed the removal.
    public let signer: DeviceAdmission
    let signature: [UInt8]

    /// Makes and signs a removal.
    package init<Crypto: Cryptography>(
        of device: DeviceKey, of member: MemberKey, remaining: [DeviceKey], kept: [LogPosition],
        by signer: DeviceAdmission, signedBy key: Crypto.SigningKey, using cryptography: Crypto
    ) {
        let statement = Self.statement(member, device, signer.device, remaining, kept)
        self.init(
            of: device, of: member, remaining: remaining, kept: kept, by: signer,
            signature: cryptography.sign(statement, with: key))
    }

    private init(
        of device: DeviceKey, of member: MemberKey, remaining: [DeviceKey], kept: [LogPosition],
        by signer: DeviceAdmission, signature: [UInt8]
    ) {
        self.device = device
        self.member = member
        self.remaining = remaining
        self.kept = kept
        self.signer = signer
        self.signature = signature
    }

    /// Whether the removal covers a device of the member (protocol 2.6-26).
    ///
    /// - Parameter devices: the devices by which the device was admitted, itself last.
    package func covers(_ devices: [DeviceKey], of member: MemberKey) -> Bool {
        member == self.member && Self.covers(devices, removing: device, remaining: remaining)
    }

    /// Whether a device is the removed one, or was admitted by way of it and does not remain.
    static func covers(_ devices: [DeviceKey], removing device: DeviceKey, remaining: [DeviceKey]) -> Bool {
        guard let place = devices.firstIndex(of: device) else { return false }
        return !devices[(place + 1)...].contains(where: remaining.contains)
    }

    /// The last events that are kept of a log, one for each branch; none if nothing of the log is kept.
    func kept(ofLog log: LogID) -> [LogPosition] { kept.filter { $0.log == log } }

    /// Whether the signature and all admissions of the signer are valid.
    public func isValid(using cryptography: some Cryptography) -> Bool {
        signer.isValid(of: member, using: cryptography)
            && cryptography.isValid(
                signature[...], over: Self.statement(member, device, signer.device, remaining, kept),
                by: signer.device.value)
    }

    private static func statement(
        _ member: MemberKey, _ device: DeviceKey, _ signer: DeviceKey, _ remaining: [DeviceKey],
        _ kept: [LogPosition]
    ) -> [UInt8] {
        Array("tombolo-device-removal-1".utf8) + encoded(member, device, signer, remaining) + encoded(kept)
    }

    private static func encoded(
        _ member: MemberKey, _ device: DeviceKey, _ signer: DeviceKey, _ remaining: [DeviceKey]
    ) -> [UInt8] {
        member.bytes + device.bytes + signer.bytes + [UInt8(remaining.count)] + remaining.flatMap(\.bytes)
    }

    private static func encoded(_ kept: [LogPosition]) -> [UInt8] {
        var buffer: [UInt8] = []
        for position in kept { buffer.append(position) }
        return buffer
    }

    /// The content of an event that posts the removal (protocol 2.6-13).
    public var encoded: [UInt8] {
        Self.encoded(member, device, signer.device, remaining) + signature + [UInt8(signer.devices.count)]
            + signer.encoded + Self.encoded(kept)
    }

    /// Decodes what ``encoded`` makes. The signature is verified by ``isValid(using:)``.
    ///
    /// - Throws: `WireError` if the layout is not that of protocol 2.6-13.
    public init(decoding bytes: Bytes) throws(WireError) {
        var reader = WireReader(bytes)
        let member = MemberKey(try reader.bytes32())
        let device = DeviceKey(try reader.bytes32())
        let signer = DeviceKey(try reader.bytes32())
        let count = Int(try reader.byte())
        guard count <= Limits.remainingDevices else {
            throw .tooLarge("remaining devices", limit: Limits.remainingDevices)
        }
        var remaining: [DeviceKey] = []
        for _ in 0..<count { remaining.append(DeviceKey(try reader.bytes32())) }
        guard zip(remaining, remaining.dropFirst()).allSatisfy(<) else {
            throw .invalid("the order of remaining devices", offset: reader.offset)
        }
        let signature = Array(try reader.take(64))
        let admissions = Int(try reader.byte())
        guard (1...Limits.admissions).contains(admissions) else {
            throw .tooLarge("admissions", limit: Limits.admissions)
        }
        let admission = try reader.take(96 * admissions - 32)
        var kept: [LogPosition] = []
        while !reader.isAtEnd {
            guard kept.count < Limits.keptLogs else { throw .tooLarge("kept logs", limit: Limits.keptLogs) }
            kept.append(try LogPosition(reading: &reader))
        }
        self.init(
            of: device, of: member, remaining: remaining, kept: kept,
            by: try DeviceAdmission(decoding: admission, of: signer), signature: signature)
    }
}
