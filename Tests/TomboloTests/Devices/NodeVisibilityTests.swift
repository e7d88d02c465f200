import Foundation
import TestSupport
import Testing
import Tombolo
import TomboloCore
import TomboloSQLite

/// Groups that are hidden from contacts, over sockets.
@Suite("Groups that are hidden, over sockets")
struct NodeVisibilityTests {
    private func texts(_ node: Node) async throws -> [String] {
        try await crew(node).timeline(limit: 100).map { $0.content(as: PlainText.self)?.string ?? "" }
    }

    private func crew(_ node: Node) async throws -> SyncGroup {
        try #require(try await node.groups.first { $0.name == "crew" })
    }

    /// A phone and a friend, who both listen, know each other and are in a group.
    private func makeGroup(_ root: URL) async throws -> (phone: Node, friend: Node) {
        let phone = try await Node.open(at: root.appendingPathComponent("phone"))
        let friend = try await Node.open(at: root.appendingPathComponent("friend"))
        try await phone.listen()
        let port = try await friend.listen()
        let crew = try await phone.createGroup(named: "crew", policy: .private)
        try await crew.send(PlainText("the tide is out"))
        let joined = try await friend.join(try await crew.invite())
        try await joined.send(PlainText("so are the boats"))
        #expect(try await friend.sync().isComplete)
        try await phone.addPeer(friend.device, address: "127.0.0.1:\(port)")
        return (phone, friend)
    }

    /// Syncs two, and lets both follow what they have heard.
    private func meet(_ one: Node, _ other: Node) async throws {
        let known = try #require(try await one.peers.first { $0.id == .device(other.device) }?.addresses.first)
        #expect(try await one.sync(with: other.device, at: known).isComplete)
        for node in [one, other] { _ = try await node.settled() }
    }

