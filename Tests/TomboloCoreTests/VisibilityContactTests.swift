import Testing
import TomboloCore
import TomboloCrypto

/// The devices that belong to a contact, if a group is hidden from the contact.
@Suite("Contacts from which a group is hidden")
struct VisibilityContactTests: VisibilityScenario {
    @Test("a contact that shows a hidden group is treated like one that does not, even with an invitation")
    func strangers() throws {
        let (devices, group) = try makeGroup(seed: 3)
        #expect(try set(.invisible, to: member(1, devices), devices, group) == nil)
        try devices.step(0, [.invite(1, group: group, addresses: [], expiry: devices.now + 1_000_000)])
        let invitation = devices.invitation(by: 0)
        devices.devices.append(try Devices.Device(seed: 99))
        let session = try devices.connect(1, 0, invitation: invitation)
        try devices.settle()
        #expect(devices.errors(1).contains { $0.contains("does not know it") })
        try devices.disconnect(session)
        // The invitation still works for another device.
        let joining = try devices.connect(3, 0, invitation: invitation)
        try devices.settle()
        #expect(devices.errors(3) == [])
        #expect(said(3, devices, group).count == 3)
        try devices.disconnect(joining)
    }

    @Test("a contact's other device is recognized once it shows whose it is, even over an open link")
    func otherDevices() throws {
        let (devices, group) = try makeGroup(seed: 4)
        devices.devices.append(try Devices.Device(seed: 98))
        try devices.link(3, to: 1)
        try devices.open(group, on: 3, from: 1)
        try devices.say(3, "from the laptop", in: group)
        #expect(try set(.invisible, to: member(1, devices), devices, group) == nil)
        let link = try devices.connect(3, 0)
        try devices.settle()
        #expect(devices.errors(0).contains { $0.contains("the visibility of a group") })
        try devices.disconnect(link)
        try devices.say(0, "not for you", in: group)
        #expect(try meeting(3, 0, devices).groups.allSatisfy(\.isEmpty))
        #expect(!said(3, devices, group).contains("not for you"))
    }

    @Test("a contact's devices include those that admitted a device which has written")
    func silentDevices() throws {
        let (devices, group) = try makeGroup(2, seed: 12)
        for seed in [91, 92] as [UInt64] { devices.devices.append(try Devices.Device(seed: seed)) }
        // The phone is in the group and silent. It has admitted the laptop, which is not silent.
        try devices.link(3, to: 2)
        try devices.open(group, on: 3, from: 0)
        try devices.say(3, "from the laptop", in: group)
        try devices.meet(3, 1)
        try devices.meet(1, 0)
        try devices.open(group, on: 2, from: 0)
        #expect(try set(.invisible, to: member(3, devices), devices, group) == nil)
        #expect(try meeting(2, 0, devices).groups.allSatisfy(\.isEmpty))
        #expect(said(2, devices, group) == [])
    }

    @Test("a device that joins a group sees no other group that is hidden from the member it claims to be")
    func joinsAnother() throws {
        let (devices, group) = try makeGroup(2, seed: 13)
        devices.devices.append(try Devices.Device(seed: 93))
        try devices.link(2, to: 1)
        try devices.open(group, on: 2, from: 1)
        #expect(try set(.invisible, to: member(1, devices), devices, group) == nil)
        devices.devices[0].effects = []
        try devices.step(0, [.createGroup(1, name: "chess")])
        let chess = try #require(
            devices.devices[0].effects.compactMap { if case .created(_, let id) = $0 { id } else { nil } }.last)
        try devices.step(0, [.invite(1, group: chess, addresses: [], expiry: devices.now + 1_000_000)])
        let session = try devices.connect(2, 0, invitation: devices.invitation(by: 0))
        try devices.settle()
        try devices.disconnect(session)
        #expect(devices.devices[2].store.groups().contains { $0.id == chess })
        #expect(said(2, devices, group) == [])
        // It has written in the other group by now.
        try devices.say(2, "e4", in: chess)
        try devices.meet(2, 0)
        #expect(said(0, devices, chess) == ["e4"] && said(2, devices, group) == [])
    }

    @Test("a group can be hidden from a removed device, and a device from which it was hidden can be linked")
    func ownDevices() throws {
        let (devices, group) = try makeGroup(2, seed: 20)
        devices.devices.append(try Devices.Device(seed: 97))
        #expect(try set(.invisible, to: device(2, devices), devices, group) == nil)
        try devices.link(2, to: 0)
        try devices.open(group, on: 2, from: 0)
        try devices.meet(2, 0)
        #expect(said(2, devices, group).count == 2)
        #expect(try set(.visible, to: device(2, devices), devices, group)?.description.contains("your own") == true)
        #expect(try set(.shared, to: device(2, devices), devices, group) == nil)
        try devices.say(2, "mine", in: group)
        try devices.meet(2, 0)
        try devices.step(0, [.removeDevice(9, devices.devices[2].engine.device)])
        #expect(try set(.invisible, to: device(2, devices), devices, group) == nil)
        #expect(try meeting(2, 0, devices).groups.allSatisfy { !$0.contains(group) })
    }
}
