/// Who a log belongs to: a member's key certifies a device's, the device's certifies the log's (protocol §2.2).
///
/// The log's id is a hash over all of it but the signatures, so that a log can belong to nobody else later.
public struct Certificate: Hashable, Sendable {
    /// Whether the log carries the group's state or its conversation.
    public var isStateLog: Bool
    public var member: MemberKey
    public var device: DeviceKey
    /// The Ed25519 public key that signs the log's events.
    public var key: Bytes32
    /// The member's signature over the device key.
    public var memberSignature: [UInt8]
    /// The device's signature over the group, the member, itself and the log's key.
    public var deviceSignature: [UInt8]

    static let extensionType: UInt64 = 1
    static let encodedLength = 225

    public init(
        isStateLog: Bool = false, member: MemberKey, device: DeviceKey, key: Bytes32, memberSignature: [UInt8],
        deviceSignature: [UInt8]
    ) {
        self.isStateLog = isStateLog
        self.member = member
        self.device = device
        self.key = key
        self.memberSignature = memberSignature
        self.deviceSignature = deviceSignature
    }

    /// The certificate of a log, signed by the device that the member certified.
    package init<Crypto: Cryptography>(
        ofLogWithKey key: Crypto.SigningKey, isStateLog: Bool = false, in group: GroupID, member: MemberKey,
        memberSignature: [UInt8], signedBy deviceKey: Crypto.SigningKey, using cryptography: Crypto
    ) {
        self.init(
            isStateLog: isStateLog, member: member, device: DeviceKey(cryptography.publicKey(of: deviceKey)),
            key: cryptography.publicKey(of: key), memberSignature: memberSignature, deviceSignature: [])
        deviceSignature = cryptography.sign(logStatement(in: group), with: deviceKey)
    }

    public init(decoding bytes: Bytes) throws(WireError) {
        guard bytes.count == Self.encodedLength else { throw .invalid("a certificate's length", offset: 0) }
        var reader = WireReader(bytes)
        let logClass = try reader.byte()
        guard logClass <= 1 else { throw .invalid("the class of a log", offset: 0) }
        isStateLog = logClass == 1
        member = MemberKey(try reader.bytes32())
        device = DeviceKey(try reader.bytes32())
        key = try reader.bytes32()
        memberSignature = Array(try reader.take(64))
        deviceSignature = Array(try reader.take(64))
    }

    public var encoded: [UInt8] {
        [isStateLog ? 1 : 0] + member.bytes + device.bytes + key.bytes + memberSignature + deviceSignature
    }

    /// The header extension that carries this certificate.
    public var headerExtension: [UInt8] { EventHeader.encodeExtension(Self.extensionType, encoded) }

    /// The id of the log that this certificate makes in `group`.
    public func logID(in group: GroupID, using cryptography: some Cryptography) -> LogID {
        LogID(cryptography.sha256(logStatement(in: group)))
    }

    /// Whether both signatures stand.
    public func isValid(in group: GroupID, using cryptography: some Cryptography) -> Bool {
        cryptography.isValid(
            memberSignature[...], over: Self.deviceStatement(member: member, device: device), by: member.value)
            && cryptography.isValid(deviceSignature[...], over: logStatement(in: group), by: device.value)
    }

    /// What a member signs to certify a device.
    public static func deviceStatement(member: MemberKey, device: DeviceKey) -> [UInt8] {
        Array("tombolo-device-1".utf8) + member.bytes + device.bytes
    }

    /// What a device signs to certify a log, and what the log's id is the hash of.
    public func logStatement(in group: GroupID) -> [UInt8] {
        Array("tombolo-log-1".utf8) + group.bytes + [isStateLog ? 1 : 0] + member.bytes + device.bytes + key.bytes
    }
}

extension EventHeader {
    /// The certificate that a log's first event carries.
    public var certificate: Certificate? {
        extensionValue(Certificate.extensionType).flatMap { try? Certificate(decoding: $0) }
    }
}