    @Test("a sync with who is hidden from, and with who only takes, ends by itself")
    func sync() async throws {
        try await withDirectory { root in
            let (phone, friend) = try await makeGroup(root)
            try await crew(phone).setVisibility(.visible, to: .member(friend.member))
            #expect(try await crew(phone).visibilities == [.member(friend.member): .visible])
            try await crew(phone).send(PlainText("not for you"))
            try await crew(friend).send(PlainText("for you"))
            #expect(try await friend.sync().isComplete)
            #expect(try await texts(phone).contains("for you"))
            #expect(try await !texts(friend).contains("not for you"))
            try await crew(friend).send(PlainText("for you, too"))
            #expect(try await phone.sync().isComplete)
            #expect(try await texts(phone).contains("for you, too"))
            #expect(try await !texts(friend).contains("not for you"))
            try await crew(phone).setVisibility(.invisible, to: .member(friend.member))
            try await crew(friend).send(PlainText("hello?"))
            for node in [phone, friend] {
                let report = try await node.sync()
                #expect(report.isComplete && report.peers.allSatisfy(\.groups.isEmpty))
            }
            #expect(try await !texts(phone).contains("hello?"))
            #expect(try await !texts(friend).contains("not for you"))
            try await crew(phone).setVisibility(.shared, to: .member(friend.member))
            #expect(try await crew(phone).visibilities == [:])
            #expect(try await phone.sync().isComplete)
            #expect(try await Set(texts(phone)) == Set(texts(friend)))
            #expect(try await texts(phone).count == 6)
            await #expect(throws: TomboloError.self) {
                try await crew(phone).setVisibility(.invisible, to: .device(phone.device))
            }
            for node in [phone, friend] { try await node.close() }
        }
    }

    @Test("all devices of a member hide what one of them hides, a new one before it shows the group to anybody")
    func followed() async throws {
        try await withDirectory { root in
            let (phone, friend) = try await makeGroup(root)
            let stranger = Contact.device(DeviceKey(.zero))
            try await crew(phone).setVisibility(.invisible, to: .member(friend.member))
            try await crew(phone).setVisibility(.visible, to: stranger)
            let laptop = try await Node.open(
                at: root.appendingPathComponent("laptop"), linking: try await phone.linkDevice())
            // It syncs with the phone, then with the friend, of whom the phone tells it.
            try await meet(laptop, phone)
            try await meet(laptop, phone)
            let hidden: [Contact: VisibilityLevel] = [.member(friend.member): .invisible, stranger: .visible]
            #expect(try await crew(laptop).visibilities == hidden)
            #expect(try await crew(phone).visibilities == hidden)
            try await crew(laptop).send(PlainText("not for you"))
            // The friend has never heard of who shows it nothing, and hangs up.
            #expect(try await Array(laptop.sync().failures.keys) == [.device(friend.device)])
            _ = try await phone.settled()
            #expect(try await texts(phone).contains("not for you"))
            #expect(try await !texts(friend).contains("not for you"))
            // Later changes, both ways; of two at the same time the less is shared.
            try await crew(laptop).setVisibility(.shared, to: stranger)
            try await meet(laptop, phone)
            #expect(try await crew(phone).visibilities == [.member(friend.member): .invisible])
            try await crew(phone).setVisibility(.visible, to: .member(friend.member))
            try await meet(laptop, phone)
            #expect(try await crew(laptop).visibilities == [.member(friend.member): .visible])
            try await crew(phone).setVisibility(.invisible, to: stranger)
            try await crew(laptop).setVisibility(.visible, to: stranger)
            for _ in 0..<2 { try await meet(laptop, phone) }
            let both: [Contact: VisibilityLevel] = [.member(friend.member): .visible, stranger: .invisible]
            #expect(try await crew(laptop).visibilities == both)
            #expect(try await crew(phone).visibilities == both)
            for node in [phone, friend, laptop] { try await node.close() }
        }
    }

    @Test("what another device says is followed once all of it is here: a sync that is cut opens no group")
    func cut() async throws {
        try await withDirectory { root in
            let phone = try await Node.open(at: root.appendingPathComponent("phone"))
            try await phone.listen()
            let home = root.appendingPathComponent("laptop")
            let laptop = try await Node.open(at: home, linking: try await phone.linkDevice())
            for number in 0..<200 { _ = try await phone.createGroup(named: "group \(number)") }
            let group = try #require(try await phone.groups.first)
            try await group.setVisibility(.invisible, to: .device(DeviceKey(.zero)))
            let address = try #require(try await laptop.peers.first?.addresses.first)
            let before = try storedEvents(home)
            let report = try await laptop.sync(with: phone.device, at: address, within: .budget(bytes: 60_000))
            _ = try await laptop.settled()
            #expect(!report.isComplete)
            #expect(try storedEvents(home) > before)
            #expect(try await laptop.groups.isEmpty)
            #expect(try await laptop.sync(with: phone.device, at: address).isComplete)
            _ = try await laptop.settled()
            #expect(try await laptop.groups.count == 200)
            #expect(try await laptop.group(group.id)?.visibilities == [.device(DeviceKey(.zero)): .invisible])
            for node in [phone, laptop] { try await node.close() }
        }
    }

    private func storedEvents(_ home: URL) throws -> Int64 {
        let storage = try SQLiteStorage(directory: home, isReadOnly: true)
        defer { try? storage.close() }
        return try storage.read { reader in
            try reader.groups().flatMap { try reader.logs(of: $0) }.reduce(0) { $0 + Int64($1.lastSequence) }
        }
    }

    @Test("neither a drill nor a store that is made anew shows what was hidden")
    func recovered() async throws {
        try await withDirectory { root in
            let (phone, friend) = try await makeGroup(root)
            try await crew(phone).setVisibility(.invisible, to: .member(friend.member))
            try await crew(phone).setVisibility(.invisible, to: .device(friend.device))
            try await crew(phone).send(PlainText("not for you"))
            try await phone.close()
            let directory = root.appendingPathComponent("phone")
            let drill = try await Node.drill(at: directory, scratch: root.appendingPathComponent("scratch"))
            #expect(!drill.isComplete && drill.sync.peers.allSatisfy(\.groups.isEmpty))
            #expect(drill.sync.peers.count == 1)
            _ = try await Node.rebuildStore(at: directory)
            let again = try await Node.open(at: directory)
            #expect(
                try await crew(again).visibilities == [
                    .member(friend.member): .invisible, .device(friend.device): .invisible,
                ])
            let report = try await again.sync()
            #expect(report.isComplete && report.peers.allSatisfy(\.groups.isEmpty))
            #expect(try await !texts(friend).contains("not for you"))
            for node in [again, friend] { try await node.close() }
        }
    }
}
