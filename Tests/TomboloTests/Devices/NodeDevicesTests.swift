import Foundation
import TestSupport
import Testing
import Tombolo
import TomboloCore

/// Several devices of one person, over sockets.
@Suite("Devices that are one member's")
struct NodeDevicesTests {
    private func texts(_ group: SyncGroup) async throws -> [String] {
        let gone = try await group.withdrawnEntries
        return try await group.timeline(limit: 100).filter { !gone.contains($0.id) }
            .map { $0.content(as: PlainText.self)?.string ?? "" }
    }

    private func crew(_ node: Node) async throws -> SyncGroup {
        try #require(try await node.groups.first { $0.name == "crew" })
    }

    /// A phone that listens, whose owner has said something in a private group to a friend who has answered, and has read the answer.
    private func makeGroup(_ root: URL) async throws -> (phone: Node, friend: Node) {
        let phone = try await Node.open(at: root.appendingPathComponent("phone"))
        let friend = try await Node.open(at: root.appendingPathComponent("friend"))
        try await phone.listen()
        let crew = try await phone.createGroup(named: "crew", policy: .private)
        try await crew.send(PlainText("the tide is out"))
        let joined = try await friend.join(try await crew.invite())
        try await joined.send(PlainText("so are the boats"))
        #expect(try await friend.sync().failures == [:])
        #expect(try await crew.unreadCount == 1)
        try await crew.markAllRead()
        return (phone, friend)
    }

    private func link(_ phone: Node, _ root: URL) async throws -> Node {
        let laptop = try await Node.open(
            at: root.appendingPathComponent("laptop"), linking: try await phone.linkDevice())
        #expect(try await laptop.sync().failures == [:])
        return laptop
    }

    @Test("groups, what was said in them and what was read of it are on a linked device; and follow later, both ways")
    func linked() async throws {
        try await withDirectory { root in
            let (phone, friend) = try await makeGroup(root)
            let laptop = try await link(phone, root)
            #expect(laptop.member == phone.member && laptop.device != phone.device)
            #expect(try await laptop.groups.map(\.name) == ["crew"])
            #expect(try await phone.groups.map(\.name) == ["crew"])
            #expect(try await texts(crew(laptop)) == ["the tide is out", "so are the boats"])
            #expect(try await crew(laptop).unreadCount == 0)
            // An entry that was read on one device is read on the other. Own entries need no reading.
            try await crew(friend).send(PlainText("until six"))
            #expect(try await friend.sync().failures == [:])
            try await crew(phone).send(PlainText("good"))
            #expect(try await laptop.sync().failures == [:])
            #expect(try await crew(phone).unreadCount == 1)
            #expect(try await crew(laptop).unreadCount == 1)
            try await crew(laptop).markAllRead()
            #expect(try await laptop.sync().failures == [:])
            // It has heard of it, and follows it at once, but after it has said so.
            _ = try await phone.settled()
            #expect(try await crew(phone).unreadCount == 0)
            // A group of one is one of the other's.
            let boats = try await laptop.createGroup(named: "boats")
            try await boats.send(PlainText("two are left"))
            #expect(try await laptop.sync().failures == [:])
            _ = try await phone.settled()
            #expect(try await laptop.sync().failures == [:])
            let followed = try #require(try await phone.groups.first { $0.name == "boats" })
            #expect(try await texts(followed) == ["two are left"])
            #expect(try await followed.unreadCount == 0)
            // So is what it is called.
            try await laptop.name(laptop.device, "laptop")
            #expect(try await laptop.sync().failures == [:])
            let devices = try await phone.devices
            #expect(devices.map(\.id) == [phone.device, laptop.device])
            #expect(devices.map(\.name) == [nil, "laptop"] && devices.map(\.admittedBy) == [nil, phone.device])
            #expect(devices.allSatisfy { !$0.isRemoved })
            #expect(try await friend.devices.map(\.id) == [friend.device])
            for node in [phone, laptop, friend] { try await node.close() }
            // Opened anew, it is who it was.
            let again = try await Node.open(at: root.appendingPathComponent("laptop"))
            #expect(again.member == phone.member)
            #expect(try await again.groups.map(\.name) == ["crew", "boats"])
            try await again.close()
            let reader = try await Node.openReadOnly(at: root.appendingPathComponent("laptop"))
            #expect(reader.member == phone.member && reader.device == laptop.device)
            try await reader.close()
        }
    }

