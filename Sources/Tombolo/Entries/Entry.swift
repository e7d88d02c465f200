public import Foundation
public import TomboloCore

/// One delivered event, as an application sees it.
public struct Entry: Sendable, Identifiable {
    /// The kind of an event.
    public enum Kind: Hashable, Sendable {
        /// A message of a member.
        case message
        /// An event without content that a device writes to join concurrent events.
        case merge
        /// A change of the group's state: a role, a key, or another state event.
        case state
    }

    /// The event's id.
    public let id: EventID
    /// The kind of the event.
    public let kind: Kind
    /// The member and the device that wrote it; nil in a group of the mvds dialect, which names no authors.
    public let author: EntryAuthor?
    /// The log that it belongs to; nil in a group of the mvds dialect.
    public let log: LogID?
    /// Its number in the log, from 1; 0 where there is no log.
    public let sequence: UInt64
    /// With `id`, its place in the order that all devices show: the Lamport time; in the mvds dialect seconds since
    /// 1970.
    public let lamport: UInt64
    /// The time when it was written, by the clock of its author's device.
    public let timestamp: Date
    /// The events that it names as its causes.
    public let parents: [EventID]
    /// The time when its content expires; nil for never.
    public let expiry: Date?
    /// The reason why its content is not on this device; nil if the content is here.
    public let erasure: ErasureReason?
    /// Tells whether this device holds the content and cannot read it: the content's key was erased elsewhere, and the
    /// erasure has not reached this device.
    public let isSealed: Bool
    /// The files that it refers to, ascending.
    public let files: [FileID]
    /// The content's type (``EventContent/type``); nil for bytes without a type, as in a group of the mvds dialect.
    public let type: String?
    /// The content's version (``EventContent/version``); 0 for bytes without a type.
    public let version: Int
    /// The content without its type and version; all bytes of the body in a group of the mvds dialect.
    public let data: Data

    /// Tells whether its content is not on this device; ``erasure`` says why.
    public var isErased: Bool { erasure != nil }

    /// - Parameter content: the decrypted content; nil if it is gone, or cannot be read here.
    init(_ event: Event, content: Bytes?, author: EntryAuthor?, erasure: ErasureReason?) {
        id = event.id
        kind = event.header.kind == .merge ? .merge : event.header.kind.isState ? .state : .message
        self.author = author
        log = event.header.log
        sequence = event.header.sequence
        lamport = event.header.lamport
        timestamp = Date(milliseconds: event.timestamp)
        expiry = event.expiryToCome.map { Date(milliseconds: $0) }
        self.erasure = event.content == nil ? erasure ?? .redacted(by: nil) : nil
        isSealed = content == nil && event.content != nil
        parents = event.header.ancestors
        files = event.header.files
        let content = content ?? []
        let opened = event.header.kind.isState ? nil : ContentEnvelope.open(content)
        type = opened?.type
        version = opened?.version ?? 0
        data = Data(opened?.data ?? content)
    }

    /// A message of the mvds dialect. Its body is bytes that mean nothing to Tombolo.
    init(_ stored: StoredMessage) {
        let message = stored.message
        id = stored.id
        kind = .message
        author = nil
        log = nil
        sequence = 0
        lamport = UInt64(max(0, message.timestamp))
        timestamp = Date(timeIntervalSince1970: Double(message.timestamp))
        parents = (message.metadata?.parents ?? []).compactMap { EventID($0) }
        files = []
        expiry = nil
        erasure = nil
        isSealed = false
        type = nil
        version = 0
        data = Data(message.body)
    }

    /// The content as a type of the application; nil if it has another type, is gone, or cannot be decoded.
    ///
    /// ``decodedContent(as:)`` tells these apart.
    public func content<Content: EventContent>(as: Content.Type = Content.self) -> Content? {
        try? decodedContent(as: Content.self)?.get()
    }

    /// The content as a type of the application, or the error of its decoding; nil if it has another type, or is gone.
    public func decodedContent<Content: EventContent>(
        as: Content.Type = Content.self
    ) -> Result<Content, TomboloError>? {
        guard type == Content.type else { return nil }
        return Result { try Content(decodingContent: data, version: version) }.mapError { error in
            TomboloError(
                .undecodableContent, "the content of \(id) is not a \(Content.type) of version \(version)",
                recovery: "skip it, or update the application", underlying: error)
        }
    }
}

/// The member and the device that wrote an entry.
public struct EntryAuthor: Hashable, Sendable, Codable {
    /// The key of the member.
    public let member: MemberKey
    /// The key of the member's device.
    public let device: DeviceKey

    /// An author with these keys.
    public init(member: MemberKey, device: DeviceKey) { (self.member, self.device) = (member, device) }
}

extension Date {
    /// Creates a date from milliseconds since 1970, as events and clocks count.
    init(milliseconds: some BinaryInteger) { self.init(timeIntervalSince1970: Double(milliseconds) / 1_000) }
}

extension Entry: Comparable {
    /// The total order that all devices show: by Lamport time, then by id.
    public static func < (lhs: Entry, rhs: Entry) -> Bool { lhs.place < rhs.place }
    /// Tells whether two values show the same. An entry differs from itself after its content is erased.
    public static func == (lhs: Entry, rhs: Entry) -> Bool { lhs.place == rhs.place }

    private var place: (UInt64, EventID, Int) { (lamport, id, isErased ? 1 : 0) }
}

/// A message that no device stores.
public struct EphemeralMessage: Sendable {
    /// The log of the device that sent it; nil in a group of the mvds dialect, which names no authors.
    public let log: LogID?
    /// The time when it was sent, by the clock of its author's device.
    public let timestamp: Date
    /// All of its bytes; in a native group with the type and version in front.
    public let bytes: [UInt8]

    /// The content as a type of the application; nil if it has another type, or cannot be decoded.
    public func content<Content: EventContent>(as: Content.Type = Content.self) -> Content? {
        guard log != nil, let opened = ContentEnvelope.open(bytes[...]), opened.type == Content.type else { return nil }
        return try? Content(decodingContent: Data(opened.data), version: opened.version)
    }
}
