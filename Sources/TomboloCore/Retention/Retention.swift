/// How much of what is said in a group a device keeps. What it keeps no more it still knows of: it stays in sync, and asks nobody for it.
public struct Retention: Hashable, Sendable {
    /// Milliseconds for which a content is kept after it has come here; nil for ever.
    public var age: UInt64?
    /// How many contents are kept, the latest to come; nil for all.
    public var count: Int?
    /// Bytes of contents that are kept, of the latest to come; nil for all.
    public var bytes: Int?

    public init(age: UInt64? = nil, count: Int? = nil, bytes: Int? = nil) {
        (self.age, self.count, self.bytes) = (age, count, bytes)
    }

    public static let everything = Retention()
}

/// What a device knows of the contents of a group that it keeps.
package struct KeptContents: Sendable {
    package var retention = Retention.everything
    /// Contents of events of the conversation up to this Lamport time need not be here, though nobody took them back.
    package var horizon: UInt64 = 0
    /// Which event was the last one to come when, the latest last: how long something has been here.
    var marks: [Mark] = []

    // Not stored.

    /// When what is kept is looked through again, in milliseconds since 1970; nil for not at all.
    var due: UInt64?
    /// Up to this ordinal everything was dropped.
    var dropped: Int64 = 0
    var isChanged = false

    struct Mark: Sendable {
        var ordinal: Int64
        var time: UInt64
    }

    private static let mostMarks = 128

    init() {}

    /// The last event that has been here for as long as contents are kept; 0 if none has.
    func lastAged(at now: UInt64) -> Int64 {
        guard let age = retention.age, now >= age else { return 0 }
        return marks.last { $0.time <= now - age }?.ordinal ?? 0
    }

    /// Notes which event is the last one now, often enough to tell ages by.
    mutating func mark(_ ordinal: Int64, at now: UInt64) {
        guard let age = retention.age else { return marks = [] }
        if let last = marks.last, now < last.time + max(age / 64, 1) { return }
        marks.append(Mark(ordinal: ordinal, time: now))
        if marks.count > Self.mostMarks { marks.removeFirst() }
        isChanged = true
    }

    // How it is kept: as a value of the store's.

    /// The key of what is known of a group.
    package static func key(of group: GroupID) -> String { "contents-\(group)" }

    /// The same for a store that has the events under other ordinals.
    package var forAnotherStore: KeptContents {
        var other = self
        other.marks = []
        return other
    }

    package var encoded: [UInt8] {
        var buffer: [UInt8] = []
        buffer.append(varint: horizon)
        for bound in [retention.age, retention.count.map { UInt64($0) }, retention.bytes.map { UInt64($0) }] {
            buffer.append(bound == nil ? 0 : 1)
            buffer.append(varint: bound ?? 0)
        }
        for mark in marks {
            buffer.append(varint: UInt64(mark.ordinal))
            buffer.append(varint: mark.time)
        }
        return buffer
    }

    /// - Parameter bytes: as they are stored; nil where nothing was.
    package init(decoding bytes: [UInt8]?) throws(StoreError) {
        guard let bytes else { return }
        do throws(WireError) {
            var reader = WireReader(bytes[...])
            horizon = try reader.integer()
            var bounds: [UInt64?] = []
            for _ in 0..<3 {
                let isSet = try reader.byte() == 1
                let bound = try reader.varint()
                bounds.append(isSet ? bound : nil)
            }
            retention = Retention(
                age: bounds[0], count: bounds[1].map { Int(clamping: $0) }, bytes: bounds[2].map { Int(clamping: $0) })
            while !reader.isAtEnd {
                let ordinal = Int64(clamping: try reader.varint())
                marks.append(Mark(ordinal: ordinal, time: try reader.varint()))
            }
        } catch {
            throw StoreError(.corrupt, "what is kept of a group's contents is damaged")
        }
    }
}

/// A content that is here, and how large it is.
public struct ContentSize: Hashable, Sendable {
    public let ordinal: Int64
    public let bytes: Int

    public init(ordinal: Int64, bytes: Int) { (self.ordinal, self.bytes) = (ordinal, bytes) }
}
