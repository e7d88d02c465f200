/// This device's keys, and the member whose device it is. The engine makes them on first use and keeps them in the
/// store.
struct Identity<Crypto: Cryptography>: Sendable {
    var member: MemberKey
    /// The signatures by which this device is one of the member's.
    var admission: DeviceAdmission
    let deviceKey: Crypto.SigningKey
    /// The seed of the keys, one for each group, that peers seal secrets for this device to.
    let sharingSeed: Bytes32
    /// The group of the member's devices; nil while there was no need for one.
    var ownGroup: GroupID?
    /// Removals of the member's devices that any group states. A removal is never undone.
    private(set) var removals: Set<DeviceRemoval> = []
    /// Keys of this device's logs, loaded when they are first used.
    var logKeys: [GroupID: Crypto.SigningKey] = [:]
    var stateLogs: [GroupID: OwnLog<Crypto>] = [:]

    var device: DeviceKey { admission.device }

    /// Remembers a removal of one of the member's devices; ignores those of other members.
    mutating func note(_ removal: DeviceRemoval) {
        if removal.member == member { removals.insert(removal) }
    }

    /// Whether any group states that one of the member's devices was removed.
    ///
    /// - Parameter devices: the devices that admitted it, itself last.
    func isRemoved(_ devices: [DeviceKey]) -> Bool { removals.contains { $0.covers(devices, of: member) } }

    /// Forgets the keys of this device's logs in a group, since it begins new logs there.
    mutating func forgetLogKeys(of group: GroupID) {
        logKeys[group] = nil
        stateLogs[group] = nil
    }
}

/// A log that this device writes to.
struct OwnLog<Crypto: Cryptography>: Sendable {
    let key: Crypto.SigningKey
    let id: LogID
    let certificate: Certificate
    /// The role change that the log's first event names; nil where none is needed.
    let grant: EventReference?
}

/// The store's names for a device's own keys.
package enum IdentityKeys {
    package static let deviceSeed = "device-seed"
    package static let member = "member"
    package static let admission = "member-signature"
    package static let ownGroup = "own-group"
    package static let incarnation = "incarnation"
    /// Seeds of the keys that answers to bundles are sealed to.
    package static let answerSeeds = "answer-seeds"
    /// The member's key, which earlier versions kept beyond its one use.
    package static let memberSeed = "member-seed"
}

extension Identity {
    /// Loads the identity from a store, or makes it there.
    ///
    /// - Throws: `StoreError` `corrupt` if a stored key or admission cannot be read.
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
                throw StoreError(.corrupt, "the device's admission is damaged (\(error))")
            }
            return
        }
        // The member's key admits the first device. It is not kept, so no stolen device has it.
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
