/// The contents that a device keeps of a group, and those that it lacks.
package struct KeptContents: Sendable {
    package var retention = Retention.everything
    /// The device's horizon: up to this Lamport time contents may be missing that are not to be erased
    /// (protocol 2.10-2).
    package var horizon: UInt64 = 0
    /// The number of times that further contents were found missing.
    var missed: UInt64 = 0
    /// The peers that were asked for missing contents.
    var asked: [DeviceKey: Asked] = [:]
    /// The last ordinal at several times, the latest last. They tell how long a content has been held.
    var marks: [Mark] = []

    // Not stored.

    /// The time of the next search for contents to drop, in milliseconds since 1970; nil for none.
    var due: UInt64?
    /// The ordinal up to which nothing more is to be dropped.
    var dropped: Int64 = 0
    var isChanged = false

    /// The state when a peer was asked. It is asked again only when its horizon is lower, or something else is missing
    /// (protocol 2.10-6).
    struct Asked: Hashable, Sendable {
        /// The peer's horizon.
        var theirs: UInt64 = 0
        /// The value of ``KeptContents/missed``.
        var missed: UInt64 = 0
    }

    struct Mark: Sendable {
        var ordinal: Int64
        var time: UInt64
    }

    private static let mostMarks = 128
    private static let mostAsked = 64

    init() {}

    /// The milliseconds for which contents are kept, at least a minute; nil for ever.
    var age: UInt64? { retention.age.map { max($0.roundedMilliseconds, 60_000) } }

    /// The ordinal of the last event whose content has reached that age; 0 if none has.
    func lastAged(at now: UInt64) -> Int64 {
        guard let age, now >= age else { return 0 }
        return marks.last { $0.time <= now - age }?.ordinal ?? 0
    }

    /// Notes the last ordinal at this time, often enough to tell the age of contents.
    mutating func mark(_ ordinal: Int64, at now: UInt64) {
        guard let age else { return marks = [] }
        // The clock was set back.
        marks.removeAll { $0.time > now }
        if let last = marks.last, now - last.time < max(age / 64, 1) { return }
        marks.append(Mark(ordinal: ordinal, time: now))
        if marks.count > Self.mostMarks { marks.removeFirst() }
        isChanged = true
    }

    /// Notes that contents of these Lamport times are missing, although they are not to be erased.
    mutating func noteMissing(_ lamports: [UInt64]) {
        guard let highest = lamports.max() else { return }
        horizon = max(horizon, highest)
        missed += 1
        isChanged = true
    }

    mutating func noteAsked(_ peer: DeviceKey, _ asked: Asked) {
        // Visitors are not bounded in number.
        if self.asked.count >= Self.mostAsked, self.asked[peer] == nil { self.asked = [:] }
        self.asked[peer] = asked
        isChanged = true
    }

    // The stored form: one value of the store.

    /// The store's key of a group's value.
    package static func key(of group: GroupID) -> String { "contents-\(group)" }

    /// The same for a store that has the events under other ordinals.
    package var forAnotherStore: KeptContents {
        var other = self
        other.marks = []
        other.asked = [:]
        return other
    }

    package var encoded: [UInt8] {
        var buffer: [UInt8] = []
        buffer.append(varint: horizon)
        for bound in [age, retention.count.map { UInt64($0) }, retention.bytes.map { UInt64($0) }] {
            buffer.append(bound == nil ? 0 : 1)
            // A bound above all that a store can hold is as good as none.
            buffer.append(varint: min(bound ?? 0, Limits.integer - 1))
        }
        buffer.append(varint: missed)
        buffer.append(varint: marks.count)
        for mark in marks {
            buffer.append(varint: UInt64(mark.ordinal))
            buffer.append(varint: mark.time)
        }
        for (peer, asked) in asked.sorted(by: { $0.key < $1.key }) {
            buffer.append(peer)
            buffer.append(varint: asked.theirs)
            buffer.append(varint: asked.missed)
        }
        return buffer
    }

    /// Reads a stored value; the defaults if it is missing or damaged.
    package init(recovering bytes: [UInt8]?) { self = (try? KeptContents(decoding: bytes)) ?? KeptContents() }

    /// Reads a stored value.
    ///
    /// - Parameter bytes: the stored bytes; nil if there are none.
    /// - Throws: `StoreError` `corrupt` if they cannot be decoded.
    package init(decoding bytes: [UInt8]?) throws(StoreError) {
        guard let bytes else { return }
        do throws(WireError) {
            var reader = WireReader(bytes[...])
            horizon = try reader.integer()
            var bounds: [UInt64?] = []
            for _ in 0..<3 {
                let isSet = try reader.byte() == 1
                let bound = try reader.integer()
                bounds.append(isSet ? bound : nil)
            }
            retention = Retention(
                age: bounds[0].map { .milliseconds(Int64(clamping: $0)) }, count: bounds[1].map { Int(clamping: $0) },
                bytes: bounds[2].map { Int(clamping: $0) })
            missed = try reader.integer()
            for _ in 0..<(try reader.varint(atMost: Self.mostMarks, "marks")) {
                marks.append(Mark(ordinal: Int64(try reader.integer()), time: try reader.integer()))
            }
            while !reader.isAtEnd {
                let peer = DeviceKey(try reader.bytes32())
                asked[peer] = Asked(theirs: try reader.varint(), missed: try reader.integer())
            }
        } catch {
            throw StoreError(.corrupt, "the record of a group's kept contents is damaged")
        }
    }
}
