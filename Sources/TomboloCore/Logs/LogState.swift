/// The state of one log on this device: its floor, its starts and its ends (protocol 3-1).
public struct LogState: Hashable, Sendable {
    public let id: LogID
    /// The store's number of the log; 0 until it has one.
    package var reference: Int64 = 0
    /// The log's certificate; nil until its first event arrives.
    public var certificate: Certificate?
    /// The sequence up to which the log's events are forgotten for good; only a checkpoint raises it (protocol 2.11-3).
    public private(set) var floor: UInt64 = 0
    /// Held events whose previous is not held, ascending.
    package private(set) var starts: [Start] = []
    /// Held events that no held event of the log names as previous, ascending.
    public private(set) var ends: [End] = []
    /// The number of held events that wait for ancestors.
    package var waiting = 0

    package struct Start: Hashable, Sendable {
        package var sequence: UInt64
        package var id: EventID
        package var previous: EventID?

        package init(sequence: UInt64, id: EventID, previous: EventID?) {
            (self.sequence, self.id, self.previous) = (sequence, id, previous)
        }
    }

    /// The last event of a branch, or of a range before a gap.
    public struct End: Hashable, Sendable {
        public var sequence: UInt64
        public var id: EventID
        package var lamport: UInt64
        /// The sequence from which the chain below this event is held.
        package var start: UInt64
        /// The event with which that chain begins; nil if only its sequence is known.
        package var startID: EventID?
    }

    package init(id: LogID) { self.id = id }

    // Values that follow from the fields above. They are kept, since they are read of all logs at once.
    /// The highest sequence that is held; the floor if no event is held.
    public private(set) var lastSequence: UInt64 = 0
    /// Whether all held events are one chain up from the floor. Then a sequence names one event.
    package private(set) var isLinear = true
    /// Whether the log is held from its first event to its one end without gaps.
    package private(set) var isGapless = false

    private mutating func noteShape() {
        lastSequence = ends.last?.sequence ?? floor
        isLinear = ends.count <= 1 && starts.count <= 1 && (starts.first?.sequence ?? floor + 1) == floor + 1
        isGapless = isLinear && floor == 0 && ends.count == 1 && starts.count == 1
    }

    /// The number of held events of the log that wait for ancestors.
    public var waitingForAncestors: Int { waiting }

    /// The same state, sharing memory with the equal parts of another copy.
    func sharing(_ other: LogState) -> LogState {
        var state = self
        if other.certificate == certificate { state.certificate = other.certificate }
        if other.starts == starts { state.starts = other.starts }
        if other.ends == ends { state.ends = other.ends }
        return state
    }

    package func isEnd(_ id: EventID, at sequence: UInt64) -> Bool {
        ends.contains { $0.id == id && $0.sequence == sequence }
    }

    package enum Placement { case placed, overfull }

    /// Whether the log has as many branches or gaps as a device holds.
    var isFull: Bool { ends.count >= Limits.endsPerLog || starts.count >= Limits.startsPerLog }

    /// Notes an event that is newly held.
    ///
    /// - Parameter isPreviousHeld: whether the event `previous` is held. It matters only where `previous` is not an
    ///   end.
    /// - Returns: `overfull`, and nothing changed, if a bound of protocol 3-5 would be exceeded.
    package mutating func place(
        sequence: UInt64, id: EventID, lamport: UInt64, previous: EventID?, isPreviousHeld: Bool
    ) -> Placement {
        var (start, startID): (UInt64, EventID?) = (sequence, id)
        var replacedEnd: Int?
        var isStart = false
        if let previous, let index = ends.firstIndex(where: { $0.id == previous && $0.sequence == sequence - 1 }) {
            replacedEnd = index
            (start, startID) = (ends[index].start, ends[index].startID)
        } else if previous != nil, sequence > floor + 1, isPreviousHeld {
            // The event branches off the middle of a chain. With one start below it, the chain is certain. With
            // several, only the event itself is claimed as held.
            let below = starts.filter { $0.sequence < sequence }
            (start, startID) =
                below.count == 1 ? (below[0].sequence, below[0].id) : below.isEmpty ? (floor + 1, nil) : (sequence, nil)
        } else {
            isStart = true
        }
        let children = starts.indices.filter { starts[$0].previous == id && starts[$0].sequence == sequence + 1 }
        let isEnd = children.isEmpty
        guard starts.count - children.count + (isStart ? 1 : 0) <= Limits.startsPerLog,
            ends.count + (isEnd ? 1 : 0) - (replacedEnd == nil ? 0 : 1) <= Limits.endsPerLog
        else { return .overfull }
        if let replacedEnd { ends.remove(at: replacedEnd) }
        for index in children.reversed() {
            let child = starts.remove(at: index)
            for end in ends.indices where ends[end].startID == child.id {
                (ends[end].start, ends[end].startID) = (start, startID)
            }
        }
        if isStart {
            let index = starts.firstIndex { ($0.sequence, $0.id) > (sequence, id) } ?? starts.endIndex
            starts.insert(Start(sequence: sequence, id: id, previous: previous), at: index)
        }
        if isEnd {
            let index = ends.firstIndex { ($0.sequence, $0.id) > (sequence, id) } ?? ends.endIndex
            ends.insert(
                End(sequence: sequence, id: id, lamport: lamport, start: start, startID: startID), at: index)
        }
        noteShape()
        return .placed
    }

