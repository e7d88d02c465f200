public import Foundation
public import Tombolo

/// Something is to be bought.
public struct Wanted: EventContent, Codable, Hashable {
    public static let type = "wanted"
    public static let version = 1
    public var item: String

    public init(item: String) { self.item = item }
}

/// Something that was wanted has been bought.
public struct Bought: EventContent, Codable, Hashable {
    public static let type = "bought"
    public static let version = 1
    /// The event that asked for it.
    public var wish: EventID

    public init(wish: EventID) { self.wish = wish }
}

/// A household's shopping list: what the group's entries come to.
///
/// Entries come and go, in any order and from anybody. Both parts hold what is there now, and the list follows from them: a
/// purchase whose wish is gone counts for nothing, and counts again when the wish is restored.
public struct ShoppingList: ProjectedModel, Equatable {
    /// Something that somebody asked for.
    public struct Wish: Hashable, Sendable {
        public var item: String
        /// Two may come home with the same.
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

    /// By the event that asked for it.
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
