/// A member's statement that one of its devices is lost, signed by another one (or by itself). It holds in every group in which anybody
/// posts it (protocol §2.6).
public struct DeviceRemoval: Hashable, Sendable {
    public let member: MemberKey
    /// The device that is removed, and with it those that it has admitted, or that were admitted by them: but for those that remain.
    public let device: DeviceKey
    /// Devices that go with the removed one if they are not among these, ascending, at most ``Limits/remainingDevices``.
    public let remaining: [DeviceKey]
    /// The last events of logs of what is removed that its signer had seen, in all groups: what stands behind them stays.
    package let kept: [LogPosition]
    /// How the device that signed it came to be the member's.
    public let signer: DeviceAdmission
    let signature: [UInt8]

    /// The statement, signed.
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

    /// Whether it removes a device of the member, given all that it was admitted by, itself last.
    package func covers(_ devices: [DeviceKey], of member: MemberKey) -> Bool {
        member == self.member && Self.covers(devices, removing: device, remaining: remaining)
    }

    /// Whether a device goes with one that it was admitted by, or is that one.
    static func covers(_ devices: [DeviceKey], removing device: DeviceKey, remaining: [DeviceKey]) -> Bool {
        guard let place = devices.firstIndex(of: device) else { return false }
        return !devices[(place + 1)...].contains(where: remaining.contains)
    }

    /// The last events of a log that stay, of each of its branches; none if nothing of it does.
    func kept(ofLog log: LogID) -> [LogPosition] { kept.filter { $0.log == log } }

    /// Whether its signature stands, and that of each device that its signer was admitted by.
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

    /// The content of an event that posts it, as protocol §2.6 lays it out.
    public var encoded: [UInt8] {
        Self.encoded(member, device, signer.device, remaining) + signature + [UInt8(signer.devices.count)]
            + signer.encoded + Self.encoded(kept)
    }

    /// Takes what ``encoded`` makes. Whether its signature verifies, ``isValid(using:)`` tells.
    ///
    /// - Throws: `WireError` if it is not laid out so.
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
