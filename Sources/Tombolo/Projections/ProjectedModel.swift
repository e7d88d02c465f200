public import TomboloCore

/// A model that an application makes from a group's entries, one by one. A ``Projection`` stores and updates it.
///
/// An implementation must expect entries of any type, from any member, with any content. It ignores those that it does
/// not know.
public protocol ProjectedModel: Codable, Sendable {
    /// The model of a group without entries.
    init()
    /// Inserts an entry. All entries that it depends on were inserted before, unless they are gone.
    mutating func insert(_ entry: Entry)
    /// Removes an entry that was withdrawn, or whose content is gone. The model may never have had it.
    mutating func remove(_ id: Entry.ID)
    /// Removes all entries of a log up to a sequence.
    mutating func forget(log: LogID, through sequence: UInt64)
}

extension ProjectedModel {
    /// Applies one change.
    public mutating func apply(_ change: Change) {
        switch change {
        case .delivered(let entry, _), .restored(let entry, _): insert(entry)
        case .withdrawn(let id, _), .erased(let id, _, _): remove(id)
        case .forgotten(let log, let sequence, _): forget(log: log, through: sequence)
        }
    }
}

/// The current contents of one type in a group, by their entries. It is the simplest model, and a part for others.
public struct LiveContents<Content: EventContent & Codable>: ProjectedModel {
    /// A content and its place in the group.
    public struct Item: Codable, Sendable {
        /// The decoded content.
        public let content: Content
        /// The entry's author; nil in a group of the mvds dialect.
        public let author: EntryAuthor?
        let log: LogID?
        let sequence: UInt64
    }

    /// The contents by the ids of their entries.
    public private(set) var items: [EventID: Item] = [:]

    /// Creates a model without contents.
    public init() {}

    /// The content of an entry; nil if the group has no such content now.
    public subscript(id: EventID) -> Content? { items[id]?.content }
    /// The number of contents.
    public var count: Int { items.count }
    /// Tells whether there is no content.
    public var isEmpty: Bool { items.isEmpty }

    public mutating func insert(_ entry: Entry) {
        guard let content = entry.content(as: Content.self) else { return }
        items[entry.id] = Item(content: content, author: entry.author, log: entry.log, sequence: entry.sequence)
    }

    public mutating func remove(_ id: Entry.ID) { items[id] = nil }

    public mutating func forget(log: LogID, through sequence: UInt64) {
        items = items.filter { $0.value.log != log || $0.value.sequence > sequence }
    }
}

extension LiveContents.Item: Equatable where Content: Equatable {}
extension LiveContents: Equatable where Content: Equatable {}