    /// Raises the floor, and forgets the events up to it.
    ///
    /// - Parameter next: the held events right above the new floor, ascending by id.
    package mutating func raiseFloor(to sequence: UInt64, next: [Start]) {
        floor = max(floor, sequence)
        starts.removeAll { $0.sequence <= floor + 1 }
        starts.insert(contentsOf: next, at: 0)
        ends.removeAll { $0.sequence <= floor }
        for index in ends.indices where ends[index].start <= floor {
            // Of several events above the floor, it need not be known with which the chain begins: nothing will be
            // inserted below.
            (ends[index].start, ends[index].startID) = (floor + 1, next.count == 1 ? next[0].id : nil)
        }
        noteShape()
    }

    /// Whether any event of the log was ever held. Only then does the log have a leaf.
    var isKnown: Bool { lastSequence > 0 }

    /// The Merkle leaf (protocol 3-3).
    package func leaf(using cryptography: some Cryptography) -> Bytes32 {
        Self.leaf(
            of: id, floor: floor, starts: starts.map { ($0.sequence, $0.id) }, ends: ends.map { ($0.sequence, $0.id) },
            using: cryptography)
    }

    /// The Merkle leaf of a log with this floor, these starts and these ends.
    static func leaf(
        of log: LogID, floor: UInt64, starts: [(sequence: UInt64, id: EventID)],
        ends: [(sequence: UInt64, id: EventID)], using cryptography: some Cryptography
    ) -> Bytes32 {
        var buffer = leafPrefix
        buffer.append(log)
        buffer.append(fixed64: floor)
        for places in [starts, ends] {
            buffer.append(fixed32: UInt32(places.count))
            for place in places {
                buffer.append(fixed64: place.sequence)
                buffer.append(place.id)
            }
        }
        return cryptography.sha256(buffer)
    }

    private static let leafPrefix = Array("tombolo-leaf-1".utf8)
}

// The stored form: one blob a log.
extension LogState {
    package var storedForm: [UInt8] {
        var buffer: [UInt8] = []
        buffer.append(varint: floor)
        buffer.append(varint: waiting)
        buffer.append(varint: starts.count)
        for start in starts {
            buffer.append(varint: start.sequence)
            buffer.append(start.id)
            buffer.append(start.previous == nil ? 0 : 1)
            if let previous = start.previous { buffer.append(previous) }
        }
        buffer.append(varint: ends.count)
        for end in ends {
            buffer.append(varint: end.sequence)
            buffer.append(end.id)
            buffer.append(varint: end.lamport)
            buffer.append(varint: end.start)
        }
        for end in ends {
            buffer.append(end.startID == nil ? 0 : 1)
            if let startID = end.startID { buffer.append(startID) }
        }
        return buffer
    }

    package init(id: LogID, reference: Int64, certificate: Certificate?, storedForm: Bytes) throws(WireError) {
        self.init(id: id)
        self.reference = reference
        self.certificate = certificate
        var reader = WireReader(storedForm)
        floor = try reader.integer()
        waiting = try reader.varint(atMost: Int(Int32.max), "waiting events")
        for _ in 0..<(try reader.varint(atMost: Limits.startsPerLog, "starts")) {
            let (sequence, id) = (try reader.integer(), EventID(try reader.bytes32()))
            let previous = try reader.byte() == 0 ? nil : EventID(try reader.bytes32())
            starts.append(Start(sequence: sequence, id: id, previous: previous))
        }
        for _ in 0..<(try reader.varint(atMost: Limits.endsPerLog, "ends")) {
            ends.append(
                End(
                    sequence: try reader.integer(), id: EventID(try reader.bytes32()), lamport: try reader.integer(),
                    start: try reader.integer(), startID: nil))
        }
        // Blobs of earlier versions end before the chains' first events.
        for index in ends.indices {
            if reader.isAtEnd {
                let candidates = starts.filter { $0.sequence == ends[index].start }
                ends[index].startID = candidates.count == 1 ? candidates[0].id : nil
            } else if try reader.byte() == 1 {
                ends[index].startID = EventID(try reader.bytes32())
            }
        }
        noteShape()
    }
}
