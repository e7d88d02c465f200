/// What a device knows of the contents of a group that it keeps.
package struct KeptContents: Sendable {
    package var retention = Retention.everything
    /// Contents of events of the conversation up to this Lamport time need not be here, though nobody took them back.
    package var horizon: UInt64 = 0
    /// How often something has come to be missing.
    var missed: UInt64 = 0
    /// Peers that were asked for what is missing.
    var asked: [DeviceKey: Asked] = [:]
    /// Which event was the last one to come when, the latest last: how long something has been here.
    var marks: [Mark] = []

    // Not stored.

    /// When what is kept is looked through again, in milliseconds since 1970; nil for not at all.
    var due: UInt64?
    /// Up to this ordinal there is nothing more to drop.
    var dropped: Int64 = 0
    var isChanged = false

    /// What held when a peer was asked: while it keeps no more, and nothing else is missing here, it is not asked again.
    struct Asked: Hashable, Sendable {
        /// The peer's horizon.
        var theirs: UInt64 = 0
        var missed: UInt64 = 0
    }

    struct Mark: Sendable {
        var ordinal: Int64
        var time: UInt64
    }

    private static let mostMarks = 128
    private static let mostAsked = 64

    init() {}

    /// For how many milliseconds contents are kept, at least a minute; nil for ever.
    var age: UInt64? { retention.age.map { max($0.roundedMilliseconds, 60_000) } }

    /// The last event that has been here for as long as contents are kept; 0 if none has.
    func lastAged(at now: UInt64) -> Int64 {
        guard let age, now >= age else { return 0 }
        return marks.last { $0.time <= now - age }?.ordinal ?? 0
    }

    /// Notes which event is the last one now, often enough to tell ages by.
    mutating func mark(_ ordinal: Int64, at now: UInt64) {
        guard let age else { return marks = [] }
        // The clock was put back.
        marks.removeAll { $0.time > now }
        if let last = marks.last, now - last.time < max(age / 64, 1) { return }
        marks.append(Mark(ordinal: ordinal, time: now))
        if marks.count > Self.mostMarks { marks.removeFirst() }
        isChanged = true
    }

    /// Notes that contents of these Lamport times are not here, though nobody took them back.
    mutating func noteMissing(_ lamports: [UInt64]) {
        guard let highest = lamports.max() else { return }
        horizon = max(horizon, highest)
        missed += 1
        isChanged = true
    }

    mutating func noteAsked(_ peer: DeviceKey, _ asked: Asked) {
        // Visitors come without end.
        if self.asked.count >= Self.mostAsked, self.asked[peer] == nil { self.asked = [:] }
        self.asked[peer] = asked
        isChanged = true
    }

    // How it is kept: as a value of the store's.

    /// The key of what is known of a group.
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
            // What is more than any store can have is as good as all.
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

    /// What can be read of it.
    package init(recovering bytes: [UInt8]?) { self = (try? KeptContents(decoding: bytes)) ?? KeptContents() }

    /// - Parameter bytes: as they are stored; nil where nothing was.
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
            throw StoreError(.corrupt, "what is kept of a group's contents is damaged")
        }
    }
}
