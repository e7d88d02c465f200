public import Foundation
public import Tombolo

/// A wish: an item to buy.
public struct Wanted: EventContent, Codable, Hashable {
    public static let type = "wanted"
    public static let version = 1
    public var item: String

    public init(item: String) { self.item = item }
}

/// A purchase of a wanted item.
public struct Bought: EventContent, Codable, Hashable {
    public static let type = "bought"
    public static let version = 1
    /// The event of the wish.
    public var wish: EventID

    public init(wish: EventID) { self.wish = wish }
}

/// A household's shopping list, made from the group's entries.
///
/// Entries of any member arrive and disappear in any order. Both parts have the current ones, and the list follows from
/// them. A purchase does not count while its wish is gone, and counts again when the wish is restored.
public struct ShoppingList: ProjectedModel, Equatable {
    /// A wish of a member.
    public struct Wish: Hashable, Sendable {
        public var item: String
        /// The number of purchases. Two members may buy the same item.
        public var purchases: Int

        public init(item: String, purchases: Int = 0) { (self.item, self.purchases) = (item, purchases) }
    }

    private var wanted = LiveContents<Wanted>()
    private var bought = LiveContents<Bought>()

    public init() {}

    public mutating func insert(_ entry: Entry) {
        wanted.insert(entry)
        bought.insert(entry)
    }

    public mutating func remove(_ id: Entry.ID) {
        wanted.remove(id)
        bought.remove(id)
    }

    public mutating func forget(log: LogID, through sequence: UInt64) {
        wanted.forget(log: log, through: sequence)
        bought.forget(log: log, through: sequence)
    }

    /// The wishes, by their events.
    public var wishes: [EventID: Wish] {
        var wishes = wanted.items.mapValues { Wish(item: $0.content.item, purchases: 0) }
        for purchase in bought.items.values { wishes[purchase.content.wish]?.purchases += 1 }
        return wishes
    }

    public var isComplete: Bool { wishes.values.allSatisfy { $0.purchases > 0 } }
}

extension Projection<ShoppingList> {
    /// The list of a group, in a file of the application's own.
    public init(of group: SyncGroup, inFolder folder: URL) {
        self.init(of: group, in: folder.appendingPathComponent("list.json"))
    }
}
