import Foundation
import ShoppingList
import Testing
import Tombolo
import TomboloTesting

@Suite("A household's shopping list") struct ShoppingListTests {
    /// The application on a phone: the list follows the group once there is one, from each start on.
    private static func household(_ node: Node, _ directory: URL) async throws {
        while try await node.groups.isEmpty { try await node.clock.sleep(for: .seconds(1)) }
        guard let group = try await node.groups.first else { return }
        try await Projection(of: group, inFolder: directory).follow()
    }

    @Test("crashes, lost links and a cut network leave everybody with the same list", arguments: [1, 2] as [UInt64])
    func faults(seed: UInt64) async throws {
        let simulation = try NodeSimulation(seed: seed, faults: .rough)
        let anna = try await simulation.addDevice("anna", running: Self.household)
        let home = try await anna.node.createGroup(named: "home")
        for name in ["ben", "carla"] {
            let node = try await simulation.addDevice(name, running: Self.household).node
            let link = try await home.invite()
            _ = try await simulation.run { try await node.join(link) }
        }
        var wishes: [EventID: String] = [:]
        for minute in 1...15 {
            for device in await simulation.devices {
                // A phone that has just crashed sends nothing.
                guard let group = try? await device.node.groups.first else { continue }
                let list = await Projection(of: group, inFolder: device.directory).model
                if let open = list.wishes.filter({ $0.value.purchases == 0 }).keys.min() {
                    try await group.send(Bought(wish: open))
                }
                let item = "\(device.name)'s number \(minute)"
                wishes[try await group.send(Wanted(item: item))] = item
            }
            try await simulation.run(for: .seconds(60))
        }
        try await simulation.settle()
        var lists: Set<[EventID: ShoppingList.Wish]> = []
        for device in await simulation.devices {
            let group = try #require(try await device.node.groups.first)
            let list = await Projection(of: group, inFolder: device.directory).model
            #expect(list.wishes.mapValues(\.item) == wishes, "everything that was wished for, once")
            lists.insert(list.wishes)
        }
        #expect(lists.count == 1, "the same purchases on every phone")
        try await simulation.close()
    }

    /// A device with a group, and a folder for the application.
    private func withHome(_ body: (Node, SyncGroup, URL) async throws -> Void) async throws {
        let root = FileManager.default.temporaryDirectory.appendingPathComponent("tombolo-example-\(UUID())")
        defer { try? FileManager.default.removeItem(at: root) }
        let node = try await Node.open(at: root.appendingPathComponent("node"))
        try await body(node, try await node.createGroup(named: "home"), root)
        try await node.close()
    }

    /// The list after another start of the application.
    private func list(_ group: SyncGroup, _ folder: URL) async throws -> ShoppingList {
        let projection = Projection(of: group, inFolder: folder)
        try await projection.update()
        return await projection.model
    }

    @Test("an erased wish vanishes, and so does an erased purchase")
    func erased() async throws {
        try await withHome { node, group, folder in
            let bread = try await group.send(Wanted(item: "bread"))
            let salt = try await group.send(Wanted(item: "salt"))
            let purchase = try await group.send(Bought(wish: bread))
            #expect(try await list(group, folder).wishes.mapValues(\.purchases) == [bread: 1, salt: 0])
            try await group.redact(try #require(try await group.entry(ofID: "\(salt)")))
            try await group.redact(try #require(try await group.entry(ofID: "\(purchase)")))
            #expect(try await list(group, folder).wishes == [bread: .init(item: "bread", purchases: 0)])
            let data = try Data(contentsOf: folder.appendingPathComponent("list.json"))
            #expect(!String(decoding: data, as: UTF8.self).contains("salt"))
        }
    }

    @Test("a purchase whose wish is gone does not end the following, at this start or the next")
    func missingCause() async throws {
        try await withHome { node, group, folder in
            let bread = try await group.send(Wanted(item: "bread"))
            try await group.send(Bought(wish: bread))
            // The wish goes before the application has seen either.
            try await group.redact(try #require(try await group.entry(ofID: "\(bread)")))
            let salt = try await group.send(Wanted(item: "salt"))
            for _ in 0..<2 {
                #expect(try await list(group, folder).wishes == [salt: .init(item: "salt", purchases: 0)])
            }
        }
    }

    @Test("a withdrawn wish counts again, with its purchases, once its author is a member again")
    func withdrawn() async throws {
        var list = ShoppingList()
        try await withHome { node, group, folder in
            let bread = try await group.send(Wanted(item: "bread"))
            try await group.send(Bought(wish: bread))
            let changes = try await group.changes(after: .start, limit: 10)
            for change in changes { list.apply(change) }
            let wish = try #require(changes.first?.entry)
            list.apply(.withdrawn(wish.id, at: changes[1].bookmark))
            #expect(list.wishes.isEmpty)
            list.apply(.restored(wish, at: changes[1].bookmark))
            #expect(list.wishes == [bread: .init(item: "bread", purchases: 1)])
        }
    }

    /// A content of the list's own type that is none.
    private struct BadWish: EventContent {
        static let type = Wanted.type
        static let version = Wanted.version
        init() {}
        init(decodingContent data: Data, version: Int) {}
        func encodeContent() -> Data { Data("{\"item\": [7]}".utf8) }
    }

    @Test("one badly shaped content of a member stops nobody's list")
    func badContent() async throws {
        try await withHome { node, group, folder in
            try await group.send(BadWish())
            let salt = try await group.send(Wanted(item: "salt"))
            #expect(try await list(group, folder).wishes.mapValues(\.item) == [salt: "salt"])
        }
    }
}
