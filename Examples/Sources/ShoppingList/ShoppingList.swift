import Foundation
public import Tombolo

/// Something is to be bought.
public struct Wanted: EventContent, Codable {
    public static let type = "wanted"
    public static let version = 1
    public var item: String

    public init(item: String) { self.item = item }
}

/// Something that was wanted has been bought.
public struct Bought: EventContent, Codable {
    public static let type = "bought"
    public static let version = 1
    /// The event that asked for it.
    public var wish: String

    public init(wish: String) { self.wish = wish }
}

/// A household's shopping list, in a file of the application's own beside the bookmark up to which it has read the group.
public actor ShoppingList {
    /// Something that somebody asked for.
    public struct Wish: Codable, Hashable, Sendable {
        public var item: String
        /// Two may come home with the same.
        public var purchases = 0
    }

    private struct Contents: Codable {
        /// By the event that asked for it.
        var wishes: [String: Wish] = [:]
        var bookmark = Bookmark.start
    }

    /// A purchase of something that nobody had asked for: the group delivers what depends on something after it, so this
    /// cannot be.
    struct UnknownWish: Error {}

    private let group: SyncGroup
    private let file: URL
    private var contents: Contents

    public init(_ group: SyncGroup, in directory: URL) throws {
        self.group = group
        file = directory.appendingPathComponent("list.json")
        let exists = FileManager.default.fileExists(atPath: file.path)
        contents = exists ? try JSONDecoder().decode(Contents.self, from: Data(contentsOf: file)) : Contents()
    }

    public var wishes: [String: Wish] { contents.wishes }
    public var isComplete: Bool { contents.wishes.values.allSatisfy { $0.purchases > 0 } }

    /// Reads what is new, until the task is cancelled. List and bookmark are written in one go: a crash loses nothing, and
    /// nothing is read twice.
    public func follow() async throws {
        for try await change in group.changes(after: contents.bookmark) {
            var next = contents
            if let wanted = try change.entry.content(as: Wanted.self) {
                next.wishes["\(change.entry.id)"] = change.kind == .withdrawn ? nil : Wish(item: wanted.item)
            } else if let bought = try change.entry.content(as: Bought.self) {
                guard next.wishes[bought.wish] != nil else { throw UnknownWish() }
                next.wishes[bought.wish]?.purchases += change.kind == .withdrawn ? -1 : 1
            }
            next.bookmark = change.bookmark
            try JSONEncoder().encode(next).write(to: file, options: .atomic)
            contents = next
        }
    }
}
