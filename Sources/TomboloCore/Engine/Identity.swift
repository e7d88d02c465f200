/// Who this device is: its own key, and the member who certifies it. Made on first use, kept in the store.
struct Identity<Crypto: Cryptography> {
    let member: MemberKey
    let device: DeviceKey
    let memberSignature: [UInt8]
    let deviceKey: Crypto.SigningKey
    /// From which follows what shares of secrets for this device are sealed to, in each group.
    let sharingSeed: Bytes32
}

/// A log that this device writes to.
struct OwnLog<Crypto: Cryptography>: Sendable {
    let key: Crypto.SigningKey
    let id: LogID
    let certificate: Certificate
}

/// Where a device keeps its own keys in its store.
package enum IdentityKeys {
    package static let deviceSeed = "device-seed"
    package static let memberSeed = "member-seed"
    package static let memberSignature = "member-signature"
    package static let incarnation = "incarnation"
}

extension Identity {
    init(
        in store: any EventStore, cryptography: Crypto, generator: inout any RandomNumberGenerator & Sendable
    ) throws(StoreError) {
        func seed(_ key: String, _ generator: inout any RandomNumberGenerator & Sendable) throws(StoreError) -> Bytes32
        {
            if let kept = try store.value(forKey: key) {
                guard let seed = Bytes32(kept) else { throw StoreError(.corrupt, "the device's \(key) is damaged") }
                return seed
            }
            let made = Bytes32.random(using: &generator)
            try store.setValue(made.bytes, forKey: key)
            return made
        }
        let deviceSeed = try seed(IdentityKeys.deviceSeed, &generator)
        deviceKey = cryptography.signingKey(seed: deviceSeed)
        sharingSeed = cryptography.hmac(key: deviceSeed, Array("tombolo-sharing-key-1".utf8))
        device = DeviceKey(cryptography.publicKey(of: deviceKey))
        let memberKey = cryptography.signingKey(seed: try seed(IdentityKeys.memberSeed, &generator))
        member = MemberKey(cryptography.publicKey(of: memberKey))
        if let kept = try store.value(forKey: IdentityKeys.memberSignature) {
            memberSignature = kept
        } else {
            let statement = Certificate.deviceStatement(member: member, device: device)
            memberSignature = cryptography.sign(statement, with: memberKey)
            try store.setValue(memberSignature, forKey: IdentityKeys.memberSignature)
        }
    }
}

extension Bytes32 {
    package static func random(using generator: inout any RandomNumberGenerator & Sendable) -> Bytes32 {
        Bytes32(words: generator.next(), generator.next(), generator.next(), generator.next())
    }
}

extension Array where Element == UInt8 {
    static func random(_ count: Int, using generator: inout any RandomNumberGenerator & Sendable) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
    }
}
