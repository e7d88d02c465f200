public import TomboloCore

/// An entry together with its decoded content.
///
/// The entry's properties can be read through it: `note.author`, `note.timestamp`.
@dynamicMemberLookup
public struct ContentEntry<Content: EventContent>: Sendable, Identifiable {
    /// The entry, with the same content as bytes.
    public let entry: Entry
    /// The decoded content.
    public let content: Content

    /// An entry with a content that was decoded elsewhere.
    public init(entry: Entry, content: Content) { (self.entry, self.content) = (entry, content) }

    /// The entry's id.
    public var id: EventID { entry.id }
    /// A property of the entry.
    public subscript<Value>(dynamicMember path: KeyPath<Entry, Value>) -> Value { entry[keyPath: path] }
}

extension ContentEntry: Equatable where Content: Equatable {}
extension ContentEntry: Hashable where Content: Hashable {
    public func hash(into hasher: inout Hasher) {
        hasher.combine(entry.id)
        hasher.combine(content)
    }
}

/// One change of a group, as a reader of one type of content sees it.
///
/// Entries of other types, state events and merges are left out. Erased and withdrawn entries are named whatever their
/// type, since the type of an erased content is gone with it.
public enum ContentChange<Content: EventContent>: Sendable {
    /// An entry was delivered. All entries that it depends on were delivered before it.
    case delivered(ContentEntry<Content>, at: Bookmark)
    /// A delivered entry no longer counts: its author was removed from the group and did not know of that.
    case withdrawn(Entry.ID, at: Bookmark)
    /// A withdrawn entry counts again, or the content of an erased one has returned to this device.
    case restored(ContentEntry<Content>, at: Bookmark)
    /// The content of an entry is gone.
    case erased(Entry.ID, ErasureReason, at: Bookmark)
    /// An entry was delivered or restored whose content names the type and cannot be decoded. Any member can send one.
    case undecodable(Entry, TomboloError, at: Bookmark)
    /// The group has forgotten the beginning of a log. An application deletes its copies of this log's entries up to
    /// this sequence.
    case forgotten(log: LogID, through: UInt64, at: Bookmark)

    /// The bookmark after this change.
    public var bookmark: Bookmark {
        switch self {
        case .delivered(_, let bookmark), .withdrawn(_, let bookmark), .restored(_, let bookmark),
            .erased(_, _, let bookmark), .undecodable(_, _, let bookmark), .forgotten(_, _, let bookmark):
            bookmark
        }
    }

    /// - Returns: nil for an entry of another type.
    init?(_ change: Change) {
        switch change {
        case .delivered(let entry, let bookmark), .restored(let entry, let bookmark):
            switch entry.decodedContent(as: Content.self) {
            case nil: return nil
            case .failure(let error)?: self = .undecodable(entry, error, at: bookmark)
            case .success(let content)?:
                let entry = ContentEntry(entry: entry, content: content)
                if case .restored = change {
                    self = .restored(entry, at: bookmark)
                } else {
                    self = .delivered(entry, at: bookmark)
                }
            }
        case .withdrawn(let id, let bookmark): self = .withdrawn(id, at: bookmark)
        case .erased(let id, let reason, let bookmark): self = .erased(id, reason, at: bookmark)
        case .forgotten(let log, let sequence, let bookmark):
            self = .forgotten(log: log, through: sequence, at: bookmark)
        }
    }
}

extension SyncGroup {
    /// The changes of one type of content after `bookmark`, then those from now on, until the task is cancelled or the
    /// node is closed.
    ///
    /// A ``Projection`` does the same for an application that keeps a model of the contents in a file.
    ///
    /// The sequence throws ``TomboloError`` of the store.
    public func changes<Content: EventContent>(
        of type: Content.Type, after bookmark: Bookmark = .start
    ) -> some AsyncSequence<ContentChange<Content>, TomboloError> & Sendable {
        PullSequence<ContentChange<Content>, TomboloError> {
            let cursor = ChangeCursor(group: self, after: bookmark, including: .messages)
            return { () async throws(TomboloError) in
                while let change = try await cursor.next() {
                    if let change = ContentChange<Content>(change) { return change }
                }
                return nil
            }
        }
    }
}
