// The effects of a new state event on held events.
extension Replica {
    /// Withdraws events that are wanted no longer, and delivers those that are wanted again.
    mutating func settleState(in batch: inout Batch<some Cryptography>) throws(StoreError) {
        let unsettled = unsettled
        guard !unsettled.isSettled else { return }
        noteCheckpoints(now: batch.now)
        self.unsettled.settle()
        var turned = TurnedEvents()
        for index in unsettled.turned.sorted() {
            let node = state.nodes[index]
            guard let log = frontier.index(of: node.reference.log) else { continue }
            let number = frontier.logs[log].reference
            guard
                let place = try batch.store.places(of: [
                    EventKey(log: number, sequence: node.reference.sequence, id: node.reference.id)
                ])[0]
            else { continue }
            turned.note(node.reference, place, isWanted: node.stands)
        }
        for (log, former) in unsettled.parts.sorted(by: { $0.key < $1.key }) {
            try review(log, former: former, &turned, in: batch.store)
        }
        try carryOut(turned, in: &batch)
    }

    /// Settles again the events of a log of which another part was wanted before.
    private mutating func review(
        _ log: Int, former: WantedPart, _ turned: inout TurnedEvents, in store: any EventStore
    ) throws(StoreError) {
        let logState = frontier.logs[log]
        var next = logState.floor + 1
        // The part that every cut keeps is not touched.
        if logState.isLinear { next = max(next, min(former.firstEnd, wantedPart(ofLog: log).firstEnd)) }
        while next <= logState.lastSequence {
            let (events, after) = try walk(next...logState.lastSequence, ofLog: logState.reference, in: store)
            let places = try store.places(
                of: events.map { EventKey(log: logState.reference, sequence: $0.header.sequence, id: $0.id) })
            for (event, place) in zip(events, places) {
                guard let place, place.status.isValid, !isPassedOver(event.header) else { continue }
                turned.note(
                    event.reference, place, isWanted: try isWanted(event.reference, log: log, in: store))
            }
            next = after
        }
    }

    private mutating func carryOut(
        _ turned: TurnedEvents, in batch: inout Batch<some Cryptography>
    ) throws(StoreError) {
        for (status, change, events) in turned.all where !events.isEmpty {
            let sorted = events.sorted { $0.ordinal < $1.ordinal }
            try batch.store.setStatus(
                status, ordinals: sorted.map(\.ordinal), noting: change, inGroup: record.reference)
            for event in sorted { remember(event.reference, status) }
            batch.noteChanged(id)
        }
    }

    /// The next events of a walk through a part of a log, and the sequence at which the walk continues.
    ///
    /// The walk visits held events: above a gap a sequence may be any number. Branches of one sequence come together.
    func walk(
        _ part: ClosedRange<UInt64>, ofLog log: Int64, in store: any EventStore
    ) throws(StoreError) -> (events: [StoredHeader], next: UInt64) {
        var events = try store.headers(ofLog: log, in: part, limit: 256)
        guard events.count == 256, let last = events.last?.header.sequence else { return (events, part.upperBound + 1) }
        events.removeAll { $0.header.sequence == last }
        return (events, last)
    }
}

/// Events whose status has changed, by what becomes of them.
private struct TurnedEvents {
    typealias Turned = (ordinal: Int64, reference: EventReference)
    private var withdrawn: [Turned] = []
    private var restored: [Turned] = []
    private var delivered: [Turned] = []

    mutating func note(_ event: EventReference, _ place: EventPlace, isWanted: Bool) {
        switch (place.status, isWanted) {
        case (.delivered, false): withdrawn.append((place.ordinal, event))
        case (.withdrawn, true): restored.append((place.ordinal, event))
        case (.heldBack, true): delivered.append((place.ordinal, event))
        default: break
        }
    }

    var all: [(EventStatus, ChangeKind, [Turned])] {
        [
            (.withdrawn, .withdrawn, withdrawn), (.delivered, .restored, restored),
            (.delivered, .delivered, delivered),
        ]
    }
}

extension WantedPart {
    /// The sequence up to which everything of a log that is one chain is wanted; the highest one for the whole log.
    fileprivate var firstEnd: UInt64 {
        switch self {
        case .everything: .max
        case .nothing: 0
        case .upTo(let cuts): cuts.map { $0.map(\.sequence).max() ?? 0 }.min() ?? 0
        }
    }
}
