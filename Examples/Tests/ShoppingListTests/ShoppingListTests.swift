import Foundation
import ShoppingList
import Testing
import Tombolo
import TomboloTesting

@Suite("A household's shopping list") struct ShoppingListTests {
    /// What runs on a phone: the list follows the group once there is one, from each start of the application on.
    private static func household(_ node: Node, _ directory: URL) async throws {
        while try node.groups.isEmpty { try await node.clock.sleep(for: .seconds(1)) }
        guard let group = try node.groups.first else { return }
        try await ShoppingList(group, in: directory).follow()
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
        var wishes: [String: String] = [:]
        for minute in 1...15 {
            for device in await simulation.devices {
                // A phone that has just crashed has nothing to say.
                guard let group = try? device.node.groups.first else { continue }
                let list = try ShoppingList(group, in: device.directory)
                if let open = await list.wishes.filter({ $0.value.purchases == 0 }).keys.sorted().first {
                    try await group.send(Bought(wish: open))
                }
                let item = "\(device.name)'s number \(minute)"
                wishes["\(try await group.send(Wanted(item: item)))"] = item
            }
            try await simulation.run(for: .seconds(60))
        }
        try await simulation.settle()
        var lists: Set<[String: ShoppingList.Wish]> = []
        for device in await simulation.devices {
            let list = try ShoppingList(try #require(device.node.groups.first), in: device.directory)
            #expect(await list.wishes.mapValues(\.item) == wishes, "everything that was wished for, once")
            lists.insert(await list.wishes)
        }
        #expect(lists.count == 1, "the same purchases on every phone")
        try await simulation.close()
    }
}