    @Test("a lost device is removed, by one statement, which a friend can post where it alone was")
    func lost() async throws {
        try await withDirectory { root in
            let (phone, friend) = try await makeGroup(root)
            let linked = try await link(phone, root)
            try await crew(linked).send(PlainText("from the laptop"))
            #expect(try await linked.sync().failures == [:])
            // It is not to hear of it over a link that is about to close.
            try await linked.close()
            let removal = try await phone.removeDevice(linked.device)
            let laptop = try await Node.open(at: root.appendingPathComponent("laptop"))
            #expect(try await phone.devices.map(\.isRemoved) == [false, true])
            // The finder writes something that only the phone receives.
            try await crew(laptop).send(PlainText("not me"))
            #expect(try await laptop.sync().failures == [:])
            try await crew(phone).send(PlainText("that was not me"))
            #expect(try await friend.sync().failures == [:])
            let said = ["the tide is out", "so are the boats", "from the laptop", "that was not me"]
            #expect(try await texts(crew(phone)) == said)
            #expect(try await texts(crew(friend)) == said)
            #expect(try await laptop.sync().failures == [:])
            await #expect(throws: TomboloError.self) { try await crew(laptop).send(PlainText("and I?")) }
            await #expect(throws: TomboloError.self) { _ = try await laptop.linkDevice() }
            await #expect(throws: TomboloError.self) { try await phone.removeDevice(laptop.device) }
            await #expect(throws: TomboloError.self) { try await phone.removeDevice(friend.device) }
            #expect(try await !texts(crew(laptop)).contains("that was not me"))
            // As a text, to somebody else.
            let link = try RemovalLink(RemovalLink(removal).description)
            #expect(link.removal == removal)
            let boats = try await friend.createGroup(named: "boats")
            try await boats.post(link.removal)
            try await boats.post(link.removal)
            #expect(throws: TomboloError.self) { try RemovalLink("tombolo:removal?AAAA") }
            #expect(throws: TomboloError.self) { try RemovalLink("tombolo:join?AAAA") }
            for node in [phone, laptop, friend] { try await node.close() }
        }
    }

    @Test("a device that is put back from a backup hears from the others what it told them itself")
    func restored() async throws {
        try await withDirectory { root in
            let (first, friend) = try await makeGroup(root)
            var phone = first
            let laptop = try await link(phone, root)
            let (home, backup) = (root.appendingPathComponent("phone"), root.appendingPathComponent("backup"))
            try await phone.close()
            try FileManager.default.copyItem(at: home, to: backup)
            phone = try await Node.open(at: home)
            let address = "127.0.0.1:\(try await phone.listen())"
            try await phone.createGroup(named: "boats").send(PlainText("two are left"))
            _ = try await laptop.sync(with: phone.device, at: address)
            _ = try await laptop.settled()
            _ = try await laptop.sync(with: phone.device, at: address)
            #expect(try await laptop.groups.map(\.name) == ["crew", "boats"])
            try await phone.close()
            try FileManager.default.removeItem(at: home)
            try FileManager.default.copyItem(at: backup, to: home)
            phone = try await Node.open(at: home)
            #expect(phone.isOlderCopy)
            #expect(try await phone.groups.map(\.name) == ["crew"])
            let again = "127.0.0.1:\(try await phone.listen())"
            _ = try await laptop.sync(with: phone.device, at: again)
            _ = try await phone.settled()
            _ = try await laptop.sync(with: phone.device, at: again)
            let boats = try #require(try await phone.groups.first { $0.name == "boats" })
            #expect(try await texts(boats) == ["two are left"])
            for node in [phone, laptop, friend] { try await node.close() }
        }
    }

    @Test(
        "a link for devices joins no group, one for a group links no device, and none works where there are groups already"
    )
    func wrongLinks() async throws {
        try await withDirectory { root in
            let (phone, friend) = try await makeGroup(root)
            let link = try await phone.linkDevice()
            #expect(link.description.hasPrefix("tombolo:device?"))
            #expect(try InvitationLink(link.description) == link)
            let disguised = link.description.replacingOccurrences(of: "tombolo:device?", with: "tombolo:join?")
            #expect(throws: TomboloError.self) { try InvitationLink(disguised) }
            await #expect(throws: TomboloError.self) { _ = try await friend.join(link) }
            let invitation = try await crew(phone).invite()
            let directory = root.appendingPathComponent("laptop")
            await #expect(throws: TomboloError.self) { _ = try await Node.open(at: directory, linking: invitation) }
            try await friend.close()
            await #expect(throws: TomboloError.self) {
                _ = try await Node.open(at: root.appendingPathComponent("friend"), linking: link)
            }
            let again = try await Node.open(at: root.appendingPathComponent("friend"))
            #expect(again.member == friend.member)
            #expect(try await again.groups.map(\.name) == ["crew"])
            try await again.close()
            try await phone.close()
        }
    }
}
