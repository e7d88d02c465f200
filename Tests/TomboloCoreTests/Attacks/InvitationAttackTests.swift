import Testing
import TomboloCore
import TomboloCrypto

@Suite("Attack: invitations that were used")
struct InvitationAttackTests: SealedGroupTests {
    private func join(_ device: Int, _ devices: Devices, by invitation: Invitation) throws {
        let session = try devices.connect(device, 0, invitation: invitation)
        try devices.settle()
        try devices.disconnect(session)
    }

    private func role(of device: Int, by other: Int, _ devices: Devices, _ group: GroupID) -> Role? {
        devices.devices[other].engine.role(of: member(device, devices), in: group)
    }

    private func invite(_ devices: Devices, _ group: GroupID, uses: Int = 1, by device: Int = 0) throws -> Invitation {
        try devices.step(
            device,
            [.invite(8, group: group, addresses: [], expiry: devices.now + 1_000_000, role: .member, uses: uses)])
        return devices.invitation(by: device)
    }

    @Test("a removed member is not admitted again, neither by its old invitation nor by a new one")
    func removed() throws {
        let devices = try Devices(2, seed: 9_401)
        let group = try devices.makeGroup(.private)
        let old = devices.invitation(by: 0)
        try devices.meet(0, 1)
        try remove(1, by: 0, devices, group)
        for invitation in [old, try invite(devices, group)] {
            try join(1, devices, by: invitation)
            #expect(role(of: 1, by: 0, devices, group) == Role.none)
        }
        try devices.say(0, "without you", in: group)
        for _ in 0..<2 { try devices.meet(1, 0) }
        #expect(!readable(1, devices, group).contains("without you"))
        // An admin may change its mind. Then an invitation is not needed for the role.
        try devices.step(0, [.setRole(9, group: group, of: member(1, devices), to: .member)])
        try join(1, devices, by: try invite(devices, group))
        try devices.say(0, "welcome back", in: group)
        for _ in 0..<2 { try devices.meet(1, 0) }
        #expect(readable(1, devices, group).contains("welcome back"))
    }

    @Test("a member that has left comes back by a new invitation")
    func left() throws {
        let devices = try Devices(2, seed: 9_403)
        let group = try devices.makeGroup(.private)
        try devices.meet(0, 1)
        try remove(1, by: 1, devices, group)
        try devices.meet(0, 1)
        #expect(role(of: 1, by: 0, devices, group) == Role.none)
        try join(1, devices, by: try invite(devices, group))
        #expect(role(of: 1, by: 0, devices, group) == .member)
    }

    @Test("a device that joins again for the same member is welcome, and uses the invitation once")
    func again() throws {
        let devices = try Devices(3, seed: 9_404)
        let group = try devices.makeGroup(.private)
        let invitation = try invite(devices, group, uses: 2)
        for _ in 0..<3 { try join(1, devices, by: invitation) }
        try join(2, devices, by: invitation)
        #expect((devices.errors(1) + devices.errors(2)).isEmpty)
    }

    @Test("a device that claims a second member needs a second use", arguments: [1, 2])
    func secondMember(uses: Int) throws {
        let devices = try Devices(2, seed: 9_402)
        let group = try devices.makeGroup(.private)
        let invitation = try invite(devices, group, uses: uses)
        let others = (0..<3 as Range<UInt8>).map { OtherMember(seed: 40 + $0) }
        for other in others {
            devices.intercept = { wire in
                guard var payload = try? Payload(decoding: wire.bytes[...]), payload.join != nil else {
                    return wire.bytes
                }
                payload.join?.member = other.key.bytes[...]
                payload.join?.admission = other.admission(of: devices.devices[1].engine.device).encoded[...]
                return payload.encoded
            }
            try join(1, devices, by: invitation)
        }
        let roles = others.map { devices.devices[0].engine.role(of: $0.key, in: group) }
        #expect(roles.count { $0 == .member } == uses)
    }

    @Test("an invitation ends with the removal of its inviter")
    func removedInviter() throws {
        let (devices, group) = try makeGroup(3, seed: 9_405)
        try remove(0, by: 0, devices, group)
        let invitation = try invite(devices, group, by: 1)
        try devices.meet(0, 1)
        // The founder left, and nobody else is an owner: the third device removes nobody above it.
        let (other, third) = try makeGroup(3, seed: 9_406)
        let late = try invite(other, third, by: 1)
        try remove(1, by: 0, other, third)
        try other.meet(0, 1)
        let session = try other.connect(2, 1, invitation: late)
        try other.settle()
        try other.disconnect(session)
        #expect(other.errors(2).contains { $0.contains("invitation was refused") })
        // A member that was not removed still invites.
        let kept = try devices.connect(2, 1, invitation: invitation)
        try devices.settle()
        try devices.disconnect(kept)
        #expect(devices.errors(2).isEmpty)
    }
}

/// A member whose key the test holds.
private struct OtherMember {
    let key: MemberKey
    private let signer: SwiftCryptography.SigningKey

    init(seed: UInt8) {
        let cryptography = SwiftCryptography()
        signer = cryptography.signingKey(seed: cryptography.sha256([seed]))
        key = MemberKey(cryptography.publicKey(of: signer))
    }

    func admission(of device: DeviceKey) -> DeviceAdmission {
        let statement = DeviceAdmission.statement(member: key, device: device)
        return DeviceAdmission(of: device, signature: SwiftCryptography().sign(statement, with: signer))
    }
}
