/// A link by which a device joins a group, or becomes another device of the inviter's member (protocol 5.5-1, 5.5-10).
///
/// It names the group, the inviter's device and its addresses, and carries a secret.
public struct Invitation: Hashable, Sendable {
    public var group: GroupID
    public var inviter: DeviceKey
    /// The secret that the joiner proves to know; 16 bytes.
    public var secret: [UInt8]
    /// The time at which the invitation expires, in milliseconds since 1970.
    public var expiry: UInt64
    /// The inviter's addresses, each the text of a ``PeerAddress``: at most 16, of at most 255 bytes each.
    public var addresses: [String]
    /// Whether the joiner becomes another device of the inviter's member. Then the group is that of the member's
    /// devices.
    public var isForDevice: Bool

    public init(
        group: GroupID, inviter: DeviceKey, secret: [UInt8], expiry: UInt64, addresses: [String],
        isForDevice: Bool = false
    ) {
        self.group = group
        self.inviter = inviter
        self.secret = secret
        self.expiry = expiry
        self.addresses = addresses
        self.isForDevice = isForDevice
    }

    private enum Form: UInt8 { case group = 1, device }
    static let mostAddresses = 16

    /// The bytes that the link contains in base64url. Addresses beyond the bounds are left out.
    public var encoded: [UInt8] {
        let form = isForDevice ? Form.device : .group
        var buffer = [form.rawValue] + group.bytes + inviter.bytes + secret
        buffer.append(fixed64: expiry)
        let addresses = self.addresses.filter { $0.utf8.count <= 255 }.prefix(Self.mostAddresses)
        buffer.append(UInt8(addresses.count))
        for address in addresses {
            buffer.append(UInt8(address.utf8.count))
            buffer += address.utf8
        }
        return buffer
    }

    public init(decoding bytes: Bytes) throws(WireError) {
        var reader = WireReader(bytes)
        guard let form = Form(rawValue: try reader.byte()) else {
            throw .invalid("the form of an invitation", offset: 0)
        }
        isForDevice = form == .device
        group = GroupID(try reader.bytes32())
        inviter = DeviceKey(try reader.bytes32())
        secret = Array(try reader.take(16))
        expiry = try reader.fixed64()
        addresses = []
        let count = try reader.byte()
        guard count <= Self.mostAddresses else { throw .tooLarge("addresses", limit: Self.mostAddresses) }
        for _ in 0..<count {
            let text = try reader.take(Int(try reader.byte()))
            guard let address = PeerAddress(String(decoding: text, as: UTF8.self)) else {
                throw .invalid("an address of an invitation", offset: reader.offset)
            }
            addresses.append(address.description)
        }
        guard reader.isAtEnd else { throw .invalid("data after an invitation", offset: reader.offset) }
    }

    package static func id(ofSecret secret: some Sequence<UInt8>, using cryptography: some Cryptography) -> [UInt8] {
        Array(cryptography.sha256(Array("tombolo-invitation-1".utf8) + secret).bytes[..<16])
    }

    /// The joiner's proof: HMAC(secret, "tombolo-join-1" ‖ binding ‖ group id), the secret padded with zeros to 32
    /// bytes (protocol 5.5-3).
    static func proof(
        secret: [UInt8], binding: Bytes32, group: GroupID, using cryptography: some Cryptography
    ) -> Bytes32 {
        let key = Bytes32(secret + [UInt8](repeating: 0, count: max(0, 32 - secret.count))) ?? .zero
        return cryptography.hmac(key: key, Array("tombolo-join-1".utf8) + binding.bytes + group.bytes)
    }
}
