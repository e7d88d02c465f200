public import TomboloCore

/// A model that an application makes of a group's entries, entry by entry. A ``Projection`` keeps it and feeds it.
///
/// An implementation expects entries in any number of types, from any member, with any content. It ignores what it does not
/// know.
public protocol ProjectedModel: Codable, Sendable {
    /// The model of a group without entries.
    init()
    /// An entry is there from now on. All entries that it depends on were inserted before, unless they are gone.
    mutating func insert(_ entry: Entry)
    /// An entry is not there any more: it was withdrawn, or its content is gone. The model may never have had it.
    mutating func remove(_ id: Entry.ID)
    /// All entries of a log up to a sequence are not there any more.
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

/// The contents of one type that are in a group now, by their entries. The simplest model, and a part for others.
public struct LiveContents<Content: EventContent & Codable>: ProjectedModel {
    /// A content and its place in the group.
    public struct Item: Codable, Sendable {
        /// The decoded content.
        public let content: Content
        /// Nil in a group of the mvds dialect.
        public let author: EntryAuthor?
        let log: LogID?
        let sequence: UInt64
    }

    /// By the ids of their entries.
    public private(set) var items: [EventID: Item] = [:]

    /// No contents.
    public init() {}

    /// The content of an entry; nil if the group has no such content now.
    public subscript(id: EventID) -> Content? { items[id]?.content }
    /// The number of contents.
    public var count: Int { items.count }
    /// Whether there is no content.
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
