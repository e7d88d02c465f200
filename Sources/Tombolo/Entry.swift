public import Foundation
public import TomboloCore

/// One delivered event, as an application sees it.
public struct Entry: Sendable, Identifiable {
    public let id: EventID
    /// Whose log it stands in; nil in a group of the mvds dialect, which does not say who speaks.
    public let log: LogID?
    /// Its number in the log, from 1; 0 where there is no log.
    public let sequence: UInt64
    /// With `id`, the place in the order that everyone shows: Lamport time, in the mvds dialect seconds since 1970.
    public let lamport: UInt64
    public let timestamp: Date
    /// What it names: its causes.
    public let parents: [EventID]
    /// Whether it changes the group's state: its members, or a key.
    public let isState: Bool
    /// Whether it says nothing, and only joins what was said concurrently.
    public let isMerge: Bool
    /// When its content goes away; nil for never.
    public let expiry: Date?
    /// Whether its content is not here: its time is over, it was redacted, or it is dropped.
    public let isErased: Bool
    /// Whether its content is not here although nobody took it back: this device, or those that it was met by, do not keep it
    /// (``SyncGroup/setRetention(_:)``).
    public let isDropped: Bool
    /// Whether its content cannot be read on this device: its key was erased elsewhere, with the content, and this device has not heard why.
    public let isSealed: Bool
    /// The files that it refers to, ascending.
    public let files: [FileID]
    /// The content's type, nil if the content is not of an application of ours.
    public let type: String?
    public let version: Int
    /// The content without type and version.
    public let data: Data

    /// - Parameter content: opened; nil if it has gone, or cannot be read here.
    init(_ event: Event, content: Bytes?, isDropped: Bool = false) {
        id = event.id
        log = event.header.log
        sequence = event.header.sequence
        lamport = event.header.lamport
        timestamp = Date(milliseconds: event.timestamp)
        expiry = event.expiryToCome.map { Date(milliseconds: $0) }
        isErased = event.content == nil
        self.isDropped = isDropped
        isSealed = content == nil && !isErased
        parents = event.header.ancestors
        files = event.header.files
        isMerge = event.header.kind == .merge
        isState = event.header.kind.isState
        let content = content ?? []
        let opened = isState ? nil : ContentEnvelope.open(content)
        type = opened?.type
        version = opened?.version ?? 0
        data = Data(opened?.data ?? content)
    }

    /// What stands for all that is forgotten of a log.
    init(last sequence: UInt64, forgottenOf log: LogID) {
        id = EventID(.zero)
        self.log = log
        self.sequence = sequence
        lamport = 0
        timestamp = Date(milliseconds: 0)
        parents = []
        isState = false
        isMerge = true
        expiry = nil
        isErased = true
        isDropped = false
        isSealed = false
        files = []
        type = nil
        version = 0
        data = Data()
    }

    init(_ stored: StoredMessage) {
        let message = stored.message
        id = stored.id
        log = nil
        sequence = 0
        lamport = UInt64(max(0, message.timestamp))
        timestamp = Date(timeIntervalSince1970: Double(message.timestamp))
        parents = (message.metadata?.parents ?? []).compactMap { EventID($0) }
        files = []
        isMerge = false
        expiry = nil
        isErased = false
        isDropped = false
        isSealed = false
        isState = false
        let opened = ContentEnvelope.open(message.body)
        type = opened?.type
        version = opened?.version ?? 0
        data = Data(opened?.data ?? message.body)
    }

    /// The content as a type of the application's, or nil if it is of another type.
    public func content<Content: EventContent>(as: Content.Type = Content.self) throws -> Content? {
        guard type == Content.type else { return nil }
        return try Content(decodingContent: data, version: version)
    }
}

extension Date {
    /// Since 1970, as events and clocks count.
    init(milliseconds: some BinaryInteger) { self.init(timeIntervalSince1970: Double(milliseconds) / 1_000) }
}

extension Entry: Comparable {
    /// The total order that everyone shows: by Lamport time, then by id.
    public static func < (lhs: Entry, rhs: Entry) -> Bool { lhs.place < rhs.place }
    /// An entry is another one than it was once its content is gone: who shows it looks at it again.
    public static func == (lhs: Entry, rhs: Entry) -> Bool { lhs.place == rhs.place }

    private var place: (UInt64, EventID, Int) { (lamport, id, isErased ? 1 : 0) }
}

/// Where a consumer of a group's changes has got to. Stored by the application with what it made of them.
public struct Bookmark: Hashable, Sendable, Codable {
    let number: Int64
    /// Before the first change.
    public static let start = Bookmark(number: 0)
}

/// Something that the application is told once, in causal order.
public struct Change: Sendable {
    /// Whether the entry is there from now on; or, because its author was removed, is not wanted any more; or is again; or its content is gone;
    /// or it is forgotten, with everything before it in its log.
    public let kind: ChangeKind
    /// Where ``kind`` is `forgotten` only its log and sequence count, its id is all zeros: who keeps copies deletes those
    /// of this log's entries up to there. They may include some whose erasure it was never told.
    public let entry: Entry
    /// To be kept by the application in the transaction in which it applies the change.
    public let bookmark: Bookmark
}

/// Something said that is not kept.
public struct EphemeralMessage: Sendable {
    /// Nil in a group of the mvds dialect, which does not say who speaks.
    public let log: LogID?
    /// The author's clock, milliseconds since 1970; seconds in the mvds dialect.
    public let timestamp: Int64
    public let content: [UInt8]

    /// The content as a type of the application's, or nil if it is of another type.
    public func content<Content: EventContent>(as: Content.Type = Content.self) throws -> Content? {
        guard let opened = ContentEnvelope.open(content[...]), opened.type == Content.type else { return nil }
        return try Content(decodingContent: Data(opened.data), version: opened.version)
    }
}

/// What went wrong, and what to do.
public struct TomboloError: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}
