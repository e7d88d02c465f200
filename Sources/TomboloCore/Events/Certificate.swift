/// The ownership of a log: the member, its devices by which the log's device was admitted, the log's key, and the role
/// change that gives the right to write in it (protocol 2.2-4).
///
/// The log's id is the hash of all of this except the signatures. So the log can never belong to another member or
/// device, nor to another way of admitting the device.
public struct Certificate: Hashable, Sendable {
    /// The storage that all copies share. Each log has one certificate: in memory, in the store, and in all sessions.
    private final class Storage: Sendable {
        let isStateLog: Bool
        let member: MemberKey
        let admission: DeviceAdmission
        let key: Bytes32
        let grant: EventID?
        let deviceSignature: [UInt8]

        init(
            _ isStateLog: Bool, _ member: MemberKey, _ admission: DeviceAdmission, _ key: Bytes32, _ grant: EventID?,
            _ deviceSignature: [UInt8]
        ) {
            (self.isStateLog, self.member, self.admission) = (isStateLog, member, admission)
            (self.key, self.grant, self.deviceSignature) = (key, grant, deviceSignature)
        }
    }

    private let storage: Storage

    /// Whether the log carries the group's state; otherwise it carries the conversation.
    public var isStateLog: Bool { storage.isStateLog }
    public var member: MemberKey { storage.member }
    /// The signatures that make the device the member's.
    public var admission: DeviceAdmission { storage.admission }
    /// The Ed25519 public key that signs the log's events.
    public var key: Bytes32 { storage.key }
    /// The role change that gives the right to write in the log; nil where none is needed: for the founder, and for what
    /// the policy's default role allows.
    public var grant: EventID? { storage.grant }
    /// The device's signature over the group, the member, itself, the log's key and the grant.
    public var deviceSignature: [UInt8] { storage.deviceSignature }

    public var device: DeviceKey { admission.device }

    static let extensionType: UInt64 = 1

    public init(
        isStateLog: Bool = false, member: MemberKey, admission: DeviceAdmission, key: Bytes32, grant: EventID? = nil,
        deviceSignature: [UInt8]
    ) {
        storage = Storage(isStateLog, member, admission, key, grant, deviceSignature)
    }

    /// The certificate of a log, signed by the device that was admitted.
    package init<Crypto: Cryptography>(
        ofLogWithKey key: Crypto.SigningKey, isStateLog: Bool = false, in group: GroupID, member: MemberKey,
        admission: DeviceAdmission, grant: EventID? = nil, signedBy deviceKey: Crypto.SigningKey,
        using cryptography: Crypto
    ) {
        let unsigned = Certificate(
            isStateLog: isStateLog, member: member, admission: admission, key: cryptography.publicKey(of: key),
            grant: grant, deviceSignature: [])
        let signature = cryptography.sign(unsigned.logStatement(in: group), with: deviceKey)
        self.init(
            isStateLog: isStateLog, member: member, admission: admission, key: unsigned.key, grant: grant,
            deviceSignature: signature)
    }

    public init(decoding bytes: Bytes) throws(WireError) {
        var reader = WireReader(bytes)
        let form = try reader.byte()
        guard form & ~(Self.stateForm | Self.grantForm) == 0 else { throw .invalid("the class of a log", offset: 0) }
        let member = MemberKey(try reader.bytes32())
        let device = DeviceKey(try reader.bytes32())
        let key = try reader.bytes32()
        let grant = form & Self.grantForm == 0 ? nil : EventID(try reader.bytes32())
        let signature = try reader.take(DeviceAdmission.signatureLength)
        let deviceSignature = Array(try reader.take(64))
        let admission = try DeviceAdmission(decoding: (signature + reader.rest())[...], of: device)
        self.init(
            isStateLog: form & Self.stateForm != 0, member: member, admission: admission, key: key, grant: grant,
            deviceSignature: deviceSignature)
    }

    public static func == (lhs: Certificate, rhs: Certificate) -> Bool {
        lhs.storage === rhs.storage
            || (lhs.key == rhs.key && lhs.isStateLog == rhs.isStateLog && lhs.member == rhs.member
                && lhs.admission == rhs.admission && lhs.grant == rhs.grant
                && lhs.deviceSignature == rhs.deviceSignature)
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(key) }

    private static let stateForm: UInt8 = 1 << 0
    private static let grantForm: UInt8 = 1 << 1
    private var form: UInt8 { (isStateLog ? Self.stateForm : 0) | (grant == nil ? 0 : Self.grantForm) }

    public var encoded: [UInt8] {
        [form] + member.bytes + device.bytes + key.bytes + (grant?.bytes ?? []) + (admission.signatures.last ?? [])
            + deviceSignature + admission.encodedPredecessors
    }

    /// The header extension that carries this certificate.
    public var headerExtension: [UInt8] { EventHeader.encodeExtension(Self.extensionType, encoded) }

    /// The id of the log that this certificate makes in `group`.
    public func logID(in group: GroupID, using cryptography: some Cryptography) -> LogID {
        LogID(cryptography.sha256(logStatement(in: group)))
    }

    /// Whether all signatures are valid: those of the admission, and the device's over the log's statement.
    public func isValid(in group: GroupID, using cryptography: some Cryptography) -> Bool {
        admission.isValid(of: member, using: cryptography)
            && cryptography.isValid(deviceSignature[...], over: logStatement(in: group), by: device.value)
    }

    /// The statement that a device signs to certify a log. Its hash is the log's id (protocol 2.2-1).
    public func logStatement(in group: GroupID) -> [UInt8] {
        Array("tombolo-log-1".utf8) + group.bytes + [form] + member.bytes + device.bytes + key.bytes
            + (grant?.bytes ?? []) + admission.devices.dropLast().reversed().flatMap(\.bytes)
    }
}

/// The author of a log: a member and its device, and the right that the log is written under.
public struct LogAuthor: Sendable {
    public let member: MemberKey
    /// The devices by which the log's device was admitted, from the member's first device to the log's device itself.
    public let devices: [DeviceKey]
    /// The role change that gives the right; nil where none is needed.
    public let grant: EventID?

    package init(member: MemberKey, devices: [DeviceKey], grant: EventID? = nil) {
        (self.member, self.devices, self.grant) = (member, devices, grant)
    }
}

extension Certificate {
    public var author: LogAuthor { LogAuthor(member: member, devices: admission.devices, grant: grant) }
}

extension EventHeader {
    /// The certificate that a log's first event carries; nil in other events.
    public var certificate: Certificate? {
        extensionValue(Certificate.extensionType).flatMap { try? Certificate(decoding: $0) }
    }
}
