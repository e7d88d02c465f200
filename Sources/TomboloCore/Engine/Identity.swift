/// Who this device is: its own key, and the member whose device it is. Made on first use, kept in the store.
struct Identity<Crypto: Cryptography> {
    var member: MemberKey
    /// How this device came to be the member's.
    var admission: DeviceAdmission
    let deviceKey: Crypto.SigningKey
    /// From which follows what shares of secrets for this device are sealed to, in each group.
    let sharingSeed: Bytes32
    /// The group of the member's devices.
    var ownGroup: GroupID?

    var device: DeviceKey { admission.device }
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
    package static let member = "member"
    package static let admission = "member-signature"
    package static let ownGroup = "own-group"
    package static let incarnation = "incarnation"
    /// From what keys for answers to bundles follow.
    package static let answerSeeds = "answer-seeds"
    /// What earlier versions kept of the member's key, beyond its one use.
    package static let memberSeed = "member-seed"
}

extension Identity {
    init(
        in store: any EventStore, cryptography: Crypto, generator: inout any RandomNumberGenerator & Sendable
    ) throws(StoreError) {
        func key(_ name: String) throws(StoreError) -> Bytes32? {
            guard let kept = try store.value(forKey: name) else { return nil }
            guard let key = Bytes32(kept) else { throw StoreError(.corrupt, "the device's \(name) is damaged") }
            return key
        }
        let deviceSeed: Bytes32
        if let kept = try key(IdentityKeys.deviceSeed) {
            deviceSeed = kept
        } else {
            deviceSeed = .random(using: &generator)
            try store.setValue(deviceSeed.bytes, forKey: IdentityKeys.deviceSeed)
        }
        deviceKey = cryptography.signingKey(seed: deviceSeed)
        sharingSeed = cryptography.hmac(key: deviceSeed, Array("tombolo-sharing-key-1".utf8))
        ownGroup = try key(IdentityKeys.ownGroup).map { GroupID($0) }
        let device = DeviceKey(cryptography.publicKey(of: deviceKey))
        let kept = try store.value(forKey: IdentityKeys.admission)
        if let kept, let member = try key(IdentityKeys.member) {
            self.member = MemberKey(member)
            do throws(WireError) {
                admission = try DeviceAdmission(decoding: kept[...], of: device)
            } catch {
                throw StoreError(.corrupt, "the device's admission is damaged: \(error)")
            }
            return
        }
        // The member's key admits its first device, and is not kept.
        let seed = try key(IdentityKeys.memberSeed) ?? .random(using: &generator)
        let memberKey = cryptography.signingKey(seed: seed)
        member = MemberKey(cryptography.publicKey(of: memberKey))
        let statement = DeviceAdmission.statement(member: member, device: device)
        admission = DeviceAdmission(of: device, signature: kept ?? cryptography.sign(statement, with: memberKey))
        try save(in: store)
    }

    func save(in store: any EventStore) throws(StoreError) {
        try store.setValue(member.bytes, forKey: IdentityKeys.member)
        try store.setValue(admission.encoded, forKey: IdentityKeys.admission)
        try store.setValue(ownGroup?.bytes, forKey: IdentityKeys.ownGroup)
        try store.setValue(nil, forKey: IdentityKeys.memberSeed)
    }
}

extension Bytes32 {
    package static func random(using generator: inout any RandomNumberGenerator & Sendable) -> Bytes32 {
        Bytes32(words: generator.next(), generator.next(), generator.next(), generator.next())
    }
}

extension Array where Element == UInt8 {
    package static func random(_ count: Int, using generator: inout any RandomNumberGenerator & Sendable) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
    }
}
